"""Labels of the Clothing Attribute Dataset (Chen, Gallagher, Girod, "Describing Clothing by Semantic Attributes",
ECCV 2012): 26 fields about the upper body of the person in the middle; null where the annotators disagreed.

The coding was checked by looking at ten pictures of each value: yes/no fields are 1 = no, 2 = yes; gender 1 = male,
2 = female; sleevelength 1 = none, 2 = short, 3 = long; neckline 1 = V, 2 = round, 3 = other (suits and open coats are
V as well, with collar = yes); category 1 = shirt, 2 = sweater, 3 = T-shirt, 4 = outerwear, 5 = suit, 6 = tank top,
7 = dress. Some pictures show several people.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from personvlm.schema.annotations import Annotations, Known
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, NONE, OTHER

NO, YES = 1, 2

FIELDS = (
    "black", "blue", "brown", "category", "collar", "cyan", "gender", "gray", "green", "many_colors", "neckline",
    "necktie", "pattern_floral", "pattern_graphics", "pattern_plaid", "pattern_solid", "pattern_spot",
    "pattern_stripe", "placket", "purple", "red", "scarf", "skin_exposure", "sleevelength", "white", "yellow",
)  # fmt: skip

_GENDER = {1: "male", 2: "female"}
_SLEEVE = {1: "sleeveless", 2: "short", 3: "long"}
_NECKLINE = {1: "v-neck", 2: "round", 3: OTHER}
_CATEGORY: Mapping[int, tuple[str, ...]] = MappingProxyType({
    1: ("shirt", "blouse"), 2: ("sweater", "hoodie"), 3: ("t-shirt",), 4: ("coat", "jacket", "padded coat"),
    5: ("suit",), 6: ("vest", "blouse"), 7: ("dress",),
})  # fmt: skip
_COLORS = ("black", "blue", "brown", "gray", "green", "purple", "red", "white", "yellow")
_PATTERNS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "pattern_solid": ("plain",), "pattern_floral": ("floral",), "pattern_graphics": ("logo",),
    "pattern_plaid": ("plaid",), "pattern_spot": ("spotted",), "pattern_stripe": ("thin stripes", "thick stripes"),
})  # fmt: skip
# Colors that this data set has no field for: an orange or pink garment got the nearest one.
_NEAREST = MappingProxyType({"beige": "brown", "orange": "yellow", "pink": "red", "dark blue": "blue",
                             "light blue": "blue"})  # fmt: skip

Labels = Mapping[str, "int | None"]


def to_annotations(labels: Labels) -> Annotations:
    """One picture's fields as annotations.

    Raises:
        ValueError: a field is missing, or has a value outside of its coding.
    """
    _check(labels)
    known: dict[str, Known] = {}
    for group, field, coding in (("gender", "gender", _GENDER), ("upper.sleeve", "sleevelength", _SLEEVE)):
        value = labels[field]
        if value is not None:
            known[group] = Known(frozenset({coding[value]}))
    category = labels["category"]
    if category is not None:
        # men's shirts are not called blouses
        not_his = {"blouse"} if labels["gender"] == 1 else set()
        known["upper.garment"] = Known(frozenset(_CATEGORY[category]) - not_his)
    for group, present in (("upper.neckline", _neckline(labels)), ("upper.pattern", _pattern(labels)),
                           ("neckwear", _neckwear(labels))):  # fmt: skip
        if present:
            known[group] = Known(present)
    if labels["many_colors"] is not None:  # the ten colors and this field are null together
        known["upper.color"] = _color(labels)
    return Annotations(known)


def _check(labels: Labels) -> None:
    missing = [field for field in FIELDS if field not in labels]
    if missing:
        raise ValueError(f"no field {missing[0]!r}; Clothing Attribute has {', '.join(FIELDS)}")
    most = {"category": 7, "sleevelength": 3, "neckline": 3}
    for field in FIELDS:
        value = labels[field]
        if value is not None and value not in range(1, most.get(field, 2) + 1):
            raise ValueError(f"field {field!r} is {value!r}; legal: 1 to {most.get(field, 2)}, or null")


def _neckline(labels: Labels) -> frozenset[str]:
    """A collar hides what the neckline would be called otherwise, except that suits are V and collared."""
    value, collar = labels["neckline"], labels["collar"]
    shapes = {_NECKLINE[value]} if value is not None else set(_NECKLINE.values())
    if collar == YES:
        return frozenset({"collar", "v-neck"} if value == 1 else {"collar"})
    if collar is None:
        return frozenset(shapes | {"collar"}) if value is not None else frozenset()
    return frozenset(shapes)


def _pattern(labels: Labels) -> frozenset[str]:
    """What is marked; where nothing is, what the annotators disagreed about."""
    if all(labels[field] is None for field in _PATTERNS):
        return frozenset()
    for answer in (YES, None):
        found = frozenset(value for field, values in _PATTERNS.items() if labels[field] == answer for value in values)
        if found:
            return found
    return frozenset()


def _neckwear(labels: Labels) -> frozenset[str]:
    scarf, tie = labels["scarf"], labels["necktie"]
    found = {value for value, answer in (("scarf", scarf), ("tie", tie)) if answer == YES}
    if found:
        return frozenset(found)
    if scarf is None and tie is None:
        return frozenset()
    unsure = {value for value, answer in (("scarf", scarf), ("shawl", scarf), ("tie", tie)) if answer is None}
    return frozenset(unsure | {NONE})


def _color(labels: Labels) -> Known:
    """Cyan is blue to some and green to others, so both stay open; a garment of many colors leaves every one open."""
    if labels["many_colors"] == YES:
        return Known(frozenset({"multicolored"}))
    present = {color for color in _COLORS if labels[color] == YES}
    absent = {color for color in _COLORS if labels[color] == NO} | {"multicolored"}
    if labels["cyan"] == YES:
        absent -= {"blue", "green"}
    if "blue" in absent:
        absent |= set(GROUP["upper.color"].parents["blue"])
    return Known(frozenset(present), frozenset(absent))


def to_labels(values: Values) -> dict[str, int | None]:
    """The fields that decided values state, in the data set's coding; None where they say nothing.

    Placket and skin exposure have no counterpart and stay None.
    """
    labels: dict[str, int | None] = dict.fromkeys(FIELDS)
    codings: tuple[tuple[str, str, dict[int, str]], ...] = (
        ("gender", "gender", _GENDER), ("upper.sleeve", "sleevelength", _SLEEVE),
        ("upper.neckline", "neckline", _NECKLINE))  # fmt: skip
    for group, field, coding in codings:
        for code, value in coding.items():
            if value in values.get(group, ()):
                labels[field] = code
    garment = values.get("upper.garment", ())
    labels["category"] = next((code for code, names in _CATEGORY.items() if set(garment) & set(names)), None)
    if values.get("upper.neckline"):
        labels["collar"] = YES if "collar" in values["upper.neckline"] else NO
    colors = {_NEAREST.get(color, color) for color in values.get("upper.color", ())}
    if colors & {*_COLORS, "multicolored"}:
        labels |= {color: YES if color in colors else NO for color in _COLORS}
        labels |= {"cyan": NO, "many_colors": YES if "multicolored" in colors else NO}
    pattern = set(values.get("upper.pattern", ()))
    if pattern:
        pattern |= {"thin stripes"} if "striped" in pattern else set()
        labels |= {field: YES if pattern & set(names) else NO for field, names in _PATTERNS.items()}
    neckwear = set(values.get("neckwear", ()))
    if neckwear:
        labels |= {"scarf": YES if neckwear & {"scarf", "shawl"} else NO, "necktie": YES if "tie" in neckwear else NO}
    return labels
