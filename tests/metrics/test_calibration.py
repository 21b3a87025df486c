import numpy as np
import pytest

from personvlm.metrics.calibration import (
    brier,
    brier_skill,
    expected_calibration_error,
    reliability,
    risk_coverage,
    sigmoid_temperature,
    softmax_temperature,
    threshold_for_precision,
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


def test_risk_coverage_and_threshold_by_hand():
    confidence, correct = [0.9, 0.8, 0.8, 0.5, 0.3], [1, 1, 0, 1, 0]
    curve = risk_coverage(confidence, correct)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.5, 0.3]
    assert curve.coverage == pytest.approx([0.2, 0.6, 0.8, 1.0])
    assert curve.risk == pytest.approx([0.0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx((0 + 2 / 3 + 1 / 4 + 2 / 5) / 5)
    assert threshold_for_precision(confidence, correct, 0.75) == 0.5
    assert threshold_for_precision(confidence, correct, 0.99) == 0.9
    assert threshold_for_precision([0.9, 0.1], [0, 0], 0.5) is None
    assert threshold_for_precision([], [], 0.5) is None


def softmax(logits):
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_softmax_temperature_is_recovered(temperature):
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (8000, 4))
    drawn = (softmax(logits).cumsum(1) > rng.random((8000, 1))).argmax(1)
    targets = np.eye(4)[drawn]
    assert softmax_temperature(logits * temperature, targets) == pytest.approx(temperature, rel=0.06)
    targets[4000:] = np.roll(targets[4000:], 1, axis=1)  # wrong labels, which nobody knows
    known = np.arange(8000) < 4000
    assert softmax_temperature(logits * temperature, targets, known) == pytest.approx(temperature, rel=0.07)


def test_softmax_temperature_with_partial_labels():
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (8000, 4))
    drawn = (softmax(logits).cumsum(1) > rng.random((8000, 1))).argmax(1)
    targets = np.eye(4)[drawn]
    coarse = rng.random(8000) < 0.5
    pair = np.where((drawn < 2)[:, None], [1, 1, 0, 0], [0, 0, 1, 1])
    targets = np.where(coarse[:, None], pair, targets)
    targets[:500] = 1  # everything is admissible: says nothing
    assert softmax_temperature(logits * 2.0, targets) == pytest.approx(2.0, rel=0.07)


def test_sigmoid_temperature_is_the_minimum_of_the_known_cells_likelihood():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (4000, 3))
    targets = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    known = rng.random(logits.shape) < 0.7
    weights = rng.random(4000)
    found = sigmoid_temperature(logits * 2.5, np.where(known, targets, ~targets), known, weights)
    assert found == pytest.approx(2.5, rel=0.1)

    def loss(temperature):
        probability = 1 / (1 + np.exp(-logits * 2.5 / temperature))
        likelihood = np.where(targets, np.log(probability), np.log(1 - probability))
        return -(likelihood * known * weights[:, None]).sum()

    assert loss(found) < min(loss(found * 1.001), loss(found * 0.999))


def test_temperature_without_knowledge_is_one():
    assert softmax_temperature([[1.0, 2.0]], [[1, 1]]) == 1.0
    assert sigmoid_temperature([[1.0, 2.0]], [[1, 0]], [[0, 0]]) == 1.0


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(2,\), \(1,\)"):
        expected_calibration_error([0.5, 0.5], [1])
    with pytest.raises(ValueError, match="one per sample"):
        brier([0.5, 0.5], [1, 0], weights=[1.0])
