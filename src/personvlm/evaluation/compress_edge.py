"""What another form of edge costs, beside what it gains: how it is stored, what it says, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from personvlm.evaluation.compress import Crops, Form, facts_of, share
from personvlm.evaluation.evaluate import Track, untracked
from personvlm.evaluation.facts import consistent
from personvlm.language.parser import parse
from personvlm.runtime.calibration import Say
from personvlm.schema import PersonDescription

BATCH = 16
SAME, APART = 0.99, 0.02
"""What backends promise each other: this share of texts word for word, and no probability further away."""


class Speaker(Protocol):
    """A form of edge: ``runtime.Describer``."""

    def describe(
        self, inputs: Sequence[NDArray[np.uint8]], /, *, say: Say = "confident", batch: int = BATCH
    ) -> list[PersonDescription]:
        """Pictures ``uint8 [H, W, 3]``, RGB, of any size."""
        ...


@dataclass
class _Said:
    """Of one form: descriptions under both settings, milliseconds of a picture alone, and of one in a batch."""

    certain: list[PersonDescription] = field(default_factory=list)
    everything: list[PersonDescription] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    among: list[float] = field(default_factory=list)

    @property
    def both(self) -> list[PersonDescription]:
        return [*self.certain, *self.everything]


def compare_edge(forms: Sequence[Form[Speaker]], crops: Crops, track: Track = untracked) -> list[dict[str, Any]]:
    """One row per form; the first is the reference. Forms take turns every 16 pictures.

    Returns:
        Per form ``name`` and ``bytes``; ``same``, the share of texts that are the reference's word for word, of two
        for every picture (what is certain, and all groups); ``apart``, the largest change of a probability;
        ``vector``, the mean cosine between appearance vectors; ``holds``, whether ``same`` and ``apart`` keep what
        backends promise each other (:data:`SAME`, :data:`APART`); ``facts``, the mean of the six groups when all
        groups are said (None without labels); ``consistency``, the share of texts that state nothing but what stands
        in the attributes; ``ms``, medians of a picture ``alone`` and of one ``batched`` in 16, from pixels to words.
    """
    said = [_Said() for _ in forms]
    starts = range(0, len(crops.images), BATCH)
    for form in forms:  # what is made at the first call is not timed
        form.writer.describe(list(crops.images[:2]))
    for start in track(starts, len(starts), f"describing, {BATCH} pictures at a time, by each of {len(forms)} forms"):
        part = list(crops.images[start : start + BATCH])
        for form, so_far in zip(forms, said, strict=True):
            for image in part:
                began = time.perf_counter()
                form.writer.describe([image])
                so_far.alone.append(1000 * (time.perf_counter() - began))
            began = time.perf_counter()
            so_far.certain += form.writer.describe(part)
            so_far.among.append(1000 * (time.perf_counter() - began) / len(part))
            so_far.everything += form.writer.describe(part, say="all")
    return [_row(form, each, said[0], crops) for form, each in zip(forms, said, strict=True)]


def _row(form: Form[Speaker], said: _Said, reference: _Said, crops: Crops) -> dict[str, Any]:
    texts = [item.text for item in said.both]
    same = share(texts, [item.text for item in reference.both])
    apart = float(np.abs(_probabilities(said) - _probabilities(reference)).max())
    agreeing = [consistent(parse(item.text), item.attributes) for item in said.both]
    return {
        "name": form.name, "bytes": form.bytes, "same": same, "apart": apart,
        "vector": float((_vectors(said) * _vectors(reference)).sum(1).mean()),
        "holds": same >= SAME and apart <= APART,
        "facts": facts_of([item.text for item in said.everything], crops.samples),
        "consistency": float(np.mean(agreeing)),
        "ms": {"alone": float(np.median(said.alone)), "batched": float(np.median(said.among))},
    }  # fmt: skip


def _probabilities(said: _Said) -> NDArray[np.float64]:
    """``[N, C]``, of every value of the taught groups; both settings have the same."""
    return np.array([[value for group in item.scores.values() for value in group.values()] for item in said.everything])


def _vectors(said: _Said) -> NDArray[np.float64]:
    return np.array([item.embedding for item in said.everything])
