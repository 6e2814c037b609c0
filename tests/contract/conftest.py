"""A store on each database: SQLite in a file, PostgreSQL by address or from Debian's binaries."""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from autoretrain.adapters.store import Store

DEBIAN = Path("/usr/lib/postgresql")
KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """An administrator's address of a server that may be written to."""
    if given := os.environ.get("AUTORETRAIN_TEST_POSTGRES_URL"):
        yield sa.make_url(given).set(drivername="postgresql+psycopg")
        return
    found = sorted(DEBIAN.glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL: set AUTORETRAIN_TEST_POSTGRES_URL or install Debian's package `postgresql`")
    with _debian_server(found[-1].parent) as url:
        yield url


@contextlib.contextmanager
def _debian_server(binaries: Path) -> Iterator[sa.URL]:
    # The server refuses to run as root, so root lends it to the user that the package made.
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="autoretrain-pg-"))
    if user:
        shutil.chown(directory, user, user)
    data = directory / "data"
    as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-A", "trust", "-U", "autoretrain", "--no-sync", "--no-locale", "-E", "UTF8"],
        check=True,
        capture_output=True,
        timeout=60,
        cwd=directory,
        **as_user,
    )
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=directory,
        **as_user,
    )
    try:
        url = sa.URL.create("postgresql+psycopg", "autoretrain", database="postgres", query={"host": str(directory)})
        _wait_for(url, seconds=30)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)
        shutil.rmtree(directory)


def _wait_for(url: sa.URL, *, seconds: float) -> None:
    engine = sa.create_engine(url)
    deadline = time.monotonic() + seconds
    while True:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            engine.dispose()
            return


@pytest.fixture(scope="session")
def postgres_database(postgres_server: sa.URL) -> Iterator[Callable[[], str]]:
    """Makes empty databases, and drops them in the end."""
    engine = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"autoretrain_test_{os.getpid()}_{next(NUMBERS)}"
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        made.append(name)
        return postgres_server.set(database=name).render_as_string(hide_password=False)

    yield make
    with engine.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/store.db"
    return request.getfixturevalue("postgres_database")()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    with Store(f"sqlite:///{path}", model="default.none") as store:
        store.migrate()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_database: Callable[[], str]) -> str:
    url = postgres_database()
    with Store(url, model="default.none") as store:
        store.migrate()
    return url


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with tables. PostgreSQL's is shared by the tests; their models keep them apart."""
    if request.param == "postgresql":
        return request.getfixturevalue("migrated_postgres")
    return f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), tmp_path / 'store.db')}"


@pytest.fixture
def model() -> str:
    return f"default.model-{next(NUMBERS)}"


@pytest.fixture
def store(store_url: str, model: str) -> Iterator[Store]:
    with Store(store_url, model=model) as store:
        yield store


@pytest.fixture
def other_store(store_url: str) -> Iterator[Store]:
    """Another model in the same database: it must see none of what `store` holds."""
    with Store(store_url, model=f"default.model-{next(NUMBERS)}") as store:
        yield store
