"""What the heads of a model see in labelled pictures, worked out once: adapting never looks at a picture twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.metrics.facts import identity_weights
from personvlm.models.edge import EdgeVLM

Floats = NDArray[np.float64]
Progress = Callable[[Iterable[int], int], Iterable[int]]
Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Passes on steps, of so many, under a name."""

_BATCH = 32


@dataclass(frozen=True)
class Looked:
    """N pictures, all arrays by picture.

    Attributes:
        found: ``[N, G, D]``, what every group's query found.
        pooled: ``[N, F]``.
        logits: ``[N, C]`` over :func:`~personvlm.schema.groups.columns`.
        tokens: ``[N, K, T]`` visual tokens.
        embedding: ``[N, E]``.
        quality: ``[N]``, 0..1.
        target, mask: ``[N, C]``, see :meth:`~personvlm.schema.annotations.Annotations.arrays`.
        samples: the pictures.
    """

    found: Floats
    pooled: Floats
    logits: Floats
    tokens: Floats
    embedding: Floats
    quality: Floats
    target: Floats
    mask: Floats
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def identities(self) -> list[str | None]:
        """Whose picture it is; people of different sources are different people."""
        return [None if each.identity is None else f"{each.source}/{each.identity}" for each in self.samples]

    @property
    def people(self) -> NDArray[np.int64]:
        """A number for whom each picture shows ``[N]``; one without identity is a person of its own."""
        index: dict[str | int, int] = {}
        return np.array([index.setdefault(row if name is None else name, len(index))
                         for row, name in enumerate(self.identities)], np.int64)  # fmt: skip

    @property
    def weights(self) -> Floats:
        """``[N]``, so that a person counts once."""
        return identity_weights(self.identities)

    def joined(self, other: Looked) -> Looked:
        """These pictures, then the others."""
        arrays = {item.name: np.concatenate([getattr(self, item.name), getattr(other, item.name)])
                  for item in fields(self) if item.name != "samples"}  # fmt: skip
        return Looked(**arrays, samples=(*self.samples, *other.samples))

    def take(self, rows: Iterable[int]) -> Looked:
        """Some of the pictures."""
        chosen = [int(row) for row in rows]
        arrays = {item.name: getattr(self, item.name)[chosen] for item in fields(self) if item.name != "samples"}
        return Looked(**arrays, samples=tuple(self.samples[row] for row in chosen))


def look(model: EdgeVLM, transform: Transform, samples: Sequence[Sample],
         progress: Progress = lambda steps, total: steps) -> Looked:  # fmt: skip
    """Look at pictures.

    Args:
        model: in evaluation mode; it stays on its device.
        transform: the model's.
        samples: at least one.
        progress: passes on the start of each batch, of so many.

    Raises:
        InputError: a picture cannot be decoded.
    """
    device = next(model.parameters()).device
    parts: list[tuple[NDArray[np.float32], ...]] = []
    starts = range(0, len(samples), _BATCH)
    with torch.inference_mode():
        for start in progress(starts, len(starts)):
            pixels = transform([decode(sample.image) for sample in samples[start : start + _BATCH]])
            fine, coarse = model.encoder(torch.from_numpy(pixels).to(device, memory_format=torch.channels_last))
            seen = model.read(fine, coarse)
            outputs = (model.heads.search(fine, coarse), coarse.mean((2, 3)), seen.logits, seen.tokens,
                       seen.embedding, seen.quality.sigmoid())  # fmt: skip
            parts.append(tuple(item.float().cpu().numpy() for item in outputs))
    arrays = [np.concatenate(item).astype(np.float64) for item in zip(*parts, strict=True)]
    labels = [sample.annotations.arrays() for sample in samples]
    target, mask = (np.stack([pair[side] for pair in labels]).astype(np.float64) for side in (0, 1))
    found, pooled, logits, tokens, embedding, quality = arrays
    return Looked(found, pooled, logits, tokens, embedding, quality, target, mask, tuple(samples))
