"""How the tables come to be, and that a process refuses tables that it can't work with."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.schema import METADATA, SCHEMA_REVISION
from autoretrain.domain.errors import StoreUnavailable
from tests.contract.store_records import prediction


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(parsed)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def test_a_missing_schema_is_refused_with_the_command_to_run(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        with pytest.raises(StoreUnavailable, match="autoretrain migrate"):
            store.check_schema()
        store.migrate()
        store.check_schema()


def test_using_missing_tables_is_one_clear_error(store_url: str) -> None:
    with connected(store_url) as connection:
        connection.exec_driver_sql("ALTER TABLE labels RENAME TO gone")
    try:
        with Store(store_url, model="default.sms") as store, pytest.raises(StoreUnavailable, match="labels"):
            store.labels()
    finally:
        with connected(store_url) as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO labels")


@pytest.mark.parametrize(("found", "accepted"), [("0000", False), ("9999", True)])
def test_older_tables_are_refused_and_newer_ones_accepted(empty_url: str, found: str, accepted: bool) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
        with connected(empty_url) as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :found"), {"found": found})
        if accepted:
            store.check_schema()
        else:
            with pytest.raises(StoreUnavailable, match=f"schema 0000, older than the {SCHEMA_REVISION}"):
                store.check_schema()


def upgrade_to(url: str, revision: str) -> None:
    """Leave the tables as the release of that revision made them."""
    if (path := sa.make_url(url).database) and url.startswith("sqlite"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", "autoretrain.adapters.store:migrations")
    with connected(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_the_first_tables_hold_is_read_on(empty_url: str) -> None:
    upgrade_to(empty_url, "0001")
    with Store(empty_url, model="default.sms") as store:
        store.add_predictions([prediction(number) for number in range(3)])
        store.migrate()
        assert [store.prediction(f"p{number}") for number in range(3)] == [prediction(number) for number in range(3)]
        assert (store.outbox(), store.advice(limit=1)) == ("", [])
    with connected(empty_url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


@pytest.mark.postgres
def test_a_migration_may_take_longer_than_other_statements(postgres_database: Callable[[], str]) -> None:
    """An index over months of messages does."""
    url = postgres_database()
    upgrade_to(url, "0003")
    with connected(url) as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION be_slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.6); END'"
        )
        connection.exec_driver_sql("CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION be_slow()")
    limited = sa.make_url(url).update_query_dict({"options": "-c statement_timeout=500ms"})
    with Store(limited.render_as_string(hide_password=False), model="default.sms") as store:
        store.migrate()
        store.check_schema()


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
        store.add_predictions([prediction(1)])
        store.migrate()
        assert store.prediction("p1") == prediction(1)


def test_a_process_that_finds_the_newest_tables_has_no_need_of_alembic(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
    script = (
        "import sys\nfrom autoretrain.adapters.store import Store\n"
        "Store(sys.argv[1], model='default.sms').migrate()\nprint('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, empty_url], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_release_that_is_put_back_leaves_newer_tables_as_they_are(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
        with connected(empty_url) as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        store.migrate()
        with connected(empty_url) as connection:
            assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "9999"


def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    failures: list[Exception] = []

    def migrate() -> None:
        with Store(empty_url, model="default.sms") as store:
            try:
                store.migrate()
                store.check_schema()
            except Exception as error:
                failures.append(error)

    threads = [Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []


def test_the_migrations_make_the_declared_tables(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
    with connected(empty_url) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_the_newest_migration_is_the_revision_that_the_code_needs() -> None:
    config = Config()
    config.set_main_option("script_location", "autoretrain.adapters.store:migrations")
    scripts = ScriptDirectory.from_config(config)
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert scripts.get_current_head() == SCHEMA_REVISION
    assert revisions == sorted(revisions, reverse=True)
