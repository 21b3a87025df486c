"""Recall at k by hand and by simulation of what it is the expectation of."""

import numpy as np
import pytest

from personvlm.metrics.retrieval import recall_at


def test_ranks_by_hand():
    similarity = [[9, 1, 2], [5, 4, 3], [7, 8, 1]]  # the right one is first, second, last
    assert recall_at(similarity, (1, 2, 3)).tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]


def test_a_similarity_that_tells_nobody_apart_is_at_chance():
    assert recall_at(np.ones((20, 20)), (1, 5, 10)) == pytest.approx(np.tile([1 / 20, 5 / 20, 10 / 20], (20, 1)))


def test_ties_are_the_mean_over_random_orders():
    rng = np.random.default_rng(0)
    similarity = rng.integers(0, 3, (12, 12))
    broken = [recall_at(similarity + 1e-6 * rng.random((12, 12)), (1, 3)) for _ in range(4000)]
    assert np.mean(broken, 0) == pytest.approx(recall_at(similarity, (1, 3)), abs=0.04)


def test_more_candidates_than_k_are_not_found_for_free():
    assert recall_at(np.eye(3), (5,)).tolist() == [[1.0]] * 3
    with pytest.raises(ValueError, match="square"):
        recall_at(np.zeros((2, 3)))


def test_nan_finds_nobody():
    assert recall_at([[np.nan, 0.1], [0.1, np.nan]], [1]).tolist() == [[0.0], [0.0]]
