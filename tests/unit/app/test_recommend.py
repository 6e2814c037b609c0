"""Proposals from a store: what of the past counts as drift, what is too little, and a snippet that a document takes."""

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from autoretrain.adapters.spammodel import parse_spam_model
from autoretrain.adapters.store import Store
from autoretrain.app.proposals import propose, render_text
from autoretrain.app.recommend import read_past
from autoretrain.domain.messages import Label, LabelKind, NewLabel, Prediction
from tests.spec_cases import VALID
from tests.unit.decide.builders import NOW, but, spec, window

HOUR = timedelta(hours=1)
MODEL = parse_spam_model(VALID, uid="", generation=1)


@pytest.fixture
def store(tmp_path):
    with Store(f"sqlite:///{tmp_path / 'store.db'}", model="default.sms-spam") as opened:
        opened.migrate()
        yield opened


def add_windows(store, scores, *, first=0, version="3"):
    for number, score in enumerate(scores, start=first):
        report = window(
            number, score, model_version=version, started_at=NOW + number * HOUR, ended_at=NOW + (number + 1) * HOUR
        )
        store.save_report(report, first_sequence=500 * number + 1, last_sequence=500 * (number + 1))


def add_run(store, number, *, since, judged, decision="PROMOTE", reason="BetterOnRecentRows", version="4"):
    """A run for a change `since` so many hours, which ends at `judged`."""
    champion = {"champion": {"version": "3"}, "active_run": {"name": f"run-{number}"}}
    start = {
        "decision": "RETRAIN",
        "reason": "DriftThresholdExceeded",
        "at": (NOW + (judged - 0.1) * HOUR).isoformat(),
        "observation": {"status": champion, "supply": {"changed_at": (NOW + since * HOUR).isoformat()}},
        "plan": {
            "findings": [{"check": "drift", "verdict": "triggered"}],
            "actions": [{"run": {"name": f"run-{number}", "changed_at": (NOW + since * HOUR).isoformat()}}],
        },
    }
    verdict = {
        "decision": decision,
        "reason": reason,
        "at": (NOW + judged * HOUR).isoformat(),
        "observation": {"status": champion, "run": {"summary": {"version": version}}},
        "plan": {"findings": [], "actions": []},
    }
    for record in (start, verdict):
        store.append_decision({"message": "", "outcomes": []} | record)


def add_labels(store, count, *, wrong=0, first_hour=0):
    """Audited messages of version 3, a minute apart, one in five spam; the first `wrong` were answered wrongly."""
    at = NOW + first_hour * HOUR
    store.add_predictions(
        [
            Prediction(
                prediction_id=f"{first_hour}-{n}",
                text=f"message {'abcdefghij'[n % 10]} {n * 7919}",
                label=(Label.HAM if n % 5 else Label.SPAM) if n >= wrong else (Label.SPAM if n % 5 else Label.HAM),
                score=0.5,
                model_version="3",
                at=at + timedelta(minutes=n),
                audit_probability=0.5,
            )
            for n in range(count)
        ]
    )
    store.add_labels(
        [
            NewLabel(
                label=Label.HAM if n % 5 else Label.SPAM,
                kind=LabelKind.AUDIT,
                source="audit",
                trusted=True,
                received_at=at + HOUR,
                prediction_id=f"{first_hour}-{n}",
            )
            for n in range(count)
        ]
    )


def test_a_change_whose_candidate_was_promoted_is_a_drift(store):
    add_windows(store, [0.0] * 10 + [0.4] * 3)
    add_run(store, 1, since=10, judged=13)
    past = read_past(store, min_labels=100).past
    assert [(span.version, span.since) for span in past.drifts] == [("3", NOW + 10 * HOUR)]
    assert sum(map(len, past.quiet_stretches())) == 10


@pytest.mark.parametrize(
    ("decision", "reason", "quiet"),
    [("HOLD", "NoGain", 13), ("HOLD", "TooFewLabels", 10), ("REJECT", "BelowFloors", 10)],
)
def test_a_change_that_was_worth_nothing_was_quiet_and_one_not_judged_is_left_out(store, decision, reason, quiet):
    add_windows(store, [0.0] * 10 + [0.4] * 3)
    add_run(store, 1, since=10, judged=13, decision=decision, reason=reason)
    past = read_past(store, min_labels=100).past
    assert past.drifts == ()
    assert sum(map(len, past.quiet_stretches())) == quiet


def test_a_promotion_that_was_rolled_back_confirms_nothing(store):
    add_windows(store, [0.0] * 10 + [0.4] * 3)
    add_run(store, 1, since=10, judged=13)
    store.append_decision(
        {
            "at": (NOW + 14 * HOUR).isoformat(),
            "decision": "ROLLBACK",
            "reason": "SpamShareTooHigh",
            "message": "",
            "observation": {"status": {}},
            "plan": {"findings": [], "actions": [], "intent": {"rollout": {"from_version": "4"}}},
            "outcomes": [],
        }
    )
    past = read_past(store, min_labels=100).past
    assert past.drifts == ()
    assert sum(map(len, past.quiet_stretches())) == 10


def test_too_little_is_said_and_nothing_is_guessed(store):
    add_windows(store, [0.0] * 12)
    found = propose(read_past(store, min_labels=100), spec(), alarms_per_month=1.0, within_hours=24)
    assert found.snippet() == ""
    told = render_text(found.parts)
    for part in ("12 quiet windows, need 40", "0 windows of labels, need 5", "0 runs, need 3"):
        assert f"too little history: {part}" in told


def test_an_empty_store_proposes_nothing(store):
    assert propose(read_past(store, min_labels=100), spec(), alarms_per_month=1.0, within_hours=24).snippet() == ""


@pytest.fixture
def known(store):
    """Quiet windows that pass 0.15 now and then, one drift that was confirmed, labels, and three runs."""
    add_windows(store, ([0.02] * 5 + [0.18]) * 10 + [0.5] * 3)
    add_run(store, 1, since=60, judged=63)
    add_run(store, 2, since=62, judged=63.5, decision="HOLD", reason="TooFewLabels")
    add_run(store, 3, since=62, judged=70, decision="HOLD", reason="TooFewLabels")
    add_labels(store, 600)
    add_labels(store, 200, wrong=60, first_hour=60)
    return read_past(store, min_labels=100)


def test_what_is_proposed_is_what_a_document_takes(known):
    found = propose(known, spec(), alarms_per_month=1.0, within_hours=24)
    proposed = yaml.safe_load(found.snippet())["spec"]
    model = parse_spam_model(VALID | {"spec": VALID["spec"] | proposed}, uid="", generation=1)
    drift = model.spec.triggers.drift
    assert (drift.threshold, drift.consecutive_breaches) == (0.20, 1)
    assert model.spec.triggers.performance.min_accuracy == 0.93
    assert proposed["triggers"]["cooldownSeconds"] % 3600 == 0
    assert all(isinstance(drift_field, str) for drift_field in list(proposed["triggers"]["drift"].values())[:2])


def test_the_trade_is_shown_for_each_candidate_and_for_what_is_in_force(known):
    told = render_text(propose(known, spec(), alarms_per_month=1.0, within_hours=24).parts)
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "Drift: 63 windows, 60 of them quiet, 1 confirmed drifts" in lines
    assert "0.15 1 120.0 (<= 203.5) 1.0" in lines
    assert "0.15 2 0.0 (<= 35.6) 2.0 in force" in lines
    assert "0.20 1 0.0 (<= 35.6) 1.0 proposed" in lines
    assert "500 1.0 1.0 - in force" in lines
    assert "0.93 0 of 6 1 of 2 proposed, in force" in lines


def test_a_floor_above_what_a_promotion_needs_is_not_offered(known):
    low = but(spec(), promotion__min_accuracy=0.93)
    accuracy = propose(known, low, alarms_per_month=1.0, within_hours=24).parts[2]
    assert [row[0] for row in accuracy.rows] == ["0.80", "0.85", "0.90", "0.93"]


@pytest.mark.parametrize(("hours", "size"), [(24, "1000"), (1.2, "500"), (0.1, "250")])
def test_the_window_is_the_largest_that_detects_in_time(known, hours, size):
    assert f"size: {size}" in propose(known, spec(), alarms_per_month=1.0, within_hours=hours).snippet()


def test_a_window_below_the_least_sample_takes_that_down_with_it(known):
    strict = but(spec(), monitoring__min_samples=400)
    assert "{size: 250, minSamples: 250}" in propose(known, strict, alarms_per_month=1.0, within_hours=0.1).snippet()


def test_where_each_threshold_alarms_too_often_that_is_said(known):
    noisy = replace(known, past=replace(known.past, windows=tuple(but(w, score=0.9) for w in known.past.windows)))
    told = render_text(propose(noisy, spec(), alarms_per_month=0.0, within_hours=24).parts)
    assert "none has at most 0 false alarms a month" in told


def test_what_is_in_force_is_proposed_to_its_last_digit(known):
    fine = but(
        spec(),
        triggers__performance__min_accuracy=0.925,
        promotion__min_accuracy=0.925,
        triggers__drift__threshold=0.185,
    )
    proposed = yaml.safe_load(propose(known, fine, alarms_per_month=1.0, within_hours=24).snippet())["spec"]["triggers"]
    assert proposed["performance"]["minAccuracy"] == "0.925"
    assert proposed["drift"]["threshold"] == "0.185"


def test_where_no_label_is_spam_the_longest_cooldown_is_proposed_and_why_is_said(known):
    bare = replace(known, spam_labels_per_hour=0.0)
    found = propose(bare, spec(), alarms_per_month=1.0, within_hours=24)
    assert "cooldownSeconds: 86400" in found.snippet()
    assert "no label is spam, so none would start" in render_text(found.parts)
