"""Splits that keep a person on one side, and the files that ``personvlm data prepare`` writes."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.lines import to_json
from personvlm.data.own import DATASET, write_personvlm
from personvlm.data.readers import read_samples
from personvlm.data.sample import Sample

SPLITS = ("train", "val", "test")


def split_by_identity(samples: Sequence[Sample], fractions: Sequence[float] = (0.8, 0.1, 0.1),
                      seed: int = 0) -> list[list[Sample]]:  # fmt: skip
    """Split so that no identity is in two parts; samples without one count as a person each.

    Deterministic: the same samples, in whatever order and wherever their folder lies, give the same parts.

    Args:
        samples: what to split.
        fractions: shares of the pictures, adding up to 1. A part comes as close as whole identities allow.
        seed: another seed gives another split.

    Returns:
        One list per fraction, each in the order of ``samples``.

    Raises:
        InputError: fractions that are negative or do not add up to 1.
    """
    if any(share < 0 for share in fractions) or not abs(sum(fractions) - 1.0) <= 1e-6:
        raise InputError(f"fractions {tuple(fractions)} must be positive and add up to 1, as in 0.8, 0.1, 0.1")
    if not samples:
        return [[] for _ in fractions]
    root = os.path.commonpath([os.path.abspath(sample.image.parent) for sample in samples])
    keys = [_key(sample, root) for sample in samples]
    people: dict[str, int] = defaultdict(int)
    for key in keys:
        people[key] += 1
    wanted = [share * len(samples) for share in fractions]
    filled = [0] * len(fractions)
    part_of = {}
    # Large identities first, so that the small ones even the parts out; by hash among equals.
    for key in sorted(people, key=lambda key: (-people[key], _hash(seed, key), key)):
        missing = [want - have if want else float("-inf") for want, have in zip(wanted, filled, strict=True)]
        # The part that lacks most of its share, drawn by hash: the largest part must not get all large identities.
        part_of[key] = part = _draw(missing, _hash(seed, "part", key))
        filled[part] += people[key]
    parts: list[list[Sample]] = [[] for _ in fractions]
    for key, sample in zip(keys, samples, strict=True):
        parts[part_of[key]].append(sample)
    return parts


@dataclass(frozen=True)
class Part:
    """One of so many parts of all people; which one somebody is in follows from the name alone.

    Example:
        >>> Part.parse("2/3")
        Part(number=2, of=3)
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """``NUMBER/OF``, as in ``1/2``.

        Raises:
            InputError: it is not written so, or there is no such part.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) and int(of) > 1):
            raise InputError(f"{text!r} is no part of the people; write it as in 1/2, the first of two")
        return cls(int(number), int(of))

    def holds(self, sample: Sample) -> bool:
        """Whether the person is in this part; without an identity, the picture, by its file's name."""
        return _hash("part", _key(sample, str(sample.image.parent))) % self.of == self.number - 1


def _key(sample: Sample, root: str) -> str:
    if sample.identity is not None:
        return f"person {sample.source} {sample.identity}"
    return f"image {Path(os.path.relpath(sample.image, root)).as_posix()}"


def _hash(*parts: object) -> int:
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")  # file names need not be text
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def _draw(missing: Sequence[float], number: int) -> int:
    """An index with a chance in proportion to what is missing there."""
    room = [max(0.0, size) for size in missing]
    if sum(room) == 0.0:
        return max(range(len(missing)), key=lambda index: missing[index])
    point = number / 2**64 * sum(room)
    for index, size in enumerate(room):
        point -= size
        if point < 0:
            return index
    return max(range(len(room)), key=lambda index: room[index])


def prepare(source: Path, format: str, out: Path, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0,
            root: Path | None = None, mapping: Path | None = None) -> dict[str, Any]:  # fmt: skip
    """Read a data file and write ``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` in the project's own format.

    Pictures are not copied: paths are relative to ``root``, which ``dataset.json`` beside the files records and
    :func:`~personvlm.data.own.read_personvlm` finds there.

    Returns:
        What ``dataset.json`` holds: source, format, root, seed, fractions, and counts per split.

    Raises:
        InputError: what the reader refuses, fractions that do not add up, or a source that would be overwritten.
    """
    samples = read_samples(source, format, root, mapping)
    if not samples:
        raise InputError(f"{source}: no samples")
    written = [out / f"{name}.jsonl" for name in SPLITS]
    if source.resolve() in (path.resolve() for path in written):
        raise InputError(f"{source}: would be overwritten by its own part; take another --out, or rename it")
    root = (source.parent if root is None else root).resolve()
    parts = split_by_identity(samples, fractions, seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: no folder can be made here ({error.strerror}); name another --out") from None
    report: dict[str, Any] = {
        "source": str(source), "format": format, "root": os.path.relpath(root, out.resolve()), "seed": seed,
        "fractions": list(fractions), "splits": {},
    }  # fmt: skip
    for name, path, part in zip(SPLITS, written, parts, strict=True):
        write_personvlm(part, path, root)
        people = {sample.identity for sample in part} - {None}
        report["splits"][name] = {"samples": len(part), "identities": len(people)}
    (out / DATASET).write_text(to_json(report, indent=2) + "\n", encoding="utf-8")
    return report
