"""Bootstrap intervals over people, not over pictures: two pictures of one person are not two observations.

A figure that is made of sums (an accuracy, mA, F1) needs no second pass over the data: sum once per person, then
weigh the people anew. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile
intervals), with whole clusters resampled (Davison and Hinkley, "Bootstrap Methods", 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_CELLS_AT_ONCE = 4_000_000  # people x resamples held in memory at a time: 32 MB


def sums_per_identity(identities: Sequence[str | None], values: ArrayLike) -> Floats:
    """Rows ``[N, K]`` summed per person: ``[I, K]``, people in order of appearance. ``None`` is a person of its own."""
    rows = np.asarray(values, np.float64)
    if rows.ndim != 2 or len(rows) != len(identities):
        raise ValueError(f"values must be [samples, figures] for {len(identities)} samples, but have {rows.shape}")
    index: dict[str | int, int] = {}
    where = [index.setdefault(row if name is None else name, len(index)) for row, name in enumerate(identities)]
    sums = np.zeros((len(index), rows.shape[1]))
    np.add.at(sums, np.array(where, np.int64), rows)
    return sums


def bootstrap_interval(
    sums: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a figure that is a function of sums.

    Args:
        sums: ``[I, K]``, one row per person (:func:`sums_per_identity`).
        statistic: takes ``[R, K]`` totals of R resamples and returns ``[R]`` figures; NaN where not defined.
        level: of the interval: 0.95 cuts 2.5 % on either side.

    Returns:
        (low, high); NaN both where no resample is defined.
    """
    low, high = bootstrap_intervals(
        sums, lambda totals: statistic(totals)[:, None], resamples=resamples, level=level, seed=seed
    )
    return float(low[0]), float(high[0])


def bootstrap_intervals(
    sums: ArrayLike,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Percentile intervals of several figures from the same resamples: like :func:`bootstrap_interval`, where
    ``statistic`` returns ``[R, F]``.

    Returns:
        low ``[F]`` and high ``[F]``; NaN where no resample is defined.
    """
    people = np.asarray(sums, np.float64)
    if people.ndim != 2 or not len(people):
        raise ValueError(f"sums must be [people, figures] with at least one person, but have shape {people.shape}")
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // len(people))
    figures = []
    for start in range(0, resamples, at_once):
        rounds = min(at_once, resamples - start)
        drawn = rng.integers(0, len(people), (rounds, len(people))) + len(people) * np.arange(rounds)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rounds * len(people)).reshape(rounds, len(people))
        figures.append(statistic(counts.astype(np.float64) @ people))
    values = np.concatenate(figures)
    tail = (1.0 - level) / 2
    bounds = np.full((2, values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        defined = values[:, column][~np.isnan(values[:, column])]
        if defined.size:
            bounds[:, column] = np.quantile(defined, [tail, 1.0 - tail])
    return bounds[0], bounds[1]
