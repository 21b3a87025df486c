"""Figures as every result holds them: a value and its interval, nothing that JSON cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.metrics.intervals import bootstrap_intervals

Floats = NDArray[np.float64]


def number(value: float | Floats) -> float | None:
    """A float that JSON can hold: None where the figure is not defined."""
    value = float(value)
    return None if np.isnan(value) else value


def with_intervals(
    names: Sequence[str], per_person: Floats, figures: Callable[[Floats], Floats], resamples: int = 1000
) -> dict[str, dict[str, Any]]:
    """``{name: {"value", "interval"}}`` of figures that are functions of sums over people.

    Args:
        names: of the figures ``[F]``.
        per_person: ``[I, K]`` (:func:`~personvlm.metrics.intervals.sums_per_identity`).
        figures: takes totals ``[R, K]`` and returns ``[R, F]``; NaN where not defined.
        resamples: of the bootstrap over people, 95 %.
    """
    values = figures(per_person.sum(0)[None])[0]
    low, high = bootstrap_intervals(per_person, figures, resamples=resamples)
    return {
        name: {"value": number(values[i]), "interval": [number(low[i]), number(high[i])]}
        for i, name in enumerate(names)
    }
