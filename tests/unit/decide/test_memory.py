"""What every pass remembers of what it saw."""

import math

import pytest

from autoretrain.decide.transition import decide
from autoretrain.domain.drift import MetricDrift
from autoretrain.domain.status import DriftStatus, HistoryEntry, PerformanceStatus
from tests.unit.decide.builders import NOW, but, drifted, estimate, label_window, minutes, performance, quiet, window


def test_the_newest_window_is_remembered_with_its_numbers():
    broken = MetricDrift(name="tfidf_drift", raw=0.1, median=0.1, upper=0.2, score=math.nan)
    newest = window(2, 0.3)
    after = decide(but(quiet(), drift=(window(1, 0.02), but(newest, metrics=(*newest.metrics, broken))))).intent
    assert after.drift == DriftStatus(
        score=0.3,
        threshold=0.15,
        window_id="w2",
        window_size=500,
        breaches=1,
        per_metric=(("vocabulary_drift", 0.3),),
        checked_at=NOW,
    )


def test_a_window_that_was_seen_keeps_the_time_of_its_first_sight():
    first = decide(quiet()).intent
    again = decide(but(quiet(), status=first, now=NOW + minutes(5))).intent
    assert again.drift == first.drift
    later = decide(but(quiet(), status=first, now=NOW + minutes(5), drift=(window(2, 0.03), window(3, 0.03)))).intent
    assert (later.drift.window_id, later.drift.checked_at) == ("w3", NOW + minutes(5))


@pytest.mark.parametrize(
    "windows",
    [None, (), (window(3, math.nan),), (window(3, 0.9, model_version="2"),)],
    ids=["unreadable", "none", "not a number", "another version"],
)
def test_what_was_known_of_drift_stays_while_nothing_new_can_be_read(windows):
    known = decide(quiet()).intent
    assert decide(but(quiet(), status=known, drift=windows)).intent.drift == known.drift


def test_live_quality_is_remembered():
    assert decide(quiet()).intent.performance == PerformanceStatus(accuracy=0.98, spam_recall=0.93, f1=0.94, labels=200)


def test_live_quality_is_remembered_without_what_needs_spam_where_no_label_is_spam():
    no_spam = performance(but(label_window(), spam_recall=None, f1=None))
    assert decide(but(quiet(), performance=no_spam)).intent.performance == PerformanceStatus(
        accuracy=0.98, spam_recall=None, f1=None, labels=200
    )


@pytest.mark.parametrize(
    "evidence",
    [
        None,
        but(performance(), overall=None),
        but(performance(label_window(0.5)), model_version="2"),
        performance(but(label_window(), f1=estimate(math.nan))),
    ],
    ids=["unreadable", "no labels", "another version", "not a number"],
)
def test_what_was_known_of_live_quality_stays_while_nothing_new_can_be_read(evidence):
    known = decide(quiet()).intent
    assert decide(but(quiet(), status=known, performance=evidence)).intent.performance == known.performance


def test_history_keeps_the_newest_decisions_that_mattered():
    full = tuple(
        HistoryEntry(at=NOW - minutes(20 - n), decision="HOLD", reason="NoGain", message=str(n)) for n in range(10)
    )
    after = decide(but(drifted(), status__history=full)).intent
    assert after.history[:-1] == full[1:]
    assert (after.history[-1].at, after.history[-1].decision) == (NOW, "RETRAIN")
    assert decide(but(quiet(), status__history=full)).intent.history == full


def test_starts_older_than_a_day_are_forgotten():
    old = but(quiet(), status__run_starts=(NOW - minutes(1441), NOW - minutes(1439)))
    assert decide(old).intent.run_starts == (NOW - minutes(1439),)


def test_when_the_next_run_may_start_is_shown_until_then():
    ended = but(quiet(), status__last_run_ended_at=NOW - minutes(10))
    assert decide(ended).intent.next_retrain_allowed_at == NOW + minutes(50)
    assert decide(but(ended, now=NOW + minutes(50))).intent.next_retrain_allowed_at is None


@pytest.mark.parametrize("windows", [(), (window(1, 0.3),)], ids=["no window", "one of two"])
def test_traffic_that_fills_a_window_does_not_change_the_status(windows):
    first = but(quiet(), drift=windows)
    known = decide(first).intent
    assert decide(but(first, status=known, pending_messages=400, now=NOW + minutes(1))).intent == known
