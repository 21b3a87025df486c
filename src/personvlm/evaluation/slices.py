"""The same figures on parts of a set, so that unfairness shows: camera set, crop height, gender, age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import score_text
from personvlm.evaluation.statements import score_statements
from personvlm.evaluation.truth import Truth, stated
from personvlm.schema import Values

Ints = NDArray[np.int64]

HEIGHTS = (96, 160, 224)
"""Edges of the bins of crop height, in pixels: below 96, 96 to 159, 160 to 223, 224 and more."""

ENOUGH = 30
"""People that a slice needs to enter the gap: the difference of two handfuls says nothing."""

_LABELS = ("gender", "age")


def slices_of(samples: Sequence[Sample], heights: Sequence[int] | None = None) -> dict[str, dict[str, list[int]]]:
    """Dimension -> slice -> rows. A picture that a dimension says nothing about is in none of its slices.

    ``camera_set``: PETA's subset, from the identity "subset/person"; MSP60K's part, from the file name; of other
    sources the part of the identity before the slash, where there is one. ``height``: by :data:`HEIGHTS`, where
    ``heights`` are given. ``gender`` and ``age``: by label; a partial label ("adult") is a slice of its own.
    """
    named: dict[str, list[str | None]] = {"camera_set": [_camera_set(sample) for sample in samples]}
    if heights is not None:
        named["height"] = [_height(height) for height in heights]
    for group in _LABELS:
        named[group] = ["".join(sample.values.get(group, ())[:1]) or None for sample in samples]
    result: dict[str, dict[str, list[int]]] = {}
    for dimension, names in named.items():
        parts: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            if name is not None:
                parts.setdefault(name, []).append(row)
        if parts:
            result[dimension] = dict(sorted(parts.items(), key=lambda item: (_order(item[0]), item[0])))
    return result


def score_slices(said: Sequence[Values], samples: Sequence[Sample], heights: Sequence[int] | None = None, *,
                 resamples: int = 1000) -> dict[str, Any]:  # fmt: skip
    """Facts on every slice of :func:`slices_of`.

    Args:
        said: what each text states, ``[N]``.
        samples: the pictures with their labels, ``[N]``.
        heights: of the crops in pixels ``[N]``; None where there are no pictures.
        resamples: of the bootstrap over people.

    Returns:
        dimension -> slice -> ``n``, ``people``, ``mean`` of the six groups and ``majority`` (the best constant answer
        on the same slice), each group's accuracy, ``hallucination`` and ``omission``, all with intervals; and per
        dimension ``gap``, the largest difference of ``mean`` between two slices of :data:`ENOUGH` people or more.
    """
    result: dict[str, Any] = {}
    for dimension, parts in slices_of(samples, heights).items():
        scored = {name: _score([said[row] for row in rows], [samples[row] for row in rows], resamples)
                  for name, rows in parts.items()}  # fmt: skip
        means = [item["mean"]["value"] for item in scored.values()
                 if item["mean"]["value"] is not None and item["people"] >= ENOUGH]  # fmt: skip
        result[dimension] = {"slices": scored, "gap": max(means) - min(means) if len(means) > 1 else None}
    return result


def _score(said: Sequence[Values], samples: Sequence[Sample], resamples: int) -> dict[str, Any]:
    truth = Truth.of(samples)
    groups: Mapping[str, Any] = score_text(said, samples, resamples=resamples)
    statements = score_statements(stated(said), truth, resamples=resamples)
    return {
        "n": len(samples),
        "people": len({*truth.identities} - {None}) + truth.identities.count(None),
        **{name: {"value": item["accuracy"], "interval": item["interval"], "majority": item["majority"]}
           for name, item in groups.items()},
        "hallucination": statements["hallucination"], "omission": statements["omission"],
    }  # fmt: skip


def _camera_set(sample: Sample) -> str | None:
    if sample.source == "msp60k":
        return sample.image.stem.split("_")[0]
    subset, slash, _ = (sample.identity or "").partition("/")
    return subset if slash else None


def _height(height: int) -> str:
    for low, high in zip((0, *HEIGHTS), HEIGHTS, strict=False):
        if height < high:
            return f"below {high} px" if low == 0 else f"{low}-{high - 1} px"
    return f"{HEIGHTS[-1]} px and more"


def _order(name: str) -> float:
    """Heights by their number, everything else by name."""
    if name.startswith("below "):
        return 0.0
    first = name.split("-")[0].split(" ")[0]
    return float(first) if name.endswith(("px", "px and more")) and first.isdigit() else float("inf")
