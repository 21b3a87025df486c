"""MSP60K's 58 label columns (Jin et al., "Pedestrian Attribute Recognition: A New Benchmark Dataset", AAAI 2025).

The columns are OpenPAR's 57 with "Male" inserted at index 1. There is no color column. Which zeros mean *absent* and
which mean *not annotated* was read off 3,000 rows and their captions:

- exactly one of Female and Male, and one of Child, Adult and Elderly, is set in every row; body and view in all but a
  few. "Adult" covers 16 to 60 years, so it stays a partial label;
- hat, helmet, scarf and gloves are looked for in every picture, so zero means none. Mask and Glasses are too, except
  from behind, where the face is not seen and zero says nothing;
- hair: Bald and Long hair say the length, Black hair the color. A zero in all three mostly means hair under a hat or
  outside of the crop (687 of 859 such rows wear one), so it says nothing. Short hair is told only by seen (black)
  hair that is not long; another color than black only by seen (long) hair that is not black;
- sleeves: both are zero in 826 rows, half of them jackets with long sleeves, so zero says nothing; both are set in 58
  rows (two layers, or doubt), which leaves both open;
- upper garments: Shirt is a shirt with buttons (a caption that says T-shirt has it in 2 % of cases). No column at all
  mostly means a T-shirt or another top that has no column, but 56 of 1,309 captions say jacket: nothing is known;
- Trousers is set with Jeans, and in 159 of 220 rows with Dress, whose captions mostly show no trousers: with Dress the
  lower garment stays open;
- Glasses do not separate sunglasses, Hat not caps, Casual shoes not sneakers, Sandals not slippers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from personvlm.schema.annotations import Annotations, Known
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, NONE, OTHER

COLUMNS = (
    "Female", "Male", "Child", "Adult", "Elderly", "Fat", "Normal", "Thin", "Bald", "Long hair", "Black hair", "Hat",
    "Glasses", "Mask", "Helmet", "Scarf", "Gloves", "Front", "Back", "Side", "Short sleeves", "Long sleeves", "Shirt",
    "Jacket", "Suit", "Vest", "Cotton-padded coat", "Coat", "Graduation gown", "Chef uniform", "Trousers", "Shorts",
    "Jeans", "Long skirt", "Short skirt", "Dress", "Leather shoes", "Casual shoes", "Boots", "Sandals", "Other shoes",
    "Backpack", "Shoulder bag", "Handbag", "Plastic bag", "Paper bag", "Suitcase", "Others", "Making a phone call",
    "Smoking", "Hands behind back", "Arms crossed", "Walking", "Running", "Standing", "Riding a bicycle",
    "Riding an scooter", "Riding a skateboard",
)  # fmt: skip
"""Names of the columns in the data set's order and spelling."""

_ADULT = ("young adult", "thirties", "middle-aged", "adult")
_LONG_LEGS = ("trousers", "jeans", "suit trousers", "leggings", "sweatpants", "capri pants")

# Column -> (group, values): the column is stated when one of the values is. The parents are spelled out because a
# parsed sentence may hold a parent ("adult", "skirt") where no leaf was said.
_STATED_BY: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType({
    "Female": ("gender", ("female",)), "Male": ("gender", ("male",)),
    "Child": ("age", ("child",)), "Adult": ("age", _ADULT), "Elderly": ("age", ("elderly",)),
    "Fat": ("body", ("fat",)), "Normal": ("body", ("normal",)), "Thin": ("body", ("thin",)),
    "Bald": ("hair.length", ("bald",)), "Long hair": ("hair.length", ("long",)),
    "Black hair": ("hair.color", ("black",)),
    "Hat": ("headwear", ("hat", "cap")), "Helmet": ("headwear", ("helmet",)),
    "Glasses": ("eyewear", ("glasses", "sunglasses")), "Mask": ("face", ("mask",)),
    "Scarf": ("neckwear", ("scarf",)), "Gloves": ("gloves", ("gloves",)),
    "Front": ("view", ("front",)), "Back": ("view", ("back",)), "Side": ("view", ("side",)),
    "Short sleeves": ("upper.sleeve", ("short",)), "Long sleeves": ("upper.sleeve", ("long",)),
    "Shirt": ("upper.garment", ("shirt",)), "Jacket": ("upper.garment", ("jacket",)),
    "Suit": ("upper.garment", ("suit",)), "Vest": ("upper.garment", ("vest",)),
    "Cotton-padded coat": ("upper.garment", ("padded coat",)), "Coat": ("upper.garment", ("coat",)),
    "Graduation gown": ("upper.garment", ("graduation gown",)), "Chef uniform": ("upper.garment", ("chef uniform",)),
    "Trousers": ("lower.garment", _LONG_LEGS), "Shorts": ("lower.garment", ("shorts", "hot pants")),
    "Jeans": ("lower.garment", ("jeans",)), "Long skirt": ("lower.garment", ("long skirt",)),
    "Short skirt": ("lower.garment", ("short skirt",)), "Dress": ("upper.garment", ("dress",)),
    "Leather shoes": ("footwear.type", ("leather shoes",)),
    "Casual shoes": ("footwear.type", ("casual shoes", "sneakers")), "Boots": ("footwear.type", ("boots",)),
    "Sandals": ("footwear.type", ("sandals", "slippers")),
    "Other shoes": ("footwear.type", ("heels", "stockings", OTHER)),
    "Backpack": ("carrying", ("backpack",)), "Shoulder bag": ("carrying", ("shoulder bag", "messenger bag")),
    "Handbag": ("carrying", ("handbag", "briefcase")), "Plastic bag": ("carrying", ("plastic bag",)),
    "Paper bag": ("carrying", ("paper bag",)), "Suitcase": ("carrying", ("suitcase", "luggage")),
    "Others": ("carrying", (OTHER,)),
    "Making a phone call": ("activity", ("making a phone call",)), "Smoking": ("activity", ("smoking",)),
    "Hands behind back": ("activity", ("hands behind back",)), "Arms crossed": ("activity", ("arms crossed",)),
    "Walking": ("posture", ("walking",)), "Running": ("posture", ("running",)),
    "Standing": ("posture", ("standing",)), "Riding a bicycle": ("posture", ("riding a bicycle",)),
    "Riding an scooter": ("posture", ("riding a scooter",)),
    "Riding a skateboard": ("posture", ("riding a skateboard",)),
})  # fmt: skip

# The outermost of several upper garments is the one that is described.
_OUTERMOST_FIRST = ("Graduation gown", "Chef uniform", "Cotton-padded coat", "Coat", "Suit", "Jacket", "Dress", "Vest",
                    "Shirt")  # fmt: skip
_PLAIN = MappingProxyType({  # groups whose columns name values directly; several set leave the value open
    "gender": ("Female", "Male"), "age": ("Child", "Adult", "Elderly"), "body": ("Fat", "Normal", "Thin"),
    "view": ("Front", "Back", "Side"), "upper.sleeve": ("Short sleeves", "Long sleeves"),
    "footwear.type": ("Leather shoes", "Casual shoes", "Boots", "Sandals", "Other shoes"),
    "posture": ("Walking", "Running", "Standing", "Riding a bicycle", "Riding an scooter", "Riding a skateboard"),
})  # fmt: skip
_BAGS = ("Backpack", "Shoulder bag", "Handbag", "Plastic bag", "Paper bag", "Suitcase")
_ACTIVITIES = ("Making a phone call", "Smoking", "Hands behind back", "Arms crossed")


def labels_of(one_hot: Sequence[int]) -> tuple[str, ...]:
    """Names of the columns that are set, in the data set's order.

    Raises:
        ValueError: not 58 values of 0 and 1.
    """
    if len(one_hot) != len(COLUMNS) or any(value not in (0, 1) for value in one_hot):
        raise ValueError(f"MSP60K's one_hot has {len(COLUMNS)} values of 0 and 1; given: {len(one_hot)} values")
    return tuple(name for name, value in zip(COLUMNS, one_hot, strict=True) if value)


def to_annotations(one_hot: Sequence[int]) -> Annotations:
    """One row of 58 zeros and ones as annotations; the module's docstring says what a zero means.

    Raises:
        ValueError: not 58 values of 0 and 1.
    """
    names = frozenset(labels_of(one_hot))
    known: dict[str, Known] = {}
    for group, columns in _PLAIN.items():
        present = frozenset(value for name in columns if name in names for value in _admissible(name))
        if present:
            known[group] = Known(present)
    known |= _head(names) | _garments(names)
    known["carrying"] = _carrying(names)
    doing = frozenset(_STATED_BY[name][1][0] for name in _ACTIVITIES if name in names)
    all_doing = frozenset(_STATED_BY[name][1][0] for name in _ACTIVITIES)
    known["activity"] = Known(doing, all_doing - doing)
    return Annotations(known)


def _admissible(column: str) -> frozenset[str]:
    """Leaves that a set column leaves open."""
    group, values = _STATED_BY[column]
    return frozenset().union(*(GROUP[group].leaves(value) for value in values))


def _head(names: frozenset[str]) -> dict[str, Known]:
    known = {}
    if "Helmet" in names:  # 3 rows have a hat as well: the helmet is what is seen
        known["headwear"] = Known(frozenset({"helmet"}))
    elif "Hat" in names:
        known["headwear"] = Known(_admissible("Hat"))
    else:
        known["headwear"] = Known(frozenset({NONE, "hood", "headband", "headscarf"}))
    face_seen = bool(names & {"Front", "Side"})
    if "Glasses" in names:
        known["eyewear"] = Known(_admissible("Glasses"))
    elif face_seen:
        known["eyewear"] = Known(frozenset({NONE}))
    if "Mask" in names or face_seen:
        known["face"] = Known(frozenset({"mask" if "Mask" in names else NONE}))
    known["neckwear"] = Known(frozenset({"scarf"} if "Scarf" in names else {NONE, "shawl", "tie"}))
    known["gloves"] = Known(frozenset({"gloves" if "Gloves" in names else NONE}))
    if "Bald" in names:
        known["hair.length"] = Known(frozenset({"bald"}))
    elif "Long hair" in names:
        known["hair.length"] = Known(frozenset({"long"}))
        if "Black hair" not in names:
            known["hair.color"] = Known(frozenset(GROUP["hair.color"].columns) - {"black"})
    elif "Black hair" in names:
        known["hair.length"] = Known(frozenset({"short"}))
    if "Black hair" in names:
        known["hair.color"] = Known(frozenset({"black"}))
    return known


def _garments(names: frozenset[str]) -> dict[str, Known]:
    known = {}
    upper = next((name for name in _OUTERMOST_FIRST if name in names), None)
    if upper is not None:
        known["upper.garment"] = Known(_admissible(upper))
    if "Dress" in names:
        return known
    if {"Long skirt", "Short skirt"} & names:  # a denim skirt is labelled Jeans as well
        lower = frozenset(value for name in ("Long skirt", "Short skirt") if name in names
                          for value in _admissible(name))  # fmt: skip
    elif "Shorts" in names:
        lower = _admissible("Shorts")
    elif "Jeans" in names:
        lower = _admissible("Jeans")
    elif "Trousers" in names:  # 81 % of the captions that say jeans have this column, half of them without Jeans
        lower = _admissible("Trousers")
    else:
        return known
    return known | {"lower.garment": Known(lower)}


def _carrying(names: frozenset[str]) -> Known:
    """Phones, bottles and boxes have no column, so that even a row without any bag does not mean empty hands."""
    bags = [name for name in _BAGS if name in names]
    present = {_STATED_BY[name][1][0] for name in bags if len(_STATED_BY[name][1]) == 1}
    if bags:
        present.add("bag")
    if "Others" in names:
        present.add(OTHER)
    absent = {value for name in _BAGS if name not in names for value in _STATED_BY[name][1]}
    if present:
        absent.add(NONE)
    if "Others" not in names:
        absent.add(OTHER)
        if not bags:
            absent.add("bag")
    return Known(frozenset(present), frozenset(absent))


def columns_of(values: Values) -> dict[str, bool]:
    """Which of the 58 columns decided or parsed values state; what is not said is False."""
    stated = {}
    for name in COLUMNS:
        group, stated_by = _STATED_BY[name]
        stated[name] = any(value in stated_by for value in values.get(group, ()))
    return stated
