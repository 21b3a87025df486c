"""How much the looks of two sightings speak for one person: appearance and attributes, as a likelihood ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personvlm.schema import GROUP, PersonDescription
from personvlm.schema.groups import column_slices, columns

Floats = NDArray[np.float32]

_FLEETING = frozenset({"view", "posture", "activity", "visibility", "upper.style", "lower.style"})
"""Groups that tell nothing about who somebody is, or only what others tell already."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What of a description tells who somebody is; two kilobytes, so that thousands can be remembered.

    Attributes:
        embedding: appearance vector ``[E]``, L2-normalised.
        scores: probabilities ``[C]`` over :func:`personvlm.schema.groups.columns`; NaN in groups without any.
    """

    embedding: Floats = field(repr=False)
    scores: Floats = field(repr=False)

    @classmethod
    def of(cls, description: PersonDescription) -> Looks | None:
        """None where the description has no appearance vector."""
        if description.embedding is None:
            return None
        scores = np.full(len(columns()), np.nan, np.float32)
        for name, given in description.scores.items():
            where = column_slices()[name]
            scores[where] = [given.get(value, 0.0) for _, value in columns()[where]]
        return cls(np.asarray(description.embedding, np.float32), scores)


@dataclass(frozen=True)
class Likeness:
    """How the looks of two sightings speak for one person: ``bias + cosine * c + attributes * d`` is the logarithm of
    how much likelier this likeness is if they are one person than if they are two.

    ``tools/fit_likeness.py`` fits the numbers (:func:`fit_likeness`) on the 87 people of PETA's validation split that
    have several pictures: -3.4, 14.9 and -0.3 for the shipped model. On four rendered scenes (seeds 100 to 103) a
    steeper cosine is right more often, 94 of 100 links at a recall of .74 in place of 93 at .78; these are its numbers.
    They belong to the shipped model. Attributes decide between people dressed nearly alike.

    Attributes:
        bias, cosine, attributes: weights; ``c`` is the cosine of the appearance vectors, ``d`` the distance of
            :func:`disagreements`.
    """

    bias: float = -7.9
    cosine: float = 18.0
    attributes: float = -0.4

    def __call__(self, one: Looks, others: Sequence[Looks]) -> NDArray[np.float64]:
        """Log likelihood ratio ``[N]`` of ``one`` with each of the others."""
        if not others:
            return np.zeros(0)
        cosines = np.stack([other.embedding for other in others]) @ one.embedding
        distances = disagreements(one.scores, np.stack([other.scores for other in others]))
        return np.asarray(self.bias + self.cosine * cosines + self.attributes * distances, np.float64)


@lru_cache(maxsize=1)
def _lasting() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Columns of exclusive groups that last, the first of each of these groups, and columns of sets."""
    exclusive, first, several = list[int](), list[int](), list[int]()
    for name, where in column_slices().items():
        if name in _FLEETING:
            continue
        mine = list(range(where.start, where.stop))
        if GROUP[name].kind == "set":
            several += mine
        else:
            exclusive += mine
            first.append(where.start)
    return np.array(exclusive), np.array(first), np.array(several)


def disagreements(one: Floats, others: Floats) -> Floats:
    """Distance ``[N]`` of scores ``[C]`` from others ``[N, C]``, over the groups that both have.

    It adds up per exclusive group the probability that they name different values, and per set the differences. What
    changes from moment to moment is left out.
    """
    exclusive, first, several = _lasting()
    both = ~np.isnan(others[:, first]) & ~np.isnan(one[first])
    agreed = np.nansum(others[:, exclusive] * one[exclusive], 1)
    differing = np.nansum(np.abs(others[:, several] - one[several]), 1)
    return np.asarray(both.sum(1) - agreed + differing, np.float32)


def fit_likeness(pairs: ArrayLike, answers: ArrayLike, known: float = 0.5) -> Likeness:
    """The weights under which questions "who of these is it, or is it nobody" are answered with the right probability.

    Conditional logit (McFadden 1974) by Newton's method, with a touch of ridge. Pairs judged one by one would not do:
    of many strangers the most alike counts, and a logistic regression knows little about those.

    Args:
        pairs: cosine and disagreement ``[Q, N, 2]`` of who is asked about with each of N people.
        answers: which of them it is ``[Q]``, -1 where it is nobody of them.
        known: share of questions in which it is somebody.

    Raises:
        ValueError: no questions with an answer, or none without.
    """
    given, right = np.asarray(pairs, np.float64), np.asarray(answers, np.int64)
    if given.ndim != 3 or not (right >= 0).any() or not (right < 0).any():
        raise ValueError("questions are needed in which it is somebody, and in which it is nobody")
    count, people, _ = given.shape
    rows = np.concatenate([np.ones((count, people, 1)), given], 2)
    true = np.where((right >= 0)[:, None], rows[np.arange(count), right.clip(0)], 0.0)
    ridge, found = 1e-6 * np.diag([0.0, 1.0, 1.0]), np.array([-5.0, 10.0, 0.0])
    nobody = np.full((count, 1), np.log(1 - known))
    for _ in range(100):
        weights = np.concatenate([rows @ found + np.log(known / people), nobody], 1)
        weights = np.exp(weights - weights.max(1, keepdims=True))
        probability = (weights / weights.sum(1, keepdims=True))[:, :people]
        mean = (probability[..., None] * rows).sum(1)
        slope = (true - mean).mean(0) - ridge @ found
        spread = np.einsum("qn,qna,qnb->ab", probability, rows, rows) - mean.T @ mean
        step = np.linalg.solve(spread / count + ridge + 1e-9 * np.eye(3), slope)
        found = found + step * min(1.0, 5.0 / np.abs(step).max())  # far from the end a whole step may overshoot
        if np.abs(step).max() < 1e-8:
            break
    bias, cosine, attributes = (round(float(value), 3) for value in found)
    return Likeness(bias, cosine, attributes)
