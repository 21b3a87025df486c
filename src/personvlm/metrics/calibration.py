"""Whether a confidence of 0.8 is right eight times in ten. (:mod:`~personvlm.metrics.scaling` makes it so.)

``N`` is samples; ``confidence [N]`` is the probability that was claimed, ``correct [N]`` whether the claim held.
``known [N]`` is 0 where nobody can tell; ``weights [N]`` make a person count once
(:func:`~personvlm.metrics.facts.identity_weights`). Rows that are unknown or weigh nothing count nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Bins of equal mass, in order of confidence: mean confidence, share correct and weight, each ``[B]``."""

    confidence: Floats
    accuracy: Floats
    weight: Floats


@dataclass(frozen=True)
class RiskCoverage:
    """Curve over thresholds, most confident first: share answered, share wrong among them, threshold; each ``[K]``.

    ``area`` is the mean risk over coverage (AURC; 0 is perfect).
    """

    coverage: Floats
    risk: Floats
    threshold: Floats
    area: float


def reliability(
    confidence: ArrayLike,
    correct: ArrayLike,
    known: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    *,
    bins: int = 10,
) -> Reliability:
    """Equal-mass bins: each holds the same weight. A row on an edge is split between both bins.

    Source: Nguyen and O'Connor, "Posterior calibration and exploratory analysis for NLP models", EMNLP 2015. Rows of
    equal confidence share their mean outcome, so that the result does not depend on the order of the rows.
    """
    claimed, held, weight = _rows(confidence, correct, known, weights)
    if not claimed.size:
        empty: Floats = np.zeros(0)
        return Reliability(empty, empty, empty)
    values, held, weight = _merge_ties(claimed, held, weight)
    ends = weight.cumsum()
    edges = np.linspace(0.0, ends[-1], bins + 1)

    def integral(of: Floats) -> Floats:
        return np.diff(np.interp(edges, np.append(0.0, ends), np.append(0.0, (of * weight).cumsum())))

    mass = np.diff(edges)
    return Reliability(integral(values) / mass, integral(held) / mass, mass)


def expected_calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    known: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    *,
    bins: int = 10,
) -> float:
    """ECE: mean over equal-mass bins of \\|share correct - mean confidence\\|; NaN without rows.

    Source: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, with bins of
    equal mass in place of equal width, which would leave most of them empty.
    """
    curve = reliability(confidence, correct, known, weights, bins=bins)
    if not curve.weight.size:
        return float("nan")
    return float(np.abs(curve.accuracy - curve.confidence) @ curve.weight / curve.weight.sum())


def brier(
    probabilities: ArrayLike, targets: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> float:
    """Mean squared distance between probabilities and outcome; NaN without rows.

    ``probabilities`` and ``targets`` are ``[N]`` (one binary claim) or ``[N, K]`` (exclusive values, summed over K).
    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    probability, target = _columns(probabilities), _columns(targets)
    if probability.shape != target.shape:
        raise ValueError(f"probabilities and targets must have one shape: {probability.shape}, {target.shape}")
    weight = _weights(len(probability), known, weights)
    total = weight.sum()
    return float(((probability - target) ** 2).sum(1) @ weight / total) if total > 0 else float("nan")


def brier_skill(
    probabilities: ArrayLike, targets: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> float:
    """1 - Brier / Brier of the prior (the weighted frequencies of the same rows). 0 is the prior, 1 perfect; NaN
    where the prior is perfect too (one value only)."""
    target = _columns(targets)
    weight = _weights(len(target), known, weights)
    if weight.sum() == 0:
        return float("nan")
    prior = np.broadcast_to(weight @ target / weight.sum(), target.shape)
    reference = brier(prior, target, known, weights)
    return 1.0 - brier(probabilities, targets, known, weights) / reference if reference > 0 else float("nan")


def risk_coverage(
    confidence: ArrayLike, correct: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None
) -> RiskCoverage:
    """Risk among the answers kept when only those of confidence >= threshold are given, for every threshold.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", JMLR 2010; area as in
    Geifman et al., "Bias-reduced uncertainty estimation", ICLR 2019, with rows of equal confidence kept together.
    """
    claimed, held, weight = _rows(confidence, correct, known, weights)
    if not claimed.size:
        empty: Floats = np.zeros(0)
        return RiskCoverage(empty, empty, empty, float("nan"))
    values, held, weight = (part[::-1] for part in _merge_ties(claimed, held, weight))
    kept = weight.cumsum()
    risk = 1.0 - (held * weight).cumsum() / kept
    return RiskCoverage(kept / kept[-1], risk, values, float(risk @ weight / kept[-1]))


def _columns(values: ArrayLike) -> Floats:
    array = np.asarray(values, np.float64)
    return array[:, None] if array.ndim == 1 else array


def _weights(samples: int, known: ArrayLike | None, weights: ArrayLike | None) -> Floats:
    weight = np.ones(samples) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != (samples,) or (weight < 0).any():
        raise ValueError(f"weights must be {samples} numbers >= 0, one per sample, but have shape {weight.shape}")
    return weight if known is None else weight * (np.asarray(known) > 0)


def _rows(
    confidence: ArrayLike, correct: ArrayLike, known: ArrayLike | None, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    claimed, held = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if claimed.ndim != 1 or claimed.shape != held.shape:
        raise ValueError(f"confidence and correct must both be [samples]: {claimed.shape}, {held.shape}")
    weight = _weights(len(claimed), known, weights)
    keep = weight > 0
    return claimed[keep], held[keep], weight[keep]


def _merge_ties(claimed: Floats, held: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """One row per different confidence, ascending: confidence, share that held, weight."""
    values, where = np.unique(claimed, return_inverse=True)
    mass = np.bincount(where, weight).astype(np.float64)
    return values, np.bincount(where, weight * held) / mass, mass
