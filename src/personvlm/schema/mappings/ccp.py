"""Tags of Clothing Co-Parsing (Yang, Luo, Lin, "Clothing Co-Parsing by Joint Image Segmentation and Labeling", CVPR
2014): the garments and accessories of one person in a street photo, seen from head to foot.

What a missing tag means was decided by looking at 100 pictures:

- of 30 without hat, glasses or sunglasses none shows a hat or sunglasses, so silence means none; clear glasses are
  small, and tagged three times as often in the second half of the set, so they stay possible;
- of 30 without bag, purse or wallet (a clutch in the hand) two carry a bag: silence means none, except where the tag
  "accessories" may stand for one;
- scarf, tie and gloves are plain to see and taken in the same way. So is a watch, though small: a label that is only
  ever positive would teach that everybody wears one;
- "shoes" stands for any footwear in the first half of the set, boots and sandals too, so it says nothing;
- "vest" is a waistcoat as well as a tank top, "top" anything without a name, "jumper" a pinafore or a playsuit;
- "suit" tags blazers over trousers of another cloth as well, so it may be a jacket, and says nothing of the trousers;
- the length of a skirt is not tagged; under a dress, the lower garment is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from personvlm.schema.annotations import Annotations, Known
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, NONE, OTHER

_TOPS = ("t-shirt", "blouse", "vest", "sweater", OTHER)

# Layers from the outside: the first layer with a tag is the one that is described, and all its tags count.
_UPPER_LAYERS: tuple[Mapping[str, tuple[str, ...]], ...] = (
    {"coat": ("coat", "padded coat"), "cape": (OTHER,)},
    {"suit": ("suit", "jacket"), "jacket": ("jacket",), "blazer": ("jacket", "suit")},
    {"cardigan": ("sweater",)},
    {"sweater": ("sweater",), "sweatshirt": ("sweater", "hoodie"), "hoodie": ("hoodie",)},
    {"dress": ("dress",), "blouse": ("blouse",), "shirt": ("shirt",), "t-shirt": ("t-shirt",), "vest": ("vest",),
     "top": _TOPS, "romper": (OTHER,), "bodysuit": (OTHER,), "bra": (OTHER,), "jumper": (OTHER, "dress")},
)  # fmt: skip
_LOWER_LAYERS: tuple[Mapping[str, tuple[str, ...]], ...] = (
    {"skirt": ("short skirt", "long skirt"), "shorts": ("shorts", "hot pants"), "jeans": ("jeans",),
     "pants": ("trousers", "suit trousers", "capri pants", "sweatpants")},
    {"leggings": ("leggings",)},
)  # fmt: skip
_FOOTWEAR: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "boots": ("boots",), "heels": ("heels",), "pumps": ("heels",), "wedges": ("heels",), "sneakers": ("sneakers",),
    "sandals": ("sandals",), "flats": ("shoes", "casual shoes", "leather shoes"),
    "loafers": ("leather shoes", "casual shoes", "shoes"), "clogs": ("slippers", OTHER),
})  # fmt: skip
_BAGS = ("bag", "purse", "wallet")

TAGS = (
    *(tag for layers in (_UPPER_LAYERS, _LOWER_LAYERS) for layer in layers for tag in layer), *_FOOTWEAR, *_BAGS,
    "hat", "sunglasses", "glasses", "scarf", "tie", "gloves", "watch", "shoes", "skin", "hair", "belt", "accessories",
    "bracelet", "stockings", "socks", "necklace", "ring", "tights", "earrings",
)  # fmt: skip
"""Every tag of the data set; the last row and "shoes" say nothing that the schema holds."""


def to_annotations(tags: Iterable[str]) -> Annotations:
    """One picture's tags as annotations; the module's docstring says what a missing tag means.

    Raises:
        ValueError: a tag that the data set does not have.
    """
    names = set(tags)
    wrong = sorted(names - set(TAGS))
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not a tag of Clothing Co-Parsing; legal: {', '.join(TAGS)}")
    known: dict[str, Known] = {}
    eyewear = names & {"sunglasses", "glasses"}
    for group, values in (
        ("upper.garment", _outermost(_UPPER_LAYERS, names)),
        ("lower.garment", _lower(names)),
        ("footwear.type", frozenset(value for tag in names & set(_FOOTWEAR) for value in _FOOTWEAR[tag])),
        ("headwear", frozenset({"hat", "cap"} if "hat" in names else {NONE})),
        ("eyewear", frozenset(eyewear or {NONE, "glasses"})),
        ("neckwear", frozenset(names & {"scarf", "tie"} or {NONE, "shawl"})),
        ("gloves", frozenset({"gloves" if "gloves" in names else NONE})),
        ("wrist", frozenset({"watch" if "watch" in names else NONE})),
    ):
        if values:
            known[group] = Known(values)
    if names & set(_BAGS):
        known["carrying"] = Known(frozenset({"bag"}), frozenset({NONE}))
    elif "accessories" not in names:
        known["carrying"] = Known(frozenset(), frozenset({"bag", *GROUP["carrying"].parents["bag"]}))
    return Annotations(known)


def _outermost(layers: tuple[Mapping[str, tuple[str, ...]], ...], names: set[str]) -> frozenset[str]:
    for layer in layers:
        worn = names & set(layer)
        if "vest" in worn and len(worn) > 1 and "dress" not in worn:
            worn = {"vest"}  # a waistcoat over a shirt
        if worn:
            return frozenset(value for tag in worn for value in layer[tag])
    return frozenset()


def _lower(names: set[str]) -> frozenset[str]:
    if names & {"dress", "romper", "jumper"}:
        return frozenset()
    return _outermost(_LOWER_LAYERS, names)


# Value -> the tag that says it. Groups and values that are not here have no tag.
_TAG_OF: Mapping[tuple[str, str], str] = MappingProxyType({
    **{("upper.garment", value): value for value in ("coat", "suit", "jacket", "sweater", "hoodie", "dress", "blouse",
                                                     "shirt", "t-shirt", "vest")},
    ("upper.garment", "padded coat"): "coat",
    **{("lower.garment", value): "pants" for value in ("trousers", "suit trousers", "capri pants", "sweatpants")},
    **{("lower.garment", value): "skirt" for value in ("short skirt", "long skirt", "skirt")},
    **{("lower.garment", value): value for value in ("jeans", "leggings", "shorts")},
    ("lower.garment", "hot pants"): "shorts",
    **{("footwear.type", value): value for value in ("boots", "heels", "sneakers", "sandals")},
    **{("footwear.type", value): "shoes" for value in ("shoes", "leather shoes", "casual shoes", "slippers")},
    **{("headwear", value): "hat" for value in ("hat", "cap")},
    **{("eyewear", value): value for value in ("glasses", "sunglasses")},
    **{("neckwear", value): value for value in ("scarf", "tie")},
    ("gloves", "gloves"): "gloves", ("wrist", "watch"): "watch",
    **{("carrying", value): "bag" for value in ("bag", *GROUP["carrying"].parents["bag"])},
})  # fmt: skip


def tags_of(values: Values) -> frozenset[str]:
    """Tags that decided values state."""
    pairs = ((group, value) for group, said in values.items() for value in said)
    return frozenset(_TAG_OF[pair] for pair in pairs if pair in _TAG_OF)
