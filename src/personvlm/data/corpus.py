"""Texts alone, without pictures: what a vocabulary is cut down to and what drafts are learned from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.data.lines import read_lines, read_text
from personvlm.language.normalise import normalise

_FIELDS = ("answer", "caption", "captions", "text")


def read_corpus(paths: Iterable[Path]) -> list[str]:
    """Every text of the files, in order.

    Args:
        paths: ``.jsonl`` (``answer`` as MSP60K has it, ``caption``, ``captions`` or ``text``; captions are normalised
            as for training), or any other suffix: one text per line, taken as it is.

    Raises:
        InputError: a file is missing, malformed, or holds no text.
    """
    return [text for path in paths for text in _read(path)]


def _read(path: Path) -> list[str]:
    if path.suffix != ".jsonl":
        texts = [line for line in read_text(path).split("\n") if line.strip()]
    else:
        texts = []
        for number, row in read_lines(path, ()):
            given = [row[name] for name in _FIELDS if row.get(name)]
            flat = [text for value in given for text in (value if isinstance(value, list) else [value])]
            if not all(isinstance(text, str) for text in flat):
                raise InputError(f"{path}, line {number}: a caption must be a string, or a list of strings")
            texts += filter(None, map(normalise, flat))
    if not texts:
        raise InputError(f"{path}: holds no text; give one per line, or .jsonl with {', '.join(_FIELDS)}")
    return texts
