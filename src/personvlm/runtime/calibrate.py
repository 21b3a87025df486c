"""Fit a calibration on the validation split: temperatures, then the thresholds from which a value is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.metrics.calibration import sigmoid_temperature, softmax_temperature, threshold_for_precision
from personvlm.metrics.facts import best_thresholds, identity_weights
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.engine import Engine
from personvlm.schema import GROUP, NONE, OTHER
from personvlm.schema.groups import column_slices
from personvlm.schema.mappings import peta

PRECISION = 0.8
"""What is said at the default setting should be right at least this often, value by value, on validation."""

UNMEASURED = 0.8
"""Threshold of a value that the validation split cannot judge."""

LOWEST = 0.45
"""Nothing less probable than this is said, however well it did on validation."""

NEVER = 1.01
"""A threshold that no probability reaches."""

LEAST = 8
"""Fewer people than this with a value say nothing about its threshold."""

Floats = NDArray[np.float64]


def calibrate(engine: Engine, transform: Transform, samples: Sequence[Sample], taught: Mapping[str, tuple[str, ...]],
              batch: int = 32) -> Calibration:  # fmt: skip
    """Temperatures and thresholds from ``samples``, every person counted once.

    Args:
        taught: group -> values with at least one training label.
    """
    logits = np.concatenate([
        engine.encode(transform([decode(sample.image) for sample in samples[start : start + batch]])).logits
        for start in range(0, len(samples), batch)
    ])  # fmt: skip
    arrays = [sample.annotations.arrays() for sample in samples]
    target, mask = (np.stack([pair[side] for pair in arrays]).astype(np.float64) for side in (0, 1))
    weights = identity_weights([sample.identity for sample in samples])
    plain = Calibration.plain(taught)
    scale = list(plain.scale)
    for name, where in column_slices().items():
        x, t, m = logits[:, where], target[:, where], mask[:, where]
        if GROUP[name].kind == "exclusive":
            temperature = softmax_temperature(x, t, m[:, 0], weights)
        else:
            temperature = sigmoid_temperature(x, t, m, weights)
        scale[where] = [1.0 / temperature] * (where.stop - where.start)
    fitted = replace(plain, scale=tuple(scale))
    probability = fitted.probabilities(logits).astype(np.float64)
    confident, likely = {}, {}
    for name, where in column_slices().items():
        if name in taught:
            part = (probability[:, where], target[:, where], mask[:, where])
            confident[name] = _confident(name, *part, weights)
            if name == "visibility":  # that nothing is missing is not worth a word
                confident[name]["full"] = NEVER
            likely[name] = _likely(name, *part, weights)
    benchmark: dict[str, float] = {}
    if all(sample.source == "peta" for sample in samples):
        truth = np.stack([peta.benchmark_targets(sample.labels) for sample in samples])
        scores = np.stack([peta.benchmark_scores(fitted.scores(row)) for row in probability.astype(np.float32)])
        # mA wants rare labels predicted early, F1 per picture does not; halfway serves both, and is fitted less.
        cuts = (best_thresholds(_blur(scores), truth, balance=1.0) + 0.5) / 2
        benchmark = dict(zip(peta.BENCHMARK, cuts.tolist(), strict=True))
    return replace(fitted, confident=confident, likely=likely, benchmark=benchmark)


def _blur(scores: NDArray[np.float32]) -> Floats:
    """Scores rounded to a hundredth: a cut between two neighboring crops of 900 is chance, not knowledge."""
    return np.asarray(np.round(scores.astype(np.float64), 2), np.float64)


def _confident(name: str, probability: Floats, target: Floats, mask: Floats, weights: Floats) -> dict[str, float]:
    """Per value (parents too) the lowest probability at which saying it is right in :data:`PRECISION` of cases.

    A partial label ("collar, or round, or something else") cannot tell whether a value is right, so it does not count.
    """
    group, thresholds = GROUP[name], {}
    exclusive = group.kind == "exclusive"
    best = probability.argmax(1)
    for value in group.values:
        members = [group.columns.index(leaf) for leaf in sorted(group.leaves(value))]
        claimed, admissible = probability[:, members].sum(1), target[:, members].sum(1)
        if exclusive:
            settled = (admissible == 0) | (admissible == target.sum(1))
            said, known = np.isin(best, members), (mask[:, 0] > 0) & settled
        else:
            said, known = claimed > LOWEST, mask[:, members[0]] > 0
        judged = said & known
        if weights[judged].sum() < LEAST:
            thresholds[value] = UNMEASURED
            continue
        cut = threshold_for_precision(claimed[judged], admissible[judged] > 0, PRECISION, None, weights[judged])
        thresholds[value] = NEVER if cut is None else max(LOWEST, round(cut, 3))
    return thresholds


def _likely(name: str, probability: Floats, target: Floats, mask: Floats, weights: Floats) -> dict[str, float]:
    """Thresholds of a set for ``--say all``: what a balanced judge would say. A second color must be probable."""
    group = GROUP[name]
    if group.kind == "exclusive":
        return {}
    if name.endswith(".color"):
        return dict.fromkeys(group.values, LOWEST)
    thresholds = {}
    for index, value in enumerate(group.columns):
        known = mask[:, index] > 0
        people = weights[known & (target[:, index] > 0)].sum()
        if people < LEAST or value in (NONE, OTHER):
            thresholds[value] = 0.5
        else:
            cut = best_thresholds(np.round(probability[known, index], 2)[:, None], target[known, index][:, None],
                                  weights=weights[known], balance=1.0 if value == "bag" else 0.0)  # fmt: skip
            thresholds[value] = float(cut[0])
    return thresholds
