"""Checks that every metric must pass, and the verdicts of whole windows."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoretrain.domain.messages import AuditedPrediction, Label
from autoretrain.ml.drift.calibration import THRESHOLD
from autoretrain.ml.drift.detector import DriftDetector
from autoretrain.ml.drift.metrics import METRICS, SPAM_SHARE, metric_name
from autoretrain.ml.drift.references import VIEWS, build_references

IN_VIEWS = [metric_name(metric, view) for view in VIEWS for metric in METRICS]
EVERY = [*IN_VIEWS, SPAM_SHARE]
SIZES = (50, 200, 1000)


@pytest.fixture(scope="session")
def undrifted(report, traffic):
    counts = dict(zip(SIZES, (40, 20, 4), strict=True))
    return {size: [report(traffic().texts(size, seed=100 + seed)) for seed in range(counts[size])] for size in SIZES}


@pytest.fixture(scope="session")
def new_campaign(report, traffic):
    return [report(traffic(scam_share=1.0).texts(300, seed=seed)) for seed in range(3)]


@pytest.fixture(scope="session")
def other_words(report, traffic, other_ham):
    return [report(traffic(ham=other_ham).texts(300, seed=seed)) for seed in range(3)]


def of(report, name):
    return next(metric for metric in report.metrics if metric.name == name)


def test_every_metric_is_reported_once(undrifted):
    assert [metric.name for metric in undrifted[200][0].metrics] == [*IN_VIEWS[:4], SPAM_SHARE, *IN_VIEWS[4:]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", EVERY)
def test_undrifted_windows_are_quiet_at_every_size(undrifted, name, size):
    measured = [metric for one in undrifted[size] for metric in one.metrics if metric.name == name]
    scores = [metric.score for metric in measured]
    assert len(measured) >= 0.4 * len(undrifted[size])  # in windows of 50 some views have fewer than five messages
    assert sum(score > THRESHOLD for score in scores) <= 1
    assert sum(scores) / len(scores) < THRESHOLD / 2


@pytest.mark.parametrize("name", [name for name in IN_VIEWS if name.endswith(("_spam", "_suspect"))])
def test_a_new_campaign_instead_of_the_known_spam_fires_the_metrics_that_look_at_spam(new_campaign, name):
    assert min(of(one, name).score for one in new_campaign) > THRESHOLD


@pytest.mark.parametrize("name", EVERY)
def test_other_ham_words_that_the_model_takes_for_spam_fire_every_metric(other_words, name):
    assert min(of(one, name).score for one in other_words) > THRESHOLD


def test_reports_are_whole_and_the_same_for_the_same_window(report, traffic):
    texts = traffic(scam_share=0.5).texts(200, seed=8)
    first = report(texts, window_id="w7")
    assert report(texts, window_id="w7") == first
    assert (first.window_id, first.model_version, first.size, first.regime) == ("w7", "v1", 200, "base")
    assert first.score == max(metric.score for metric in first.metrics)


def test_given_scores_are_used_instead_of_the_models(report, traffic, model):
    texts = traffic().texts(200, seed=8)
    assert report(texts, scores=model.scores(texts)) == report(texts)
    assert report(texts, scores=[1.0] * 200).score > THRESHOLD


@pytest.mark.parametrize(
    "texts",
    [[], ["hello"], [""] * 300, ["..."] * 300, ["same words again"] * 300, [f"w{n}" for n in range(4)]],
    ids=["empty", "one message", "no text", "no words", "one campaign", "four messages"],
)
def test_no_window_gives_nan(report, texts):
    found = report(texts)
    values = [found.score, found.accumulated]
    values += [value for m in found.metrics for value in (m.raw, m.median, m.upper, m.score)]
    assert all(math.isfinite(value) for value in values)
    assert 0.0 <= found.score <= 1.0


def test_copies_of_one_campaign_count_three_times(report, traffic):
    texts = traffic().texts(250, seed=8)
    flood = [f"verify parcel {n} at http://fee-{n}.example now" for n in range(200)]
    assert replace(report([*texts, *flood]), size=0) == replace(report([*texts, *flood[:3]]), size=0)
    assert report([*texts, *flood]).score < THRESHOLD


def test_more_of_the_known_spam_is_a_prior_shift_and_no_drift(report, traffic):
    found = [report(traffic(spam_share=0.4).texts(250, seed=seed)) for seed in range(10)]
    classes = [[m.score for m in one.metrics if m.name.endswith(("_spam", "_ham"))] for one in found]
    assert [one.score for one in found] == [max(scores) for scores in classes]
    assert all(one.prior_shift and one.score <= THRESHOLD for one in found)
    assert all(of(one, SPAM_SHARE).score > THRESHOLD for one in found)


def test_hardly_any_spam_left_is_a_prior_shift_though_the_suspects_are_others(report, traffic):
    found = [report(traffic(spam_share=0.01).texts(300, seed=seed)) for seed in range(6)]
    assert any(max(of(one, name).score for name in METRICS) <= THRESHOLD for one in found)
    assert any(of(one, "term_drift_suspect").score > THRESHOLD for one in found)
    assert all(one.prior_shift and one.score <= THRESHOLD for one in found)


def test_a_new_campaign_in_more_spam_is_drift_and_no_prior_shift(report, traffic):
    found = report(traffic(spam_share=0.4, scam_share=1.0).texts(250, seed=1))
    assert found.score > THRESHOLD
    assert not found.prior_shift


def test_a_weak_wave_is_found_late_rather_than_never(model, traffic, report):
    wave = traffic(scam_share=0.12)
    history = []
    for seed in range(12):
        history.append(report(wave.texts(250, seed=seed), history=history))
    alone = [max(m.score for m in one.metrics) > THRESHOLD for one in history]
    found = [one.score > THRESHOLD for one in history]
    assert sum(found) > sum(alone)
    assert history[0].accumulated == 0.0
    assert all(one.score >= one.accumulated for one in history)


def test_history_of_another_version_or_regime_or_before_a_recovery_does_not_count(report, traffic):
    drifted = [report(traffic(scam_share=1.0).texts(250, seed=seed)) for seed in range(3)]
    quiet = traffic().texts(250, seed=77)
    assert report(quiet, history=drifted).score <= THRESHOLD
    weak = traffic(scam_share=0.2).texts(250, seed=4)
    at = drifted[0].started_at
    for elsewhere in ({"model_version": "v0"}, {"regime": "b"}):
        other = [replace(one, **elsewhere) for one in drifted]
        assert report(weak, history=other, started_at=at, ended_at=at) == report(weak)
    assert report(weak, history=drifted, started_at=at, ended_at=at) != report(weak)


@pytest.fixture(scope="session")
def two_regimes(model, traffic, other_ham):
    """A champion of a model that was promoted on regime B, and knows it."""
    known = [("b", traffic(ham=other_ham).texts(400, seed=21))]
    return DriftDetector.load(build_references(model, traffic().draw(600, seed=1), regimes=known, seed=0), model)


def test_once_a_regime_is_known_going_there_and_back_is_no_drift(two_regimes, report_of, report, traffic, other_ham):
    a, b = traffic(), traffic(ham=other_ham)
    windows = [part.texts(250, seed=30 + index) for index, part in enumerate([a, a, b, b, a, a, b, a])]
    history = []
    for texts in windows:
        history.append(report_of(two_regimes, texts, history=history))
    assert [one.regime for one in history] == ["base", "base", "b", "b", "base", "base", "b", "base"]
    assert max(one.score for one in history) <= THRESHOLD
    assert [report(texts).score > THRESHOLD for texts in windows] == [
        False,
        False,
        True,
        True,
        False,
        False,
        True,
        False,
    ]


def test_a_third_regime_is_drift_from_both(two_regimes, report_of, traffic):
    assert report_of(two_regimes, traffic(scam_share=1.0).texts(250, seed=3)).score > THRESHOLD


def audit_labels(count, wrong, *, predicted):
    other = {Label.HAM: Label.SPAM, Label.SPAM: Label.HAM}[predicted]
    return [
        AuditedPrediction(
            text="x" * (index + 1),  # none a copy of another
            predicted=predicted,
            label=other if index < wrong else predicted,
            probability=0.2,
            model_version="v1",
            predicted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for index in range(count)
    ]


def test_audit_labels_find_errors_that_the_texts_do_not_show(report, traffic):
    texts = traffic().texts(250, seed=8)
    right = audit_labels(60, 1, predicted=Label.HAM)
    wrong = audit_labels(60, 12, predicted=Label.HAM)
    assert report(texts, audited=right).score <= THRESHOLD
    found = report(texts, audited=wrong)
    assert found.score == of(found, "label_errors_ham").score > THRESHOLD
    assert "label_errors_spam" not in {metric.name for metric in found.metrics}


def test_scores_that_tie_with_the_references_but_for_their_last_digits_are_no_drift(traffic):
    class CoarseModel:
        """Gives nearly everything one of two scores, as a model does that is sure of what it knows."""

        threshold = 0.5

        def scores(self, texts):
            return [0.9123456789 if text.split()[0].endswith("s") else 0.0123456789 for text in texts]

    model = CoarseModel()
    detector = DriftDetector.load(build_references(model, traffic().draw(600, seed=1), seed=0), model)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    reports = [
        detector.evaluate(
            traffic().texts(250, seed=50 + seed), window_id="w", model_version="v1", started_at=at, ended_at=at
        )
        for seed in range(5)
    ]
    assert [report.score > THRESHOLD for report in reports] == [False] * 5
