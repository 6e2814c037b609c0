"""How the tables come to be, and that a process refuses tables that it can't work with."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
import sqlalchemy as sa
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


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    with Store(empty_url, model="default.sms") as store:
        store.migrate()
        store.add_predictions([prediction(1)])
        store.migrate()
        assert store.prediction("p1") == prediction(1)


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
