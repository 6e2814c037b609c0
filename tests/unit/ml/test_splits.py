"""What measures never trains, and copies never stand on both sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoretrain.domain.messages import Label
from autoretrain.ml.splits import in_holdout, stratified_folds


def test_the_holdout_is_frozen():
    texts = [f"message number {number}" for number in range(20)]
    assert [number for number, text in enumerate(texts) if in_holdout(text)] == [1, 3, 4, 11, 17]


@given(st.text())
def test_copies_that_differ_in_case_and_space_are_on_the_same_side(text):
    assert in_holdout(f"  {text.lower()}\n") == in_holdout(text.lower())


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.2, 0.2), (0.5, 0.5), (1.0, 1.0)])
def test_the_holdout_has_its_share_of_distinct_messages(share, expected):
    held = np.mean([in_holdout(f"text {number}", share=share) for number in range(4000)])
    assert held == pytest.approx(expected, abs=0.02)


def test_a_larger_share_keeps_what_a_smaller_one_held():
    texts = [f"text {number}" for number in range(500)]
    assert all(in_holdout(text, share=0.3) for text in texts if in_holdout(text, share=0.2))


def labelled_clusters() -> tuple[list[Label], list[int]]:
    clusters = [number // 2 for number in range(200)]
    return [Label.SPAM if cluster % 5 == 0 else Label.HAM for cluster in clusters], clusters


def test_each_row_is_tested_once_and_no_cluster_stands_on_both_sides():
    labels, clusters = labelled_clusters()
    folds = stratified_folds(labels, clusters, folds=5, seed=0)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(200))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(200))
        assert not {clusters[row] for row in train} & {clusters[row] for row in test}


def test_each_fold_has_the_same_share_of_spam():
    labels, clusters = labelled_clusters()
    folds = stratified_folds(labels, clusters, folds=5, seed=0)
    assert [sum(labels[row] is Label.SPAM for row in test) for _, test in folds] == [8] * 5


def test_the_seed_decides_the_folds():
    labels, clusters = labelled_clusters()
    first, again, other = (stratified_folds(labels, clusters, folds=5, seed=seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
