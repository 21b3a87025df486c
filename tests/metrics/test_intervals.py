import numpy as np
import pytest

from personvlm.metrics.intervals import bootstrap_interval, bootstrap_intervals, sums_per_identity


def mean_of(totals):
    return totals[:, 0] / totals[:, 1]


def test_sums_are_per_person_and_none_is_a_person_of_its_own():
    sums = sums_per_identity(["a", None, "a", None], [[1, 10], [2, 20], [3, 30], [4, 40]])
    assert sums.tolist() == [[4, 40], [2, 20], [4, 40]]


def test_interval_of_a_mean_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(3)
    values = rng.normal(5.0, 2.0, 400)
    low, high = bootstrap_interval(np.stack([values, np.ones(400)], 1), mean_of, resamples=4000)
    half = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.03)
    assert high == pytest.approx(values.mean() + half, abs=0.03)


def test_pictures_of_one_person_do_not_narrow_the_interval():
    rng = np.random.default_rng(4)
    values = (rng.random(60) < 0.5).astype(float)
    once = sums_per_identity([str(i) for i in range(60)], np.stack([values, np.ones(60)], 1))
    tenfold = sums_per_identity([str(i % 60) for i in range(600)], np.tile(np.stack([values, np.ones(60)], 1), (10, 1)))
    assert bootstrap_interval(once, mean_of) == pytest.approx(bootstrap_interval(tenfold, mean_of))


def test_same_seed_same_interval_and_chunks_do_not_matter(monkeypatch):
    sums = np.random.default_rng(5).random((50, 2))
    first = bootstrap_interval(sums, mean_of, seed=1)
    assert first == bootstrap_interval(sums, mean_of, seed=1)
    assert first != bootstrap_interval(sums, mean_of, seed=2)
    monkeypatch.setattr("personvlm.metrics.intervals._CELLS_AT_ONCE", 60)
    assert first == pytest.approx(bootstrap_interval(sums, mean_of, seed=1), abs=1e-12)


def test_undefined_figures_and_empty_data():
    low, high = bootstrap_interval(np.zeros((3, 2)), lambda totals: np.full(len(totals), np.nan))
    assert np.isnan(low)
    assert np.isnan(high)
    with pytest.raises(ValueError, match="at least one person"):
        bootstrap_interval(np.zeros((0, 2)), mean_of)


def test_several_figures_have_the_intervals_that_each_has_alone():
    sums = np.random.default_rng(6).random((40, 3))

    def both(totals):
        return np.stack([totals[:, 0] / totals[:, 2], totals[:, 1] / totals[:, 2], np.full(len(totals), np.nan)], 1)

    low, high = bootstrap_intervals(sums, both, resamples=300)
    for column in (0, 1):
        alone = bootstrap_interval(sums, lambda totals, c=column: totals[:, c] / totals[:, 2], resamples=300)
        assert (low[column], high[column]) == pytest.approx(alone)
    assert np.isnan([low[2], high[2]]).all()
