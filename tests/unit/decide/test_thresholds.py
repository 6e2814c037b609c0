"""Thresholds from a model's own past: what is quiet, what a threshold costs and gives, which one is proposed."""

from datetime import timedelta

import pytest

from autoretrain.decide.thresholds import (
    FloorTrade,
    Past,
    Span,
    Trade,
    choose,
    choose_floor,
    clear_threshold,
    floor_trade,
    trade,
    trades,
)
from tests.unit.decide.builders import NOW, label_window, window

HOUR = timedelta(hours=1)


def hourly(*scores, version="3"):
    """Windows of an hour each; the first begins now."""
    return tuple(
        window(n, score, model_version=version, started_at=NOW + n * HOUR, ended_at=NOW + (n + 1) * HOUR)
        for n, score in enumerate(scores)
    )


def span(first, last, version="3"):
    return Span(version=version, since=NOW + first * HOUR, until=NOW + last * HOUR)


def past(*scores, drifts=(), refuted=(), doubtful=()):
    return Past(windows=hourly(*scores), drifts=drifts, refuted=refuted, doubtful=doubtful)


def stretches(known):
    return [[w.window_id for w in stretch] for stretch in known.quiet_stretches()]


def test_what_a_promotion_confirmed_is_not_quiet_and_parts_what_is():
    assert stretches(past(0, 0, 9, 9, 0, drifts=(span(2, 3),))) == [["w0", "w1"], ["w4"]]


def test_a_change_that_gained_nothing_was_none_and_one_that_nobody_judged_counts_neither_way():
    doubtful = (span(1, 2),)
    assert stretches(past(0, 1, 1, 0, doubtful=doubtful)) == [["w0"], ["w3"]]
    assert stretches(past(0, 1, 1, 0, doubtful=doubtful, refuted=(span(1, 2),))) == [["w0", "w1", "w2", "w3"]]


def test_a_span_is_of_one_version():
    assert stretches(past(0, 0, drifts=(span(0, 1, version="4"),))) == [["w0", "w1"]]


def test_versions_are_not_one_stretch():
    known = Past(windows=hourly(0, 0) + hourly(0, version="4"), drifts=(), refuted=(), doubtful=())
    assert [len(stretch) for stretch in known.quiet_stretches()] == [2, 1]


def test_an_alarm_needs_its_breaches_in_a_row_and_lasts_until_drift_ends():
    known = past(0.2, 0, 0.2, 0.2, 0.12, 0.2, 0.2, 0.05, 0.2, 0.2)
    assert trade(known, threshold=0.15, breaches=2).alarms == 2
    assert trade(known, threshold=0.15, breaches=1).alarms == 3
    assert trade(known, threshold=0.15, breaches=3).alarms == 0


def test_rates_are_of_a_month_of_quiet_traffic_and_none_seen_is_not_none_to_come():
    known = past(*[0.2], *[0.0] * 71)
    found = trade(known, threshold=0.15, breaches=1)
    assert (found.alarms, found.per_month) == (1, pytest.approx(10.0))
    assert trade(known, threshold=0.3, breaches=1).at_most == pytest.approx(29.7, abs=0.5)


def test_the_delay_is_counted_from_the_change_and_a_drift_may_be_missed():
    known = past(0, 0.12, 0.3, 0.3, 0, 0.2, 0.2, drifts=(span(1, 3), span(5, 6)))
    assert trade(known, threshold=0.15, breaches=2).delays == (3, 2)
    assert trade(known, threshold=0.10, breaches=2).delays == (2, 2)
    high = trade(known, threshold=0.25, breaches=2)
    assert (high.delays, high.missed, high.mean_delay) == ((3, None), 1, 3.0)


def test_a_shift_of_the_spam_share_alone_alarms_nobody():
    shifted = tuple(
        window(n, 0.9, prior_shift=True, started_at=NOW, ended_at=NOW + HOUR, model_version="3") for n in range(3)
    )
    known = Past(windows=shifted, drifts=(), refuted=(), doubtful=())
    assert trade(known, threshold=0.15, breaches=1).alarms == 0


def test_what_is_in_force_is_among_the_candidates():
    assert {(each.threshold, each.breaches) for each in trades(past(0), threshold=0.17, breaches=5)} >= {(0.17, 5)}


def made(threshold, breaches, *, per_month=0.0, delays=(2,)):
    return Trade(
        threshold=threshold, breaches=breaches, alarms=0, per_month=per_month, at_most=9.0, delays=tuple(delays)
    )


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([made(0.10, 1, per_month=5), made(0.15, 2, delays=[3]), made(0.20, 2, delays=[4])], (0.15, 2)),
        ([made(0.10, 2, delays=[9]), made(0.40, 2, delays=[None])], (0.10, 2)),
        ([made(0.10, 2), made(0.15, 2), made(0.20, 2)], (0.15, 2)),
        ([made(0.10, 1, delays=[]), made(0.15, 2, delays=[]), made(0.15, 3, delays=[])], (0.15, 2)),
        ([made(0.10, 1, per_month=9), made(0.40, 3, per_month=4, delays=[None])], (0.40, 3)),
    ],
    ids=["the soonest within bounds", "misses none", "nearest to now", "no drift was seen", "none within bounds"],
)
def test_the_soonest_that_keeps_quiet_is_proposed(found, chosen):
    each = choose(found, threshold=0.15, breaches=2, alarms_per_month=1.0)
    assert (each.threshold, each.breaches) == chosen


@pytest.mark.parametrize(("scores", "clear"), [((0.0,) * 20, 0.05), ((0.08,) * 20, 0.08), ((0.5,) * 20, 0.10)], ids=str)
def test_drift_ends_where_quiet_windows_usually_are_and_well_under_the_threshold(scores, clear):
    assert clear_threshold(past(*scores), threshold=0.15) == clear


def test_a_floor_alarms_as_the_trigger_does():
    quiet = [label_window(0.95, margin=0.05), label_window(0.92, margin=0.05), label_window(0.92, margin=0.05)]
    bad = [label_window(0.70, margin=0.05)]
    assert floor_trade(quiet, bad, floor=0.93) == FloorTrade(floor=0.93, quiet_alarms=1, other_alarms=1)
    assert floor_trade(quiet, bad, floor=0.90) == FloorTrade(floor=0.90, quiet_alarms=0, other_alarms=1)


def floors(*rows):
    return [FloorTrade(floor=floor, quiet_alarms=quiet, other_alarms=others) for floor, quiet, others in rows]


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        (floors((0.85, 0, 1), (0.90, 0, 3), (0.93, 0, 4), (0.95, 2, 5)), 0.93),
        (floors((0.85, 0, 3), (0.90, 0, 3), (0.93, 1, 3)), 0.90),
        (floors((0.85, 0, 0), (0.90, 0, 0), (0.95, 0, 0)), 0.90),
        (floors((0.85, 3, 0), (0.90, 4, 0)), 0.85),
    ],
    ids=["the highest", "never on quiet traffic", "what is in force stays", "quiet traffic is always bad"],
)
def test_the_highest_floor_that_quiet_traffic_keeps_is_proposed(found, chosen):
    assert choose_floor(found, current=0.90).floor == chosen


@pytest.mark.parametrize("threshold", [0.005, 0.01, 0.02, 0.15, 1.0])
def test_drift_ends_below_where_it_begins_however_low_that_is(threshold):
    assert 0 < clear_threshold(past(*[0.5] * 9), threshold=threshold) < threshold
