"""One answer about a person seen several times: logits of its crops fused, and a calibration for what was fused.

Crops of one track are not independent (the same coat hides the same shirt), so their logits are averaged, not added;
the average is more reliable than one crop by a factor that the validation split tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personvlm.metrics.scaling import Scaling, losses
from personvlm.schema import GROUP
from personvlm.schema.groups import column_slices

SIZES = (2, 3, 4, 6, 8)
"""How many crops the tracks have that a calibration is fitted on, as far as a person has so many pictures."""

DRAWS = 10
"""Tracks drawn per person. A person counts once all the same."""

WHOLE = 4
"""A crop that shows nine tenths of a person counts for two thirds of a whole one. PETA's 87 validation people cannot
tell powers from 0 to 8 apart; on test the six answers of a track rise by .3 points (docs/experiments.md)."""

LEAST_PEOPLE = 30
"""Fewer people with several pictures cannot tell how reliable a track is: it is then taken for one crop."""

_FACTORS = np.exp(np.linspace(-1.0, 1.0, 81))

Floats = NDArray[np.float64]


def fuse(logits: ArrayLike, quality: ArrayLike | None = None,
         scores: ArrayLike | None = None) -> NDArray[np.float32]:  # fmt: skip
    """Logits of a track ``[C]``: the mean over its crops ``[n, C]``, weighted with ``quality [n]`` to the power of
    :data:`WHOLE`, and with the pictures' ``scores [n]``, where given.

    Calibrate them with :meth:`Calibration.for_tracks() <personvlm.runtime.calibration.Calibration.for_tracks>`.

    Raises:
        ValueError: no crops, or not one quality >= 0 per crop.
    """
    rows = np.asarray(logits, np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"logits must be [crops, columns] of at least one crop, but have shape {rows.shape}")
    weights = np.ones(len(rows))
    for given, power in ((quality, WHOLE), (scores, 1)):
        each = np.ones(len(rows)) if given is None else np.asarray(given, np.float64)
        if each.shape != (len(rows),) or (each < 0).any():
            raise ValueError(f"quality and scores must be one number >= 0 for each of {len(rows)} crops")
        weights = weights * each**power
    if weights.sum() == 0:
        weights = np.ones(len(rows))
    return np.asarray(weights @ rows / weights.sum(), np.float32)


def drawn_tracks(identities: Sequence[str | None], draws: int = DRAWS, seed: int = 0) -> list[NDArray[np.int64]]:
    """Rows of random tracks, ``draws`` of every person with several pictures, people in order of appearance."""
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(identities):
        if name is not None:
            rows.setdefault(name, []).append(row)
    rng = np.random.default_rng(seed)
    return [rng.choice(several, min(len(several), int(rng.choice(SIZES))), replace=False)
            for several in rows.values() if len(several) > 1 for _ in range(draws)]  # fmt: skip


def track_factor(logits: ArrayLike, quality: ArrayLike, target: Floats, mask: Floats,
                 tracks: Sequence[NDArray[np.int64]], scalings: Mapping[str, Scaling]) -> float:  # fmt: skip
    """What the calibrated logits of fused tracks must be multiplied with to be most likely; 1 with few people.

    One factor serves all groups: on PETA's validation split (87 people with several pictures) one for each was worse.

    Args:
        logits, quality: of the crops, ``[N, C]`` and ``[N]``.
        target, mask: labels of the crops, ``[N, C]``; a track has the labels that all of its crops share.
        tracks: rows of each track (:func:`drawn_tracks`).
        scalings: calibration of crops, by group.
    """
    if len(tracks) < LEAST_PEOPLE * DRAWS:
        return 1.0
    crops, worth = np.asarray(logits, np.float64), np.asarray(quality, np.float64)
    fused = np.stack([fuse(crops[rows], worth[rows]) for rows in tracks]).astype(np.float64)
    first = np.array([rows[0] for rows in tracks])
    shared = np.stack([mask[rows].min(0) * (target[rows] == target[rows[0]]).all(0) for rows in tracks])
    weights = np.full(len(tracks), 1.0 / DRAWS)
    total = np.zeros(len(_FACTORS))
    for name, scaling in scalings.items():
        where, kind = column_slices()[name], GROUP[name].kind
        calibrated, t, m = scaling(fused[:, where]), target[first][:, where], shared[:, where]
        if kind == "exclusive":
            m = np.repeat(m.min(1, keepdims=True), m.shape[1], 1)
        total += [losses(factor * calibrated, t, m, weights, kind).sum() for factor in _FACTORS]
    return round(float(_FACTORS[total.argmin()]), 3)
