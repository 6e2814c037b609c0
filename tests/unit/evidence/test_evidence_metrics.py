"""Evidence comes out of a scrape as it went in, and a scrape that lacks something is refused."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from autoretrain.adapters.crd import resource_schema
from autoretrain.adapters.evidence_metrics import (
    DRIFT,
    FAMILIES,
    MAX_WINDOWS,
    Evidence,
    EvidenceCollector,
    EvidenceProblem,
    Sample,
    parse_evidence,
    render_evidence,
)
from autoretrain.domain.drift import DriftReport, MetricDrift
from autoretrain.domain.observation import LabelSupply
from tests.unit.decide.builders import but, guard_evidence, label_window, performance
from tests.unit.evidence.evidence_strategies import evidences, reports

KEY = "tenant-a.sms-spam"
SUPPLY = LabelSupply(new_labels=3, new_spam_labels=1, highest_sequence=9)
PLAIN = Evidence(model_version="7", measured_at=datetime(2026, 11, 1, tzinfo=UTC), pending_messages=4, supply=SUPPLY)


def scraped(evidence: Evidence) -> list[Sample]:
    """The series as Prometheus would read them from the monitor's own page."""
    collector, registry = EvidenceCollector(), CollectorRegistry()
    registry.register(collector)
    collector.show(KEY, evidence)
    text = generate_latest(registry).decode()
    return [
        Sample(sample.name, {**sample.labels, "namespace": "tenant-a"}, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


@given(evidences)
@settings(max_examples=60, deadline=None)
def test_evidence_comes_out_of_a_scrape_as_it_went_in(evidence: Evidence):
    assert parse_evidence(scraped(evidence)) == evidence


@given(evidences, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_series_can_be_missing_without_being_missed(evidence: Evidence, random):
    samples = list(render_evidence(KEY, evidence))
    random.shuffle(samples)
    with pytest.raises(EvidenceProblem):
        parse_evidence(samples[1:])


@given(evidences, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_series_that_comes_twice_is_refused(evidence: Evidence, random):
    samples = list(render_evidence(KEY, evidence))
    with pytest.raises(EvidenceProblem, match="more than once"):
        parse_evidence([*samples, random.choice(samples)])


@given(evidences, st.integers(min_value=1, max_value=4))
@settings(max_examples=60, deadline=None)
def test_windows_that_passed_while_prometheus_was_away_are_left_out(evidence: Evidence, passed: int):
    before = replace(evidence, drift=evidence.drift[:-passed], measured_at=evidence.measured_at - timedelta(minutes=1))
    now = replace(evidence, drift=evidence.drift[passed:])
    shown = {
        (sample.name, *sorted(sample.labels.items())): sample
        for one in (before, now)
        for sample in render_evidence(KEY, one)
    }
    assert parse_evidence(shown.values()) == parse_evidence(render_evidence(KEY, now))


@given(evidences, st.randoms(use_true_random=False), st.sampled_from([math.nan, math.inf, -math.inf]))
@settings(max_examples=60, deadline=None)
def test_a_value_that_is_no_number_is_refused(evidence: Evidence, random, value):
    samples = list(render_evidence(KEY, evidence))
    place = random.randrange(len(samples))
    samples[place] = samples[place]._replace(value=value)
    with pytest.raises(EvidenceProblem, match="not a number"):
        parse_evidence(samples)


@given(reports)
@settings(max_examples=30, deadline=None)
def test_no_label_holds_what_new_spam_consists_of(report):
    told = replace(report, new_spam_patterns=("verrysecretword",))
    samples = render_evidence(KEY, replace(PLAIN, drift=(told,)))
    assert "verrysecretword" not in str(samples)


def test_without_a_champion_the_labels_are_told_all_the_same():
    none = replace(PLAIN, model_version="")
    assert parse_evidence(scraped(none)) == none


def test_no_series_at_all_are_no_evidence():
    with pytest.raises(EvidenceProblem, match="no series"):
        parse_evidence([])


def test_series_of_two_versions_are_not_mixed():
    other = render_evidence(KEY, replace(PLAIN, model_version="8"))
    with pytest.raises(EvidenceProblem, match="several versions"):
        parse_evidence([*render_evidence(KEY, PLAIN), *other])


def test_half_a_message_is_refused():
    samples = [s._replace(value=0.5) if s.labels.get("quantity") == "new_labels" else s for s in scraped(PLAIN)]
    with pytest.raises(EvidenceProblem, match="new_labels has a value"):
        parse_evidence(samples)


def test_a_time_outside_of_time_is_refused():
    samples = [s._replace(value=1e300) if s.name.endswith("timestamp_seconds") else s for s in scraped(PLAIN)]
    with pytest.raises(EvidenceProblem, match="has a value that it can't have"):
        parse_evidence(samples)


def test_every_series_names_the_model_and_its_version():
    for sample in render_evidence(KEY, PLAIN):
        assert (sample.labels["spammodel"], sample.labels["model_version"]) == (KEY, "v7")


def test_every_series_is_of_a_family_that_is_described():
    assert {sample.name for sample in render_evidence(KEY, PLAIN)} <= set(FAMILIES)
    assert DRIFT in FAMILIES


def test_as_many_windows_are_told_as_a_document_may_ask_for():
    trigger = resource_schema()["properties"]["spec"]["properties"]["triggers"]["properties"]["drift"]
    assert trigger["properties"]["consecutiveBreaches"]["maximum"] == MAX_WINDOWS


DETECTED = tuple(MetricDrift(name=f"metric_{n:02}", raw=0.7, median=0.6, upper=0.8, score=n / 100) for n in range(19))


def windows(count: int) -> tuple[DriftReport, ...]:
    """What a detector with audit labels reports of each window."""
    at = PLAIN.measured_at
    return tuple(
        DriftReport(
            window_id=f"w{number}",
            model_version="7",
            started_at=at - timedelta(hours=count - number),
            ended_at=at - timedelta(hours=count - number - 1),
            size=500,
            score=0.2,
            metrics=DETECTED,
        )
        for number in range(count)
    )


def test_of_a_metric_only_the_newest_windows_score_is_published():
    samples = render_evidence(KEY, replace(PLAIN, drift=windows(2)))
    told = [(s.labels["window_id"], s.labels["quantity"], s.value) for s in samples if s.labels.get("metric")]
    assert told == [("w1", "score", metric.score) for metric in DETECTED]


def test_a_metric_comes_out_in_the_unit_of_its_score():
    before, newest = parse_evidence(render_evidence(KEY, replace(PLAIN, drift=windows(2)))).drift
    assert before.metrics == ()
    assert newest.metrics[18] == MetricDrift(name="metric_18", raw=0.18, median=0.0, upper=0.15, score=0.18)


def test_of_many_label_windows_those_are_published_that_a_decision_looks_at():
    live = performance(windows=tuple(label_window(0.9 + number / 1000) for number in range(40)))
    read = parse_evidence(render_evidence(KEY, replace(PLAIN, performance=but(live, model_version="7")))).performance
    assert read is not None
    assert read.windows == live.windows[-2:]


def test_all_that_a_controller_needs_of_a_model_is_about_a_hundred_series():
    live = but(performance(windows=(label_window(), label_window())), model_version="7")
    guard = but(guard_evidence(), model_version="7", audit_previous=label_window())
    full = replace(PLAIN, drift=windows(2), performance=live, guard=guard)
    assert len(render_evidence(KEY, full)) <= 120
    assert len(render_evidence(KEY, replace(full, guard=None))) <= 90
