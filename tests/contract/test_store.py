"""What every database must do for predictions, windows, artefacts, the deployment and retention."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.predictions import Traffic
from autoretrain.adapters.store.spans import Span
from autoretrain.adapters.store.store import Purged
from autoretrain.domain.deployment import Deployment, Experiment, ModelArtefact
from autoretrain.domain.messages import Label, LabelKind
from autoretrain.domain.spec import ExperimentMode
from tests.contract.store_records import NOON, after, drawn, new_label, prediction, report

EXPERIMENT = Experiment(mode=ExperimentMode.SHADOW, version="2", digest="d2", percent=0)


def traffic(store: Store, span: Span) -> list[Traffic]:
    return store.traffic(since=NOON, until=after(61), span=span)


def artefact(version: str, digest: str) -> ModelArtefact:
    return ModelArtefact(
        version=version, digest=digest, run_id=f"run-{version}", model=b"\x00\xff", reference=b"{}", card='{"a": 1}'
    )


def test_a_prediction_comes_back_whole(store: Store) -> None:
    written = drawn(1, label=Label.SPAM, role="candidate", other_version="2", other_score=0.75)
    store.add_predictions([written])
    assert store.prediction("p1") == written


def test_an_unknown_prediction_is_none(store: Store) -> None:
    assert store.prediction("p1") is None


def test_another_model_sees_nothing(store: Store, other_store: Store) -> None:
    store.add_predictions([drawn(1)])
    store.add_labels([new_label("p1")])
    store.save_report(report(1), first_sequence=1, last_sequence=2)
    store.put_artefact(artefact("1", "d1"))
    store.deploy(Deployment(version="1", digest="d1"))
    store.append_decision({"decision": "RETRAIN"})
    assert [
        other_store.prediction("p1"),
        other_store.predictions_after(0, version="1", limit=9),
        other_store.labels_to_ask(limit=9, now=NOON),
        other_store.audited(version=None, since=None),
        other_store.audited_shadow(version="2", threshold=0.5, since=None),
        other_store.handed_out(now=NOON),
        other_store.labels(),
        other_store.sources(),
        other_store.reports(version=None, limit=9),
        other_store.last_sequence("1"),
        other_store.artefact("d1"),
        other_store.deployment(),
        other_store.decisions(limit=9),
        other_store.drop_source("app"),
        other_store.prune_artefacts(set()),
        other_store.purge(now=after(10**6), retention_seconds=1),
    ] == [
        *(None, [], [], ([], 0), ([], 0), (0, None), [], [], [], 0, None, None, [], 0, 0),
        Purged(predictions=0, labels=0, windows=0),
    ]


def test_a_batch_sent_twice_is_kept_once(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2)])
    store.add_predictions([prediction(2, text="changed"), prediction(3)])
    found = store.recent_predictions(version="1", since=None, limit=9)
    assert found == [prediction(1), prediction(2), prediction(3)]


def test_no_predictions_are_no_write(store: Store) -> None:
    store.add_predictions([])
    assert store.count_predictions(version=None, since=None) == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Grüße €5 😀 नमस्ते", "Grüße €5 😀 नमस्ते"),
        ("nul\0byte", "nul\ufffdbyte"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("", ""),
        ("'; DROP TABLE predictions; --", "'; DROP TABLE predictions; --"),
    ],
)
def test_any_text_can_be_kept(store: Store, text: str, kept: str) -> None:
    store.add_predictions([prediction(1, text=text)])
    store.add_labels([new_label(text=text)])
    found = store.prediction("p1")
    assert found is not None
    assert (found.text, [label.text for label in store.labels()]) == (kept, [kept])


def test_times_come_back_in_utc(store: Store) -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    store.add_predictions([prediction(1, at=datetime(2026, 3, 1, 17, 30, 0, 250, tzinfo=india))])
    found = store.prediction("p1")
    assert found is not None
    assert (found.at, found.at.tzinfo) == (datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC), UTC)


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="without a time zone"):
        store.add_predictions([prediction(1, at=datetime(2026, 3, 1))])  # noqa: DTZ001 - the case under test


def test_predictions_after_are_the_champions_of_that_version_in_order(store: Store) -> None:
    store.add_predictions(
        [prediction(1), prediction(2, role="candidate"), prediction(3, model_version="2"), prediction(4), prediction(5)]
    )
    (first, one), (second, two) = store.predictions_after(0, version="1", limit=2)
    assert (one, two, first < second) == (prediction(1), prediction(4), True)
    assert [found for _, found in store.predictions_after(second, version="1", limit=9)] == [prediction(5)]


def test_recent_predictions_are_the_newest_oldest_first(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2, model_version="2"), prediction(3), prediction(4)])
    assert [
        store.recent_predictions(version="1", since=None, limit=2),
        store.recent_predictions(version=None, since=None, limit=3),
        store.recent_predictions(version="1", since=after(4), limit=9),
    ] == [
        [prediction(3), prediction(4)],
        [prediction(2, model_version="2"), prediction(3), prediction(4)],
        [prediction(4)],
    ]


def test_predictions_are_counted_by_version_and_time(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2, model_version="2"), prediction(3, role="candidate")])
    assert [
        store.count_predictions(version=None, since=None),
        store.count_predictions(version="1", since=None),
        store.count_predictions(version="1", since=after(2)),
    ] == [3, 2, 1]


def test_traffic_is_counted_by_span_version_and_label_in_order_of_time(store: Store, other_store: Store) -> None:
    spam = {"label": Label.SPAM}
    store.add_predictions(
        [
            prediction(1),
            prediction(2, at=after(1.5), role="candidate"),
            prediction(3, at=after(1.5), **spam),
            prediction(4, at=after(59), model_version="2"),
            prediction(5, at=after(61)),
        ]
    )
    other_store.add_predictions([prediction(6, at=after(1))])
    by_minute = [(row.started_at, row.version, row.label, row.messages) for row in traffic(store, "minute")]
    by_hour = [(row.started_at, row.version, row.label, row.messages) for row in traffic(store, "hour")]
    assert by_minute == [
        (after(1), "1", Label.HAM, 2),
        (after(1), "1", Label.SPAM, 1),
        (after(59), "2", Label.HAM, 1),
        (after(61), "1", Label.HAM, 1),
    ]
    assert by_hour == [
        (NOON, "1", Label.HAM, 2),
        (NOON, "1", Label.SPAM, 1),
        (NOON, "2", Label.HAM, 1),
        (after(60), "1", Label.HAM, 1),
    ]
    [day, *_] = traffic(store, "day")
    assert (day.started_at, day.messages) == (datetime(2026, 3, 1, tzinfo=UTC), 3)


def test_traffic_before_a_time_is_not_counted(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2, at=after(1.5)), prediction(3)])
    assert [row.messages for row in store.traffic(since=after(1.5), until=after(9), span="hour")] == [2]


def test_traffic_is_counted_to_the_end_of_the_last_span(store: Store) -> None:
    store.add_predictions([prediction(number, at=after(number)) for number in (1, 59, 60)])
    assert [row.messages for row in store.traffic(since=NOON, until=after(2), span="hour")] == [2]
    assert [row.messages for row in store.traffic(since=NOON, until=after(60), span="hour")] == [2, 1]
    assert store.traffic(since=after(2), until=after(1), span="minute") == []


def test_another_model_of_the_same_database_is_looked_at_over_the_same_connections(store: Store, model: str) -> None:
    store.add_predictions([prediction(1)])
    other = store.about(f"{model}-other")
    other.add_predictions([prediction(2)])
    assert [
        [found.prediction_id for found in each.recent_predictions(version=None, since=None, limit=9)]
        for each in (store, other, other.about(model))
    ] == [["p1"], ["p2"], ["p1"]]


def test_the_newest_predictions_of_one_label_can_be_read(store: Store) -> None:
    store.add_predictions([prediction(1, label=Label.SPAM), prediction(2), prediction(3, label=Label.SPAM)])
    found = store.recent_predictions(version=None, since=after(2), limit=9, label=Label.SPAM)
    assert [each.prediction_id for each in found] == ["p3"]


def test_a_window_is_reported_once(store: Store) -> None:
    store.save_report(report(1), first_sequence=1, last_sequence=250)
    store.save_report(report(1, score=0.9), first_sequence=1, last_sequence=300)
    assert (store.reports(version="1", limit=9), store.last_sequence("1")) == ([report(1)], 250)


def test_reports_are_the_newest_oldest_first(store: Store) -> None:
    other = report(4, model_version="2", window_id="2:4")
    for number in (1, 2, 3):
        store.save_report(report(number), first_sequence=250 * number, last_sequence=250 * number + 249)
    store.save_report(other, first_sequence=1000, last_sequence=1249)
    assert [
        store.reports(version="1", limit=2),
        store.reports(version=None, limit=2),
        store.last_sequence("1"),
        store.last_sequence("3"),
    ] == [[report(2), report(3)], [report(3), other], 999, 0]


def test_an_artefact_is_found_by_digest_and_by_version(store: Store) -> None:
    store.put_artefact(artefact("1", "d1"))
    store.put_artefact(artefact("2", "d2"))
    assert [store.artefact("d1"), store.artefact_by_version("2"), store.artefact("d3")] == [
        artefact("1", "d1"),
        artefact("2", "d2"),
        None,
    ]


def test_an_artefact_put_again_takes_the_place_of_its_version(store: Store) -> None:
    store.put_artefact(artefact("1", "d1"))
    store.put_artefact(artefact("1", "other"))
    assert (store.artefact("d1"), store.artefact_by_version("1")) == (None, artefact("1", "other"))


def test_pruning_keeps_the_named_digests_only(store: Store) -> None:
    for number in ("1", "2", "3"):
        store.put_artefact(artefact(number, f"d{number}"))
    assert store.prune_artefacts({"d1", "d3"}) == 1
    assert [bool(store.artefact(digest)) for digest in ("d1", "d2", "d3")] == [True, False, True]


def test_the_revision_rises_only_when_something_changed(store: Store) -> None:
    revisions = [
        store.deploy(Deployment(version="1", digest="d1", revision=7)),
        store.deploy(Deployment(version="1", digest="d1")),
        store.deploy(Deployment(version="1", digest="d1", experiment=EXPERIMENT)),
        store.deploy(Deployment(version="2", digest="d2")),
        store.deploy(Deployment(version="1", digest="d1")),
    ]
    assert [deployment.revision for deployment in revisions] == [1, 1, 2, 3, 4]
    assert revisions[2] == Deployment(version="1", digest="d1", revision=2, experiment=EXPERIMENT)
    assert store.deployment() == revisions[-1]


def test_what_was_served_at_a_moment_survives_a_rollback(store: Store) -> None:
    first, second = Deployment(version="1", digest="d1"), Deployment(version="2", digest="d2")
    for minutes, deployment in ((0, first), (10, second), (20, first)):
        store.deploy(deployment, at=after(minutes))
    found = [store.served_at(after(minutes)) for minutes in (-1, 0, 9, 10, 25)]
    assert [deployment and (deployment.version, deployment.revision) for deployment in found] == [
        None,
        ("1", 1),
        ("1", 1),
        ("2", 2),
        ("1", 3),
    ]


def test_retention_deletes_texts_and_spares_imports(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(100)])
    store.save_report(report(1), first_sequence=1, last_sequence=1)
    store.add_labels(
        [
            new_label("p1", received_at=after(1)),
            new_label("p100", received_at=after(100)),
            new_label(text="from a file", kind=LabelKind.IMPORT, received_at=after(1)),
        ]
    )
    deleted = store.purge(now=after(110), retention_seconds=3600)
    assert deleted == Purged(predictions=1, labels=1, windows=1)
    assert store.recent_predictions(version=None, since=None, limit=9) == [prediction(100)]
    assert [label.text for label in store.labels()] == ["message 100", "from a file"]


def test_retention_works_through_more_than_one_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoretrain.adapters.store.store._PURGE_ROWS", 2)
    store.add_predictions([prediction(number) for number in range(5)])
    assert store.purge(now=after(1000), retention_seconds=60).predictions == 5


def test_a_purged_sequence_is_never_given_again(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2)])
    last, _ = store.predictions_after(0, version="1", limit=9)[-1]
    store.purge(now=after(1000), retention_seconds=60)
    store.add_predictions([prediction(3)])
    assert store.predictions_after(last, version="1", limit=9)[0][1] == prediction(3)
