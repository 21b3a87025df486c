"""The part of a plain sentence that says what somebody looks like, with negation and alternatives, as conditions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from personvlm.alerts.rule import And, Has, Node, Not, Or
from personvlm.language.lexicon import Phrase, group_of
from personvlm.language.matching import longest, segment
from personvlm.language.tokens import split
from personvlm.language.words import ABSENT, NEGATIONS
from personvlm.schema.groups import GROUP, NONE

_ENDS_NEGATION = frozenset((
    "but", "with", "wearing", "wears", "carrying", "carries", "who", "in", "has", "is", "holding", "dressed", ";",
))  # fmt: skip
_DETERMINERS = frozenset(("a", "an", "his", "her", "their", "the"))
_EMPTY = frozenset((
    "a", "an", "the", "and", "or", "nor", "with", "in", "of", "who", "that", "which", "is", "are", "was", "be", "to",
    "has", "have", "wearing", "wears", "wear", "carrying", "carries", "carry", "holding", "holds", "dressed", "any",
    "some",
    "somebody", "someone", "anybody", "anyone", "person", "people", "persons", "individual", "there", "comes", "come",
    "walks", "walk", "by", "past", "appears", "appear", "shows", "show", "up", "seen", "enters", "enter", "passes",
    "pass", "either", "both", "on", "at", "also", "his", "her", "their", "he", "she", "they", "it", "when", "if", "but",
    "very",
    ",", ";", ".", "!", "?", '"', "colored", "color", "clothes", "does", "do", "visible", "another", "while", "for",
))  # fmt: skip
_ANYBODY = frozenset(("person", "individual", "adult"))


@dataclass
class _Reader:
    nodes: list[Node] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    adjectives: list[tuple[str, str]] = field(default_factory=list)
    alternative: bool = False  # "or" stands between the last thing and the next
    among: bool = False  # "or" stands between two adjectives
    negated: str = ""

    def add(self, node: Node) -> None:
        if self.negated:
            node = _absent(node)
        last = self.nodes[-1] if self.nodes and self.alternative else None
        if last is None or self.negated:  # "no hat or scarf": neither
            self.nodes.append(node)
        else:
            self.nodes[-1] = _either(last, node)
        self.alternative = False


def looks(text: str) -> tuple[list[Node], list[str]]:
    """Conditions that together say what ``text`` says, and the words of it that say nothing here.

    Example:
        >>> [str(node) for node in looks("a woman in a red or orange coat without a backpack")[0]]
        ['gender == "female"', 'upper.garment == "coat" && any of ["red", "orange"] in upper.color',
        '!("backpack" in carrying)']
    """
    reader, items = _Reader(), segment([_singular(word) for word in split(text)])
    for position, item in enumerate(items):
        if isinstance(item, str):
            _word(reader, item, items[position - 1] if position else "")
        elif item.part == "adjective":
            reader.adjectives.append(item.facts[0])
            reader.among |= reader.alternative
            # "a coat or a red jacket" is another thing; "red or orange" is another color.
            if reader.alternative and len(reader.adjectives) > 1:
                reader.alternative = False
        elif item.part == "noun":
            _noun(reader, item)
        else:
            _bare(reader)
            for group, value in item.facts:
                if not (group == "age" and value == "adult" and set(item.words) & _ANYBODY):
                    reader.add(Has(group, (value,)))
    _bare(reader)
    return reader.nodes, reader.ignored


def _word(reader: _Reader, word: str, before: str | Phrase) -> None:
    if word in NEGATIONS and word != "nor":
        _bare(reader)
        reader.negated = word
    elif word in ("or", "nor"):
        reader.alternative = True
    elif reader.negated and ((word in _ENDS_NEGATION and before != reader.negated) or (
            reader.negated == "no" and word in _DETERMINERS and before == "and")):  # fmt: skip
        _bare(reader)
        reader.negated, reader.alternative = "", False
    elif word in (",", ";", "and", "with", "who", "but") and not (word in (",", "and") and reader.adjectives):
        _bare(reader)
        reader.alternative = reader.alternative and word in (",", ";")
    elif word not in _EMPTY:
        reader.ignored.append(word)


def _noun(reader: _Reader, phrase: Phrase) -> None:
    """A garment with the adjectives before it."""
    parts: list[Node] = [Has(phrase.facts[0][0], (phrase.facts[0][1],))] if phrase.facts else []
    parts += _described(phrase.region, reader)
    if len(parts) == 1:
        reader.add(parts[0])
    elif parts:
        reader.add(And(tuple(parts)))


def _described(region: str, reader: _Reader) -> list[Node]:
    slots: dict[str, list[str]] = {}
    for slot, value in reader.adjectives:
        group = group_of(region, slot, value) or (f"{region}.color" if slot == "hair color" else None)
        if group is not None:
            slots.setdefault(group, []).append(value)
    either, reader.adjectives, reader.among = reader.among, [], False
    return [Has(group, tuple(dict.fromkeys(values)), len(set(values)) > 1 and not either and GROUP[group].kind == "set")
            for group, values in slots.items()]  # fmt: skip


def _bare(reader: _Reader) -> None:
    """Adjectives without a noun: "somebody in red" wears it above."""
    if reader.adjectives:
        for node in _described("upper", reader):
            reader.add(node)


def _absent(node: Node) -> Node:
    """What "no hat" and "no backpack" mean: nothing on the head; whatever else it be, no backpack."""
    if isinstance(node, Has) and node.group in ABSENT and node.group != "carrying":
        word = ABSENT[node.group].canonical
        if any(longest(tuple(word.split()), 0) == phrase for phrase in _phrases(node)):
            return Has(node.group, (NONE,))
    return Not(node)


def _phrases(node: Has) -> Iterable[Phrase | None]:
    return [longest(tuple(value.split()), 0) for value in node.values]


def _either(last: Node, node: Node) -> Node:
    if isinstance(last, Has) and isinstance(node, Has) and last.group == node.group and not (last.every or node.every):
        return Has(last.group, tuple(dict.fromkeys((*last.values, *node.values))))
    parts = [part for each in (last, node) for part in (each.parts if isinstance(each, Or) else (each,))]
    return Or(tuple(parts))


def _singular(word: str) -> str:
    """``hats`` where only ``hat`` means something."""
    if word.endswith("s") and longest((word,), 0) is None and longest((word[:-1],), 0) is not None:
        return word[:-1]
    return word
