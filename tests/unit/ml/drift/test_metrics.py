import numpy as np
import pytest
from scipy.stats import hypergeom

from autoretrain.ml.drift.metrics import TermTest, kernel_distance, strongest_terms


def test_the_kernel_distance_is_the_mean_over_pairs_of_different_messages():
    rng = np.random.default_rng(0)
    window, reference = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    inside = [a @ b for i, a in enumerate(window) for j, b in enumerate(window) if i != j]
    outside = [a @ b for i, a in enumerate(reference) for j, b in enumerate(reference) if i != j]
    across = [a @ b for a in window for b in reference]
    found = kernel_distance(
        within_window=np.sum(inside), within_reference=np.sum(outside), across=np.sum(across), window=4, reference=6
    )
    assert float(found) == pytest.approx((np.mean(inside) + np.mean(outside) - 2 * np.mean(across)) / 2)


@pytest.mark.parametrize(("window", "reference"), [(5, 9), (30, 7), (250, 366)])
def test_the_term_test_is_the_hypergeometric_tail(window, reference):
    most = min(window + reference, 40)
    test = TermTest(window=window, reference=reference, most=most)
    for total in range(1, most + 1):
        for hits in range(max(0, total - reference), min(total, window) + 1):
            chance = hypergeom.sf(hits - 1, window + reference, total, window)
            assert float(test.decades(hits, total)) == pytest.approx(-np.log10(chance), abs=1e-9)


def test_five_terms_make_the_term_drift_and_missing_ones_count_as_no_evidence():
    assert float(strongest_terms(np.array([1.0, 9.0, 2.0, 3.0, 4.0, 5.0]))) == pytest.approx(23.0 / 5.0)
    assert float(strongest_terms(np.array([10.0]))) == 2.0
    assert float(strongest_terms(np.zeros(0))) == 0.0
