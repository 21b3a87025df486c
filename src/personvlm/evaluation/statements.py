"""What texts state, value by value, against labels: mA and F1 read from text, false statements, omissions, confusion.

Hallucination is stated but labelled absent: a bag where none is carried, and also red where the label says blue.
Omission is labelled present but not stated. What nobody labelled counts in neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.figures import with_intervals
from personvlm.evaluation.truth import COLUMNS, Bools, Truth, as_columns, labelled_values, of_group, relations
from personvlm.metrics.facts import confusion, harmonic_mean, identity_weights, nanmean, ratio
from personvlm.metrics.intervals import sums_per_identity
from personvlm.schema import GROUPS, NONE, OTHER, Values

Floats = NDArray[np.float64]

LEAST = 5
"""A value enters mA with at least so many people who have it, and as many who do not."""

LABEL = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
"""Figures of every value."""

UNSAID = "(not said)"


def score_statements(statements: Bools, truth: Truth, *, resamples: int = 1000) -> dict[str, Any]:
    """What a set of texts states, every person counted once; each figure as ``{"value", "interval"}``.

    Args:
        statements: ``[N, V]``, what each text states (:func:`~personvlm.evaluation.truth.stated`).
        truth: the labels of the same samples.
        resamples: of the bootstrap over people.

    Returns:
        ``mA`` and instance ``F1`` read from text over the sayable columns of the schema, ``precision`` and ``recall``
        of F1, ``hallucination`` and ``omission`` rates, and ``stated``, the values that a text states in the mean.
    """
    predictions = as_columns(statements)
    counts = _group_counts(statements, truth).sum(2)
    per_picture = [_label_cells(truth, predictions), _instance_cells(truth, predictions), counts,
                   np.column_stack([statements.sum(1), np.ones(len(statements))])]  # fmt: skip
    edges = np.cumsum([part.shape[1] for part in per_picture])[:-1]
    frequent = _frequent(truth)

    def figures(totals: Floats) -> Floats:
        cells, instance, rates, said = np.split(totals, edges, axis=1)
        precision, recall = ratio(instance[:, 0], instance[:, 2]), ratio(instance[:, 1], instance[:, 2])
        return np.stack([
            _mean_accuracy(cells, frequent), harmonic_mean(precision, recall), precision, recall,
            ratio(rates[:, 0], rates[:, 1]), ratio(rates[:, 2], rates[:, 3]), ratio(said[:, 0], said[:, 1]),
        ], axis=1)  # fmt: skip

    names = ("mA", "F1", "precision", "recall", "hallucination", "omission", "stated")
    return with_intervals(names, _per_person(per_picture, truth), figures, resamples)


def mean_accuracy_sums(statements: Bools, truth: Truth) -> tuple[Floats, Callable[[Floats], Floats]]:
    """``mA`` of :func:`score_statements` as sums over people ``[I, K]`` and the function of totals ``[R, K]`` that it
    is: for comparisons of two sets of texts, people drawn anew for both."""
    cells, frequent = _label_cells(truth, as_columns(statements)), _frequent(truth)

    return _per_person([cells], truth), lambda totals: _mean_accuracy(totals, frequent)


def score_details(statements: Bools, truth: Truth, *, resamples: int = 1000) -> dict[str, Any]:
    """What :func:`score_statements` sums up, one by one; each figure as ``{"value", "interval"}``.

    Returns:
        ``labels``: for every annotated value the figures of :data:`LABEL`, ``people`` who have it, and whether it is
        frequent enough to be ``in_mA``; ``groups``: ``hallucination`` and ``omission`` of every group.
    """
    predictions = as_columns(statements)
    counts, cells = _group_counts(statements, truth), _label_cells(truth, predictions)
    names = [f"{group}={value} {figure}" for figure in LABEL for group, value in COLUMNS]
    labels = with_intervals(
        names, _per_person([cells], truth), lambda totals: _of_labels(totals).reshape(len(totals), -1), resamples
    )
    rates = with_intervals(
        [f"{group.name} {kind}" for kind in ("hallucination", "omission") for group in GROUPS],
        _per_person([counts.reshape(len(counts), -1)], truth),
        lambda totals: ratio(
            totals.reshape(-1, 4, len(GROUPS))[:, 0::2], totals.reshape(-1, 4, len(GROUPS))[:, 1::2]
        ).reshape(len(totals), -1),
        resamples,
    )
    weight, frequent = truth.weights[:, None], _frequent(truth)
    people = (weight * truth.known * truth.targets).sum(0)
    annotated: Bools = np.asarray(truth.known.any(0), bool)
    judged = counts.sum(0)
    return {
        "labels": {
            f"{group}={value}": {
                **{figure: labels[f"{group}={value} {figure}"] for figure in LABEL},
                "people": float(people[i]), "in_mA": bool(frequent[i]),
            }
            for i, (group, value) in enumerate(COLUMNS) if annotated[i]
        },
        "groups": {
            group.name: {kind: rates[f"{group.name} {kind}"] for kind in ("hallucination", "omission")}
            for i, group in enumerate(GROUPS) if judged[1, i] or judged[3, i]
        },
    }  # fmt: skip


def score_confusion(said: Sequence[Values], samples: Sequence[Sample]) -> dict[str, Any]:
    """Per group which value was said (column) where which was labelled (row): ``{"values", "weights"}``.

    Pictures with exactly one labelled value count, every person once; the first value said counts, and silence is a
    column of its own, the last. Values that occur nowhere are left out.
    """
    weights = identity_weights([sample.identity for sample in samples])
    labelled = [labelled_values(sample) for sample in samples]
    result = {}
    for group in GROUPS:
        names = [value for value in group.values if value not in (NONE, OTHER)]
        true = [names.index(values[group.name][0]) if len(values.get(group.name, ())) == 1 else -1
                for values in labelled]  # fmt: skip
        if max(true) < 0:
            continue
        first = [next((value for value in values.get(group.name, ()) if value in names), None) for values in said]
        guess = [len(names) if value is None else names.index(value) for value in first]
        cells = confusion(true, guess, len(names) + 1, weights)
        used = [i for i in range(len(names)) if cells[i].sum() + cells[:, i].sum() > 0] + [len(names)]
        result[group.name] = {
            "values": [names[i] if i < len(names) else UNSAID for i in used],
            "weights": cells[np.ix_(used, used)][:-1].round(4).tolist(),
        }
    return result


def _per_person(parts: Sequence[NDArray[Any]], truth: Truth) -> Floats:
    """Figures per picture ``[N, K]``, weighted so that a person counts once, summed per person."""
    return sums_per_identity(truth.identities, np.concatenate(parts, axis=1) * truth.weights[:, None])


def _frequent(truth: Truth) -> Bools:
    """Columns ``[C]`` that enough people have and enough have not."""
    weight = truth.weights[:, None]
    has, lacks = (weight * truth.known * truth.targets).sum(0), (weight * truth.known * ~truth.targets).sum(0)
    return np.asarray((has >= LEAST - 1e-9) & (lacks >= LEAST - 1e-9), bool)


def _label_cells(truth: Truth, predictions: Bools) -> Floats:
    """``[N, 4 * C]``: true positives, positives, true negatives, negatives."""
    known, target = truth.known, truth.targets
    return np.concatenate([known & target & predictions, known & target, known & ~target & ~predictions,
                           known & ~target], axis=1).astype(np.float64)  # fmt: skip


def _mean_accuracy(totals: Floats, frequent: Bools) -> Floats:
    """Totals ``[R, 4 * C]`` to mA ``[R]`` over the frequent columns."""
    balanced = np.where(frequent, _of_labels(totals)[:, LABEL.index("balanced_accuracy")], np.nan)
    return np.array([nanmean(row) for row in balanced])


def _of_labels(totals: Floats) -> Floats:
    """Totals ``[R, 4 * C]`` to the figures of :data:`LABEL`, ``[R, figures, C]``; as in ``metrics.facts``."""
    hits, positives, rejections, negatives = np.split(totals, 4, axis=1)
    said = hits + negatives - rejections
    recall, specificity = ratio(hits, positives), ratio(rejections, negatives)
    return np.stack([
        ratio(hits + rejections, positives + negatives), (recall + specificity) / 2, ratio(hits, said), recall,
        ratio(2 * hits, positives + said),
    ], axis=1)  # fmt: skip


def _instance_cells(truth: Truth, predictions: Bools) -> Floats:
    """``[N, 3]``: precision and recall of each sample, and whether it counts; as in ``metrics.facts``."""
    hits = (truth.known & truth.targets & predictions).sum(1)
    precision = np.nan_to_num(ratio(hits, (predictions & truth.known).sum(1)))
    recall = np.nan_to_num(ratio(hits, (truth.targets & truth.known).sum(1)))
    return np.stack([precision, recall, truth.known.any(1).astype(np.float64)], axis=1)


def _group_counts(statements: Bools, truth: Truth) -> Floats:
    """Per sample and group ``[N, 4, G]``: values stated wrongly, values stated that labels can judge, labelled values
    that are not stated, labelled values that a sentence has room for."""
    of = of_group()
    wrong = (statements & (truth.verdict < 0)) @ of
    judged = (statements & (truth.verdict != 0)) @ of
    room = np.minimum(truth.labelled @ of, [group.max_said for group in GROUPS])
    told = truth.labelled & (statements.astype(np.float64) @ relations() > 0)
    return np.stack([wrong, judged, room - np.minimum(told @ of, room), room], axis=1)
