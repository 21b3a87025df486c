"""What the heads alone decide, against labels: mA and F1 as the literature reports them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.figures import number, with_intervals
from personvlm.evaluation.truth import left_open
from personvlm.metrics.facts import harmonic_mean, instance_metrics, label_metrics, nanmean, ratio
from personvlm.metrics.intervals import bootstrap_interval, sums_per_identity
from personvlm.schema import GROUP, PersonDescription, Values, values_of
from personvlm.schema.groups import columns
from personvlm.schema.mappings import peta

Floats = NDArray[np.float64]


def score_heads(
    descriptions: Sequence[PersonDescription],
    samples: Sequence[Sample],
    thresholds: Mapping[str, float],
    *,
    resamples: int = 1000,
) -> dict[str, Any]:
    """mA and instance F1 per picture, as the literature reports them, with intervals over people.

    PETA's pictures: the 35 labels of the usual benchmark, where a label that is not named counts as absent, read from
    calibrated scores and ``thresholds``. Others: every value of the schema that is annotated, read from the decided
    attributes, where a backpack is a bag as well. A partial label judges only the values that it rules out.
    """
    if all(sample.source == "peta" for sample in samples):
        names: Sequence[str] = peta.BENCHMARK
        cuts = np.array([thresholds.get(name, 0.5) for name in names], np.float64)
        targets = np.stack([peta.benchmark_targets(sample.labels) for sample in samples]) > 0
        scores = np.stack([peta.benchmark_scores(description.scores) for description in descriptions])
        predictions, known = scores.astype(np.float64) >= cuts, np.ones_like(targets)
    else:
        names = [f"{group}={value}" for group, value in columns()]
        arrays = [sample.annotations.arrays() for sample in samples]
        targets, known = (np.stack([pair[side] for pair in arrays]) > 0 for side in (0, 1))
        known &= ~(targets & left_open(samples))
        decided = [values_of(description.attributes) for description in descriptions]
        predictions = np.array([[any(GROUP[group].covers(value, said) for said in values.get(group, ()))
                                 for group, value in columns()] for values in decided], bool)  # fmt: skip
    labels = label_metrics(targets, predictions, known)
    instance = instance_metrics(targets, predictions, known)
    identities = [sample.identity for sample in samples]

    def interval(cells: Floats, statistic: Callable[[Floats], Floats]) -> list[float | None]:
        low, high = bootstrap_interval(sums_per_identity(identities, cells), statistic, resamples=resamples)
        return [number(low), number(high)]

    parts = [targets & predictions, targets, ~targets & ~predictions, ~targets]
    per_label = np.concatenate([part & known for part in parts], axis=1).astype(np.float64)
    return {
        "mA": number(nanmean(labels.balanced_accuracy)),
        "mA_interval": interval(per_label, _mean_accuracy_of_sums),
        "F1": number(instance.f1),
        "F1_interval": interval(_instance_cells(targets, predictions, known), _instance_f1_of_sums),
        "accuracy": number(instance.accuracy),
        "precision": number(instance.precision),
        "recall": number(instance.recall),
        "majority": _majority(targets, known),
        "labels": {
            name: {"mA": number(labels.balanced_accuracy[i]), "F1": number(labels.f1[i]),
                   "precision": number(labels.precision[i]), "recall": number(labels.recall[i]),
                   "positives": int(labels.positives[i])}
            for i, name in enumerate(names) if labels.support[i] > 0
        },
    }  # fmt: skip


def score_sayable(read: Sequence[Values], descriptions: Sequence[PersonDescription], samples: Sequence[Sample],
                  thresholds: Mapping[str, float], *, resamples: int = 1000) -> dict[str, Any]:  # fmt: skip
    """Whether a sentence says what the heads know: instance F1 over the labels of PETA's benchmark that a sentence can
    state, of the sentences and of the heads, per picture as the literature counts.

    Args:
        read: values read from each sentence, which states all groups.
        descriptions, samples, thresholds: as for :func:`score_heads`; all samples from PETA.

    Returns:
        ``labels``: which they are; ``text`` and ``heads``: F1; ``difference``: text minus heads, with ``interval`` over
        people.
    """
    where = [peta.BENCHMARK.index(label) for label in peta.SAYABLE]
    cuts = np.array([thresholds.get(label, 0.5) for label in peta.SAYABLE], np.float64)
    targets = np.stack([peta.benchmark_targets(sample.labels)[where] for sample in samples]) > 0
    scores = np.stack([peta.benchmark_scores(description.scores)[where] for description in descriptions])
    known = np.ones_like(targets)
    cells = [_instance_cells(targets, predictions, known) for predictions in
             (np.stack([peta.benchmark_statements(values) for values in read]), scores.astype(np.float64) >= cuts)]
    sums = sums_per_identity([sample.identity for sample in samples], np.concatenate(cells, axis=1))

    def figures(totals: Floats) -> Floats:
        text, heads = _instance_f1_of_sums(totals[:, :3]), _instance_f1_of_sums(totals[:, 3:])
        return np.stack([text, heads, text - heads], axis=1)

    found = with_intervals(("text", "heads", "difference"), sums, figures, resamples)
    return {"labels": list(peta.SAYABLE), **{name: each["value"] for name, each in found.items()},
            "interval": found["difference"]["interval"]}  # fmt: skip


def _majority(targets: NDArray[np.bool_], known: NDArray[np.bool_]) -> dict[str, float | None]:
    """The best constant answer of every label: its mA is one half wherever it is defined."""
    usual = ratio((targets & known).sum(0), known.sum(0)) > 0.5
    constant = np.broadcast_to(usual, targets.shape)
    return {"mA": number(nanmean(label_metrics(targets, constant, known).balanced_accuracy)),
            "F1": number(instance_metrics(targets, constant, known).f1)}  # fmt: skip


def _mean_accuracy_of_sums(totals: Floats) -> Floats:
    true_positive, positive, true_negative, negative = np.split(totals, 4, axis=-1)
    each = (ratio(true_positive, positive) + ratio(true_negative, negative)) / 2
    return np.array([nanmean(row) for row in each])


def _instance_cells(targets: NDArray[np.bool_], predictions: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats:
    hits = (targets & predictions & known).sum(1)
    precision = np.nan_to_num(ratio(hits, (predictions & known).sum(1)))
    recall = np.nan_to_num(ratio(hits, (targets & known).sum(1)))
    return np.stack([precision, recall, known.any(1).astype(np.float64)], axis=1)


def _instance_f1_of_sums(totals: Floats) -> Floats:
    precision, recall = ratio(totals[:, 0], totals[:, 2]), ratio(totals[:, 1], totals[:, 2])
    return harmonic_mean(precision, recall)
