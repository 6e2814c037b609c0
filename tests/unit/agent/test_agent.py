"""Questions in many words reach the right record; what is not known is said to be unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoretrain.adapters.records import dump_record
from autoretrain.app.agent import answer
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.plan import Decision, Finding, Plan, Verdict
from autoretrain.domain.reasons import Reason
from autoretrain.domain.status import (
    ActiveRun,
    Condition,
    DriftStatus,
    GuardState,
    ModelRef,
    PerformanceStatus,
    Status,
)

NOW = datetime(2026, 11, 23, 19, 30, tzinfo=UTC)

REPORT = DriftReport(
    window_id="w2",
    model_version="3",
    started_at=NOW - timedelta(hours=1),
    ended_at=NOW,
    size=250,
    score=0.234,
    metrics=(
        MetricDrift(name="tfidf_drift", raw=0.4, median=0.3, upper=0.35, score=0.12),
        MetricDrift(name="vocabulary_drift", raw=0.9, median=0.8, upper=0.85, score=0.234),
    ),
    new_spam_patterns=("parcel", "customs fee"),
)
STATUS = Status(
    champion=ModelRef(version="3", digest="sha256:c", promoted_at=NOW - timedelta(days=1)),
    drift=DriftStatus(
        score=0.234,
        threshold=0.15,
        window_id="w2",
        window_size=250,
        breaches=2,
        per_metric=(("vocabulary_drift", 0.234),),
        checked_at=NOW,
    ),
    performance=PerformanceStatus(accuracy=0.981, spam_recall=0.9, f1=0.93, labels=120),
    next_schedule_at=NOW + timedelta(days=7),
    next_retrain_allowed_at=NOW + timedelta(hours=1),
)


def decided(decision, reason, message, *, hours_ago=0, findings=()):
    at = NOW - timedelta(hours=hours_ago)
    plan = Plan(
        at=at,
        decision=decision,
        reason=reason,
        message=message,
        findings=findings,
        actions=(),
        alerts=(),
        next_check_at=at + timedelta(minutes=1),
    )
    return {
        "at": at.isoformat(),
        "decision": decision.value,
        "reason": reason.value,
        "message": message,
        "plan": dump_record(plan),
        "outcomes": [],
    }


DRIFTED = Finding(
    check="drift",
    verdict=Verdict.TRIGGERED,
    reason=Reason.DRIFT_THRESHOLD_EXCEEDED,
    message="2 of 2 windows",
    value=0.234,
    threshold=0.15,
)
UNSURE = Finding(
    check="accuracy", verdict=Verdict.INCONCLUSIVE, reason=Reason.NO_AUDIT_LABELS, message="nobody labelled"
)
DECISIONS = (
    decided(Decision.RETRAIN, Reason.DRIFT_THRESHOLD_EXCEEDED, "drift persists", hours_ago=5, findings=(DRIFTED,)),
    decided(Decision.PROMOTE, Reason.BETTER_ON_RECENT_ROWS, "version 3 gains 4 points", hours_ago=4),
    decided(Decision.ROLLBACK, Reason.SPAM_SHARE_TOO_HIGH, "version 4 flags everything", hours_ago=2),
    decided(Decision.ALERT, Reason.NO_NEW_DATA, "12 of 100 labels are there", findings=(DRIFTED, UNSURE)),
)


def ask(question, *, status=STATUS, decisions=DECISIONS, reports=(REPORT,)):
    return answer(question, status=status, decisions=decisions, reports=reports).text


def test_quality_without_a_label_of_spam_names_no_figure_that_needs_one():
    status = replace(STATUS, performance=PerformanceStatus(accuracy=0.981, spam_recall=None, f1=None, labels=120))
    assert ask("How good is the model?", status=status).startswith(
        "Live accuracy is 0.981, by 120 audit labels, none of which is spam."
    )


STATUS_ANSWER = "Version 3 is served since 2026-11-22 19:30 UTC."
DRIFT_ANSWER = "Drift is 0.234, above its threshold of 0.15, in a window of 250 messages"


@pytest.mark.parametrize(
    ("question", "starts"),
    [
        ("What is the status?", STATUS_ANSWER),
        ("which version is the champion", STATUS_ANSWER),
        ("Why did you retrain?", "2026-11-23 14:30:00 UTC: RETRAIN (DriftThresholdExceeded). drift persists."),
        ("what triggered the last training", "2026-11-23 14:30:00 UTC: RETRAIN"),
        ("Why did you not retrain?", "2026-11-23 19:30:00 UTC: ALERT (NoNewData). 12 of 100 labels are there."),
        ("why didn't you retrain?", "2026-11-23 19:30:00 UTC: ALERT (NoNewData)"),
        ("why don\u2019t you train", "2026-11-23 19:30:00 UTC: ALERT (NoNewData)"),
        ("why is there no retraining?", "2026-11-23 19:30:00 UTC: ALERT (NoNewData)"),
        ("What is drift now?", DRIFT_ANSWER),
        ("has the traffic drifted", DRIFT_ANSWER),
        ("Which terms are new?", "In the window until 2026-11-23 19:30 UTC: parcel, customs fee."),
        ("which words drive the drift", "In the window until 2026-11-23 19:30 UTC: parcel"),
        ("How good is the model?", "Live accuracy is 0.981, spam recall 0.900 and F1 0.930, by 120 audit labels."),
        ("WHAT IS THE ACCURACY", "Live accuracy is 0.981"),
        ("When is the next run?", "The schedule is due next at 2026-11-30 19:30 UTC."),
        ("when will you retrain", "The schedule is due next"),
        ("What happened at the rollback?", "2026-11-23 17:30:00 UTC: ROLLBACK (SpamShareTooHigh)."),
        ("why was it rolled back", "2026-11-23 17:30:00 UTC: ROLLBACK"),
        ("why was version 3 promoted", "2026-11-23 15:30:00 UTC: PROMOTE (BetterOnRecentRows)."),
        ("What happened lately?", "2026-11-23 14:30:00 UTC: RETRAIN"),
        ("How do I label messages?", "120 audit labels are there"),
        ("help", "Ask me, for instance:"),
        ("What can I ask you?", "Ask me, for instance:"),
    ],
)
def test_understands(question, starts):
    assert ask(question).startswith(starts)


@pytest.mark.parametrize("question", ["What is the weather?", "", "??", "42", "\x00" * 5000])
def test_says_that_it_cannot_answer_the_rest(question):
    assert ask(question).startswith(
        "I can't answer that from the records. Ask me, for instance:\n  What is the status?"
    )


@pytest.mark.parametrize(
    "question", ["show me the spam messages", "read a message", "what is the text of the last SMS"]
)
def test_shows_no_message(question):
    assert ask(question).startswith("I see figures only, never a message.")


def test_every_example_of_the_help_is_understood():
    examples = [line.strip() for line in ask("help").splitlines()[1:]]
    answers = [ask(example) for example in examples]
    assert len(examples) == len(set(answers)) == 12


def test_tells_what_was_checked_when_it_did_not_retrain():
    assert ask("Why did you not retrain?").splitlines() == [
        "2026-11-23 19:30:00 UTC: ALERT (NoNewData). 12 of 100 labels are there.",
        "    drift 0.234 > 0.15: 2 of 2 windows",
        "What was checked then:",
        "drift 0.234 > 0.15  TRIGGER  DriftThresholdExceeded: 2 of 2 windows",
        "accuracy            unknown  NoAuditLabels: nobody labelled",
        "The schedule is due next at 2026-11-30 19:30 UTC. No trigger starts a run before 2026-11-23 20:30 UTC.",
    ]


def test_tells_drift_by_metric_highest_first():
    assert ask("drift?").splitlines()[1:] == [
        "Newest window: 250 messages until 2026-11-23 19:30 UTC, reference base.",
        "  vocabulary_drift: 0.234 (raw 0.900; without drift 0.800, rarely above 0.850)",
        "  tfidf_drift: 0.120 (raw 0.400; without drift 0.300, rarely above 0.350)",
    ]


def test_tells_the_newest_of_several_rollbacks():
    older = decided(Decision.ROLLBACK, Reason.ROLLBACK_REQUESTED, "asked for", hours_ago=9)
    assert "SpamShareTooHigh" in ask("rollback?", decisions=(older, *DECISIONS))
    assert "RollbackRequested" not in ask("rollback?", decisions=(older, *DECISIONS))


def test_says_when_only_the_share_of_spam_moved():
    assert "Only the share of spam moved" in ask("drift?", reports=(replace(REPORT, prior_shift=True),))


def test_tells_the_whole_state():
    status = replace(
        STATUS,
        active_run=ActiveRun(name="r-7", ordinal=7, trigger="drift", started_at=NOW, label_cutoff=1, training_hash="h"),
        guard=GuardState(version="3", started_at=NOW, expected=None),
        conditions=(
            Condition(
                type="Degraded",
                status=True,
                reason="ServingUnavailable",
                message="nobody answers",
                observed_generation=1,
                last_transition_at=NOW,
            ),
        ),
        breaker_open=True,
    )
    told = ask("status", status=status)
    for sentence in (
        "Training run r-7 started at 2026-11-23 19:30 UTC.",
        "The guard watches version 3 since 2026-11-23 19:30 UTC.",
        "Degraded: ServingUnavailable. nobody answers",
    ):
        assert sentence in told
    assert "Training run r-7 is in flight" in ask("when is the next run", status=status)
    assert "Triggers are stopped" in ask("why did you not retrain", status=status)


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("status", "No model is served yet."),
        ("drift", "Drift is not known yet: no window of messages is complete."),
        ("accuracy", "Live accuracy is not known: there are too few audit labels."),
        ("which terms", "No window so far named terms that drive drift."),
        ("why did you retrain", "No training run was started in the decisions that are kept."),
        ("why did you not retrain", "Nothing has been decided yet."),
        ("what happened", "Nothing has been decided yet."),
        ("rollback", "No version was rolled back in the decisions that are kept."),
        ("candidate", "No candidate was judged in the decisions that are kept."),
        ("when next", "No run is scheduled."),
    ],
)
def test_says_what_is_not_known(question, says):
    assert ask(question, status=Status(), decisions=(), reports=()).startswith(says)
