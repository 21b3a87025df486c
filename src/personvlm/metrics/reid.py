"""Re-identification: does a picture find its person among the pictures of other cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Reid(NamedTuple):
    """Figures over ``n`` queries whose person is on another camera as well.

    Attributes:
        rank1: share whose most similar candidate is the same person.
        map: mean average precision of the ranking (Zheng et al., "Scalable person re-identification", ICCV 2015).
        n: queries.
    """

    rank1: float
    map: float
    n: int


def cross_camera(vectors: ArrayLike, people: Sequence[object], cameras: Sequence[object]) -> Reid:
    """Every picture asks for its person among all pictures of all other cameras.

    Args:
        vectors: ``[N, E]``; compared by cosine.
        people, cameras: of each picture.

    Raises:
        ValueError: nobody is on two cameras.

    Example:
        >>> cross_camera([[1, 0], [0, 1], [0.9, 0.1], [0.2, 0.8]], ["anna", "bert"] * 2, [1, 1, 2, 2])
        Reid(rank1=1.0, map=1.0, n=4)
    """
    rows = np.asarray(vectors, np.float64)
    rows = rows / np.maximum(1e-12, np.linalg.norm(rows, axis=1, keepdims=True))
    person = np.unique([str(one) for one in people], return_inverse=True)[1]
    camera = np.unique([str(one) for one in cameras], return_inverse=True)[1]
    if not len(rows) == len(person) == len(camera):
        raise ValueError(f"{len(rows)} vectors, {len(person)} people, {len(camera)} cameras: one of each per picture")
    alike = rows @ rows.T
    first, precision = list[bool](), list[float]()
    for row in range(len(rows)):
        others = np.flatnonzero(camera != camera[row])
        found = np.flatnonzero(person[others[np.argsort(-alike[row, others], kind="stable")]] == person[row])
        if len(found):
            first.append(found[0] == 0)
            precision.append(float(np.mean(np.arange(1, len(found) + 1) / (found + 1))))
    if not first:
        raise ValueError("nobody is on two cameras")
    return Reid(float(np.mean(first)), float(np.mean(precision)), len(first))
