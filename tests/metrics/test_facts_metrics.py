"""mA, F1 and thresholds against literal transcriptions of their definitions, cell by cell."""

import numpy as np
import pytest

from personvlm.metrics.facts import (
    best_thresholds,
    confusion,
    expected_thresholds,
    harmonic_mean,
    identity_weights,
    instance_f1,
    instance_metrics,
    label_metrics,
    mean_accuracy,
)


def random_case(seed, samples=40, labels=7):
    rng = np.random.default_rng(seed)
    targets = rng.random((samples, labels)) < rng.uniform(0.2, 0.8, labels)
    predictions = np.where(rng.random((samples, labels)) < 0.7, targets, ~targets)
    known = rng.random((samples, labels)) < 0.8
    return targets, predictions, known, rng.random(samples) + 0.1


def literal_mean_accuracy(targets, predictions, known, weights):
    figures = []
    for label in range(targets.shape[1]):
        true_positive = positive = true_negative = negative = 0.0
        for row in range(targets.shape[0]):
            if not known[row, label]:
                continue
            if targets[row, label]:
                positive += weights[row]
                true_positive += weights[row] * predictions[row, label]
            else:
                negative += weights[row]
                true_negative += weights[row] * (not predictions[row, label])
        if positive and negative:
            figures.append((true_positive / positive + true_negative / negative) / 2)
    return sum(figures) / len(figures)


def literal_instance_f1(targets, predictions, known, weights):
    precision = recall = total = 0.0
    for row in range(targets.shape[0]):
        cells = [label for label in range(targets.shape[1]) if known[row, label]]
        if not cells:
            continue
        hits = sum(targets[row, label] and predictions[row, label] for label in cells)
        said = sum(predictions[row, label] for label in cells)
        there = sum(targets[row, label] for label in cells)
        total += weights[row]
        precision += weights[row] * (hits / said if said else 0.0)
        recall += weights[row] * (hits / there if there else 0.0)
    precision, recall = precision / total, recall / total
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("seed", range(25))
def test_ma_and_f1_equal_a_literal_transcription(seed):
    targets, predictions, known, weights = random_case(seed)
    assert mean_accuracy(targets, predictions, known, weights) == pytest.approx(
        literal_mean_accuracy(targets, predictions, known, weights), abs=1e-12)
    assert instance_f1(targets, predictions, known, weights) == pytest.approx(
        literal_instance_f1(targets, predictions, known, weights), abs=1e-12)
    ones, everything = np.ones(len(targets)), np.ones_like(known)
    assert mean_accuracy(targets, predictions) == pytest.approx(
        literal_mean_accuracy(targets, predictions, everything, ones), abs=1e-12)
    assert instance_f1(targets, predictions) == pytest.approx(
        literal_instance_f1(targets, predictions, everything, ones), abs=1e-12)


def test_label_metrics_by_hand():
    #          TP FN FP TN unknown
    targets = [[1], [1], [0], [0], [1]]
    predictions = [[1], [0], [1], [0], [0]]
    known = [[1], [1], [1], [1], [0]]
    figures = label_metrics(targets, predictions, known, [3, 1, 1, 5, 100])
    assert figures.accuracy[0] == pytest.approx(8 / 10)
    assert figures.precision[0] == pytest.approx(3 / 4)
    assert figures.recall[0] == pytest.approx(3 / 4)
    assert figures.specificity[0] == pytest.approx(5 / 6)
    assert figures.balanced_accuracy[0] == pytest.approx((3 / 4 + 5 / 6) / 2)
    assert figures.f1[0] == pytest.approx(3 / 4)
    assert figures.support[0] == 10
    assert figures.positives[0] == 4


def test_undefined_labels_are_nan_and_leave_the_mean():
    targets, predictions = [[1, 1], [1, 0]], [[1, 1], [0, 0]]
    assert np.isnan(label_metrics(targets, predictions).balanced_accuracy[0])
    assert mean_accuracy(targets, predictions) == 1.0
    nothing = np.zeros((2, 2))
    assert np.isnan(mean_accuracy(targets, predictions, nothing))
    assert np.isnan(instance_metrics(targets, predictions, nothing).precision)


def test_a_sample_that_predicts_nothing_has_precision_zero():
    figures = instance_metrics([[1, 0], [1, 0]], [[0, 0], [1, 0]])
    assert (figures.precision, figures.recall, figures.accuracy) == (0.5, 0.5, 0.5)


def test_identity_weights_count_each_person_once():
    assert identity_weights(["a", "b", "a", None, None]).tolist() == [0.5, 1.0, 0.5, 1.0, 1.0]


def test_confusion_leaves_out_what_is_not_annotated():
    table = confusion([0, 0, 1, -1, 1], [0, 1, 1, 0, -1], 2, [1, 2, 3, 4, 5])
    assert table.tolist() == [[1, 2], [0, 3]]


def brute_force(probability, target, known, weights, figure):
    values = np.unique(np.concatenate([probability, [-1.0, 2.0]]))
    return max(
        getattr(label_metrics(target[:, None], (probability >= cut)[:, None], known[:, None], weights), figure)[0]
        for cut in (values[:-1] + values[1:]) / 2
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(("balance", "figure"), [(1.0, "balanced_accuracy"), (0.0, "f1")])
def test_thresholds_reach_what_trying_every_cut_reaches(seed, balance, figure):
    targets, _, known, weights = random_case(seed, samples=60, labels=4)
    rng = np.random.default_rng(seed + 100)
    probabilities = np.round(0.5 * rng.random(targets.shape) + 0.3 * targets, 2)  # rounding makes ties
    thresholds = best_thresholds(probabilities, targets, known, weights, balance=balance)
    reached = getattr(label_metrics(targets, probabilities >= thresholds, known, weights), figure)
    for label in range(targets.shape[1]):
        column = probabilities[:, label], targets[:, label], known[:, label], weights
        assert reached[label] == pytest.approx(brute_force(*column, figure), abs=1e-12)
    again = best_thresholds(probabilities, targets, known, weights, balance=balance)
    assert np.array_equal(thresholds, again)


def test_threshold_without_negatives_or_knowledge_is_one_half():
    assert best_thresholds([[0.1, 0.9], [0.2, 0.8]], [[1, 0], [1, 1]], [[1, 0], [1, 0]]).tolist() == [0.5, 0.5]


def test_threshold_of_saturated_probabilities_still_separates():
    thresholds = best_thresholds([[0.0], [1.0], [0.0]], [[0], [1], [0]], balance=1.0)
    assert 0 < thresholds[0] < 1


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"\(2, 1\), \(1, 2\)"):
        mean_accuracy([[1], [0]], [[1, 0]])
    with pytest.raises(ValueError, match="one per sample"):
        label_metrics([[1], [0]], [[1], [0]], weights=[1.0])


def test_f1_of_nothing_right_is_zero_and_of_nothing_known_is_not_defined():
    found = harmonic_mean([0.0, 0.5, np.nan], [0.0, 1.0, 1.0])
    assert found[:2] == pytest.approx([0.0, 2 / 3])
    assert np.isnan(found[2])


def test_expected_thresholds_find_the_best_where_probabilities_are_true() -> None:
    rng = np.random.default_rng(3)
    prior = np.array([0.02, 0.05, 0.1, 0.3, 0.5, 0.8])
    probability = 1 / (1 + np.exp(-(np.log(prior / (1 - prior)) + 2 * rng.normal(size=(20_000, 6)))))
    target = rng.random(probability.shape) < probability

    def reached(thresholds: np.ndarray, f1: float) -> float:
        predicted = probability >= thresholds
        accuracy = np.mean(label_metrics(target, predicted).balanced_accuracy)
        return float(accuracy + f1 * instance_metrics(target, predicted).f1)

    for f1 in (0.0, 1.0, 3.0):
        thresholds = expected_thresholds(probability, f1=f1)
        best = reached(thresholds, f1)
        for share in (0.5, 0.7, 1.4, 2.0):
            assert reached(np.minimum(share * thresholds, 1.0), f1) < best, (f1, share)
        assert reached(np.full(6, 0.5), f1) < best
    # mA alone: the prior. F1 alone: one cut for all labels, half of the F1 that is reached.
    assert expected_thresholds(probability, f1=0.0) == pytest.approx(probability.mean(0))
    alone = expected_thresholds(probability, f1=1e6)
    assert alone == pytest.approx(np.full(6, alone[0]), rel=1e-3)
    assert 0.2 < alone[0] < 0.5


def test_expected_thresholds_of_what_never_comes_are_thresholds() -> None:
    found = expected_thresholds([[0.0, 1.0], [0.0, 1.0]])
    assert np.all((found > 0) & (found < 1))
