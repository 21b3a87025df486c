"""What the stages learn from: pictures, and captions given by a data set or realised from labels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.data.lines import read_lines
from personvlm.data.own import DATASET
from personvlm.data.readers import read_msp60k, read_samples
from personvlm.data.sample import Sample
from personvlm.data.sources import check_apart, read_training
from personvlm.data.splits import split_by_identity
from personvlm.data.transform import Transform, swap_sides
from personvlm.language.normalise import normalise
from personvlm.language.realiser import realise
from personvlm.training.captions import labelled_values
from personvlm.training.dataset import cached_pixels


def read_study(data: Path, images: Path | None = None) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples.

    Args:
        data: one of
            a ``.jsonl`` file in MSP60K's format, which is split by track, a tenth to validate on;
            a folder with ``train.jsonl`` and ``val.jsonl`` in MSP60K's format or in PETA's;
            a folder that :func:`~personvlm.data.sources.read_training` knows.
        images: the folder that MSP60K's image paths start from; the data file's own by default.

    Raises:
        InputError: nothing of this kind is there, a person or track is in both parts, or what a reader refuses.
    """
    if data.is_file():
        train, val = split_by_identity(read_msp60k(data, images), (0.9, 0.1))
    elif (data / "train.jsonl").is_file() and (known := _format(data / "train.jsonl")):
        train, val = (read_samples(data / f"{part}.jsonl", known, images) for part in ("train", "val"))
    else:
        if images is not None:
            raise InputError(f"--images {images}: is for files in MSP60K's or PETA's format; in the project's own, "
                             f"paths start from what {DATASET} beside them says, else from their folder")  # fmt: skip
        train, val = read_training(data)
    if not train or not val:
        raise InputError(f"{data}: too few samples to train on some and validate on others")
    check_apart(data, train, val)
    return train, val


def _format(path: Path) -> str:
    """Told by the first line: ``msp60k``, ``peta``, or ``""`` for the project's own."""
    _, first = next(read_lines(path), (0, {}))
    if "one_hot" in first:
        return "msp60k"
    return "peta" if "labels" in first and not {"attributes", "caption", "captions"} & set(first) else ""


class CaptionSet:
    """Samples with pictures (decoded once, memory-mapped) and texts.

    A sample with captions has them, normalised; one without gets sentences realised from its labels, all of them, in
    ever new words. Samples that neither give a text are left out.

    Args:
        samples: what to learn from.
        transform: gives the pictures' size.
        cache: folder for the decoded pictures.
        quiet: no progress bar.
    """

    def __init__(self, samples: Sequence[Sample], transform: Transform, cache: Path, quiet: bool = False) -> None:
        given = [tuple(filter(None, map(normalise, sample.captions))) for sample in samples]
        kept = [index for index, sample in enumerate(samples) if given[index] or _values(sample, 0)]
        if not kept:
            raise InputError("no sample has a caption or a label to make one from")
        self.samples = [samples[index] for index in kept]
        self.given = [given[index] for index in kept]
        self.pixels = cached_pixels(self.samples, transform, cache, quiet)

    def __len__(self) -> int:
        return len(self.samples)

    def text(self, row: int, seed: int | None, flipped: bool = False) -> str:
        """A caption of ``row``: one of the given, or realised; with ``seed`` None the first, or the canonical one.

        ``flipped``: the picture is mirrored, so that left and right change places.
        """
        rng = random.Random(f"{seed} {row}")
        if self.given[row]:
            text = self.given[row][0 if seed is None else rng.randrange(len(self.given[row]))]
        else:
            canonical = seed is None or rng.random() < 0.5
            text = realise(_values(self.samples[row], seed), seed=None if canonical else rng.getrandbits(31))
        return swap_sides(text) if flipped else text

    def corpus(self) -> Iterator[str]:
        """Every given caption."""
        return (text for texts in self.given for text in texts)

    def rows_at(self, step: int, batch: int, seed: int) -> NDArray[np.int64]:
        """Rows of a step: every epoch in a new order, a last incomplete batch left out."""
        per_epoch = max(1, len(self) // batch)
        epoch, place = divmod(step, per_epoch)
        order = np.random.default_rng((seed, epoch)).permutation(len(self))
        return np.resize(order, max(batch, len(self)))[place * batch : (place + 1) * batch]


def _values(sample: Sample, seed: int | None) -> dict[str, tuple[str, ...]]:
    return labelled_values(sample.annotations, random.Random(seed or 0))
