"""What every database must do for the ledger: a chain without gaps that shows every change."""

from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.schema import LEDGER
from autoretrain.domain.deployment import Deployment
from autoretrain.domain.status import HistoryEntry
from tests.contract.store_records import after

RECORDS = [{"decision": "RETRAIN", "drift": 0.23}, {"decision": "HOLD", "nested": {"b": [1, None], "a": "Größe\0"}}]


def ledger(store_url: str, statement: sa.Executable) -> None:
    """Somebody with a database client changes the ledger."""
    url = sa.make_url(store_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(statement)
    engine.dispose()


def test_decisions_come_back_with_their_sequence(store: Store) -> None:
    assert [store.append_decision(record) for record in RECORDS] == [1, 2]
    assert store.decisions(limit=9) == [{**RECORDS[0], "sequence": 1}, {**RECORDS[1], "sequence": 2}]
    assert store.verify_ledger() is None


def test_the_newest_decisions_or_a_page_can_be_read(store: Store) -> None:
    for number in range(5):
        store.append_decision({"number": number})
    assert [
        [record["sequence"] for record in store.decisions(limit=2)],
        [record["sequence"] for record in store.decisions(limit=2, after=0)],
        [record["sequence"] for record in store.decisions(limit=9, after=3)],
    ] == [[4, 5], [1, 2], [4, 5]]


def test_the_heads_of_the_newest_decisions_can_be_read_alone(store: Store, other_store: Store) -> None:
    told = {"decision": "ROLLBACK", "reason": "SpamShareTooHigh", "message": "Größe: 'a' \u2028"}
    for number in range(3):
        record = {"at": after(number).isoformat(), **told, "observation": {"at": "2020-01-01", "decision": "other"}}
        store.append_decision(record)
    other_store.append_decision({"at": after(9).isoformat(), **told})
    assert store.decision_heads(limit=2) == [
        (2, HistoryEntry(at=after(1), **told)),
        (3, HistoryEntry(at=after(2), **told)),
    ]


def test_an_empty_ledger_is_whole(store: Store) -> None:
    assert (store.verify_ledger(), store.decisions(limit=9)) == (None, [])


def test_a_number_that_json_lacks_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        store.append_decision({"drift": float("nan")})
    assert store.decisions(limit=9) == []


def test_a_changed_record_breaks_the_chain_there(store: Store, store_url: str, model: str) -> None:
    for number in range(5):
        store.append_decision({"number": number})
    here = (LEDGER.c.model == model) & (LEDGER.c.sequence == 3)
    ledger(store_url, sa.update(LEDGER).where(here).values(record='{"number":7}'))
    assert store.verify_ledger() == 3


def test_a_removed_record_breaks_the_chain_there(store: Store, store_url: str, model: str) -> None:
    for number in range(5):
        store.append_decision({"number": number})
    ledger(store_url, sa.delete(LEDGER).where((LEDGER.c.model == model) & (LEDGER.c.sequence == 1)))
    assert store.verify_ledger() == 1


def test_a_renumbered_record_leaves_a_gap_that_shows(store: Store, store_url: str, model: str) -> None:
    for number in range(3):
        store.append_decision({"number": number})
    here = (LEDGER.c.model == model) & (LEDGER.c.sequence == 3)
    ledger(store_url, sa.update(LEDGER).where(here).values(sequence=7))
    assert store.verify_ledger() == 3


def test_concurrent_writers_make_one_chain_and_one_history(store: Store, store_url: str, model: str) -> None:
    def write(writer: int) -> None:
        with Store(store_url, model=model) as own:
            for number in range(10):
                own.append_decision({"writer": writer, "number": number})
                own.deploy(Deployment(version=f"{writer}-{number}", digest="d"))

    threads = [Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    found = store.decisions(limit=99)
    assert [record["sequence"] for record in found] == list(range(1, 41))
    for writer in range(4):
        assert [record["number"] for record in found if record["writer"] == writer] == list(range(10))
    assert store.verify_ledger() is None
    deployment = store.deployment()
    assert deployment is not None
    assert deployment.revision == 40


def test_the_ledger_of_a_file_is_the_same_text_everywhere(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path}/store.db", model="default.sms") as store:
        store.migrate()
        store.append_decision({"b": 1, "a": 2})
    engine = sa.create_engine(f"sqlite:///{tmp_path}/store.db")
    with engine.connect() as connection:
        row = connection.execute(sa.select(LEDGER.c.record, LEDGER.c.hash)).one()
    engine.dispose()
    # printf '{"a":2,"b":1}' | sha256sum
    assert tuple(row) == ('{"a":2,"b":1}', "d3626ac30a87e6f7a6428233b3c68299976865fa5508e4267c5415c76af7a772")
