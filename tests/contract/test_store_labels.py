"""What every database must do for labels: durable, all or nothing, the newest word on a subject holds."""

from datetime import timedelta

import pytest

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.audit import ASK_AT_MOST, ASK_LEASE
from autoretrain.adapters.store.labels import SourceLabels
from autoretrain.domain.errors import UnknownPrediction
from autoretrain.domain.messages import AuditedPrediction, Label, LabelKind, LabelledMessage
from tests.contract.store_records import NOON, after, drawn, new_label, prediction


def audit(prediction_id: str, label: Label = Label.SPAM, **changes: object):
    return new_label(prediction_id, label=label, kind=LabelKind.AUDIT, source="page", **changes)


def test_a_label_takes_text_and_time_from_its_prediction(store: Store) -> None:
    store.add_predictions([prediction(1)])
    [sequence] = store.add_labels([new_label("p1")])
    assert store.labels() == [
        LabelledMessage(
            text="message 1",
            label=Label.SPAM,
            predicted_at=after(1),
            source="app",
            kind=LabelKind.REPORT,
            sequence=sequence,
        )
    ]


def test_a_label_may_bring_its_own_text(store: Store) -> None:
    [sequence] = store.add_labels([new_label(text="hello", predicted_at=after(5))])
    assert store.labels() == [
        LabelledMessage(
            text="hello",
            label=Label.SPAM,
            predicted_at=after(5),
            source="app",
            kind=LabelKind.REPORT,
            sequence=sequence,
        )
    ]


def test_an_unknown_prediction_keeps_the_whole_batch_out(store: Store) -> None:
    store.add_predictions([prediction(1)])
    with pytest.raises(UnknownPrediction, match="p2"):
        store.add_labels([new_label("p1"), new_label("p2"), new_label(text="hello")])
    assert store.sources() == []


@pytest.mark.parametrize("changes", [{}, {"prediction_id": "p1", "text": "both"}])
def test_a_label_must_name_its_message_exactly_once(store: Store, changes: dict[str, str]) -> None:
    store.add_predictions([prediction(1)])
    with pytest.raises(ValueError, match="exactly one"):
        store.add_labels([new_label(**changes)])


def test_no_labels_are_no_write(store: Store) -> None:
    assert store.add_labels([]) == []


def test_sequences_ascend_in_the_order_given(store: Store) -> None:
    sequences = store.add_labels([new_label(text=f"message {number}") for number in range(2500)])
    assert sequences == sorted(set(sequences))
    assert [label.text for label in store.labels()] == [f"message {number}" for number in range(2500)]


def test_saying_the_same_again_adds_nothing(store: Store) -> None:
    store.add_predictions([prediction(1)])
    labels = [new_label("p1"), new_label(text="hello"), new_label(text="hello")]
    first = store.add_labels(labels)
    again = store.add_labels(labels)
    assert (first == again, first[1] == first[2], len(store.labels())) == (True, True, 2)


def test_a_correction_of_a_prediction_holds_instead(store: Store) -> None:
    store.add_predictions([prediction(1)])
    sequences = [store.add_labels([new_label("p1", label=label)])[0] for label in (Label.SPAM, Label.HAM, Label.SPAM)]
    assert sequences == sorted(set(sequences))
    assert [(label.label, label.sequence) for label in store.labels()] == [(Label.SPAM, sequences[2])]
    assert [label.label for label in store.labels(up_to=sequences[1])] == [Label.HAM]


def test_a_correction_within_one_batch_holds_instead(store: Store) -> None:
    store.add_predictions([prediction(1)])
    first, second = store.add_labels([new_label("p1"), new_label("p1", label=Label.HAM)])
    assert first < second
    assert [label.label for label in store.labels()] == [Label.HAM]


def test_contradictions_about_a_text_both_stay(store: Store) -> None:
    store.add_labels([new_label(text="hello"), new_label(text="hello", label=Label.HAM)])
    assert [label.label for label in store.labels()] == [Label.SPAM, Label.HAM]


def test_two_sources_may_disagree_about_a_prediction(store: Store) -> None:
    store.add_predictions([prediction(1)])
    store.add_labels([new_label("p1"), new_label("p1", source="other", label=Label.HAM)])
    assert [(label.source, label.label) for label in store.labels()] == [("app", Label.SPAM), ("other", Label.HAM)]


def test_the_cutoff_freezes_the_rows(store: Store) -> None:
    store.add_predictions([prediction(1), prediction(2), prediction(3)])
    store.add_labels([new_label("p1"), new_label("p2")])
    *_, cutoff = store.count_new_labels(0)
    frozen = store.labels(up_to=cutoff)
    store.add_labels([new_label("p1", label=Label.HAM), new_label("p3"), new_label(text="x", trusted=False)])
    store.approve_source("app")
    assert store.labels(up_to=cutoff) == frozen


def test_a_label_outlives_its_prediction(store: Store) -> None:
    store.add_predictions([drawn(1)])
    store.add_labels([audit("p1", received_at=after(500))])
    store.purge(now=after(600), retention_seconds=60 * 60 * 8)
    assert (store.prediction("p1"), len(store.labels()), len(store.audited(version="1", since=None)[0])) == (None, 1, 1)


def test_new_labels_are_the_trusted_ones_after_the_cutoff(store: Store) -> None:
    first, *_ = store.add_labels([new_label(text="a")])
    *_, highest = store.add_labels([new_label(text="b"), new_label(text="c", label=Label.HAM)])
    store.add_labels([new_label(text="d", trusted=False, source="anonymous")])
    assert [store.count_new_labels(0), store.count_new_labels(first), store.count_new_labels(highest + 5)] == [
        (3, 2, highest),
        (2, 1, highest),
        (0, 0, highest + 5),
    ]


def test_without_labels_the_supply_is_empty(store: Store) -> None:
    assert store.count_new_labels(0) == (0, 0, 0)


def test_anonymous_labels_train_only_after_approval_and_count_as_new_then(store: Store) -> None:
    store.add_labels([new_label(text=text, source="anonymous", trusted=False) for text in ("a", "b")])
    *_, cutoff = store.add_labels([new_label(text="c", label=Label.HAM)])
    assert [label.text for label in store.labels()] == ["c"]
    assert store.approve_source("anonymous") == 2
    assert [label.text for label in store.labels()] == ["c", "a", "b"]
    assert store.count_new_labels(cutoff)[:2] == (2, 2)


def test_a_dropped_source_leaves_the_labels_as_if_it_had_never_been(store: Store) -> None:
    store.add_labels([new_label(text="good")])
    before = store.labels()
    store.add_labels([new_label(text="poison", source="mallory"), new_label(text="good", source="mallory")])
    assert store.drop_source("mallory") == 2
    assert store.labels() == before


def test_sources_are_counted_by_kind_and_trust(store: Store) -> None:
    store.add_labels(
        [
            new_label(text="a"),
            new_label(text="b", label=Label.HAM),
            new_label(text="c", source="anonymous", trusted=False),
            new_label(text="d", kind=LabelKind.IMPORT),
        ]
    )
    assert store.sources() == [
        SourceLabels(source="anonymous", kind=LabelKind.REPORT, trusted=False, labels=1, spam=1),
        SourceLabels(source="app", kind=LabelKind.IMPORT, trusted=True, labels=1, spam=1),
        SourceLabels(source="app", kind=LabelKind.REPORT, trusted=True, labels=2, spam=1),
    ]


def test_the_newest_drawn_predictions_are_asked_first(store: Store) -> None:
    store.add_predictions([drawn(1), prediction(2), drawn(3), drawn(4)])
    assert store.labels_to_ask(limit=2, now=NOON) == [drawn(4), drawn(3)]


def test_nobody_is_asked_for_what_another_is_labelling(store: Store) -> None:
    store.add_predictions([drawn(1), drawn(2)])
    assert [
        store.labels_to_ask(limit=1, now=NOON),
        store.labels_to_ask(limit=9, now=NOON),
        store.labels_to_ask(limit=9, now=NOON + ASK_LEASE - timedelta(seconds=1)),
        store.labels_to_ask(limit=9, now=NOON + ASK_LEASE),
    ] == [[drawn(2)], [drawn(1)], [], [drawn(2), drawn(1)]]


def test_it_is_known_how_many_are_handed_out_and_until_when(store: Store) -> None:
    store.add_predictions([drawn(1), drawn(2), drawn(3), prediction(4)])
    nothing = store.handed_out(now=NOON)
    store.labels_to_ask(limit=1, now=NOON)
    store.labels_to_ask(limit=1, now=after(2))
    both = store.handed_out(now=after(3))
    store.add_labels([audit("p2")])
    assert [
        nothing,
        both,
        store.handed_out(now=after(3)),
        store.handed_out(now=NOON + ASK_LEASE),
    ] == [(0, None), (2, after(2) + ASK_LEASE), (1, NOON + ASK_LEASE), (0, None)]


def test_a_labelled_prediction_is_not_asked_again_and_a_reported_one_is(store: Store) -> None:
    store.add_predictions([drawn(1), drawn(2)])
    store.add_labels([audit("p1"), new_label("p2")])
    assert store.labels_to_ask(limit=9, now=NOON) == [drawn(2)]


@pytest.mark.parametrize(("limit", "asked"), [(-1, 0), (0, 0), (10**9, ASK_AT_MOST)])
def test_the_number_asked_for_is_bounded(store: Store, limit: int, asked: int) -> None:
    store.add_predictions([drawn(number) for number in range(ASK_AT_MOST + 1)])
    assert len(store.labels_to_ask(limit=limit, now=NOON)) == asked


def test_audited_predictions_carry_truth_and_probability(store: Store) -> None:
    store.add_predictions([drawn(1), drawn(2), drawn(3, model_version="2"), prediction(4)])
    store.add_labels([audit("p1"), audit("p3"), new_label("p2"), audit("p4")])
    one, three = (
        AuditedPrediction(
            text=f"message {number}",
            predicted=Label.HAM,
            label=Label.SPAM,
            probability=0.25,
            model_version=version,
            predicted_at=after(number),
        )
        for number, version in ((1, "1"), (3, "2"))
    )
    assert [
        store.audited(version="1", since=None),
        store.audited(version=None, since=None),
        store.audited(version=None, since=after(2)),
        store.audited(version="3", since=None),
    ] == [([one], 1), ([one, three], 1), ([three], 1), ([], 0)]


def test_an_untrusted_audit_label_leaves_the_prediction_pending(store: Store) -> None:
    store.add_predictions([drawn(1)])
    store.add_labels([audit("p1", trusted=False)])
    assert store.audited(version="1", since=None) == ([], 1)
    assert store.labels_to_ask(limit=9, now=NOON) == [drawn(1)]


def test_the_newest_audit_label_counts_whoever_gave_it(store: Store) -> None:
    store.add_predictions([drawn(1)])
    store.add_labels([audit("p1")])
    store.add_labels([audit("p1", Label.HAM)])
    store.add_labels([new_label("p1", label=Label.SPAM, kind=LabelKind.AUDIT, source="someone else", trusted=False)])
    labelled, pending = store.audited(version="1", since=None)
    assert ([row.label for row in labelled], pending) == ([Label.HAM], 0)


def shadowed(number: int, other_score: float | None, **changes: object):
    return drawn(number, other_version="2", other_score=other_score, **changes)


def test_a_shadow_is_audited_by_what_it_would_have_answered(store: Store) -> None:
    store.add_predictions(
        [
            shadowed(1, 0.75),
            shadowed(2, 0.5),
            shadowed(3, 0.25, label=Label.SPAM, score=0.875),
            shadowed(4, 0.75),
            shadowed(5, None),
            drawn(6, other_version="3", other_score=0.75),
            drawn(7, model_version="2"),
            prediction(8, other_version="2", other_score=0.75),
        ]
    )
    store.add_labels([*(audit(f"p{number}") for number in (1, 2, 3, 5, 6, 7, 8)), new_label("p4")])
    one, two, three = (
        AuditedPrediction(
            text=f"message {number}",
            predicted=predicted,
            label=Label.SPAM,
            probability=0.25,
            model_version="2",
            predicted_at=after(number),
        )
        for number, predicted in ((1, Label.SPAM), (2, Label.SPAM), (3, Label.HAM))
    )
    assert [
        store.audited_shadow(version="2", threshold=0.5, since=None),
        store.audited_shadow(version="2", threshold=0.5, since=after(3)),
        store.audited_shadow(version="2", threshold=0.5, since=after(4.5)),
    ] == [([one, two, three], 1), ([three], 1), ([], 0)]
    strict, _ = store.audited_shadow(version="2", threshold=0.75, since=None)
    assert [row.predicted for row in strict] == [Label.SPAM, Label.HAM, Label.HAM]


def test_a_shadow_is_audited_by_the_newest_trusted_word_of_its_own_model(store: Store, other_store: Store) -> None:
    for each in (store, other_store):
        each.add_predictions([shadowed(1, 0.75), shadowed(2, 0.75)])
    other_store.add_labels([audit("p1"), audit("p2")])
    store.add_labels([audit("p1")])
    store.add_labels([audit("p1", Label.HAM), audit("p2", trusted=False)])
    labelled, pending = store.audited_shadow(version="2", threshold=0.5, since=None)
    assert ([row.label for row in labelled], pending) == ([Label.HAM], 1)


def test_the_overturn_rate_is_the_share_of_predictions_contradicted_by_reports(store: Store) -> None:
    store.add_predictions([drawn(1), prediction(2), prediction(3), prediction(4), prediction(5, model_version="2")])
    store.add_labels(
        [new_label("p1"), new_label("p1", source="b"), new_label("p2", label=Label.HAM), audit("p1"), new_label("p5")]
    )
    store.add_labels([new_label("p3", source="anonymous", trusted=False)])
    assert [
        store.overturn_rate(version="1", since=None),
        store.overturn_rate(version="1", since=after(2)),
        store.overturn_rate(version="9", since=None),
    ] == [0.25, 0.0, None]
