"""What every database must count in the windows that were measured."""

import pytest

from autoretrain.adapters.store import Store
from autoretrain.adapters.store.windows import WindowAnswers
from autoretrain.domain.messages import Label
from autoretrain.ml.guarding import score_histogram
from tests.contract.store_records import after, prediction, report

SPAM = {"label": Label.SPAM}
EDGES = (0.0, 0.1, 0.2, 0.3, 0.6, 0.7, 0.95, 1.0)


def save_window(store: Store, number: int, *, last: int, messages: int) -> None:
    store.save_report(report(number), first_sequence=last - messages + 1, last_sequence=last)


def test_the_answers_of_each_window_are_counted_oldest_window_first(store: Store, other_store: Store) -> None:
    store.add_predictions(
        [prediction(1, score=0.05), prediction(2, score=0.75, **SPAM), prediction(3, score=0.3), prediction(4)]
    )
    other_store.add_predictions([prediction(5, **SPAM)])
    start = store.predictions_after(0, version="1", limit=1)[0][0]
    save_window(store, 1, last=start + 1, messages=2)
    save_window(store, 2, last=start + 3, messages=2)
    save_window(other_store, 3, last=start + 4, messages=9)
    first, second = store.window_answers(limit=9)
    assert first == WindowAnswers(
        window_id="1:1",
        messages=2,
        spam=1,
        doubtful=1,
        confidence=pytest.approx((0.95 + 0.75) / 2),
    )
    assert store.window_scores("1:1") == (1, 0, 0, 0, 0, 0, 0, 1, 0, 0)
    assert (second.window_id, second.spam, second.doubtful) == ("1:2", 0, 1)
    assert [answers.window_id for answers in store.window_answers(limit=1)] == ["1:2"]


def test_scores_on_the_edges_are_counted_in_the_bins_of_the_reference(store: Store) -> None:
    store.add_predictions([prediction(number, score=score) for number, score in enumerate(EDGES)])
    save_window(store, 1, last=store.predictions_after(0, version="1", limit=9)[-1][0], messages=len(EDGES))
    assert [count / len(EDGES) for count in store.window_scores("1:1")] == list(score_histogram(EDGES))


def test_only_what_the_champion_said_is_in_a_window(store: Store) -> None:
    store.add_predictions(
        [prediction(1), prediction(2, role="candidate"), prediction(3, model_version="2"), prediction(4)]
    )
    save_window(store, 1, last=store.predictions_after(0, version="1", limit=9)[-1][0], messages=4)
    assert [answers.messages for answers in store.window_answers(limit=9)] == [2]
    assert [each.prediction_id for each in store.window_messages("1:1")] == ["p1", "p4"]


def test_a_window_without_its_messages_has_no_answers(store: Store) -> None:
    save_window(store, 1, last=250, messages=250)
    assert (store.window_answers(limit=9), store.window_messages("1:1"), store.window_messages("none")) == ([], [], [])
    assert store.window_scores("1:1") == store.window_scores("none") == (0,) * 10
    assert store.reports(version=None, limit=9)[0].ended_at == after(2)
