import numpy as np
import pytest

from personvlm.metrics.calibration import (
    brier,
    brier_skill,
    expected_calibration_error,
    reliability,
    risk_coverage,
)


def literal_ece(confidence, correct, bins):
    """Equal counts per bin, no ties, no weights: the textbook loop."""
    order = sorted(range(len(confidence)), key=lambda row: confidence[row])
    size = len(order) // bins
    total = 0.0
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        share = sum(correct[row] for row in rows) / size
        claimed = sum(confidence[row] for row in rows) / size
        total += abs(share - claimed) / bins
    return total


@pytest.mark.parametrize("seed", range(5))
def test_ece_equals_the_textbook_loop(seed):
    rng = np.random.default_rng(seed)
    confidence = rng.permutation(200) / 200
    correct = rng.random(200) < confidence**2
    expected = literal_ece(confidence.tolist(), correct.tolist(), 10)
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


def test_weights_are_repetitions_and_unknown_rows_count_nowhere():
    rng = np.random.default_rng(1)
    confidence, correct, times = rng.random(50), rng.random(50) < 0.5, rng.integers(1, 5, 50)
    repeated = expected_calibration_error(np.repeat(confidence, times), np.repeat(correct, times))
    assert expected_calibration_error(confidence, correct, weights=times) == pytest.approx(repeated, abs=1e-12)
    known = rng.random(50) < 0.6
    assert expected_calibration_error(confidence, correct, known) == pytest.approx(
        expected_calibration_error(confidence[known], correct[known]), abs=1e-12)
    assert np.isnan(expected_calibration_error(confidence, correct, np.zeros(50)))


def test_ties_do_not_depend_on_the_order_of_rows():
    confidence, correct = np.array([0.6] * 10), np.array([1] * 6 + [0] * 4)
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.0, abs=1e-12)
    curve = reliability(confidence, correct, bins=5)
    assert curve.accuracy == pytest.approx([0.6] * 5)
    assert curve.weight == pytest.approx([2] * 5)


def test_brier_and_its_skill_by_hand():
    assert brier([0.8, 0.4], [1, 0]) == pytest.approx((0.04 + 0.16) / 2)
    assert brier([[0.7, 0.2, 0.1]], [[1, 0, 0]]) == pytest.approx(0.09 + 0.04 + 0.01)
    assert brier([0.8, 0.4, 0.0], [1, 0, 1], known=[1, 1, 0], weights=[3, 1, 9]) == pytest.approx(0.28 / 4)
    targets = np.array([1, 1, 1, 0])
    assert brier_skill([0.75] * 4, targets) == pytest.approx(0.0)
    assert brier_skill(targets, targets) == pytest.approx(1.0)
    assert brier_skill([0.1] * 4, targets) < 0
    assert np.isnan(brier_skill([0.5], [1]))


def test_risk_coverage_by_hand():
    confidence, correct = [0.9, 0.8, 0.8, 0.5, 0.3], [1, 1, 0, 1, 0]
    curve = risk_coverage(confidence, correct)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.5, 0.3]
    assert curve.coverage == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert curve.risk == pytest.approx([0.0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx((0 + 2 / 3 + 1 / 4 + 2 / 5) / 5)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(2,\), \(1,\)"):
        expected_calibration_error([0.5, 0.5], [1])
    with pytest.raises(ValueError, match="one per sample"):
        brier([0.5, 0.5], [1, 0], weights=[1.0])
