"""What a fresh champion did, measured so that sampling alone never looks like a fault."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoretrain.domain.messages import AuditedPrediction, Label, Prediction
from autoretrain.domain.observation import GuardEvidence
from autoretrain.domain.training import ExpectedLive
from autoretrain.ml.guarding import excess_distance, measure_guard, score_histogram
from autoretrain.ml.performance import measure_performance, wilson

START = datetime(2026, 11, 1, tzinfo=UTC)
HAM, SPAM = Label.HAM, Label.SPAM
USUAL = (0.70, 0.08, 0.03, 0.02, 0.02, 0.01, 0.01, 0.02, 0.03, 0.08)


def distinct(number):
    letters = "".join(chr(97 + int(digit)) for digit in str(number))
    return f"{letters}x {letters}y {letters}z"


def answered(number, score, *, text=None, version="8", role="champion"):
    return Prediction(
        prediction_id=f"p{number}",
        text=distinct(number) if text is None else text,
        label=SPAM if score >= 0.5 else HAM,
        score=score,
        model_version=version,
        at=START + timedelta(seconds=number),
        role=role,
    )


def expected(messages=500, histogram=USUAL, spam_share=0.14, disagreement=0.05):
    return ExpectedLive(messages=messages, spam_share=spam_share, score_histogram=histogram, disagreement=disagreement)


def traffic(rng, size, histogram=USUAL):
    scores = rng.choice(len(histogram), p=histogram, size=size) / 10 + 0.05
    return [answered(number, float(score)) for number, score in enumerate(scores)]


def test_what_was_not_given_is_none_and_not_zero():
    assert measure_guard([], model_version="8", expected=None) == GuardEvidence(model_version="8", messages=0)
    assert measure_guard([], model_version="8", expected=expected(), errors=0, requests=0) == GuardEvidence(
        model_version="8", messages=0
    )


def test_every_figure_is_measured():
    predictions = [answered(n, 0.95 if n < 30 else 0.05) for n in range(200)]
    audited = [
        AuditedPrediction(
            text=distinct(n), predicted=HAM, label=HAM, probability=0.5, model_version="8", predicted_at=START
        )
        for n in range(20)
    ]
    found = measure_guard(
        predictions,
        model_version="8",
        expected=expected(histogram=(0.85, *[0.0] * 8, 0.15)),
        previous_scores=[0.35 if n < 10 else 0.05 for n in range(200)],
        previous_threshold=0.3,
        golden_ham=[HAM] * 99 + [SPAM],
        golden_ham_expected=0.02,
        errors=3,
        requests=600,
        p95_seconds=0.012,
        previous_p95_seconds=0.008,
        audited=audited,
    )
    assert found == GuardEvidence(
        model_version="8",
        messages=200,
        spam_share=wilson(30, 200),
        score_shift=0.0,
        disagreement=wilson(20, 200),
        golden_ham_flagged=0.01,
        golden_ham_expected=0.02,
        requests=600,
        error_ratio=0.005,
        latency_ratio=pytest.approx(1.5),
        audit=measure_performance(audited, model_version="8", pending=0, window_labels=20).overall,
    )


def test_other_versions_and_the_second_of_an_experiment_are_left_out():
    predictions = [
        answered(0, 0.9),
        answered(1, 0.9, version="7"),
        answered(2, 0.9, role="candidate"),
        answered(3, 0.1),
    ]
    found = measure_guard(
        predictions, model_version="8", expected=None, previous_scores=[0.1, 0.1, 0.1, 0.9], previous_threshold=0.5
    )
    assert (found.messages, found.spam_share, found.disagreement) == (2, wilson(1, 2), wilson(2, 2))


def test_scores_that_do_not_belong_to_the_messages_are_refused():
    with pytest.raises(ValueError, match="1 predictions, 2 scores"):
        measure_guard([answered(0, 0.9)], model_version="8", expected=None, previous_scores=[0.1, 0.2])


def test_a_flood_of_one_campaign_does_not_look_like_a_model_that_flags_too_much():
    quiet = [answered(n, 0.05) for n in range(300)]
    flood = [
        answered(300 + n, 0.95, text=f"Your account {n} is locked: verify at https://b{n}.example within {n} hours")
        for n in range(200)
    ]
    found = measure_guard([*quiet, *flood], model_version="8", expected=expected())
    assert (found.messages, found.spam_share) == (303, wilson(3, 303))


def test_copies_are_capped_in_stretches_as_long_as_the_expected_window():
    again = [answered(n, 0.05, text="ok see you then") for n in range(20)]
    assert measure_guard(again, model_version="8", expected=expected(messages=10)).messages == 6
    assert measure_guard(again, model_version="8", expected=expected(messages=20)).messages == 3


def test_a_histogram_sums_to_one_and_its_last_bin_holds_certainty():
    assert score_histogram([0.0, 0.0999, 0.1, 1.0]) == (0.5, 0.25, 0, 0, 0, 0, 0, 0, 0, 0.25)
    assert score_histogram([]) == (0.0,) * 10


def test_equal_histograms_are_no_distance_apart():
    assert excess_distance(USUAL, USUAL, size=500, expected_size=500) == 0.0


@pytest.mark.parametrize(("size", "expected_size"), [(50, 500), (500, 500), (3000, 250)])
def test_two_samples_of_one_distribution_rarely_show_a_shift_and_never_a_breach(size, expected_size):
    """2,000 pairs: a shift at all in about 1 %, and none near the limit of 0.10."""
    rng = np.random.default_rng(size)
    live = rng.multinomial(size, USUAL, size=2000) / size
    before = rng.multinomial(expected_size, USUAL, size=2000) / expected_size
    shifts = [
        excess_distance(a, b, size=size, expected_size=expected_size)
        for a, b in zip(live.tolist(), before.tolist(), strict=True)
    ]
    assert sum(shift > 0 for shift in shifts) <= 35
    assert max(shifts) < 0.10


def test_a_model_that_calls_everything_spam_is_a_breach_on_all_label_free_figures():
    broken = [answered(n, 0.93) for n in range(500)]
    found = measure_guard(
        broken, model_version="8", expected=expected(), previous_scores=[0.05] * 500, previous_threshold=0.5
    )
    assert found.spam_share.low > 0.60
    assert found.score_shift > 0.7
    assert found.disagreement.low > 0.9


def test_a_smaller_change_of_the_scores_is_seen_at_the_guards_own_size():
    rng = np.random.default_rng(2)
    moved = (0.45, 0.08, 0.03, 0.02, 0.02, 0.01, 0.01, 0.02, 0.03, 0.33)
    shifts = [
        measure_guard(traffic(rng, 500, moved), model_version="8", expected=expected()).score_shift for _ in range(20)
    ]
    assert min(shifts) > 0.10
