"""What happens when the database is locked, full, broken or out of reach: one clear error, nothing half-written."""

import gc
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.database import CONNECTIONS, Database
from autoretrain.domain.errors import AutoRetrainError, StoreUnavailable
from tests.contract.store_records import new_label, prediction

KILLED_AFTER_A_LABEL = """
import os, signal, sys
from autoretrain.adapters.store import Store
from tests.contract.store_records import new_label
with Store(sys.argv[1], model="default.sms") as store:
    print(store.add_labels([new_label(text="kept")]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""

FULL_DISK = """
import resource, sys
from autoretrain.adapters.store import Store
from autoretrain.domain.errors import StoreUnavailable
from tests.contract.store_records import prediction
with Store(sys.argv[1], model="default.sms") as store:
    store.migrate()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    for batch in range(100):
        try:
            store.add_predictions([prediction(100 * batch + i, text="x" * 1000) for i in range(100)])
        except StoreUnavailable as error:
            print(batch, error)
            break
"""


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    with Store(f"sqlite:///{path}", model="default.sms") as store:
        store.migrate()
    return path


def run_child(code: str, url: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, timeout=60, cwd=root, env={**os.environ}
    )


def test_a_label_survives_kill_9_right_after_the_answer(sqlite_path: Path) -> None:
    child = run_child(KILLED_AFTER_A_LABEL, f"sqlite:///{sqlite_path}")
    assert (child.returncode, child.stdout, child.stderr) == (-signal.SIGKILL, "[1]\n", "")
    with Store(f"sqlite:///{sqlite_path}", model="default.sms") as store:
        assert [label.text for label in store.labels()] == ["kept"]


def test_labels_wait_for_the_disk_and_predictions_do_not(sqlite_path: Path) -> None:
    database = Database(f"sqlite:///{sqlite_path}")
    modes = []
    for durable in (True, False, True):
        with database.write("labels", durable=durable) as connection:
            modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())
    database.close()
    assert modes == [2, 1, 2]


def test_readers_work_while_a_writer_writes(sqlite_path: Path) -> None:
    with Store(f"sqlite:///{sqlite_path}", model="default.sms") as store:
        store.add_predictions([prediction(1)])
        writer = sqlite3.connect(sqlite_path)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM predictions")
        assert store.prediction("p1") == prediction(1)
        writer.close()


def test_a_locked_file_is_one_clear_error_after_a_bounded_wait(sqlite_path: Path) -> None:
    blocker = sqlite3.connect(sqlite_path)
    blocker.execute("BEGIN IMMEDIATE")
    with Store(f"sqlite:///{sqlite_path}?timeout=0.05", model="default.sms") as store:
        with pytest.raises(StoreUnavailable, match="locked"):
            store.add_labels([new_label(text="secret text")])
        blocker.close()
        assert store.labels() == []


def test_a_full_disk_is_one_clear_error_and_no_half_batch(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    child = run_child(FULL_DISK, f"sqlite:///{path}")
    assert (child.returncode, child.stderr) == (0, "")
    batch, message = child.stdout.split(" ", 1)
    assert "can't be used" in message
    assert "full" in message or "I/O" in message
    with Store(f"sqlite:///{path}", model="default.sms") as store:
        assert store.count_predictions(version="1", since=None) == 100 * int(batch) > 0
        store.add_predictions([prediction(10**6)])


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"something else entirely" * 100)
    with Store(f"sqlite:///{path}", model="default.sms") as store, pytest.raises(StoreUnavailable, match="not a data"):
        store.check_schema()


def test_a_directory_that_can_not_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Store(f"sqlite:///{tmp_path}/file/store.db", model="default.sms") as store, pytest.raises(StoreUnavailable):
        store.migrate()


def test_an_error_never_shows_message_text_or_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"postgresql://user:geheim@127.0.0.1:{port}/db"
    with Store(url, model="default.sms") as store, pytest.raises(StoreUnavailable) as raised:
        store.add_labels([new_label(text="secret text")])
    shown = f"{raised.value} {raised.value.__cause__}"
    assert "geheim" not in shown
    assert "secret text" not in shown
    assert f"127.0.0.1:{port}" in shown


def test_a_refused_value_does_not_show_the_message_beside_it(store: Store) -> None:
    with pytest.raises(ValueError, match="model_version") as raised:
        store.add_predictions([prediction(1), prediction(2, text="secret text".upper(), model_version=None)])
    shown = "".join(traceback.format_exception(raised.value))
    assert "SECRET TEXT" not in shown
    assert store.prediction("p1") is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/db", "mysql"),
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("nonsense", "SQLAlchemy address"),
    ],
)
def test_an_address_that_can_not_work_is_refused_at_once(url: str, says: str) -> None:
    with pytest.raises(AutoRetrainError, match=says):
        Store(url, model="default.sms")


@pytest.mark.postgres
def test_a_restarted_server_costs_no_call(migrated_postgres: str, model: str) -> None:
    with Store(migrated_postgres, model=model) as store:
        store.add_predictions([prediction(1)])
        engine = sa.create_engine(sa.make_url(migrated_postgres).set(drivername="postgresql+psycopg"))
        with engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.exec_driver_sql(f"{others} AND datname = current_database()")
        engine.dispose()
        assert store.prediction("p1") == prediction(1)


def test_a_process_holds_at_most_two_connections(store_url: str, model: str) -> None:
    opened: list[int] = []
    with Store(store_url, model=model) as store:
        sa.event.listen(sa.pool.Pool, "connect", counter := lambda *_: opened.append(1))
        try:
            threads = [Thread(target=store.labels) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=30)
        finally:
            sa.event.remove(sa.pool.Pool, "connect", counter)
    assert 1 <= len(opened) <= CONNECTIONS == 2


def test_a_second_writer_of_labels_waits_so_that_sequences_become_visible_in_order(
    store: Store, store_url: str, model: str
) -> None:
    database = Database(store_url)
    with database.write("labels", model):
        second = Thread(target=store.add_labels, args=([new_label(text="second")],))
        second.start()
        second.join(timeout=0.3)
        waited = second.is_alive()
    second.join(timeout=10)
    database.close()
    assert (waited, second.is_alive(), [label.text for label in store.labels()]) == (True, False, ["second"])


def test_a_store_that_is_forgotten_without_being_closed_leaves_no_connection_behind(sqlite_path):
    database = Database(f"sqlite:///{sqlite_path}")
    with database.read():
        pass
    engine = database._engine
    assert engine.pool.checkedin() == 1
    del database
    gc.collect()
    assert engine.pool.checkedin() == 0
