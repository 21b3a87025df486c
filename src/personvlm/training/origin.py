"""What a run was begun with: data and weights, by what they hold. A run is only continued with the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from personvlm.base.assets import sha256
from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.language.tokenizer import Tokenizer

FILE = "origin.json"


@dataclass(frozen=True)
class Source:
    """Where something came from, and a SHA-256 sum of what it holds; ``""`` where it holds nothing, as "random" does.

    Two are the same if their sums are: data and weights may lie somewhere else than when the run was begun.
    """

    name: str
    sum: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.sum[:12]})" if self.sum else self.name

    @property
    def content(self) -> str:
        """What is compared."""
        return self.sum or self.name


def data_source(name: Path, *parts: Sequence[Sample]) -> Source:
    """Samples by pictures (path below their common folder, size in bytes), captions, identities and labels.

    The pixels are not read: a picture that was replaced by one of the same size is not noticed.

    Args:
        name: what the user gave.
        parts: training samples, validation samples.
    """
    digest = hashlib.sha256()
    root = os.path.commonpath([sample.image.parent.resolve() for part in parts for sample in part])
    for part in parts:
        digest.update(b"part\n")
        for sample in part:
            image = os.path.relpath(sample.image.resolve(), root)
            known = sorted((group, sorted(each.present), sorted(each.absent))
                           for group, each in sample.annotations.known.items())  # fmt: skip
            row = (image, sample.image.stat().st_size, sample.captions, sample.identity, known)
            digest.update(f"{row!r}\n".encode("utf-8", "surrogatepass"))
    counts = " + ".join(f"{len(part):,}" for part in parts)
    return Source(f"{name} with {counts} samples", digest.hexdigest())


def weights_source(path: Path | None, absent: str) -> Source:
    """Weights by the sum of their file; ``absent`` is what stands for none."""
    if path is None:
        return Source(absent)
    file = path / "model.safetensors" if path.is_dir() else path
    try:
        return Source(str(path), sha256(file))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); give a folder that holds "
                         "model.safetensors") from error  # fmt: skip


def tokenizer_source(name: str, tokenizer: Tokenizer) -> Source:
    """A tokenizer by its entries."""
    return Source(name, hashlib.sha256("\0".join(tokenizer.words).encode("utf-8", "surrogatepass")).hexdigest())


def check_origin(out: Path, sources: Mapping[str, Source], write: bool = True) -> None:
    """Refuse to go on in ``out`` with other sources than it was begun with, and record them.

    A run that was begun before such records were kept goes on, and is recorded from now on.

    Args:
        sources: what is given now, by what it is for: ``data``, ``encoder`` and so on.
        write: False on all processes but the main one.

    Raises:
        InputError: names what it was begun with and what is given.
    """
    path = out / FILE
    if path.is_file():
        try:
            before = {name: Source(**source) for name, source in json.loads(path.read_text("utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: damaged ({error}); take another --out, or remove it") from error
        for name, source in sources.items():
            if name in before and before[name].content != source.content:
                raise InputError(f"{out}: holds a run begun with {name}: {before[name]}; given now: {source}. "
                                 "Give the same, take another --out, or remove it")  # fmt: skip
    if write:
        text = json.dumps({name: asdict(source) for name, source in sources.items()}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
