"""A model folder that remembers what it was: both versions whole, the one in use on top, each file by its checksum.

::

    DIR/                 the version in use, as any model folder
    DIR/versions/before  the model as it came
    DIR/versions/after   the adapted model
    DIR/versions.json    {"in_use": "after", "files": {"before": {name: sha256}, "after": {...}}}
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from personvlm.base.assets import sha256
from personvlm.base.errors import InputError
from personvlm.base.folders import copy_files

FILE, FOLDER = "versions.json", "versions"
Version = Literal["before", "after"]
BEFORE: Version = "before"
AFTER: Version = "after"


def model_files(directory: Path) -> list[Path]:
    """The files of a model folder, without versions that it keeps."""
    return sorted(path for path in directory.iterdir() if path.is_file() and path.name != FILE)


def copy_model(source: Path, target: Path, without: tuple[str, ...] = ()) -> None:
    """Copy the files of a model byte for byte, without versions that it keeps."""
    copy_files(source, target, (FILE, *without))


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[None]:
    """Around what fills the folder ``out``: where it is broken off, the folder goes, since half of a model looks like a
    whole one."""
    try:
        yield
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise


def keep(before: Path, out: Path) -> None:
    """Keep the model in ``before`` and the finished one in ``out`` as the two versions of ``out``, which uses the new
    one."""
    sums: dict[str, dict[str, str]] = {}
    for name, source in ((BEFORE, before), (AFTER, out)):
        copy_model(source, out / FOLDER / name)
        sums[name] = {path.name: sha256(path) for path in model_files(out / FOLDER / name)}
    _note(out, AFTER, sums)


def switch(directory: Path, version: Version) -> None:
    """Put a version in use: ``before`` undoes an adaptation, ``after`` takes it up again. Files come back bit for bit.
    What was stopped on the way is gone on with, in either direction.

    Raises:
        InputError: the folder keeps no versions, uses this one already, a kept file is damaged, or one in use was
            changed since, which no version keeps.
    """
    path = directory / FILE
    try:
        told = json.loads(path.read_text("utf-8"))
        sums: dict[str, dict[str, str]] = told["files"]
        in_use, wanted = str(told["in_use"]), sums[version]
        names = sums[BEFORE].keys() | sums[AFTER].keys()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{directory}: keeps no versions; name the --out of a `personvlm adapt`") from None
    there = {name: sha256(directory / name) for name in sorted(names) if (directory / name).is_file()}
    if in_use == version and there == wanted:
        what = "undone already; --redo takes the adapted model up again" if version == BEFORE else "in use already"
        raise InputError(f"{directory}: the adaptation is {what}")
    kept = directory / FOLDER / version
    broken = [name for name, value in wanted.items() if not (kept / name).is_file() or sha256(kept / name) != value]
    if broken:
        raise InputError(f"{kept / broken[0]}: missing or damaged; nothing was changed")
    changed = [name for name, value in there.items() if value not in (sums[BEFORE].get(name), sums[AFTER].get(name))]
    if changed:
        raise InputError(f"{directory / changed[0]}: was changed since the model was adapted, and would be lost; move "
                         "it somewhere else first")  # fmt: skip
    for name in wanted:
        part = directory / f".{name}.part"
        shutil.copyfile(kept / name, part)
        os.replace(part, directory / name)
    for name in names - wanted.keys():
        (directory / name).unlink(missing_ok=True)
    _note(directory, version, sums)


def _note(directory: Path, in_use: Version, sums: dict[str, dict[str, str]]) -> None:
    part = directory / f".{FILE}.part"
    part.write_text(json.dumps({"in_use": in_use, "files": sums}, indent=1) + "\n", "utf-8")
    os.replace(part, directory / FILE)
