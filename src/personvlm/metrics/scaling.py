"""Platt scaling of the logits of one attribute group: ``scale * logit + shift`` as likely as the labels allow.

One scale for the whole group, and a shift for those values that have one of their own. Without shifts this is
temperature scaling. Sources: Guo et al., "On calibration of modern neural networks", ICML 2017, sections 4.1 and 4.2;
Platt, "Probabilistic outputs for support vector machines", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Kind = Literal["exclusive", "set"]

_STEPS = 100
_HALVINGS = 30
_CLOSE = 1e-10  # relative fall of the loss at which the search ends
_LOW, _HIGH = 0.05, 20.0


@dataclass(frozen=True)
class Scaling:
    """``scale`` of a group and ``shift [K]`` of its columns."""

    scale: float
    shift: Floats

    def __call__(self, logits: ArrayLike) -> Floats:
        """Calibrated logits ``[N, K]``."""
        return np.asarray(logits, np.float64) * self.scale + self.shift


def fit_scaling(
    logits: ArrayLike, targets: ArrayLike, known: ArrayLike, weights: ArrayLike, kind: Kind, *,
    shifted: ArrayLike | None = None, ridge: float = 10.0,
) -> Scaling:  # fmt: skip
    """The scale and shifts that make the labels most likely; scale 1 and no shift where nothing is known.

    Args:
        logits: ``[N, K]`` of one group.
        targets: 0/1 ``[N, K]``. In an exclusive group the admissible values: several are a partial label, whose
            probabilities add up; a row with none of them, or all, says nothing.
        known: 0/1 ``[N, K]``; in an exclusive group the same in all columns.
        weights: ``[N]``.
        kind: ``exclusive`` (softmax) or ``set`` (a sigmoid each).
        shifted: bool ``[K]``, the columns with a shift of their own; none by default.
        ridge: pulls shifts towards 0, as if so many people of weight 1 had spoken for it.
    """
    x, t, cells = _cells(logits, targets, known, weights, kind)
    shift = np.zeros(x.shape[1])
    if not cells.any():
        return Scaling(1.0, shift)
    free = np.flatnonzero(shift if shifted is None else np.asarray(shifted, bool))
    kept, penalty = np.append(0, free + 1), np.append(0.0, np.full(len(free), ridge))
    slope = _softmax_slope if kind == "exclusive" else _sigmoid_slope

    def scaling(point: Floats) -> Scaling:
        spread = shift.copy()
        spread[free] = point[1:]
        return Scaling(float(point[0]), spread)

    def loss(point: Floats) -> float:
        return float(_losses(scaling(point)(x), t, cells, kind).sum() + penalty @ point**2 / 2)

    point = np.append(1.0, np.zeros(len(free)))
    value = loss(point)
    for _ in range(_STEPS):
        gradient, curvature = slope(x, scaling(point)(x), t, cells)
        # Fisher scoring: the expected curvature is never negative, so that this goes downhill for partial labels too.
        step = np.linalg.solve(curvature[np.ix_(kept, kept)] + np.diag(penalty + 1e-9),
                               gradient[kept] + penalty * point)  # fmt: skip
        before = value
        for halving in range(_HALVINGS):
            trial = point - step / 2**halving
            trial[0] = np.clip(trial[0], _LOW, _HIGH)
            if (found := loss(trial)) < value:
                point, value = trial, found
                break
        if before - value <= _CLOSE * abs(before):
            break
    return scaling(point)


def losses(logits: ArrayLike, targets: ArrayLike, known: ArrayLike, weights: ArrayLike, kind: Kind) -> Floats:
    """Weighted negative log-likelihood of each row ``[N]`` under (calibrated) logits; arguments as above."""
    x, t, cells = _cells(logits, targets, known, weights, kind)
    return _losses(x, t, cells, kind)


def _cells(
    logits: ArrayLike, targets: ArrayLike, known: ArrayLike, weights: ArrayLike, kind: Kind
) -> tuple[Floats, Floats, Floats]:
    """Logits, targets and the weight of each cell, all ``[N, K]``."""
    x, t = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    cells = np.asarray(weights, np.float64)[:, None] * (np.asarray(known) > 0)
    if x.shape != t.shape or cells.shape != t.shape:
        raise ValueError(f"logits, targets and known must have one shape: {x.shape}, {t.shape}, {cells.shape}")
    if kind == "exclusive":
        admissible = t > 0
        cells = cells * (admissible.any(1, keepdims=True) & ~admissible.all(1, keepdims=True))
    return x, t, cells


def _losses(z: Floats, t: Floats, cells: Floats, kind: Kind) -> Floats:
    if kind == "set":
        return np.asarray((cells * (np.logaddexp(0.0, z) - t * z)).sum(1), np.float64)
    rows = cells[:, 0] > 0
    result: Floats = np.zeros(len(z))
    result[rows] = cells[rows, 0] * (_log_sum_exp(z[rows]) - _log_sum_exp(np.where(t[rows] > 0, z[rows], -np.inf)))
    return result


def _softmax_slope(x: Floats, z: Floats, t: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Gradient ``[1 + K]`` and expected curvature ``[1 + K, 1 + K]`` with regard to scale and shifts."""
    rows = cells[:, 0] > 0
    x, z, weight, admissible = x[rows], z[rows], cells[rows, :1], np.where(t[rows] > 0, z[rows], -np.inf)
    p = np.exp(z - _log_sum_exp(z)[:, None])
    residual = weight * (p - np.exp(admissible - _log_sum_exp(admissible)[:, None]))
    centered = x - (p * x).sum(1, keepdims=True)
    curvature = np.diag(np.append((weight * p * centered**2).sum(), (weight * p).sum(0)))
    curvature[1:, 1:] -= (weight * p).T @ p
    curvature[0, 1:] = curvature[1:, 0] = (weight * p * centered).sum(0)
    return np.append((residual * x).sum(), residual.sum(0)), curvature


def _sigmoid_slope(x: Floats, z: Floats, t: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """As :func:`_softmax_slope`, for columns that hold or not by themselves."""
    p = 1.0 / (1.0 + np.exp(-z))
    residual, spread = cells * (p - t), cells * p * (1.0 - p)
    curvature = np.diag(np.append((spread * x**2).sum(), spread.sum(0)))
    curvature[0, 1:] = curvature[1:, 0] = (spread * x).sum(0)
    return np.append((residual * x).sum(), residual.sum(0)), curvature


def _log_sum_exp(values: Floats) -> Floats:
    top = values.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).sum(1)) + top[:, 0], np.float64)
