"""What the user named, as single pictures in a fixed order, and an answer for each of them."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from personvlm.base.images import ENDINGS
from personvlm.runtime.describer import Describer
from personvlm.schema import DescribeResult

SUFFIXES = frozenset(ending for endings in ENDINGS.values() for ending in endings)
"""Endings that mark a picture inside a folder. A file that is named outright may be called anything."""

STDIN = "-"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One picture to describe (anything that a describer takes), or the reason why there is none under this name."""

    name: str
    source: Any = None
    error: str | None = None


def expand(arguments: Iterable[str]) -> list[Item]:
    """Files, folders (searched to the bottom, in order of names, hidden ones left out), globs and ``-``.

    Nothing here raises: an argument that leads to no picture becomes an item with an error, so that a batch goes on.
    """
    return [item for argument in arguments for item in _expand(argument)]


def _expand(argument: str) -> Iterator[Item]:
    path = Path(argument)
    if argument == STDIN:
        yield Item(STDIN, source=sys.stdin.buffer.read())
    elif not argument:
        yield Item(argument, error="an empty name; give a picture, a folder, a pattern, or - for stdin")
    elif _ADDRESS.match(argument) and not os.path.lexists(argument):
        yield Item(argument, error="addresses are not read; save the picture and name its file, or ask `personvlm "
                                   "serve`, which fetches where it is allowed to")  # fmt: skip
    elif os.path.isdir(argument):
        yield from _folder(path)
    elif glob.has_magic(argument) and not os.path.lexists(argument):
        yield from _glob(argument)
    else:
        yield Item(argument, source=path)


def _folder(folder: Path) -> Iterator[Item]:
    unreadable: list[OSError] = []
    found = False
    for parent, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                found = True
                yield Item(os.path.join(parent, name), source=Path(parent, name))
    for problem in unreadable:
        yield Item(str(problem.filename), error=f"cannot read this folder: {problem.strerror}")
    if not found and not unreadable:
        endings = ", ".join(sorted(SUFFIXES))
        yield Item(str(folder), error=f"this folder holds no pictures (looked for {endings}); name files outright")


def _glob(pattern: str) -> Iterator[Item]:
    files = sorted(name for name in glob.glob(pattern, recursive=True) if not os.path.isdir(name))
    if not files:
        yield Item(pattern, error="this pattern matches no files; check it, and the folder that you are in")
    for name in files:
        yield Item(name, source=Path(name))


def described(
    items: list[Item], describer: Describer, *, say: Literal["confident", "all"] = "confident",
    min_precision: float | None = None, gender: bool = True, age: bool = True, batch: int = 16, candidates: int = 1,
) -> Iterator[DescribeResult]:  # fmt: skip
    """An answer for every item, in their order; items with an error answer with it."""
    good = [item for item in items if item.error is None]
    answers = describer.results([item.source for item in good], names=[item.name for item in good], say=say,
                                min_precision=min_precision, gender=gender, age=age, batch=batch,
                                candidates=candidates)  # fmt: skip
    for item in items:
        yield next(answers) if item.error is None else DescribeResult(input=item.name, error=item.error)
