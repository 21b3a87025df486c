"""Recall at k of a similarity matrix, ties broken at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def recall_at(similarity: ArrayLike, ks: Sequence[int] = (1, 5, 10)) -> Floats:
    """Chance ``[Q, K]`` that query ``q`` finds candidate ``q`` among its k most similar.

    Args:
        similarity: ``[Q, Q]``, queries in rows; the right candidate of a row is on the diagonal.
        ks: the ranks.

    Equal similarities are in random order, and the expectation over that order is taken: a similarity that is the same
    for everybody scores k / Q, which is what it deserves. Counting ties as found would give it 1. NaN is like
    nothing at all.
    """
    matrix = np.asarray(similarity, np.float64)
    matrix = np.where(np.isnan(matrix), -np.inf, matrix)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"similarity must be square, one candidate per query, but has shape {matrix.shape}")
    own = np.diagonal(matrix)[:, None]
    better, tied = (matrix > own).sum(1), (matrix == own).sum(1)
    return np.asarray(np.clip((np.asarray(ks)[None] - better[:, None]) / tied[:, None], 0.0, 1.0), np.float64)
