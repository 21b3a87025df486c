"""Batches for training: pictures decoded once into one array, people drawn by weight, every draw a function of the
step, so that a resumed run sees what an uninterrupted one would have seen."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform


class Batch(NamedTuple):
    """Rows drawn for one step."""

    rows: NDArray[np.int64]  # [N] indices of the samples
    images: Tensor  # uint8 [N, H, W, 3]
    target: Tensor  # float [N, C]
    mask: Tensor  # float [N, C]
    identity: Tensor  # int64 [N], -1 where it is not known


class TrainingSet:
    """Samples with their pictures, fitted to the transform's size and kept in a memory-mapped file.

    Args:
        samples: what to learn from.
        transform: gives the size.
        cache: folder for the array of pictures; it is made once for the same files and the same size.
        source_weight: multiplies how often a person of a source is drawn.
        identity_power: see :class:`~personvlm.training.recipe.Recipe`.
        quiet: no progress bar.
    """

    def __init__(self, samples: Sequence[Sample], transform: Transform, cache: Path,
                 source_weight: Sequence[tuple[str, float]] = (), identity_power: float = 0.5,
                 quiet: bool = False) -> None:  # fmt: skip
        self.samples = list(samples)
        self.pixels = cached_pixels(self.samples, transform, cache, quiet)
        arrays = [sample.annotations.arrays() for sample in self.samples]
        self.target = np.stack([target for target, _ in arrays])
        self.mask = np.stack([mask for _, mask in arrays])
        people: dict[str, list[int]] = {}
        for index, sample in enumerate(self.samples):
            person = f"{sample.source}/{sample.identity}" if sample.identity else f"{sample.source}#{index}"
            people.setdefault(person, []).append(index)
        self.people = [np.array(rows) for rows in people.values()]
        self.identity = np.full(len(self.samples), -1, np.int64)
        for number, rows in enumerate(self.people):
            if self.samples[rows[0]].identity:
                self.identity[rows] = number
        weights = dict(source_weight)
        drawn = np.array([len(rows) ** identity_power * weights.get(self.samples[rows[0]].source, 1.0)
                          for rows in self.people])  # fmt: skip
        self._cumulative = np.cumsum(drawn / drawn.sum())

    def draw(self, size: int, seed: int, step: int) -> Batch:
        """The pictures of ``step``: those of :meth:`rows`."""
        return self.take(self.rows(size, seed, step))

    def rows(self, size: int, seed: int, step: int) -> NDArray[np.int64]:
        """``size`` rows for ``step``: half as many people, two different pictures of each where there are two."""
        rng = np.random.default_rng((seed, step))
        chosen = np.minimum(np.searchsorted(self._cumulative, rng.random((size + 1) // 2)), len(self.people) - 1)
        rows: list[int] = []
        for person in chosen:
            pictures = self.people[person]
            rows += rng.choice(pictures, 2, replace=len(pictures) < 2).tolist()
        return np.array(rows[:size], np.int64)

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """The given rows as a batch."""
        return Batch(rows, torch.from_numpy(self.pixels[rows]), torch.from_numpy(self.target[rows]),
                     torch.from_numpy(self.mask[rows]), torch.from_numpy(self.identity[rows]))  # fmt: skip


def cached_pixels(samples: Sequence[Sample], transform: Transform, cache: Path, quiet: bool) -> NDArray[np.uint8]:
    """``uint8 [N, H, W, 3]`` of all samples, memory-mapped; decoded on the first call, complete or not there at all."""
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(repr((transform.height, transform.width, transform.fill)).encode())
    for sample in samples:
        stat = sample.image.stat()
        key.update(os.fsencode(f"{sample.image.resolve()}|{stat.st_size}|{stat.st_mtime_ns}\n"))
    path = cache / f"pixels-{key.hexdigest()[:16]}.npy"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")  # another run may be filling the same cache
        shape = (len(samples), transform.height, transform.width, 3)
        pixels = np.lib.format.open_memmap(part, "w+", np.uint8, shape)
        for index, sample in enumerate(track(samples, "decoding pictures", disable=quiet or len(samples) < 500)):
            pixels[index] = transform.fit(decode(sample.image))
        pixels.flush()
        part.replace(path)
    loaded: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    return loaded
