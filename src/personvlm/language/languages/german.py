"""German: four kinds of nouns, all in the accusative, and adjectives before them that take its endings.

A noun is written as ``KIND NOUN``: ``m``, ``f``, ``n``, or ``p`` (plural); ``n0`` takes no article. An adjective is
written as it stands by itself ("rot"). A person is ``KIND ADJECTIVES|NOUN|PHRASE``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from personvlm.language.languages.base import GARMENTS, Grammar, Seen, listed

_ARTICLES: Mapping[str, str] = {"m": "einen", "f": "eine", "n": "ein", "p": "", "n0": ""}
_NOT: Mapping[str, str] = {"m": "keinen", "f": "keine", "n": "kein", "p": "keine"}
_ENDINGS: Mapping[str, str] = {"m": "en", "f": "e", "n": "es", "p": "e", "n0": "es"}
_MIXED = frozenset(("dark", "light", "multicolored"))
"""Colors that do not stand beside another one behind a hyphen: "rot-schwarz", but "dunkel und rot"."""

_AND = " und "


def ended(adjective: str, kind: str) -> str:
    """An adjective before a noun of ``kind``, in the accusative.

    Example:
        >>> ended("rot", "m"), ended("dunkel", "n"), ended("fein gestreift", "p")
        ('roten', 'dunkles', 'fein gestreifte')
    """
    stem = f"{adjective[:-2]}l" if adjective.endswith("el") else adjective
    return f"{stem}{_ENDINGS[kind]}"


class German(Grammar):
    """Needs a subject: "er", "sie", or the noun again where the gender is not known."""

    code, name = "de", "Deutsch"
    verbs: ClassVar[Mapping[str, str]] = {"carry": "trägt", "hold": "hält", "push": "schiebt"}

    def thing(self, text: str) -> str:
        """A noun with its article."""
        kind, _, noun = text.partition(" ")
        return f"{_ARTICLES[kind]} {noun}".strip()

    def clothes(self, seen: Seen) -> list[str]:
        """Every garment with its adjectives."""
        items = []
        for region in GARMENTS:
            written = self.garment(region, seen)
            if written is not None:
                kind, _, noun = written.partition(" ")
                before: list[str] = []
                behind: list[str] = []
                for slot in ("style", "sleeve", "pattern", "neckline"):
                    for word in self.all_of(f"{region}.{slot}", seen):
                        if word.startswith("mit "):
                            behind.append(word.removeprefix("mit "))
                        else:
                            before.append(ended(word, kind))
                parts = [_ARTICLES[kind], ", ".join(before), self._color(region, seen, kind), noun]
                item = " ".join(part for part in parts if part)
                items.append(f"{item} mit {listed(behind, _AND)}" if behind else item)
        return items

    def _color(self, region: str, seen: Seen, kind: str) -> str:
        colors = seen.many(f"{region}.color")
        words = [self.word(f"{region}.color", color) for color in colors]
        if not words:
            return ""
        if any(color in _MIXED for color in colors):
            return listed([ended(word, kind) for word in words], _AND)
        return ended("-".join(words), kind)

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        kind, _, rest = self.person(seen).partition(" ")
        adjective, noun, phrase = rest.split("|")
        build, hair = seen.one("body"), seen.one("hair.length")
        adjectives = [self.word("body", build)] if build in ("thin", "fat") else []
        adjectives += [self.word("hair.length", "bald")] if hair == "bald" else []
        adjectives += [adjective] if adjective else []
        parts = [_ARTICLES[kind], *(ended(each, kind) for each in adjectives), noun, phrase]
        parts += [self.word("body", "normal")] if build == "normal" else []
        look = [self.word("hair.length", hair)] if hair in ("short", "long") else []
        look += self.all_of("hair.color", seen)
        parts += [f"mit {' '.join(f'{each}en' for each in look)} Haaren"] if look else []
        how = self.all_of("view", seen) + self.all_of("visibility", seen)
        return [f"das Bild zeigt {', '.join([' '.join(part for part in parts if part), *how])}"]

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        who, clothes = self._subject(seen), self.clothes(seen)
        more = [self.thing(each) for each in self.accessories(seen)]
        return ([f"{who} trägt {listed(clothes, _AND)}"] if clothes else []) + (
            [f"{f'dazu trägt {who}' if clothes else f'{who} trägt'} {listed(more, _AND)}"] if more else [])  # fmt: skip

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        parts = [f"{self.verbs[verb]} {listed([self.thing(each) for each in words], _AND)}"
                 for verb, words in self.by_verb(seen)]  # fmt: skip
        return [f"{self._subject(seen)} {listed(parts, _AND)}"] if parts else []

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        verbs, how = self.all_of("posture", seen), []
        for word in self.all_of("activity", seen):
            if "|" in word:
                how.append(word)
            else:
                verbs.append(word)
        who = self._subject(seen)
        if not verbs:
            return [f"{who} hat {listed([each.split('|')[1] for each in how], _AND)}"] if how else []
        with_ = f" mit {listed([each.split('|')[0] for each in how], _AND)}" if how else ""
        return [f"{who} {listed(verbs, _AND)}{with_}"]

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things, who = [self._without(each) for each in self.missed(seen)], self._subject(seen)
        return ([f"{who} trägt {listed(things, _AND)}"] if things else []) + (
            [f"{who} {self.word('carrying', 'none')}"] if "carrying" in seen.none else [])  # fmt: skip

    def _without(self, text: str) -> str:
        kind, _, noun = text.partition(" ")
        return f"{_NOT[kind]} {noun}"

    def _subject(self, seen: Seen) -> str:
        if seen.gender is None:
            return "das Kind" if seen.age == "child" else "die Person"
        return "er" if seen.gender == "male" else "sie"
