"""Text to words and back: the one place that decides what a word is."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*|[^\w\s]", re.UNICODE)
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%")
_NO_SPACE_AFTER = frozenset("([{")


def split(text: str) -> list[str]:
    """Lower-case words (hyphens and apostrophes inside a word belong to it) and single punctuation marks.

    Example:
        >>> split("He is wearing a dark-colored, long-sleeved shirt.")
        ['he', 'is', 'wearing', 'a', 'dark-colored', ',', 'long-sleeved', 'shirt', '.']
    """
    return _WORD.findall(text.lower())


def join(words: list[str]) -> str:
    """Words to text: spaces, and a capital at the start of every sentence. ``join(split(text)) == text`` for text
    without capitals inside its sentences.

    Example:
        >>> join(["he", "is", "walking", ".", "she", "is", "not", "."])
        'He is walking. She is not.'
    """
    parts: list[str] = []
    start, opened = True, False
    tight = True
    for word in words:
        if word == '"':
            opened = not opened
            space_before, tight_after = opened, opened
        else:
            space_before, tight_after = word[0] not in _NO_SPACE_BEFORE, word in _NO_SPACE_AFTER
        if parts and space_before and not tight:
            parts.append(" ")
        parts.append(word[:1].upper() + word[1:] if start and word[0].isalnum() else word)
        start = word in (".", "!", "?") or (start and not word[0].isalnum())
        tight = tight_after
    return "".join(parts)
