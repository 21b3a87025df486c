"""Folders that commands write into."""

from __future__ import annotations

from pathlib import Path

from personvlm.base.errors import InputError


def check_free(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises:
        InputError: it does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: is there already; take another --out, or remove it")
