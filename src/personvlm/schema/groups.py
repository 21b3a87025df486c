"""The vocabulary of attributes: which groups exist, which values each may take, and how values nest.

Everything that names an attribute (labels, heads, words, queries, rules) takes the names from here. A group
is either *exclusive* (one value holds, probabilities sum to 1) or a *set* (each value holds or not, by itself).
Ethnicity does not exist here, and neither do background and scene: they are not described.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

Kind = Literal["exclusive", "set"]

UNKNOWN = "unknown"
"""Legal in every group: nothing was decided. Never a column of a head, never said."""

NONE = "none"
"""The value of a group whose subject is absent (no headwear, nothing carried). Said only when absence is asked for."""

OTHER = "other"
"""Something that the vocabulary has no word for. It takes probability, and is never said."""


@dataclass(frozen=True)
class Group:
    """One attribute group.

    Attributes:
        name: dotted name, for example ``upper.color``.
        kind: ``exclusive`` or ``set``.
        values: leaves and parents in a fixed order; the order is that of the head's columns.
        parents: parent value -> its leaves. A parent is a coarse answer ("adult", "bag", "blue"): in an
            exclusive group its probability is the sum of its leaves' and it has no column of its own; in a
            set it is a value like any other, true whenever one of its leaves is.
        max_said: how many values of a set a sentence states at most.
    """

    name: str
    kind: Kind
    values: tuple[str, ...]
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_said: int = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Values that a head has a logit for: every value of a set, the leaves of an exclusive group."""
        if self.kind == "set":
            return self.values
        return tuple(value for value in self.values if value not in self.parents)

    @property
    def sayable(self) -> tuple[str, ...]:
        """Values that a sentence may state when absence is not asked for."""
        return tuple(value for value in self.values if value not in (NONE, OTHER))

    def leaves(self, value: str) -> frozenset[str]:
        """Columns that ``value`` covers: itself, or the leaves below a parent.

        Raises:
            KeyError: ``value`` does not belong to the group; the message names both.
        """
        if value in self.parents:
            return frozenset(self.parents[value]) if self.kind == "exclusive" else frozenset({value})
        if value not in self.values:
            raise KeyError(f"{value!r} is not a value of group {self.name!r}; legal: {', '.join(self.values)}")
        return frozenset({value})

    def covers(self, general: str, specific: str) -> bool:
        """Whether ``specific`` is ``general`` or lies below it: "blue" covers "dark blue", "adult" not "elderly"."""
        return general == specific or specific in self.parents.get(general, ())


COLORS = (
    "black", "white", "gray", "blue", "red", "green", "brown", "yellow", "orange", "purple", "pink", "beige",
    "dark blue", "light blue", "dark", "light", "multicolored",
)  # fmt: skip
_BLUES = {"blue": ("dark blue", "light blue")}


def _exclusive(name: str, *values: str, **parents: tuple[str, ...]) -> Group:
    return Group(name, "exclusive", values, MappingProxyType(parents))


def _colors(name: str) -> Group:
    return Group(name, "set", COLORS, MappingProxyType(_BLUES), max_said=2)


_ADULTS = ("young adult", "thirties", "middle-aged")
_BAGS = (
    "backpack", "messenger bag", "shoulder bag", "handbag", "plastic bag", "paper bag", "suitcase", "luggage",
    "briefcase",
)  # fmt: skip

GROUPS: tuple[Group, ...] = (
    _exclusive("gender", "male", "female"),
    # young adult 16-30, thirties 31-45, middle-aged 46-60, elderly above. `adult` is what MSP60K labels, and what
    # is said when no leaf passes its threshold.
    _exclusive("age", "child", *_ADULTS, "elderly", "adult", adult=_ADULTS),
    _exclusive("body", "thin", "normal", "fat"),
    _exclusive("hair.length", "bald", "short", "long"),
    _exclusive("hair.color", "black", "brown", "blond", "gray", "white", "red", OTHER),
    _exclusive("headwear", NONE, "hat", "cap", "helmet", "hood", "headband", "headscarf"),
    _exclusive("eyewear", NONE, "glasses", "sunglasses"),
    _exclusive("face", NONE, "mask"),
    _exclusive("neckwear", NONE, "scarf", "shawl", "tie"),
    _exclusive("gloves", NONE, "gloves"),
    _exclusive("headphones", NONE, "headphones"),
    _exclusive("wrist", NONE, "watch"),
    _exclusive(
        "upper.garment", "t-shirt", "shirt", "blouse", "sweater", "hoodie", "jacket", "suit", "coat", "padded coat",
        "vest", "dress", "graduation gown", "chef uniform", OTHER,
    ),
    _exclusive("upper.sleeve", "sleeveless", "short", "long"),
    _exclusive(
        "upper.pattern", "plain", "plaid", "thin stripes", "thick stripes", "logo", "floral", "spotted", "striped",
        striped=("thin stripes", "thick stripes"),
    ),
    _exclusive("upper.neckline", "v-neck", "round", "collar", OTHER),
    _exclusive("upper.style", "casual", "formal"),
    _colors("upper.color"),
    Group(
        "lower.garment", "exclusive",
        ("trousers", "jeans", "suit trousers", "leggings", "sweatpants", "shorts", "hot pants", "capri pants",
         "short skirt", "long skirt", "skirt", OTHER),
        MappingProxyType({"skirt": ("short skirt", "long skirt")}),
    ),
    _exclusive("lower.style", "casual", "formal"),
    _colors("lower.color"),
    _exclusive("footwear.type", "shoes", "leather shoes", "casual shoes", "sneakers", "boots", "sandals", "slippers",
               "heels", "stockings", OTHER),
    _colors("footwear.color"),
    Group(
        "carrying", "set",
        (NONE, *_BAGS, "bag", "folder", "laptop", "phone", "bottle", "umbrella", "box", "stroller",
         "shopping trolley", OTHER),
        MappingProxyType({"bag": _BAGS}), max_said=3,
    ),
    _exclusive("posture", "standing", "walking", "running", "sitting", "squatting", "lying", "riding a bicycle",
               "riding a scooter", "riding a skateboard"),
    Group(
        "activity", "set",
        ("making a phone call", "smoking", "hands behind back", "arms crossed", "waiting", "talking", "looking"),
        max_said=2,
    ),
    _exclusive("view", "front", "back", "side"),
    _exclusive("visibility", "full", "partial"),
)  # fmt: skip

GROUP: Mapping[str, Group] = MappingProxyType({group.name: group for group in GROUPS})


@lru_cache(maxsize=1)
def columns() -> tuple[tuple[str, str], ...]:
    """Every (group, value) that a head has a logit for, in the order of the logits."""
    return tuple((group.name, value) for group in GROUPS for value in group.columns)


@lru_cache(maxsize=1)
def column_slices() -> Mapping[str, slice]:
    """Group name -> its slice of :func:`columns`."""
    slices, start = {}, 0
    for group in GROUPS:
        slices[group.name] = slice(start, start + len(group.columns))
        start += len(group.columns)
    return MappingProxyType(slices)
