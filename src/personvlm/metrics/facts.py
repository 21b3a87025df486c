"""How well facts are told, on arrays: accuracy, mA, F1, with a known-mask and a weight per sample.

Everywhere ``N`` is samples, ``L`` labels; targets and predictions are 0/1 (or bool); ``known [N, L]`` is 0 where
nobody annotated, and such cells count nowhere; ``weights [N]`` weighs samples, for example by
:func:`identity_weights`, so that a person counts once however many pictures there are. A figure that is not defined
(no positives, no negatives, nothing known) is NaN and is left out of means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LabelMetrics:
    """One figure per label, each ``float64 [L]``, NaN where it is not defined.

    Precision is 0/0 = NaN where a label is never predicted; F1 counts such a label as 0 if it has positives.
    """

    accuracy: Floats
    balanced_accuracy: Floats
    precision: Floats
    recall: Floats
    specificity: Floats
    f1: Floats
    positives: Floats
    support: Floats


@dataclass(frozen=True)
class InstanceMetrics:
    """Over samples: precision, recall and (Jaccard) accuracy are means over samples, F1 comes from the means."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def identity_weights(identities: Sequence[str | None]) -> Floats:
    """``[N]``: one over the number of pictures of the sample's person. ``None`` is a person of its own."""
    counts: dict[str, int] = {}
    for identity in identities:
        if identity is not None:
            counts[identity] = counts.get(identity, 0) + 1
    return np.array([1.0 if identity is None else 1.0 / counts[identity] for identity in identities], np.float64)


def label_metrics(
    targets: ArrayLike, predictions: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> LabelMetrics:
    """Accuracy, balanced accuracy, precision, recall, specificity and F1 of each label.

    Raises:
        ValueError: the shapes do not fit together.
    """
    target, predicted, mask = _arrays(targets, predictions, known, weights)
    true_positive = (mask * target * predicted).sum(0)
    true_negative = (mask * ~target * ~predicted).sum(0)
    positives, support = (mask * target).sum(0), mask.sum(0)
    said = (mask * predicted).sum(0)
    recall = ratio(true_positive, positives)
    specificity = ratio(true_negative, support - positives)
    return LabelMetrics(
        accuracy=ratio(true_positive + true_negative, support),
        balanced_accuracy=(recall + specificity) / 2,
        precision=ratio(true_positive, said),
        recall=recall,
        specificity=specificity,
        f1=ratio(2 * true_positive, positives + said),
        positives=positives,
        support=support,
    )


def mean_accuracy(
    targets: ArrayLike, predictions: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> float:
    """mA: the mean over labels of (recall of positives + recall of negatives) / 2.

    Source: Li et al., "A richly annotated dataset for pedestrian attribute recognition" (RAP), 2016, equation 1.
    A label that is always or never there has no mA and is left out of the mean.
    """
    return nanmean(label_metrics(targets, predictions, known, weights).balanced_accuracy)


def instance_metrics(
    targets: ArrayLike, predictions: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> InstanceMetrics:
    """Example-based accuracy, precision, recall and F1, as the PETA and RAP literature reports them.

    Source: Li et al. 2016 (RAP), equation 2: each is a mean over samples, and F1 is the harmonic mean of the mean
    precision and the mean recall. A sample that predicts nothing has precision 0, one without positives recall 0;
    a sample with nothing known is left out.
    """
    target, predicted, mask = _arrays(targets, predictions, known, None)
    cells = mask > 0
    weight = np.ones(len(target)) if weights is None else np.asarray(weights, np.float64)
    _check_weights(weight, len(target))
    weight = weight * cells.any(1)
    total = float(weight.sum())
    if total == 0:
        return InstanceMetrics(np.nan, np.nan, np.nan, np.nan)
    hits = (cells & target & predicted).sum(1)

    def mean(below: NDArray[np.bool_]) -> float:
        return float((weight * np.nan_to_num(ratio(hits, (cells & below).sum(1)))).sum() / total)

    accuracy, precision, recall = mean(target | predicted), mean(predicted), mean(target)
    return InstanceMetrics(accuracy, precision, recall, float(harmonic_mean(precision, recall)))


def instance_f1(
    targets: ArrayLike, predictions: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> float:
    """The F1 of :func:`instance_metrics`."""
    return instance_metrics(targets, predictions, known, weights).f1


def confusion(targets: ArrayLike, predictions: ArrayLike, classes: int, weights: ArrayLike | None = None) -> Floats:
    """``[classes, classes]``: summed weights, true class in the row, predicted class in the column.

    ``targets`` and ``predictions`` are class numbers ``[N]``; a negative number (not annotated, not said) is left out.
    """
    true, predicted = np.asarray(targets, np.int64), np.asarray(predictions, np.int64)
    weight = np.ones(len(true)) if weights is None else np.asarray(weights, np.float64)
    _check_weights(weight, len(true))
    keep = (true >= 0) & (predicted >= 0)
    cells = np.bincount(true[keep] * classes + predicted[keep], weight[keep], minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.float64)


def best_thresholds(
    probabilities: ArrayLike,
    targets: ArrayLike,
    known: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    *,
    balance: float = 0.5,
) -> Floats:
    """Per label, the threshold ``t`` (predict where ``p >= t``) with the best mix of balanced accuracy and F1.

    Args:
        probabilities: ``[N, L]``.
        balance: 1 looks at balanced accuracy alone (the best mA), 0 at the label's F1 alone.

    Returns:
        ``[L]``: midpoints between neighboring probabilities. Every cut is tried; among equals the one closest to 0.5
        wins, then the lower. A label that is always or never there (or unknown) gets 0.5.
    """
    probability = np.asarray(probabilities, np.float64)
    target, _, mask = _arrays(targets, probability > 0.5, known, weights)
    return np.array([_best_cut(probability[:, i], target[:, i], mask[:, i], balance) for i in range(target.shape[1])])


def expected_thresholds(probabilities: ArrayLike, *, f1: float = 1.0) -> Floats:
    """Per label, the threshold with the most mA + ``f1`` · instance F1 to be expected where probabilities are true.

    To predict a label at probability ``p`` adds ``p / P - (1 - p) / (N - P)`` to twice the label's balanced accuracy,
    with ``P`` of ``N`` samples that have it, and about ``(2 p - F) / n`` to twice the F1 ``F``, with ``n`` labels per
    sample; where the sum is 0 lies the threshold. No label is looked at: a cut that is fitted to each label's few
    positives fits their chance (docs/experiments.md). After Koyejo et al. 2015, "Consistent multilabel classification".

    Args:
        probabilities: ``[N, L]``, calibrated.
        f1: what a point of F1 is worth, in points of mA.

    Returns:
        ``[L]``: predict where ``p >= t``.
    """
    probability = np.asarray(probabilities, np.float64)
    samples, labels = probability.shape
    prior = np.clip(probability.mean(0), 0.5 / samples, 1 - 0.5 / samples)
    positives = max(float(prior.sum()), 1e-9)
    accuracy, share = 1 / labels, f1 / positives
    above, below = accuracy / prior, accuracy / (1 - prior)
    expected = 0.5
    for _ in range(10):  # the best threshold depends on the F1 that is reached with it
        thresholds = (below + share * expected) / (above + below + 2 * share)
        predicted = probability >= thresholds
        expected = 2 * float(probability[predicted].sum()) / max(float(predicted.sum() + probability.sum()), 1e-9)
    return np.asarray(thresholds, np.float64)


def ratio(above: ArrayLike, below: ArrayLike) -> Floats:
    """``above / below``, NaN where ``below`` is 0."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    result: Floats = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    np.divide(above, below, out=result, where=below > 0)
    return result


def harmonic_mean(precision: ArrayLike, recall: ArrayLike) -> Floats:
    """F1 of precisions and recalls: 0 where both are 0, since all was wrong then; NaN where either is NaN."""
    precision, recall = np.asarray(precision, np.float64), np.asarray(recall, np.float64)
    result: Floats = np.where(precision + recall == 0, 0.0, ratio(2 * precision * recall, precision + recall))
    return result


def nanmean(values: ArrayLike) -> float:
    """Mean of what is defined; NaN, without a warning, where nothing is."""
    array = np.asarray(values, np.float64)
    array = array[~np.isnan(array)]
    return float(array.mean()) if array.size else float("nan")


def _best_cut(probability: Floats, target: NDArray[np.bool_], mask: Floats, balance: float) -> float:
    keep = mask > 0
    probability, target, mask = probability[keep], target[keep], mask[keep]
    if not target.any() or target.all():
        return 0.5
    order = np.argsort(-probability, kind="stable")
    probability, positive = probability[order], mask[order] * target[order]
    negative = mask[order] - positive
    # Cut k predicts the k most probable samples; it exists only between two different probabilities.
    hits, alarms = np.append(0.0, positive.cumsum()), np.append(0.0, negative.cumsum())
    edges = np.concatenate([[max(1.0, probability[0])], probability, [min(0.0, probability[-1])]])
    cuts = (edges[:-1] + edges[1:]) / 2
    legal = edges[:-1] > edges[1:]
    legal[-1] = True  # predicting everything is possible even where the last probability is 0
    value = balance * (hits / hits[-1] + 1.0 - alarms / alarms[-1]) / 2
    value = value + (1.0 - balance) * 2 * hits / (hits + alarms + hits[-1])
    best = legal & (value >= value[legal].max() - 1e-12)
    candidates = cuts[best]
    return float(min(candidates, key=lambda cut: (abs(cut - 0.5), cut)))


def _arrays(
    targets: ArrayLike, predictions: ArrayLike, known: ArrayLike | None, weights: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
    """Targets and predictions as bool ``[N, L]``, and the weight of each cell ``[N, L]`` (0 where unknown)."""
    target: NDArray[Any] = np.asarray(targets).astype(bool)
    predicted: NDArray[Any] = np.asarray(predictions).astype(bool)
    if target.ndim != 2 or target.shape != predicted.shape:
        raise ValueError(f"targets and predictions must both be [samples, labels]: {target.shape}, {predicted.shape}")
    mask = np.ones(target.shape) if known is None else (np.asarray(known) > 0).astype(np.float64)
    if mask.shape != target.shape:
        raise ValueError(f"known must have the shape of the targets, {target.shape}, but has {mask.shape}")
    if weights is not None:
        weight = np.asarray(weights, np.float64)
        _check_weights(weight, len(target))
        mask = mask * weight[:, None]
    return target, predicted, mask


def _check_weights(weights: Floats, samples: int) -> None:
    if weights.shape != (samples,) or (weights < 0).any():
        raise ValueError(f"weights must be {samples} numbers >= 0, one per sample, but have shape {weights.shape}")
