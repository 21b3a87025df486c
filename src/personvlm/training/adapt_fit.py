"""What is added to the logits of one attribute group so that it fits new pictures and stays what it was on others.

The old logits stand; a linear map of features is added to them, pulled towards nothing (L2-SP: Li, Grandvalet and
Davoine, "Explicit inductive bias for transfer learning", 2018) and, on pictures of other cameras, towards what the old
head says there (Li and Hoiem, "Learning without forgetting", 2016). Both are convex: there is one answer. It is found
by a bound of the curvature that never changes (Böhning, "Multinomial logistic regression algorithm", 1992), in
milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.metrics.scaling import Kind, losses

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REPLAY = 1.0
"""Weight of what must stay, beside a weight of 1 of what the new labels say."""

DIRECTIONS = 128

CAUTION = 0.5
"""Standard errors by which a gain must exceed nothing."""

_ITERATIONS, _CLOSE = 60, 1e-4


@dataclass(frozen=True)
class Strength:
    """How far a head may move: ``shift`` only moves its values up and down, and ``pull`` holds it back."""

    shift: bool
    pull: float

    @property
    def name(self) -> str:
        """For a report."""
        return f"{'shift' if self.shift else 'weights'}, pull {self.pull:g}"


STRENGTHS = (Strength(True, 0.01), Strength(False, 0.03), Strength(False, 0.01), Strength(False, 0.003))
"""From the least to the most; of equals the first is taken."""

FURTHER = (Strength(False, 0.001), Strength(False, 0.0003))
"""For a group that has no old head to stay close to."""


@dataclass(frozen=True)
class Group:
    """One attribute group in labelled pictures and in others.

    Attributes:
        kind: exclusive or set.
        features: ``[N, D]``, see :func:`coordinates`; the last is constant.
        logits: ``[N, K]`` of the old head.
        target, mask: ``[N, K]``.
        weights: ``[N]``; a person's weights sum to 1, 0 where the group is not labelled.
        people: a number for whom each picture shows ``[N]``.
        kept_features, kept_logits: ``[M, D]`` and ``[M, K]`` of pictures on which the head should stay as it is.
        afresh: nothing was ever taught of the group. What is common would be a gain without a look at the pictures, so
            that shifts are what others must surpass.
    """

    kind: Kind
    features: Floats
    logits: Floats
    target: Floats
    mask: Floats
    weights: Floats
    people: Ints
    kept_features: Floats
    kept_logits: Floats
    afresh: bool = False

    def loss(self, logits: Floats, weights: Floats) -> Floats:
        """Weighted negative log-likelihood of each picture ``[N]``."""
        return losses(logits, self.target, self.mask, weights, self.kind)

    def fit(self, strength: Strength, weights: Floats) -> Floats:
        """The map ``[D, K]`` that is added, from pictures with these ``weights [N]``."""
        columns = slice(-1, None) if strength.shift else slice(None)
        learning = weights > 0
        share = weights[learning] / max(1e-9, weights.sum())
        held = np.full(len(self.kept_features), REPLAY / max(1, len(self.kept_features)))
        x = np.concatenate([self.features[learning], self.kept_features])[:, columns]
        old = np.concatenate([self.logits[learning], self.kept_logits])
        rows = np.concatenate([share, held])[:, None]
        wanted = (self.target[learning], self.mask[learning], _probability(self.kept_logits, self.kind))
        bound = 0.25 if self.kind == "set" else 0.5
        curvature = bound * (x * rows).T @ x + 2.0 * strength.pull * np.eye(x.shape[1])
        step = np.linalg.inv(curvature)
        added = ahead = np.zeros((x.shape[1], old.shape[1]))
        speed = 1.0
        for _ in range(_ITERATIONS):
            slope = x.T @ (rows * self._residual(old + x @ ahead, *wanted)) + 2.0 * strength.pull * ahead
            further, faster = ahead - step @ slope, (1.0 + np.sqrt(1.0 + 4.0 * speed**2)) / 2.0
            moved = further - added
            if (slope * moved).sum() > 0:  # uphill: begin to gather speed anew (O'Donoghue and Candes, 2015)
                faster = 1.0
            added, ahead, speed = further, further + (speed - 1.0) / faster * moved, faster
            if np.abs(moved).max() < _CLOSE:
                break
        whole = np.zeros((self.features.shape[1], old.shape[1]))
        whole[columns] = added
        return whole

    def _residual(self, z: Floats, target: Floats, mask: Floats, stay: Floats) -> Floats:
        """Slope of the loss of each picture, ``[N + M, K]``: those that are labelled, then those that should stay."""
        probability = _probability(z, self.kind)
        result = probability.copy()
        new = len(target)
        result[new:] -= stay
        if self.kind == "set":
            result[:new] = mask * (probability[:new] - target)
        else:  # a partial label leaves its values open: each as probable as among themselves
            admissible = probability[:new] * (target > 0)
            result[:new] -= admissible / np.maximum(admissible.sum(1, keepdims=True), 1e-300)
        return result

    def chosen(self, folds: int, only: NDArray[np.bool_]) -> Strength | None:
        """The strength that helps people who were left out of the fit most; None where none helps.

        Args:
            folds: parts of the people.
            only: ``[N]``, the pictures that may be looked at.
        """
        weights = self.weights * only
        people = np.unique(self.people[weights > 0])
        if len(people) < 2:
            return None
        part = parts(self.people, people, folds)
        before = self.loss(self.logits, weights)
        tried = STRENGTHS + FURTHER if self.afresh else STRENGTHS
        gain = np.zeros((len(tried), len(part)))
        for row, strength in enumerate(tried):
            for fold in range(min(folds, len(people))):
                out = part[self.people] == fold
                after = self.loss(self.logits + self.features @ self.fit(strength, weights * ~out), weights)
                np.add.at(gain[row], self.people[out], (before - after)[out])
        if self.afresh:
            gain -= gain[0]
        sure = surely(gain)
        best = int(np.argmax(sure))
        return tried[best] if sure[best] > 0 else None


def surely(gain: Floats) -> Floats:
    """What is gained ``[...]`` by people who gain so much each ``[..., P]``, less :data:`CAUTION`."""
    return np.asarray(gain.sum(-1) - CAUTION * np.sqrt((gain**2).sum(-1)))


def parts(people: Ints, drawn: Ints, count: int) -> Ints:
    """The part that each person belongs to, by number ``[P]``: those of ``drawn`` in ``count`` parts of like size.

    At random: an order of the file ("every third is a guard") must not decide who is judged by whom.
    """
    result = np.full(people.max(initial=0) + 1, -1, np.int64)
    result[drawn] = np.random.default_rng(len(drawn)).permutation(len(drawn)) % min(count, len(drawn))
    return result


def coordinates(blocks: Sequence[Floats], count: int) -> tuple[Floats, Floats, Floats]:
    """Features of several kinds on one footing: each block has unit mean square length, a constant stands behind.

    Only the :data:`DIRECTIONS` in which pictures differ most: a fit with a pull towards nothing hardly uses the others.

    Args:
        blocks: ``[N, d]`` each, side by side ``[N, sum d]``.
        count: of the first rows that give mean and spread, those of the pictures to stay as they are, or all.

    Returns:
        ``[N, R + 1]`` coordinates, R at most :data:`DIRECTIONS`, the map ``[sum d, R]`` and the offset ``[R]`` that
        make them of the features:
        ``features @ map + offset``.
    """
    rows = np.concatenate(blocks, 1).astype(np.float64)
    mean, spread = rows[:count].mean(0), rows[:count].std(0)
    length = np.concatenate([np.full(block.shape[1], np.sqrt(len(blocks) * block.shape[1])) for block in blocks])
    scale = 1.0 / ((spread + 1e-3 * max(1e-9, spread.mean())) * length)
    turn = np.linalg.svd((rows - mean) * scale, full_matrices=False)[2][:DIRECTIONS].T
    turn = scale[:, None] * turn
    offset = -mean @ turn
    return np.concatenate([rows @ turn + offset, np.ones((len(rows), 1))], 1), turn, offset


def _probability(z: Floats, kind: Kind) -> Floats:
    if kind == "set":
        return np.asarray(1.0 / (1.0 + np.exp(-z.clip(-60, 60))), np.float64)
    exp = np.exp(z - z.max(1, keepdims=True)) if len(z) else z
    return np.asarray(exp / exp.sum(1, keepdims=True), np.float64)
