"""What the grammars share: the decided values as they see them, the table of words, the order of the sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, GROUPS, NONE, OTHER, UNKNOWN

ACCESSORIES = ("headwear", "eyewear", "face", "neckwear", "gloves", "headphones", "wrist")
GARMENTS: Mapping[str, str] = {"upper": "upper.garment", "lower": "lower.garment", "footwear": "footwear.type"}
"""Region of the body -> the group of its garment."""

HELD = frozenset(("folder", "laptop", "phone", "bottle", "umbrella", "box"))
PUSHED = frozenset(("stroller", "shopping trolley"))
"""Things that are not worn or carried like a bag: the verb is another one in every language."""

_NAMED = ("gender", "age")  # said by the name of the person


@dataclass(frozen=True)
class Table:
    """The words of one language. How a word is written down (gender, forms) is each grammar's own.

    Attributes:
        words: group -> value -> words; of ``none`` what is missed ("hat").
        persons: (age, gender) -> how to name the person; None where it is not known.
        generic: region -> the noun where the garment is not known.
    """

    words: Mapping[str, Mapping[str, str]]
    persons: Mapping[tuple[str | None, str | None], str]
    generic: Mapping[str, str]

    def missing(self) -> list[str]:
        """What the schema can say and this table cannot, as GROUP:VALUE."""
        lacking = [f"{group.name}:{value}" for group in GROUPS if group.name not in _NAMED for value in group.values
                   if value != OTHER and not self.words.get(group.name, {}).get(value)]  # fmt: skip
        lacking += [f"age:{age} gender:{gender}" for age in (None, *GROUP["age"].values)
                    for gender in (None, *GROUP["gender"].values) if not self.persons.get((age, gender))]  # fmt: skip
        return lacking + [f"region:{region}" for region in GARMENTS if not self.generic.get(region)]


class Seen:
    """Decided values without what is never said, and without "bag" where "backpack" is said.

    Attributes:
        none: groups whose subject is absent.
    """

    def __init__(self, values: Values) -> None:
        self.none = frozenset(name for name, given in values.items() if NONE in given)
        self._values = {name: _said(name, given) for name, given in values.items()}
        self.gender, self.age = self.one("gender"), self.one("age")

    def one(self, group: str) -> str | None:
        """The value of an exclusive group."""
        return next(iter(self.many(group)), None)

    def many(self, group: str) -> tuple[str, ...]:
        """The values of a set."""
        return self._values.get(group, ())


def _said(name: str, given: Sequence[str]) -> tuple[str, ...]:
    kept = [value for value in dict.fromkeys(given) if value not in (NONE, OTHER, UNKNOWN)]
    return tuple(value for value in kept
                 if not any(value != other and GROUP[name].covers(value, other) for other in kept))  # fmt: skip


class Grammar(ABC):
    """One language. Each method gives whole sentences, without capital and full stop; an empty one is not said."""

    code: ClassVar[str]
    name: ClassVar[str]
    gap: ClassVar[str] = " "
    stop: ClassVar[str] = "."

    def __init__(self, table: Table) -> None:
        self.table = table

    @abstractmethod
    def opening(self, seen: Seen) -> list[str]:
        """Who it is, and how they are seen."""

    @abstractmethod
    def worn(self, seen: Seen) -> list[str]:
        """Clothes and accessories."""

    @abstractmethod
    def carried(self, seen: Seen) -> list[str]:
        """What they have with them."""

    @abstractmethod
    def moving(self, seen: Seen) -> list[str]:
        """Posture and activity."""

    @abstractmethod
    def absent(self, seen: Seen) -> list[str]:
        """What they do not wear or carry."""

    def say(self, seen: Seen, say_absent: bool) -> str:
        """All sentences."""
        sentences = [*self.opening(seen), *self.worn(seen), *self.carried(seen), *self.moving(seen)]
        if say_absent:
            sentences += self.absent(seen)
        return self.gap.join(f"{each[0].upper()}{each[1:]}{self.stop}" for each in sentences if each)

    def word(self, group: str, value: str) -> str:
        """As the table has it."""
        return self.table.words[group][value]

    def all_of(self, group: str, seen: Seen) -> list[str]:
        """The words of everything decided in a group."""
        return [self.word(group, value) for value in seen.many(group)]

    def person(self, seen: Seen) -> str:
        """As the table has it."""
        return self.table.persons[seen.age, seen.gender]

    def garment(self, region: str, seen: Seen) -> str | None:
        """The noun of a region as the table has it; None where nothing of the region is decided."""
        value = seen.one(GARMENTS[region])
        if value is not None:
            return self.word(GARMENTS[region], value)
        slots = ("color", "style", "pattern", "sleeve", "neckline")
        return self.table.generic[region] if any(seen.many(f"{region}.{slot}") for slot in slots) else None

    def accessories(self, seen: Seen) -> list[str]:
        """The words of all of them that are worn."""
        return [word for group in ACCESSORIES for word in self.all_of(group, seen)]

    def missed(self, seen: Seen) -> list[str]:
        """The words of all accessories that are absent."""
        return [self.word(group, NONE) for group in ACCESSORIES if group in seen.none]

    def by_verb(self, seen: Seen) -> list[tuple[str, list[str]]]:
        """("carry", "hold" or "push", words of what), in this order."""
        said: dict[str, list[str]] = {"carry": [], "hold": [], "push": []}
        for value in seen.many("carrying"):
            verb = "hold" if value in HELD else "push" if value in PUSHED else "carry"
            said[verb].append(self.word("carrying", value))
        return [(verb, words) for verb, words in said.items() if words]


def listed(items: Sequence[str], word: str, comma: str = ", ") -> str:
    """Items with commas, and ``word`` (with its spaces) before the last one."""
    return "".join(items) if len(items) < 2 else f"{comma.join(items[:-1])}{word}{items[-1]}"
