"""Spanish and French: nouns have a gender, adjectives follow and agree.

A noun is written as ``KIND NOUN``: ``m``, ``f``, ``mp``, ``fp``; ``m0`` takes no article. Behind a bar stands what
comes after the adjectives. An adjective is written as ``m/f/mp/fp`` (one person has no plural: ``m/f//``), as
``singular/plural``, or as the one form that it has. A phrase that begins with a preposition does not agree; of what
somebody does, one that begins with a bar is no verb. A person is ``KIND NOUN|ADJECTIVE|PHRASE``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from personvlm.language.languages.base import GARMENTS, Grammar, Seen, listed


def agreed(forms: str, kind: str) -> str:
    """The form of an adjective for a noun of ``kind``.

    Example:
        >>> agreed("negro/negra/negros/negras", "fp"), agreed("azul/azules", "m"), agreed("azul oscuro", "mp")
        ('negras', 'azul', 'azul oscuro')
    """
    parts = forms.split("/")
    feminine, plural = kind.startswith("f"), kind.endswith("p")
    if len(parts) == 4:
        return parts[2 * plural + feminine]
    return parts[plural] if len(parts) == 2 else parts[0]


class Romance(Grammar):
    """What both share."""

    and_: ClassVar[str]
    articles: ClassVar[Mapping[str, str]]
    prepositions: ClassVar[tuple[str, ...]]
    verbs: ClassVar[Mapping[str, str]]

    def noun(self, text: str) -> tuple[str, str, str]:
        """Kind, noun with its article, what comes after the adjectives."""
        kind, _, rest = text.partition(" ")
        head, _, tail = rest.partition("|")
        return kind, f"{self.articles[kind]} {head}".strip(), tail

    def thing(self, text: str) -> str:
        """A noun with its article, and nothing between."""
        _, head, tail = self.noun(text)
        return f"{head} {tail}".strip()

    def clothes(self, seen: Seen) -> list[str]:
        """Every garment with its adjectives."""
        items = []
        for region in GARMENTS:
            written = self.garment(region, seen)
            if written is not None:
                kind, head, tail = self.noun(written)
                phrases: dict[str, list[str]] = {}
                adjectives = [agreed(style, kind) for style in self.all_of(f"{region}.style", seen)]
                colors = [agreed(color, kind) for color in self.all_of(f"{region}.color", seen)]
                adjectives += [listed(colors, self.and_)] if colors else []
                for slot in ("pattern", "neckline", "sleeve"):
                    for word in self.all_of(f"{region}.{slot}", seen):
                        first = word.split(" ")[0]
                        if first in self.prepositions:
                            phrases.setdefault(first, []).append(word)
                        else:
                            adjectives.append(agreed(word, kind))
                behind = [self.phrase(phrases[first]) for first in self.prepositions if first in phrases]
                items.append(" ".join(part for part in (head, *adjectives, tail, *behind) if part))
        return items

    @abstractmethod
    def phrase(self, phrases: Sequence[str]) -> str:
        """Phrases that begin with the same preposition, as one."""

    def hair(self, seen: Seen) -> list[str]:
        """Adjectives of hair: its length and color."""
        length = [self.word("hair.length", each) for each in seen.many("hair.length") if each != "bald"]
        return length + self.all_of("hair.color", seen)

    def bald(self, seen: Seen) -> list[str]:
        """The adjective, if they are."""
        return [self.word("hair.length", "bald")] if seen.one("hair.length") == "bald" else []

    def named(self, seen: Seen) -> tuple[str, str, list[str], str]:
        """Kind of the person's noun, noun with article, adjectives that agree, a phrase or nothing."""
        kind, _, rest = self.person(seen).partition(" ")
        noun, adjective, phrase = [*rest.split("|"), "", ""][:3]
        adjectives = [agreed(each, kind) for each in (adjective, *self.bald(seen)) if each]
        return kind, f"{self.articles[kind]} {noun}", adjectives, phrase

    def carrying(self, seen: Seen) -> str:
        """Verb phrases of everything that is carried."""
        return listed([f"{self.verbs[verb]} {listed([self.thing(each) for each in words], self.and_)}"
                       for verb, words in self.by_verb(seen)], self.and_)  # fmt: skip

    def doing(self, seen: Seen, kind: str) -> tuple[str, list[str]]:
        """Verb phrases of posture and activity as one, and how the hands and arms are, which is no verb."""
        verbs, how = [agreed(each, kind) for each in self.all_of("posture", seen)], []
        for word in self.all_of("activity", seen):
            if word.startswith("|"):
                how.append(word[1:])
            else:
                verbs.append(word)
        return listed(verbs, self.and_), how


class Spanish(Romance):
    """Needs no pronoun: the verb tells that it is one person, and not of which gender."""

    code, name = "es", "Español"
    and_ = " y "
    articles: ClassVar[Mapping[str, str]] = {"m": "un", "f": "una", "mp": "unos", "fp": "unas", "m0": ""}
    prepositions = ("de", "sin", "con")
    verbs: ClassVar[Mapping[str, str]] = {"carry": "lleva consigo", "hold": "sostiene", "push": "empuja"}

    def phrase(self, phrases: Sequence[str]) -> str:
        """The preposition once: "de cuadros y manga larga"."""
        first = phrases[0].split(" ")[0]
        return f"{first} {listed([each.removeprefix(f'{first} ') for each in phrases], self.and_)}"

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        kind, person, adjectives, age = self.named(seen)
        of = [age] * bool(age) + self.all_of("body", seen)
        hair = self.hair(seen)
        text = " ".join(part for part in (
            person, listed(adjectives, self.and_), f"de {listed(of, self.and_)}" if of else "",
            f"con el pelo {listed(hair, self.and_)}" if hair else "",
        ) if part)  # fmt: skip
        seen_how = [agreed(each, kind) for each in self.all_of("view", seen) + self.all_of("visibility", seen)]
        return [f"la imagen muestra a {', '.join((text, *seen_how))}"]

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        clothes, more = self.clothes(seen), [self.thing(each) for each in self.accessories(seen)]
        return ([f"lleva {listed(clothes, self.and_)}"] if clothes else []) + (
            [f"{'también ' if clothes else ''}lleva {listed(more, self.and_)}"] if more else [])  # fmt: skip

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        return [self.carrying(seen)]

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        verbs, how = self.doing(seen, self.named(seen)[0])
        with_ = [self.phrase(how)] if how else []
        return [" ".join([verbs or "está", *with_])] if verbs or how else []

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things = self.missed(seen)
        return ([f"no lleva {listed(things, ' ni ')}"] if things else []) + (
            [self.word("carrying", "none")] if "carrying" in seen.none else [])  # fmt: skip


class French(Romance):
    """Needs a subject: "il", "elle", or the noun again where the gender is not known."""

    code, name = "fr", "Français"
    and_ = " et "
    articles: ClassVar[Mapping[str, str]] = {"m": "un", "f": "une", "mp": "des", "fp": "des"}
    prepositions = ("à", "sans", "avec")
    verbs: ClassVar[Mapping[str, str]] = {"carry": "porte", "hold": "tient", "push": "pousse"}

    def phrase(self, phrases: Sequence[str]) -> str:
        """The preposition each time, but for "avec": "à carreaux et à manches longues"."""
        return listed([*phrases[:1], *(each.removeprefix("avec ") for each in phrases[1:])], self.and_)

    def opening(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        kind, person, adjectives, age = self.named(seen)
        hair = self.hair(seen)
        looks = [age] * bool(age) + self.all_of("body", seen)
        looks += [f"aux cheveux {listed(hair, self.and_)}"] if hair else []
        text = " ".join(part for part in (person, listed(adjectives, self.and_), *looks[:1]) if part)
        parts = [text, *looks[1:]]
        parts += [agreed(each, kind) for each in self.all_of("view", seen) + self.all_of("visibility", seen)]
        return [f"l'image montre {', '.join(parts)}"]

    def worn(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        who, clothes = self._subject(seen), self.clothes(seen)
        more = [self.thing(each) for each in self.accessories(seen)]
        return ([f"{who} porte {listed(clothes, self.and_)}"] if clothes else []) + (
            [f"{who} porte {'aussi ' if clothes else ''}{listed(more, self.and_)}"] if more else [])  # fmt: skip

    def carried(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        return [f"{self._subject(seen)} {self.carrying(seen)}"] if seen.many("carrying") else []

    def moving(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        verbs, how = self.doing(seen, self.named(seen)[0])
        who = self._subject(seen)
        if not verbs:
            return [f"{who} a {listed(how, self.and_)}"] if how else []
        return [", ".join([f"{who} {verbs}", *([listed(how, self.and_)] if how else [])])]

    def absent(self, seen: Seen) -> list[str]:
        """See :class:`Grammar`."""
        things, who = self.missed(seen), self._subject(seen)
        said = []
        if len(things) == 1:
            of = "d'" if things[0][0] in "aeiouéèh" else "de "
            said = [f"{who} ne porte pas {of}{things[0]}"]
        elif things:
            said = [f"{who} ne porte {(' ' if len(things) == 2 else ', ').join(f'ni {each}' for each in things)}"]
        return said + ([f"{who} {self.word('carrying', 'none')}"] if "carrying" in seen.none else [])

    def _subject(self, seen: Seen) -> str:
        if seen.gender is None:
            return "l'enfant" if seen.age == "child" else "la personne"
        return "il" if seen.gender == "male" else "elle"
