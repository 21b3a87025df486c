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

    The numbers were fitted (logistic regression, both cases weighted alike) on the 87 people of PETA's validation
    split that have several pictures, whose pictures were split into two tracks at random. The cosine carries nearly
    all of it; attributes decide between people dressed nearly alike.

    Attributes:
        bias, cosine, attributes: weights; ``c`` is the cosine of the appearance vectors, ``d`` the distance of
            :func:`disagreements`.
    """

    bias: float = -6.41
    cosine: float = 15.66
    attributes: float = -0.158

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


def fit_likeness(same: ArrayLike, different: ArrayLike) -> Likeness:
    """Logistic regression by Newton's method, both cases weighted alike, with a touch of ridge.

    Args:
        same, different: cosine and disagreement ``[N, 2]`` of pairs of sightings of one person, and of two.

    Raises:
        ValueError: no pairs of a kind.
    """
    pairs = [np.asarray(each, np.float64).reshape(-1, 2) for each in (same, different)]
    if not all(len(each) for each in pairs):
        raise ValueError("pairs of one person and of two are needed")
    rows = np.concatenate([np.column_stack([np.ones(len(each)), each]) for each in pairs])
    label = np.repeat([1.0, 0.0], [len(each) for each in pairs])
    share = np.repeat([0.5 / len(each) for each in pairs], [len(each) for each in pairs])
    ridge, found = 1e-4 * np.diag([0.0, 1.0, 1.0]), np.zeros(3)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (share * (label - probability)) - ridge @ found
        curve = (rows.T * (share * probability * (1 - probability))) @ rows + ridge
        step = np.linalg.solve(curve + 1e-9 * np.eye(3), slope)
        found += step
        if np.abs(step).max() < 1e-8:
            break
    bias, cosine, attributes = (round(float(value), 3) for value in found)
    return Likeness(bias, cosine, attributes)
