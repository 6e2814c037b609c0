"""How the store reaches its database, how long it waits, and what it says when it can't.

SQLite (write-ahead log) or PostgreSQL, by address. Every operation is one transaction: all of it happens or none.
"""

import hashlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, select, text
from sqlalchemy import func as sql
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from autoretrain.adapters.store.schema import SCHEMA_REVISION
from autoretrain.domain.errors import StoreUnavailable

CONNECTIONS = 2
CONNECT_TIMEOUT_SECONDS = 5
LOCK_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 30
MIGRATE_SECONDS = 60

# FULL waits for the disk at every commit, NORMAL at checkpoints only: a power cut may then cost the newest predictions,
# never the file. IMMEDIATE takes the writer's place at once, while waiting for it is still possible.
_BEGIN_WRITE = {
    True: ("PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"),
    False: ("PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE"),
}


class Database:
    """One address; at most two connections, shared by the threads of this process."""

    def __init__(self, url: str) -> None:
        self._url = _parse_url(url)
        self._engine = _create_engine(self._url)
        # Who forgets it without closing it, as a cache does, leaves no connection behind.
        weakref.finalize(self, self._engine.dispose).atexit = False

    @property
    def name(self) -> str:
        """The address without its password, for messages."""
        return self._url.set(drivername=self._url.get_backend_name()).render_as_string(hide_password=True)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot."""
        with self._named_errors(), self._begin("BEGIN", isolation="REPEATABLE READ") as connection:
            yield connection

    @contextmanager
    def write(self, *lock: str, durable: bool = True) -> Iterator[Connection]:
        """One transaction, committed at the end; it is on the disk by then unless `durable` is false.

        Transactions with the same `lock` run one after the other, so that a sequence number becomes visible only after
        all smaller ones: a reader who saw n never finds a smaller one later. (SQLite has one writer anyway.)
        """
        with self._named_errors(), self._begin(*_BEGIN_WRITE[durable]) as connection:
            if connection.dialect.name == "postgresql":
                key = hashlib.sha256("\0".join(("autoretrain", *lock)).encode()).digest()[:8]
                connection.execute(select(sql.pg_advisory_xact_lock(int.from_bytes(key, "big", signed=True))))
            yield connection

    def insert_new(self, table: Table) -> Any:
        """An INSERT that leaves a row alone which is there already."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table).on_conflict_do_nothing()

    def migrate(self) -> None:
        """Bring the tables to the newest revision; safe to run from several processes at once."""
        path = _sqlite_path(self._url)
        if path is None:
            self._upgrade()
            return
        # Imported where it is used: serving never migrates and carries no such library.
        from filelock import FileLock

        with self._named_errors():
            # Messages are personal data: nobody else on this machine needs to read them.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite does not wait where two processes set the mode of one new file: one of them would fail at once.
            with FileLock(f"{path}.migrate", timeout=MIGRATE_SECONDS):
                with self._begin("PRAGMA journal_mode = WAL", "BEGIN"):
                    pass  # the file remembers its mode, and outside of a transaction is the only place to set it
                self._upgrade()

    def _upgrade(self) -> None:
        if (self._revision() or "") >= SCHEMA_REVISION:
            # Nearly always; Alembic is 10 MiB in each process that would only find that out. Newer tables, after a way
            # back to this release, are fine, and Alembic does not know them.
            return
        # Alembic is imported where it is used, too: serving starts faster without it.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "autoretrain.adapters.store:migrations")
        with self.write("migrate") as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def check_schema(self) -> None:
        """Raise StoreUnavailable where the tables are missing or older than this code needs; newer ones are fine."""
        path = _sqlite_path(self._url)
        if path and not path.exists():
            raise StoreUnavailable(f"there is no store at {self.name} yet; `autoretrain migrate` creates it")
        found = self._revision()
        if found is None:
            raise StoreUnavailable(f"the store at {self.name} has no tables yet; `autoretrain migrate` creates them")
        if found < SCHEMA_REVISION:
            raise StoreUnavailable(
                f"the store at {self.name} has schema {found}, older than the {SCHEMA_REVISION} that this code needs; "
                "run `autoretrain migrate`"
            )

    def _revision(self) -> str | None:
        """Return the revision that the tables have; None where there are none."""
        with self.read() as connection:
            if not connection.dialect.has_table(connection, "alembic_version"):
                return None
            found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return found

    @contextmanager
    def _begin(self, *sqlite_statements: str, isolation: str | None = None) -> Iterator[Connection]:
        connection = self._engine.connect().execution_options(autoretrain_begin=sqlite_statements)
        with connection:
            if isolation is not None and connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level=isolation)
            with connection.begin():
                yield connection

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, DataError) as error:
            # A fault of the caller's, not of the database. PostgreSQL's details quote the row, so they end here.
            raise ValueError(f"the store refuses a value: {_first_line(error.orig)}") from None
        except PoolTimeout as error:
            reason = f"both connections are in use for more than {LOCK_TIMEOUT_SECONDS} s"
            raise StoreUnavailable(f"the store at {self.name} can't be used: {reason}") from error
        except DBAPIError as error:
            raise StoreUnavailable(f"the store at {self.name} can't be used: {_first_line(error.orig)}") from error
        except OSError as error:
            raise StoreUnavailable(f"the store at {self.name} can't be used: {error.strerror or error}") from error


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreUnavailable("the store's address is no SQLAlchemy address such as sqlite:///path") from error
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise StoreUnavailable(f"the store can't be kept in {backend}; use sqlite:///path or postgresql://…")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreUnavailable("the store needs a file, as in sqlite:///path: several processes share it")
    return parsed.set(drivername="sqlite+pysqlite")


def _sqlite_path(url: URL) -> Path | None:
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _create_engine(url: URL) -> Engine:
    options: dict[str, Any] = {
        "hide_parameters": True,  # a parameter is somebody's message; it must not reach a log through an error
        "pool_size": CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": LOCK_TIMEOUT_SECONDS,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args=_unless_in(url, timeout=LOCK_TIMEOUT_SECONDS), **options)
        event.listen(engine, "connect", _take_over_transactions)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = _unless_in(
        url,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        tcp_user_timeout=1000 * STATEMENT_TIMEOUT_SECONDS,
        options=f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s",
    )
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, **options)


def _unless_in(url: URL, **arguments: Any) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in url.query}


def _take_over_transactions(connection: Any, _record: Any) -> None:
    # The driver would open transactions late and never around DDL; _begin_sqlite opens them where SQLAlchemy means it.
    connection.isolation_level = None


def _begin_sqlite(connection: Connection) -> None:
    for statement in connection.get_execution_options()["autoretrain_begin"]:
        connection.exec_driver_sql(statement)


class Part:
    """One topic of the store, about one model."""

    def __init__(self, database: Database, model: str) -> None:
        self._database, self._model = database, model
