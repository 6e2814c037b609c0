"""Replay: equal under the policy of then, and where a changed one differs."""

from datetime import timedelta

from autoretrain.adapters.records import dump_record, load_record
from autoretrain.decide.backtest import BacktestReport, Difference, replay
from autoretrain.decide.transition import decide
from autoretrain.domain.observation import Observation
from autoretrain.domain.plan import Plan
from tests.unit.decide.builders import NOW, but, drifted, minutes, quiet, spec, window


def recorded(*observations):
    made = [but(observation, now=NOW + minutes(n)) for n, observation in enumerate(observations)]
    return [(observation, decide(observation)) for observation in made]


MILD = but(quiet(), drift=(window(1, 0.12), window(2, 0.12)))
MONTH = recorded(quiet(), drifted(), MILD, MILD)


def test_the_policy_of_then_decides_the_same_to_the_last_field():
    assert replay(MONTH) == BacktestReport(
        passes=4,
        identical=4,
        recorded=(("NO_ACTION (Steady)", 2), ("RETRAIN (DriftThresholdExceeded)", 1)),
        replayed=(("NO_ACTION (Steady)", 2), ("RETRAIN (DriftThresholdExceeded)", 1)),
        differences=(),
    )


def test_a_changed_policy_shows_where_it_differs_and_counts_episodes():
    report = replay(MONTH, spec=but(spec(), triggers__drift__threshold=0.1))
    assert report.replayed == (("NO_ACTION (Steady)", 1), ("RETRAIN (DriftThresholdExceeded)", 1))
    assert [(each.at, each.recorded) for each in report.differences] == [
        (NOW + timedelta(minutes=2), "NO_ACTION (Steady)"),
        (NOW + timedelta(minutes=3), "NO_ACTION (Steady)"),
    ]


def test_a_plan_that_was_tampered_with_is_not_identical():
    (observation, plan), *others = MONTH
    report = replay([(observation, but(plan, message="nothing to see here")), *others])
    assert (report.identical, report.differences) == (3, ())


def test_a_report_is_a_table_and_the_first_differences():
    difference = Difference(at=NOW, recorded="NO_ACTION (Steady)", replayed="RETRAIN (Forced)", message="why")
    report = BacktestReport(
        passes=30,
        identical=5,
        recorded=(("NO_ACTION (Steady)", 3),),
        replayed=(("NO_ACTION (Steady)", 2), ("RETRAIN (Forced)", 12)),
        differences=(difference,) * 22,
    )
    lines = report.render().splitlines()
    assert lines[:5] == [
        "30 passes replayed, 5 plans identical, 22 differ",
        "  episodes of         recorded  replayed",
        "  NO_ACTION (Steady)         3         2",
        "  RETRAIN (Forced)           0        12",
        "  2026-03-02 12:00:00 NO_ACTION (Steady) -> RETRAIN (Forced): why",
    ]
    assert (len(lines), lines[-1]) == (25, "  and 2 more")


def test_an_empty_record_is_an_empty_report():
    assert replay([]).render() == "0 passes replayed, 0 plans identical, 0 differ"


def test_what_was_recorded_before_there_was_an_adviser_replays_the_same():
    before = []
    for observation, plan in MONTH:
        seen = dump_record(observation)
        del seen["advice"], seen["model"]["spec"]["agent"]
        before.append((load_record(Observation, seen), load_record(Plan, dump_record(plan))))
    assert replay(before) == replay(MONTH)
