"""A status survives the way into the resource and back, and fits the definition."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoretrain.adapters import crd
from autoretrain.adapters.spammodel import parse_status, render_status
from autoretrain.domain.errors import AutoRetrainError, Problem
from autoretrain.domain.metrics import ClassificationMetrics
from autoretrain.domain.status import (
    Condition,
    DriftStatus,
    GuardState,
    HistoryEntry,
    ModelRef,
    PerformanceStatus,
    Rollout,
    Status,
)

NOW = datetime(2026, 11, 23, 19, 30, tzinfo=UTC)

SCALARS = {
    str: st.text(max_size=3),
    int: st.integers(min_value=0, max_value=2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.integers(min_value=0, max_value=2**40).map(lambda tick: NOW + timedelta(microseconds=tick)),
    type(None): st.none(),
}


def values_of(hint) -> st.SearchStrategy:
    """Any value of a record's field; lists are short, since only their kind matters."""
    if hint in SCALARS:
        return SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        return st.builds(hint, **{name: values_of(kind) for name, kind in get_type_hints(hint).items()})
    kinds = get_args(hint)
    if get_origin(hint) is not tuple:
        return st.one_of(*map(values_of, kinds))
    return st.lists(values_of(kinds[0]), max_size=2).map(tuple) if ... in kinds else st.tuples(*map(values_of, kinds))


def with_unique_names(status: Status) -> Status:
    """The definition wants one condition of a type and one score of a metric, as the controller writes them."""
    drift = status.drift and dataclasses.replace(status.drift, per_metric=tuple(dict(status.drift.per_metric).items()))
    conditions = {condition.type: condition for condition in status.conditions}
    return dataclasses.replace(status, drift=drift, conditions=tuple(conditions.values()))


@given(values_of(Status).map(with_unique_names))
@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_comes_back_unchanged_and_fits_the_definition(status):
    rendered = json.loads(json.dumps(render_status(status)))
    assert parse_status(rendered) == status
    assert crd.find_problems(rendered, crd.resource_schema()["properties"]["status"]) == []


def test_has_the_shape_of_the_contract():
    metrics = ClassificationMetrics(
        rows=100, spam_rows=20, accuracy=0.99, precision=0.98, recall=0.97, f1=0.975, false_positive_rate=0.01
    )
    champion = ModelRef(version="3", digest="sha256:c", run_id="r3", metrics=metrics, promoted_at=NOW)
    previous = ModelRef(version="2", digest="sha256:p")
    status = Status(
        observed_generation=4,
        conditions=(
            Condition(
                type="Ready", status=True, reason="Steady", message="", observed_generation=4, last_transition_at=NOW
            ),
            Condition(
                type="DriftDetected", status=None, reason="WindowTooSmall", message="", observed_generation=4,
                last_transition_at=NOW,
            ),
        ),
        champion=champion,
        previous=previous,
        drift=DriftStatus(
            score=0.23456, threshold=0.15, window_id="w7", window_size=250, breaches=1,
            per_metric=(("tfidf_drift", 0.2), ("vocabulary_drift", 0.23456)), checked_at=NOW,
        ),
        performance=PerformanceStatus(accuracy=0.981, spam_recall=0.9, f1=0.93, labels=120),
        run_starts=(NOW,),
        rejections=2,
        breaker_open=True,
        rollout=Rollout(from_version="2", to=champion, started_at=NOW, rollback=False, reason="BetterOnRecentRows"),
        guard=GuardState(version="3", started_at=NOW, expected=None),
        history=(
            HistoryEntry(at=NOW - timedelta(hours=1), decision="RETRAIN", reason="NoChampion", message=""),
            HistoryEntry(at=NOW, decision="PROMOTE", reason="BetterOnRecentRows", message="better"),
        ),
    )  # fmt: skip
    time = "2026-11-23T19:30:00Z"
    model = {"version": "3", "digest": "sha256:c", "runId": "r3", "promotedTime": time}
    model["metrics"] = {
        "rows": 100, "spamRows": 20, "accuracy": 0.99, "precision": 0.98, "recall": 0.97, "f1": 0.975,
        "falsePositiveRate": 0.01,
    }  # fmt: skip
    condition = {"reason": "Steady", "message": "", "observedGeneration": 4, "lastTransitionTime": time}
    rendered = render_status(status)
    empty = render_status(Status())
    assert {name: value for name, value in rendered.items() if value != empty.get(name)} == {
        "observedGeneration": 4,
        "summary": {"drift": "0.235", "accuracy": "0.981", "lastDecision": "PROMOTE"},
        "conditions": [
            {"type": "Ready", "status": "True", **condition},
            {"type": "DriftDetected", "status": "Unknown", **condition, "reason": "WindowTooSmall"},
        ],
        "champion": model,
        "previous": {"version": "2", "digest": "sha256:p", "runId": ""},
        "drift": {
            "score": 0.23456, "threshold": 0.15, "windowId": "w7", "windowSize": 250, "breaches": 1,
            "perMetric": {"tfidf_drift": 0.2, "vocabulary_drift": 0.23456}, "checkedTime": time,
        },
        "performance": {"accuracy": 0.981, "spamRecall": 0.9, "f1": 0.93, "labels": 120},
        "budget": {"startTimes": [time]},
        "breaker": {"open": True, "rejections": 2},
        "rollout": {
            "from": "2", "to": model, "startTime": time, "rollback": False, "reason": "BetterOnRecentRows",
            "waitedSeconds": 0.0,
        },
        "guard": {"version": "3", "startTime": time, "ended": "", "reason": "", "message": ""},
        "history": [
            {"time": "2026-11-23T18:30:00Z", "decision": "RETRAIN", "reason": "NoChampion", "message": ""},
            {"time": time, "decision": "PROMOTE", "reason": "BetterOnRecentRows", "message": "better"},
        ],
    }  # fmt: skip


def test_an_empty_status_was_never_written():
    assert parse_status({}) == Status()


def test_what_a_newer_release_wrote_is_ignored():
    rendered = render_status(Status(failures=2))
    assert parse_status({**rendered, "novelty": {"a": 1}, "guard": None}) == Status(failures=2)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"champion": {"version": "3"}}, "the status can't be read: champion.digest: Field required"),
        ({"failures": "many"}, "the status can't be read: failures"),
        ({"budget": []}, "the status can't be read"),
        ({"conditions": {"type": "Ready"}}, "the status can't be read"),
    ],
)
def test_a_status_that_was_damaged_says_where(fields, says):
    with pytest.raises(AutoRetrainError, match=says):
        parse_status(fields)


def test_two_conditions_of_one_type_do_not_fit_the_definition():
    condition = Condition(
        type="Ready", status=True, reason="Steady", message="", observed_generation=1, last_transition_at=NOW
    )
    rendered = render_status(Status(conditions=(condition, condition)))
    problems = crd.find_problems({"spec": {}, "status": rendered}, crd.resource_schema())
    assert Problem("status.conditions[1]", "Duplicate value: {'type': 'Ready'}") in problems
