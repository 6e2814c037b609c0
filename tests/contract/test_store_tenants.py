"""Two namespaces in one PostgreSQL: each with the role and the schema that manifests/postgresql/namespace.sql makes."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from autoretrain.adapters.store import Store
from tests.contract.conftest import DEBIAN
from tests.serving.models import make_artefact

pytestmark = pytest.mark.postgres

SCRIPT = Path(__file__).parents[2] / "manifests" / "postgresql" / "namespace.sql"
MODEL = "shared.name"
ARTEFACT = make_artefact()


@pytest.fixture
def owners_url(postgres_database: Callable[[], str]) -> str:
    """The address of the database for who owns it."""
    return postgres_database()


@pytest.fixture
def add_namespace(owners_url: str) -> Callable[[str], str]:
    """Makes a namespace's role and schema, or sets its password again; returns its address of the store."""
    psql = shutil.which("psql") or next(map(str, DEBIAN.glob("*/bin/psql")), None)
    if psql is None:
        pytest.skip("no psql: install Debian's package `postgresql-client`")
    database = sa.make_url(owners_url)

    def add(namespace: str) -> str:
        address = database.set(drivername="postgresql").render_as_string(hide_password=False)
        command = [psql, address, "--no-psqlrc", f"--set=namespace={namespace}", "--set=password=it's secret"]
        with SCRIPT.open() as script:
            subprocess.run(command, stdin=script, check=True, capture_output=True, timeout=30)
        return database.set(username=f"ns-{namespace}", password="it's secret").render_as_string(hide_password=False)

    return add


def opened(url: str) -> Store:
    store = Store(url, model=MODEL)
    store.migrate()
    return store


def test_namespaces_see_nothing_of_each_other_and_the_script_may_run_again(add_namespace: Callable[[str], str]):
    with opened(add_namespace("team-a")) as ours, opened(add_namespace("team-b")) as theirs:
        ours.put_artefact(ARTEFACT)
        assert theirs.artefact(ARTEFACT.digest) is None
    again = add_namespace("team-a")
    with Store(again, model=MODEL) as ours:
        assert ours.artefact(ARTEFACT.digest) is not None
    engine = sa.create_engine(again)
    with engine.connect() as connection, pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
        connection.exec_driver_sql('SELECT count(*) FROM "ns-team-b".artefacts')
    engine.dispose()


def test_a_store_that_somebody_has_in_public_is_not_taken_for_a_namespaces_own(
    add_namespace: Callable[[str], str], owners_url: str
):
    opened(owners_url).close()
    with opened(add_namespace("team-a")) as ours:
        ours.put_artefact(ARTEFACT)
    with Store(owners_url, model=MODEL) as owners:
        assert owners.artefact(ARTEFACT.digest) is None


def test_a_namespace_named_like_a_role_of_ours_leaves_that_role_alone(add_namespace: Callable[[str], str]):
    url = add_namespace("autoretrain")
    assert sa.make_url(url).username == "ns-autoretrain"
    with opened(url) as store:
        assert store.artefact("sha256:none") is None
