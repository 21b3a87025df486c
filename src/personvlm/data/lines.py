"""What all readers share: JSON Lines with errors that name file and line, and the check that pictures exist."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError

_NAMED = 5


def read_lines(path: Path, required: Sequence[str] = ("image",)) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each line that is not blank.

    Raises:
        InputError: the file is missing or not UTF-8, or a line is not a JSON object or lacks a required key.
    """
    # Not splitlines(): it also breaks at characters that JSON allows inside a string, such as U+2028.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problem = getattr(error, "msg", None) or error
            raise InputError(f"{path}, line {number}: not JSON ({problem}); each line must be one object") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: a JSON {type(row).__name__}; each line must be one object")
        missing = [key for key in required if key not in row]
        if missing:
            raise InputError(f"{path}, line {number}: no {missing[0]!r}; needed: {', '.join(required)}")
        yield number, row


def read_json(path: Path) -> Any:
    """The one JSON value in a file.

    Raises:
        InputError: the file is missing or not UTF-8, or not JSON; says which line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:  # a number of too many digits, lists in lists in lists
        raise InputError(f"{path}: not JSON ({error})") from None


def read_text(path: Path) -> str:
    """The file as UTF-8 text, a byte-order mark dropped.

    Raises:
        InputError: it does not exist, is a folder, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; give the data file inside it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def to_json(value: Any, *, indent: int | None = None) -> str:
    """JSON that a UTF-8 file can hold: as it reads, or in ASCII where a name that is no text stands in it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair, which is how Python passes bytes on that are no text
        return json.dumps(value, indent=indent)
    return text


def missing_images(images: Iterable[Path]) -> list[Path]:
    """Those that do not exist. One listing per folder instead of one look per picture: 17,000 take milliseconds."""
    folders: dict[Path, frozenset[str]] = {}
    missing = []
    for image in images:
        if image.parent not in folders:
            try:
                folders[image.parent] = frozenset(os.listdir(image.parent))
            except OSError:
                folders[image.parent] = frozenset()
        if image.name not in folders[image.parent]:
            missing.append(image)
    return missing


def check_images(images: Iterable[Path], listed_in: Path) -> None:
    """Refuse a list with missing pictures now and not in the middle of a training run.

    Raises:
        InputError: names the first missing ones and says how many there are.
    """
    images = list(images)
    missing = missing_images(images)
    if missing:
        shown = ", ".join(str(image) for image in missing[:_NAMED])
        more = ", ..." if len(missing) > _NAMED else ""
        raise InputError(f"{listed_in}: {len(missing)} of {len(images)} images are missing: {shown}{more}. "
                         "Give the folder that their paths start from as root (--root DIR; with train, "
                         "--images DIR).")  # fmt: skip
