"""A server in this process over a real SQLite store, and a client that speaks to it without a socket."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from autoretrain.adapters.settings import Settings
from autoretrain.adapters.store import Store
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact
from autoretrain.serving.app import create_app
from tests.serving.models import MODEL, make_artefact


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path, model=MODEL, mlflow_tracking_uri="sqlite:///unused.db", audit_rate=0.0)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.resolved_store_url(), model=MODEL) as store:
        store.migrate()
        yield store


def serve_artefact(store: Store, artefact: ModelArtefact, *, experiment: Experiment | None = None) -> None:
    """Make `artefact` what is to be served."""
    store.put_artefact(artefact)
    store.deploy(Deployment(version=artefact.version, digest=artefact.digest, experiment=experiment))


Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def open_client(app: FastAPI, *, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """Start `app` and yield a client; `host` is the address that the client seems to come from."""
    transport = httpx.ASGITransport(app, client=(host, 12345), raise_app_exceptions=True)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server whose champion is version 1."""
    serve_artefact(store, make_artefact())
    async with open_client(create_app(settings)) as client:
        yield client
