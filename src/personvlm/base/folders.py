"""Folders that commands read from and write into."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

from personvlm.base.errors import InputError


def check_there(folder: Path, mend: str) -> None:
    """Refuse what is no folder; ``mend`` says what to do.

    Raises:
        InputError: it is a file, or there is nothing.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: {'a file' if folder.exists() else 'no such folder'}; {mend}")


def check_free(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: it does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; take another --out, or remove it")


def copy_files(source: Path, target: Path, without: tuple[str, ...] = ()) -> None:
    """Copy the files of a folder byte for byte. Folders in it (checkpoints, versions) stay behind.

    Args:
        target: is made where it is not there.
        without: patterns of names that stay behind too, as in ``*.onnx``.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in without):
            shutil.copyfile(path, target / path.name)
