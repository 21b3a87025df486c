"""Whether confidence means something: calibration of the headline groups, and what holds at a stated precision.

Every person counts once, and intervals are over people. Calibration looks at the answers under ``--say all``, so that
nobody is left out: the confidence in the first value of each group against whether the label names it, and for bags
the probability that there is one. Precision looks at what is said, in the text and in the attributes, which also hold
absences ("no hat").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import HEADLINE, judge, score_said
from personvlm.evaluation.figures import number
from personvlm.evaluation.truth import VALUES, Truth, stated
from personvlm.language.parser import parse
from personvlm.metrics.calibration import brier_skill, expected_calibration_error, reliability, risk_coverage
from personvlm.metrics.facts import identity_weights, nanmean, ratio
from personvlm.metrics.intervals import bootstrap_intervals, sums_per_identity
from personvlm.schema import GROUP, PersonDescription, Values, values_of
from personvlm.schema.groups import column_slices

BINS = 10
POINTS = 50
"""Points that a risk-coverage curve is thinned to."""

SLACK = 0.03
"""A value falls short when its whole interval lies further than this below the precision that was asked for."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Claims:
    """What a describer claims about one headline group, and what is true.

    Attributes:
        confidence: ``[N]``, of the first value (bag: that there is one).
        right: ``[N]``, whether that value holds (bag: whether there is one).
        probability, target: ``[N, K]``, what the Brier score compares: all values of an exclusive group, all colors
            that are labelled everywhere, the one probability of a bag.
        settled: ``[N]``, whether the label is one outcome to compare with, not several admissible values.
        weights: ``[N]``, 0 where the label cannot tell; a person's weights sum to 1.
        yes_or_no: whether the claim is that something is there, so that a low confidence is an answer too (bag).
    """

    confidence: Floats
    right: Bools
    probability: Floats
    target: Floats
    settled: Bools
    weights: Floats
    yes_or_no: bool = False

    @classmethod
    def of(cls, group: str, descriptions: Sequence[PersonDescription], samples: Sequence[Sample]) -> Claims:
        """Claims of descriptions that state the most probable value of every group."""
        home = "carrying" if group == "bag" else group
        first = ["bag" if group == "bag" else _first(item, home) for item in descriptions]
        said: list[Values] = [{} if value is None else {home: (value,)} for value in first]
        judged = judge(group, said, samples)
        claimed = [None if value is None else item.scores.get(home, {}).get(value)
                   for item, value in zip(descriptions, first, strict=True)]  # fmt: skip
        counted = judged.counted & np.array([value is not None for value in claimed], bool)
        right = judged.stratum.astype(bool) if group == "bag" else judged.right
        weights = np.zeros(len(samples))
        weights[counted] = identity_weights([samples[row].identity for row in np.flatnonzero(counted).tolist()])
        confidence = np.array([0.0 if value is None else value for value in claimed])
        settled = np.ones(len(samples), bool)
        if group == "bag":
            return cls(confidence, right, confidence[:, None], right[:, None].astype(np.float64), settled, weights,
                       yes_or_no=True)  # fmt: skip
        probability = np.array([[item.scores.get(home, {}).get(value, 0.0) for value in GROUP[home].columns]
                                for item in descriptions])  # fmt: skip
        arrays = [sample.annotations.arrays() for sample in samples]
        target, mask = (np.stack([pair[side][column_slices()[home]] for pair in arrays]).astype(np.float64)
                        for side in (0, 1))  # fmt: skip
        if GROUP[home].kind == "exclusive":
            settled = target.sum(1) == 1
        else:
            everywhere = (mask[counted] > 0).all(0)
            probability, target = probability[:, everywhere], target[:, everywhere]
        return cls(confidence, right, probability, target, settled, weights)

    @property
    def answer(self) -> tuple[Floats, Bools]:
        """Confidence in the answer, and whether it is right: of a bag, that there is one or that there is none."""
        if not self.yes_or_no:
            return self.confidence, self.right
        return np.maximum(self.confidence, 1.0 - self.confidence), self.right == (self.confidence >= 0.5)

    def figures(self, times: Floats | None = None) -> tuple[float, float]:
        """ECE and Brier skill, with each row counted ``times``."""
        weights = self.weights if times is None else self.weights * times
        skill = brier_skill(self.probability, self.target, self.settled, weights) if self.target.size else float("nan")
        return expected_calibration_error(self.confidence, self.right, None, weights, bins=BINS), skill


def score_calibration(
    descriptions: Sequence[PersonDescription], samples: Sequence[Sample], *, resamples: int = 200
) -> dict[str, Any]:
    """The ``calibration`` object of ``evaluate --json``.

    Args:
        descriptions: under ``say="all"``, one per sample.
        samples: labelled pictures.
        resamples: of the bootstrap over people. ECE is a sum of absolute values, so that resampled ones are larger than
            it; its interval says how large it may be, not how small.

    Returns:
        ``ece`` and ``brier_skill``: ``value`` and ``interval`` of the mean over the headline groups that can be judged.
        ``groups``: the same per group, with ``n``, ``reliability`` (:data:`BINS` bins of equal mass: ``confidence``,
        ``accuracy``, ``people``) and ``risk_coverage`` (``coverage``, ``risk``, ``threshold``, and their ``area``).
    """
    claims = {group: Claims.of(group, descriptions, samples) for group in HEADLINE}
    index: dict[str | int, int] = {}
    people = np.array([index.setdefault(row if sample.identity is None else sample.identity, len(index))
                       for row, sample in enumerate(samples)])  # fmt: skip
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, len(index), len(index)), minlength=len(index))[people].astype(np.float64)
        drawn.append([claim.figures(times) for claim in claims.values()])
    spread = np.array(drawn).reshape(resamples, len(claims), 2)
    values = np.array([claim.figures() for claim in claims.values()])
    result: dict[str, Any] = {}
    for side, name in enumerate(("ece", "brier_skill")):
        means = np.array([nanmean(row) for row in spread[:, :, side]])
        result[name] = {"value": number(nanmean(values[:, side])), "interval": _interval(means)}
    result["groups"] = {}
    for row, (group, claim) in enumerate(claims.items()):
        result["groups"][group] = {
            "ece": {"value": number(values[row, 0]), "interval": _interval(spread[:, row, 0])},
            "brier_skill": {"value": number(values[row, 1]), "interval": _interval(spread[:, row, 1])},
            "n": int((claim.weights > 0).sum()), **_curves(claim),
        }  # fmt: skip
    return result


def score_precision(
    descriptions: Sequence[PersonDescription], samples: Sequence[Sample], precision: float, *, resamples: int = 1000
) -> dict[str, Any]:
    """The ``precision`` object of ``evaluate --min-precision``: whether what is said holds as often as was asked.

    Args:
        descriptions: made with ``min_precision=precision``, one per sample.
        samples: labelled pictures.
        precision: what was asked for.
        resamples: of the bootstrap over people.

    Returns:
        ``asked``; ``text`` and ``attributes`` (:func:`~personvlm.evaluation.facts.score_said` of what the sentences
        state, and of all that is decided); ``values``: group -> value -> ``precision``, ``interval``, ``people`` (whom
        it was said of, where labels can tell) and ``n`` pictures; ``short``: the values whose interval lies wholly
        more than :data:`SLACK` below what was asked.
    """
    decided = [values_of(item.attributes) for item in descriptions]
    truth, statements = Truth.of(samples), stated(decided)
    judged = statements & (truth.verdict != 0)
    weighted = truth.weights[:, None] * np.concatenate([judged & (truth.verdict > 0), judged], axis=1)
    sums = sums_per_identity(truth.identities, weighted)

    def shares(totals: Floats) -> Floats:
        right, all_of_them = np.split(totals, 2, axis=-1)
        return ratio(right, all_of_them)

    value, (low, high) = shares(sums.sum(0)), bootstrap_intervals(sums, shares, resamples=resamples)
    values: dict[str, dict[str, Any]] = {}
    short = []
    for column in np.flatnonzero(judged.any(0)).tolist():
        group, name = VALUES[column]
        values.setdefault(group, {})[name] = {
            "precision": number(value[column]), "interval": [number(low[column]), number(high[column])],
            "people": float(sums[:, len(VALUES) + column].sum()), "n": int(judged[:, column].sum()),
        }  # fmt: skip
        if high[column] < precision - SLACK:
            short.append(f"{group}: {name}")
    return {"asked": precision, "text": score_said([parse(item.text) for item in descriptions], samples),
            "attributes": score_said(decided, samples), "values": values, "short": short}  # fmt: skip


def _first(description: PersonDescription, group: str) -> str | None:
    attribute = description.attributes.get(group)
    return attribute.values[0] if attribute is not None and attribute.values else None


def _interval(values: Floats) -> list[float | None]:
    defined = values[~np.isnan(values)]
    return [number(bound) for bound in np.quantile(defined, [0.025, 0.975])] if defined.size else [None, None]


def _curves(claim: Claims) -> dict[str, Any]:
    bins = reliability(claim.confidence, claim.right, None, claim.weights, bins=BINS)
    curve = risk_coverage(*claim.answer, None, claim.weights)
    points = np.unique(np.searchsorted(curve.coverage, np.linspace(1 / POINTS, 1.0 - 1e-12, POINTS)))
    if not curve.coverage.size:
        points = points[:0]
    return {
        "reliability": [{"confidence": float(a), "accuracy": float(b), "people": float(c)}
                        for a, b, c in zip(bins.confidence, bins.accuracy, bins.weight, strict=True)],
        "risk_coverage": {"coverage": curve.coverage[points].tolist(), "risk": curve.risk[points].tolist(),
                          "threshold": curve.threshold[points].tolist(), "area": number(curve.area)},
    }  # fmt: skip
