"""Finding the phrases of the table in a sequence of words: leftmost first, and there the longest.

Parser and constraint segment text with the same rule, so that the constraint knows what the parser will read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from personvlm.language.lexicon import Phrase, lexicon
from personvlm.language.words import ADJECTIVES


@dataclass
class Node:
    """One node of the trie of phrases: the words that may follow, and the phrase that ends here."""

    children: dict[str, Node] = field(default_factory=dict)
    phrase: Phrase | None = None


@lru_cache(maxsize=1)
def trie() -> Node:
    """The phrases of :func:`~personvlm.language.words.lexicon` as a trie over words."""
    root = Node()
    for words, phrase in lexicon().items():
        node = root
        for word in words:
            node = node.children.setdefault(word, Node())
        node.phrase = phrase
    return root


def longest(words: Sequence[str], start: int) -> Phrase | None:
    """The longest phrase that starts at ``words[start]``, or the meaning of a compound like "reddish-brown"."""
    node, best = trie(), None
    for position in range(start, len(words)):
        following = node.children.get(words[position])
        if following is None:
            break
        node = following
        best = node.phrase or best
    return best or compound(words[start])


@lru_cache(maxsize=4096)
def compound(word: str) -> Phrase | None:
    """A hyphenated color that the table does not list: its last part tells ("reddish-brown", "rust-colored")."""
    if "-" not in word:
        return None
    parts = word.split("-")
    if parts[-1] in ("colored", "coloured", "toned", "tone", "ish") and len(parts) > 1:
        parts = parts[:-1]
    found = lexicon().get((" ".join(parts),)) or lexicon().get(tuple(parts)) or lexicon().get((parts[-1],))
    if found is None or found.part != "adjective" or found.facts[0][0] != "color":
        return None
    if found.facts[0][1] not in ADJECTIVES["color"]:
        return None
    return Phrase((word,), "adjective", found.facts)


def segment(words: Sequence[str]) -> list[str | Phrase]:
    """Words and phrases in their order; every word belongs to exactly one item."""
    items: list[str | Phrase] = []
    position = 0
    while position < len(words):
        phrase = longest(words, position)
        items.append(words[position] if phrase is None else phrase)
        position += 1 if phrase is None else len(phrase.words)
    return items


@lru_cache(maxsize=4096)
def segmented(words: tuple[str, ...]) -> tuple[str | Phrase, ...]:
    """:func:`segment` of a few words that come again and again."""
    return tuple(segment(words))


@lru_cache(maxsize=4096)
def settled(words: tuple[str, ...]) -> tuple[tuple[str | Phrase, ...], tuple[str, ...]]:
    """As much of ``words`` as no word after them can change, segmented, and the others: a phrase begins with them."""
    items: list[str | Phrase] = []
    while words and not _may_grow(words):
        item = longest(words, 0) or words[0]
        items.append(item)
        words = words[len(item.words) if isinstance(item, Phrase) else 1 :]
    return tuple(items), words


def _may_grow(words: Sequence[str]) -> bool:
    """Whether a longer phrase begins with these words."""
    node: Node | None = trie()
    for word in words:
        node = node.children.get(word) if node is not None else None
    return node is not None and bool(node.children)
