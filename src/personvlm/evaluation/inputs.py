"""What ``personvlm evaluate`` reads: labelled sets with or without pictures, and texts that any model made for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from personvlm.base.errors import InputError
from personvlm.data.lines import check_images, missing_images, read_lines
from personvlm.data.readers import read_msp60k, read_samples
from personvlm.data.sample import Sample

_KEYS = ("image", "id", "input")
_SHOWN = 3


def read_labelled(data: Path, form: str, root: Path | None = None) -> tuple[list[Sample], bool]:
    """Samples of a labelled set, and whether their pictures are there.

    MSP60K's caption files may come without pictures: where ``root`` is not given and none is found, the labels and
    captions are used alone. Every other format, and an MSP60K file some of whose pictures are there, needs all.

    Raises:
        InputError: the file is malformed or empty, or pictures are missing.
    """
    if form != "msp60k" or root is not None:
        samples, pictures = read_samples(data, form, root), True
    else:
        samples = read_msp60k(data, pictures=False)
        missing = missing_images(sample.image for sample in samples)
        pictures = len(missing) < len(samples)
        if pictures:
            check_images((sample.image for sample in samples), data)
    if not samples:
        raise InputError(f"{data}: no samples in it; each line must be one labelled picture")
    return samples, pictures


def read_predictions(path: Path, samples: Sequence[Sample], needed: int | None = None) -> list[str]:
    """Texts that a model made for ``samples``, in their order.

    Each line holds ``text`` and says which picture it is about by ``image`` (the path, as the data file has it, or the
    file name alone), ``input`` (what ``personvlm describe --format jsonl`` prints) or ``id`` (the same, or the number
    of the data file's row, counted from 0). Pictures may come in any order.

    Args:
        path: JSON Lines.
        samples: all samples of the data file.
        needed: the first so many must have a text; all by default.

    Raises:
        InputError: malformed, a picture that the data do not have, two texts for one, or none for some.
    """
    names = _Names(samples)
    texts: dict[int, str] = {}
    for line, row in read_lines(path, ()):
        key = next((key for key in _KEYS if key in row), None)
        if key is None:
            raise InputError(f"{path}, line {line}: no 'image', 'id' or 'input' that says which picture it is about")
        if "text" not in row:
            why = f"{row[key]!r} could not be described ({row['error']})" if "error" in row else "needed: text"
            raise InputError(f"{path}, line {line}: no 'text'; {why}")
        if not isinstance(row["text"], str):
            raise InputError(f"{path}, line {line}: 'text' must be a string")
        index = names.row(row[key], number=key == "id")
        if index is None:
            raise InputError(f"{path}, line {line}: {row[key]!r} is no picture of the data, or fits several of them")
        if index in texts:
            raise InputError(f"{path}, line {line}: a second text for {row[key]!r}")
        texts[index] = row["text"]
    wanted = range(len(samples) if needed is None else min(needed, len(samples)))
    missing = [row for row in wanted if row not in texts]
    if missing:
        shown = ", ".join(samples[row].image.name for row in missing[:_SHOWN])
        raise InputError(f"{path}: no text for {len(missing)} of {len(wanted)} pictures: {shown}"
                         f"{', ...' if len(missing) > _SHOWN else ''}")  # fmt: skip
    return [texts[row] for row in wanted]


def read_training(data: Path, form: str, root: Path | None, given: Path | None) -> tuple[str, list[Sample]] | None:
    """Name and samples of the set whose nearest caption is a baseline; None where there is no such set.

    Args:
        data: the evaluated file.
        form: of both files.
        root: where the picture paths of both start from.
        given: the training file; by default ``train.jsonl`` beside the data, where it is there and can be read.

    Raises:
        InputError: the given file cannot be read, or is the evaluated one.
    """
    path = data.parent / "train.jsonl" if given is None else given
    if given is not None and path.resolve() == data.resolve():
        raise InputError(f"{path}: the nearest training caption would be looked for in the evaluated file itself; "
                         "leave --train out to take it from other people of that file")  # fmt: skip
    if given is None and (not path.is_file() or path.resolve() == data.resolve()):
        return None
    try:
        samples, _ = read_labelled(path, form, root)
    except InputError:
        if given is not None:
            raise
        return None  # a file of that name in another format
    return path.name, samples


def one_per_person(samples: Sequence[Sample], most: int, seed: int = 0) -> list[Sample]:
    """At most ``most`` samples of different people, drawn at random but always the same."""
    order = np.random.default_rng(seed).permutation(len(samples)).tolist()
    seen: set[str] = set()
    kept = []
    for row in order:
        identity = samples[row].identity
        if identity is None or identity not in seen:
            kept.append(samples[row])
            seen |= {identity} if identity is not None else set()
        if len(kept) == most:
            break
    return kept


class _Names:
    """Rows by path, by the end of a path (the longest that fits), and by file name without ending; a name that fits
    several rows is none."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._count = len(samples)
        self._whole = {os.path.abspath(sample.image): row for row, sample in enumerate(samples)}
        parts = [sample.image.parts for sample in samples]
        self._ends = _unique(("/".join(part[start:]), row) for row, part in enumerate(parts)
                             for start in range(len(part)))  # fmt: skip
        self._stems = _unique((sample.image.stem, row) for row, sample in enumerate(samples))

    def row(self, name: object, *, number: bool) -> int | None:
        if number and isinstance(name, int) and not isinstance(name, bool):
            return name if 0 <= name < self._count else None
        if not isinstance(name, str):
            return None
        path, whole = Path(name), self._whole.get(os.path.abspath(name))
        ends = (self._ends.get("/".join(path.parts[start:])) for start in range(len(path.parts)))
        found = next((row for row in ends if row is not None), None) if whole is None else whole
        return self._stems.get(path.name) if found is None else found


def _unique(pairs: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    result: dict[str, int] = {}
    double: set[str] = set()
    for name, row in pairs:
        if name in result:
            double.add(name)
        result[name] = row
    return {name: row for name, row in result.items() if name not in double}
