"""Attributes to a sentence: the canonical one, or a paraphrase for training."""

from __future__ import annotations

import random
from collections.abc import Sequence

from personvlm.language import words
from personvlm.language.words import ADJECTIVES, FACTS, GENERIC, NOUNS, PERSONS, VIEWS, Said
from personvlm.schema.description import Values, check_values
from personvlm.schema.groups import NONE, OTHER, UNKNOWN

_PRONOUN = {"male": ("he", "his"), "female": ("she", "her"), None: ("they", "their")}
_MASS = frozenset(("luggage", "footwear", "hair"))
_SINGULAR_IN_S = frozenset(("dress",))
_ACCESSORIES = ("headwear", "eyewear", "face", "neckwear", "gloves", "headphones", "wrist")


def realise(values: Values, *, seed: int | None = None, say_absent: bool = False) -> str:
    """Say what ``values`` hold, and nothing else.

    Args:
        values: group -> decided values. ``other`` and ``unknown`` are never said.
        seed: None for the canonical text; an integer chooses a paraphrase (synonyms, word order, clause order).
        say_absent: also say the ``none`` values ("He is not carrying anything.").

    Returns:
        One to five sentences, the first beginning with "The image shows". ``parse`` reads the same values back.

    Raises:
        ValueError: a group or value does not exist.

    Example:
        >>> realise({"gender": ("male",), "upper.garment": ("jacket",), "upper.color": ("black",)})
        'The image shows a male. He is wearing a black jacket.'
    """
    for group, given in values.items():
        check_values(group, tuple(given))
    return _Writer(values, None if seed is None else random.Random(seed)).text(say_absent)


class _Writer:
    """Says one set of values; every choice goes through :meth:`_pick` and :meth:`_chance`."""

    def __init__(self, values: Values, rng: random.Random | None) -> None:
        self._rng = rng
        self._none = frozenset(group for group, given in values.items() if NONE in given)
        kept = {group: tuple(value for value in given if value not in (NONE, OTHER, UNKNOWN))
                for group, given in values.items()}  # fmt: skip
        self._values = {group: given for group, given in kept.items() if given}
        self._gender = self._one("gender")
        self._he, self._his = _PRONOUN[self._gender]
        plural = self._gender is None
        self._is, self._has, self._wears, self._carries = (
            ("are", "have", "wear", "carry") if plural else ("is", "has", "wears", "carries")
        )

    def text(self, say_absent: bool) -> str:
        """All sentences."""
        worn = [self._thing(group, self._one(group)) for group in _ACCESSORIES if group in self._values]
        worn = self._shuffled(worn, 0.3)
        with_head = len(worn) < 3 and self._chance(0.15)
        opening = f"the image shows {self._viewed(self._subject(worn if with_head else []))}"
        clothes, worn = self._shuffled(self._clothes(), 0.15), [] if with_head else worn
        moving, view, visible = self._moving(), self._view(), self._one("visibility")
        sentences = []
        if moving and self._chance(0.4):
            opening, moving = f"{opening} {moving}", ""
        if view and not self._chance(0.25):
            opening, view = f"{opening}, {view}", ""
        if visible:
            how = self._spoken(FACTS["visibility"][visible])
            if self._chance(0.3):
                sentences.append(f"{self._person()} {self._is} {how}")
            else:
                opening = f"{opening}, {how}"
        if clothes and self._chance(0.15):
            opening = f"{opening}, {self._pick(('wearing', 'dressed in'))} {_listed(clothes)}"
            clothes = []
        elif clothes and worn and self._chance(0.3):
            clothes, worn = clothes + worn, []
        if clothes:
            sentences.append(f"{self._wearing()} {_listed(clothes)}")
        if worn:
            wearing = f"{self._he} {self._is} {'also ' if clothes else ''}wearing"
            sentences.append(f"{self._pick((wearing, f'{self._he} {self._has}'))} {_listed(worn)}")
        carried = [self._thing("carrying", value) for value in self._values.get("carrying", ())]
        if carried:
            verb = self._pick((f"{self._is} carrying", self._carries, f"{self._is} holding", self._has))
            sentences.append(f"{self._he} {verb} {_listed(carried)}")
        if moving:
            sentences.append(f"{self._he} {self._is} {moving}")
        if view:
            sentences.append(f"{self._person()} {self._is} {view}")
        sentences = [opening, *self._shuffled(sentences, 0.4)]
        if say_absent:
            sentences += self._absences()
        return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)

    def _subject(self, worn: list[str]) -> str:
        age, hair = self._one("age"), self._one("hair.length")
        if age == "thirties":
            noun = self._spoken(PERSONS[None, self._gender])
        else:
            noun = self._spoken(PERSONS[age, self._gender])
        body = self._one("body")
        with_: list[str] = []
        if body in ("thin", "fat"):
            noun = f"{self._spoken(FACTS['body'][body])} {noun}"
        if hair == "bald":
            if self._chance(0.2):
                with_.append(_article("bald head"))
            else:
                noun = f"bald {noun}"
        phrase = _article(noun)
        if age == "thirties":
            phrase = f"{phrase} in {self._his} thirties"
        if body == "normal":
            build = self._spoken(FACTS["body"]["normal"])
            phrase = f"{phrase} {self._pick((f'of {build}', f'with {_article(build)}'))}"
        colors = self._values.get("hair.color", ())
        if colors or hair in ("short", "long"):
            table = {**ADJECTIVES["color"], **ADJECTIVES["hair color"]}
            parts = [hair] if hair in ("short", "long") else []
            parts += [table[color].canonical for color in colors]
            with_.insert(0, " ".join([*parts, GENERIC["hair"].canonical]))
        with_ += worn
        return f"{phrase} with {_listed(with_)}" if with_ else phrase

    def _clothes(self) -> list[str]:
        items = []
        for region, group in (("upper", "upper.garment"), ("lower", "lower.garment"), ("footwear", "footwear.type")):
            before, after = self._adjectives(region)
            garment = self._one(group)
            if garment or before or after:
                noun = self._spoken(NOUNS[group][garment]) if garment else GENERIC[region].canonical
                item = _article(" ".join([*before, noun]))
                items.append(f"{item} with {_listed(after)}" if after else item)
        return items

    def _adjectives(self, region: str) -> tuple[list[str], list[str]]:
        """What stands before the noun, and what comes after it with "with"."""
        before: list[str] = []
        after: list[str] = []
        colors = [self._spoken(ADJECTIVES["color"][color]) for color in self._values.get(f"{region}.color", ())]
        for slot in ("style", "color", "neckline", "sleeve", "pattern"):
            value = self._one(f"{region}.{slot}") if slot != "color" else None
            if slot == "color" and colors:
                before.append(" and ".join(colors))
            elif value is None:
                continue
            elif value not in ADJECTIVES[slot] or (value in FACTS.get(f"{region}.{slot}", {}) and self._chance(0.25)):
                after.append(self._after(slot, value))
            else:
                before.append(self._spoken(ADJECTIVES[slot][value]))
        return self._shuffled(before, 0.3), after

    def _after(self, slot: str, value: str) -> str:
        return _article(self._spoken(FACTS[f"upper.{slot}"][value]))

    def _moving(self) -> str:
        """Posture and activities as one participle phrase."""
        posture = self._one("posture")
        with_: list[str] = []
        doing: list[str] = []
        for activity in self._values.get("activity", ()):
            said = self._spoken(FACTS["activity"][activity]).replace("{his}", self._his)
            (with_ if said.startswith(self._his) else doing).append(said)
        if posture:
            doing.insert(0, self._spoken(FACTS["posture"][posture]))
        parts = [" and ".join(doing)] if doing else []
        return " ".join([*parts, f"with {_listed(with_)}"] if with_ else parts)

    def _viewed(self, subject: str) -> str:
        """The subject, or a view of it; then the view is said and forgotten."""
        view = self._one("view")
        if view is None or not self._chance(0.25):
            return subject
        del self._values["view"]
        return f"a {VIEWS[view].canonical} of {subject}"

    def _view(self) -> str:
        view = self._one("view")
        said = self._spoken(FACTS["view"][view]) if view else ""
        return f"{self._pick(('seen', 'viewed', 'shown'))} {said}" if said.startswith("from") else said

    def _wearing(self) -> str:
        plain = (f"{self._he} {self._is} wearing", f"{self._he} {self._wears}", f"{self._he} {self._is} dressed in")
        return self._pick((*plain, f"{self._person()} {self._is} wearing"))

    def _person(self) -> str:
        """A pronoun, or "the person" where the verb of a pronoun agrees with it."""
        return self._he if self._gender is None else self._pick((self._he, "the person"))

    def _absences(self) -> list[str]:
        things = [words.ABSENT[group].canonical for group in _ACCESSORIES if group in self._none]
        sentences = []
        if things:
            things = self._shuffled(things, 0.4)
            sentences.append(self._pick((
                f"{self._he} {self._is} without {_listed([_article(thing) for thing in things], 'or')}",
                f"{self._he} {self._has} {_listed([f'no {thing}' for thing in things])}",
            )))  # fmt: skip
        if "carrying" in self._none:
            sentences.append(self._pick((
                f"{self._he} {self._is} not carrying anything", f"{self._he} {self._is} carrying nothing"
            )))  # fmt: skip
        return sentences

    def _thing(self, group: str, value: str | None) -> str:
        return _article(self._spoken(FACTS[group][value])) if value else ""

    def _one(self, group: str) -> str | None:
        return self._values[group][0] if group in self._values else None

    def _spoken(self, said: Said) -> str:
        """The canonical word half of the time, so that training text stays close to what is wanted."""
        return said.canonical if not said.paraphrases or self._chance(0.5, False) else self._pick(said.spoken)

    def _pick(self, options: Sequence[str]) -> str:
        return options[0] if self._rng is None else self._rng.choice(options)

    def _chance(self, probability: float, canonical: bool = False) -> bool:
        return canonical if self._rng is None else self._rng.random() < probability

    def _shuffled(self, items: list[str], probability: float) -> list[str]:
        if self._rng is not None and len(items) > 1 and self._rng.random() < probability:
            self._rng.shuffle(items)
        return items


def _article(noun: str) -> str:
    last = noun.split(" ")[-1]
    if last in _MASS or (last.endswith("s") and last not in _SINGULAR_IN_S):
        return noun
    vowel = noun[:1] in "aeio" or noun.startswith("umbrella")  # but "a uniform"
    return f"{'an' if vowel else 'a'} {noun}"


def _listed(items: Sequence[str], word: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"
