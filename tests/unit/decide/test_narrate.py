"""How decisions are told."""

from datetime import timedelta

from autoretrain.decide.narrate import explain, narrate, render_table
from autoretrain.decide.transition import decide
from autoretrain.domain.plan import (
    CancelTraining,
    Decision,
    Deploy,
    Finding,
    Plan,
    SetAliases,
    StartTraining,
    Verdict,
)
from autoretrain.domain.reasons import Reason
from tests.unit.decide.builders import NOW, drifted, quiet, ref, run


def finding(check, verdict, value=None, threshold=None, comparison=">", reason=Reason.STEADY):
    return Finding(
        check=check,
        verdict=verdict,
        reason=reason,
        message="as measured",
        value=value,
        threshold=threshold,
        comparison=comparison,
    )


def plan(*findings, actions=()):
    return Plan(
        at=NOW,
        decision=Decision.RETRAIN,
        reason=Reason.DRIFT_THRESHOLD_EXCEEDED,
        message="drift",
        findings=findings,
        actions=actions,
        alerts=(),
        next_check_at=NOW + timedelta(minutes=1),
    )


def test_the_table_prints_comparisons_that_are_true():
    table = render_table(
        plan(
            finding("drift", Verdict.TRIGGERED, 0.2312, 0.15),
            finding("drift", Verdict.PASSED, 0.08, 0.15),
            finding("accuracy", Verdict.TRIGGERED, 0.9, 0.93, "<"),
            finding("accuracy", Verdict.PASSED, 0.93, 0.93, "<"),
            finding("drift", Verdict.INCONCLUSIVE, 0.3, 0.15),
            finding("recent rows", Verdict.INCONCLUSIVE, 120.0, 150.0, "<"),
            finding("p", Verdict.PASSED, 0.00001234, 0.05),
            finding("gain", Verdict.PASSED, -0.004, -0.005, "<"),
            finding("errors", Verdict.PASSED, 0.0, 0.01),
            finding("manual", Verdict.PASSED),
        )
    )
    assert table.splitlines() == [
        "drift 0.2312 > 0.15    TRIGGER  Steady: as measured",
        "drift 0.08 <= 0.15     ok       Steady: as measured",
        "accuracy 0.90 < 0.93   TRIGGER  Steady: as measured",
        "accuracy 0.93 >= 0.93  ok       Steady: as measured",
        "drift 0.30 > 0.15      unknown  Steady: as measured",
        "recent rows 120 < 150  unknown  Steady: as measured",
        "p 1.2e-05 <= 0.05      ok       Steady: as measured",
        "gain -0.004 >= -0.005  ok       Steady: as measured",
        "errors 0.00 <= 0.01    ok       Steady: as measured",
        "manual                 ok       Steady: as measured",
    ]


def test_the_table_of_a_pass_without_findings_is_empty():
    assert render_table(plan()) == ""


def test_a_plan_is_told_in_plain_words():
    told = narrate(
        plan(
            finding("drift", Verdict.TRIGGERED, 0.23, 0.15),
            finding("accuracy", Verdict.INCONCLUSIVE),
            actions=(
                StartTraining(run=run()),
                CancelTraining(run_name="old"),
                Deploy(model=ref("4")),
                SetAliases(champion=ref("4"), candidate=None, previous=None),
            ),
        )
    )
    assert told.splitlines() == [
        "2026-03-02 12:00:00 UTC: RETRAIN (DriftThresholdExceeded). drift.",
        "Found: drift 0.23 > 0.15, as measured.",
        (
            "Done: training run sms-spam-train-2 is submitted, on labels up to 500; training run old is ended; "
            "version 4 (digest-4) is deployed; the registry's aliases follow, champion 4."
        ),
        "Not known: accuracy (as measured).",
        "Next check by 2026-03-02 12:01:00 UTC.",
    ]


def test_a_quiet_pass_is_told_without_what_there_is_not():
    assert [line.split(":")[0] for line in narrate(decide(quiet())).splitlines()] == [
        "2026-03-02 12",
        "Next check by 2026-03-02 12",
    ]


def record(minute, **changes):
    made = {
        "at": f"2026-03-02T12:{minute:02}:00+00:00",
        "decision": "RETRAIN",
        "reason": "DriftThresholdExceeded",
        "message": "drift",
        "plan": {
            "findings": [
                {"check": "drift", "verdict": "triggered", "message": "two windows", "value": 0.23, "threshold": 0.15}
                | {"comparison": ">"},
                {"check": "manual", "verdict": "triggered", "message": "by ana", "value": None, "threshold": None},
                {"check": "accuracy", "verdict": "passed", "message": "fine", "value": 0.98, "threshold": 0.93},
            ]
        },
        "outcomes": [{"succeeded": True, "message": ""}],
    }
    return made | changes


def test_the_story_tells_numbers_repetitions_and_failures():
    story = explain(
        [
            record(0),
            record(1, decision="ALERT", reason="NoNewData", message="label 12", plan={"findings": []}),
            record(2, decision="ALERT", reason="NoNewData", message="label 12", plan={"findings": []}),
            record(
                3,
                decision="PROMOTE",
                reason="Forced",
                message="by ana.",
                plan={},
                outcomes=[{"succeeded": False, "message": "refused"}],
            ),
        ]
    )
    assert story.splitlines() == [
        "2026-03-02 12:00:00 UTC: RETRAIN (DriftThresholdExceeded). drift.",
        "    drift 0.23 > 0.15: two windows",
        "    manual: by ana",
        "2026-03-02 12:01:00 UTC to 2026-03-02 12:02:00 UTC, 2 passes: ALERT (NoNewData). label 12.",
        "2026-03-02 12:03:00 UTC: PROMOTE (Forced). by ana.",
        "    an action failed: refused",
    ]


def test_a_story_may_carry_the_numbers_by_which_to_ask_on():
    told = explain([record(0, sequence=4, plan={}), record(1, sequence=5, plan={})], numbered=True)
    assert told.startswith("5. 2026-03-02 12:00:00 UTC to 2026-03-02 12:01:00 UTC, 2 passes: RETRAIN")


def test_a_story_of_nothing_says_so():
    assert explain([]) == "Nothing has been decided yet."


def test_every_pass_can_be_told():
    assert "drift 0.50 > 0.15" in render_table(decide(drifted()))
