"""PETA's label names (Deng et al., "Pedestrian attribute recognition at far distance", ACM MM 2014).

PETA labels an identity, so a bag may be hidden in one of its views. It annotates neither view, posture, activity,
body shape, helmet nor gloves, and dresses only as whatever else they look like.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from personvlm.schema.annotations import Annotations, Known
from personvlm.schema.description import Values
from personvlm.schema.groups import GROUP, NONE, OTHER

BENCHMARK = (
    "accessoryHat", "accessoryMuffler", "accessoryNothing", "accessorySunglasses", "hairLong", "upperBodyCasual",
    "upperBodyFormal", "upperBodyJacket", "upperBodyLogo", "upperBodyPlaid", "upperBodyShortSleeve",
    "upperBodyThinStripes", "upperBodyTshirt", "upperBodyOther", "upperBodyVNeck", "lowerBodyCasual",
    "lowerBodyFormal", "lowerBodyJeans", "lowerBodyShorts", "lowerBodyShortSkirt", "lowerBodyTrousers",
    "footwearLeatherShoes", "footwearSandals", "footwearShoes", "footwearSneakers", "carryingBackpack",
    "carryingMessengerBag", "carryingNothing", "carryingOther", "carryingPlasticBags", "personalLess30",
    "personalLess45", "personalLess60", "personalLarger60", "personalMale",
)  # fmt: skip
"""The 35 labels of the usual benchmark, in its order."""

NAMED_BAGS = ("carryingBackpack", "carryingMessengerBag", "carryingPlasticBags", "carryingLuggageCase",
              "carryingSuitcase")  # fmt: skip
"""Labels that mean that a bag is carried."""

_COLORS = MappingProxyType({
    "Black": "black", "Blue": "blue", "Brown": "brown", "Green": "green", "Grey": "gray", "Orange": "orange",
    "Pink": "pink", "Purple": "purple", "Red": "red", "White": "white", "Yellow": "yellow",
})  # fmt: skip
_HAIR = MappingProxyType({
    "Black": "black", "Brown": "brown", "Grey": "gray", "White": "white", "Yellow": "blond", "Red": "red",
    "Orange": "red", "Purple": OTHER, "Green": OTHER,
})  # fmt: skip

# Exclusive groups: label -> value, tried in this order (the first that is there wins).
_EXCLUSIVE: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({
    "gender": (("personalMale", "male"), ("personalFemale", "female")),
    "age": (("personalLess15", "child"), ("personalLess30", "young adult"), ("personalLess45", "thirties"),
            ("personalLess60", "middle-aged"), ("personalLarger60", "elderly")),
    "hair.length": (("hairBald", "bald"), ("hairLong", "long"), ("hairShort", "short")),
    "upper.garment": (("upperBodySuit", "suit"), ("upperBodyJacket", "jacket"), ("upperBodySweater", "sweater"),
                      ("upperBodyTshirt", "t-shirt"), ("upperBodyOther", OTHER)),
    "upper.sleeve": (("upperBodyNoSleeve", "sleeveless"), ("upperBodyShortSleeve", "short"),
                     ("upperBodyLongSleeve", "long")),
    "upper.style": (("upperBodyFormal", "formal"), ("upperBodyCasual", "casual")),
    "lower.garment": (("lowerBodyHotPants", "hot pants"), ("lowerBodyShortSkirt", "short skirt"),
                      ("lowerBodyLongSkirt", "long skirt"), ("lowerBodySuits", "suit trousers"),
                      ("lowerBodyShorts", "shorts"), ("lowerBodyCapri", "capri pants"),
                      ("lowerBodyJeans", "jeans"), ("lowerBodyTrousers", "trousers")),
    "lower.style": (("lowerBodyFormal", "formal"), ("lowerBodyCasual", "casual")),
    "footwear.type": (("footwearBoots", "boots"), ("footwearSandals", "sandals"),
                      ("footwearLeatherShoes", "leather shoes"), ("footwearSneakers", "sneakers"),
                      ("footwearShoes", "shoes"), ("footwearStocking", "stockings")),
})  # fmt: skip

# Groups whose labels are given for every crop, so that silence means absence.
_OR_NONE: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({
    "headwear": (("accessoryHat", "hat"), ("accessoryKerchief", "headscarf"), ("accessoryHairBand", "headband")),
    "eyewear": (("accessorySunglasses", "sunglasses"),),
    "neckwear": (("accessoryMuffler", "scarf"), ("accessoryShawl", "shawl")),
    "headphones": (("accessoryHeadphone", "headphones"),),
    "upper.pattern": (("upperBodyPlaid", "plaid"), ("upperBodyThinStripes", "thin stripes"),
                      ("upperBodyThickStripes", "thick stripes"), ("upperBodyLogo", "logo")),
})  # fmt: skip

_CARRYING = MappingProxyType({
    "carryingBackpack": "backpack", "carryingMessengerBag": "messenger bag", "carryingPlasticBags": "plastic bag",
    "carryingLuggageCase": "luggage", "carryingSuitcase": "suitcase", "carryingFolder": "folder",
    "carryingUmbrella": "umbrella", "carryingBabyBuggy": "stroller", "carryingShoppingTro": "shopping trolley",
    "carryingOther": OTHER, "carryingNothing": NONE,
})  # fmt: skip


def to_annotations(labels: Iterable[str]) -> Annotations:
    """PETA labels of one crop as annotations.

    An unlabelled upper garment (PETA then has only sleeves and style) is a garment that PETA has no name for, so the
    values that it does name are ruled out and the others stay admissible. Glasses, messenger bags and hats are
    labelled under one name each for what we hold apart (hat and cap): the finer value stays open.
    """
    names = set(labels)
    known: dict[str, Known] = {}
    for group, pairs in _EXCLUSIVE.items():
        value = next((value for label, value in pairs if label in names), None)
        if value is not None:
            known[group] = Known(frozenset({value}))
    for group, pairs in _OR_NONE.items():
        value = next((value for label, value in pairs if label in names), NONE)
        known[group] = Known(frozenset({value}))
    if known["upper.pattern"].present == {NONE}:
        known["upper.pattern"] = Known(frozenset({"plain", "floral", "spotted"}))
    if known["headwear"].present == {"hat"}:
        known["headwear"] = Known(frozenset({"hat", "cap"}))
    if known["eyewear"].present == {NONE}:  # PETA labels sunglasses only: clear glasses remain possible
        known["eyewear"] = Known(frozenset({NONE, "glasses"}))
    if "upper.garment" not in known and any(name.startswith("upperBody") for name in names):
        named = {value for _, value in _EXCLUSIVE["upper.garment"]}
        known["upper.garment"] = Known(frozenset(GROUP["upper.garment"].columns) - named)
    if any(name.startswith("upperBody") for name in names):
        neck = {"v-neck"} if "upperBodyVNeck" in names else {"round", "collar", OTHER}
        known["upper.neckline"] = Known(frozenset(neck))
    for group, prefix in (("upper.color", "upperBody"), ("lower.color", "lowerBody"), ("footwear.color", "footwear")):
        present = frozenset(value for name, value in _COLORS.items() if prefix + name in names)
        if present:
            known[group] = Known(present, _with_leaves(group, frozenset(_COLORS.values()) - present))
    hair = frozenset(value for name, value in _HAIR.items() if "hair" + name in names)
    if hair:
        known["hair.color"] = Known(hair)
    carried = frozenset(value for name, value in _CARRYING.items() if name in names)
    if carried:
        known["carrying"] = _carrying(names, carried)
    return Annotations(known)


def _carrying(names: set[str], carried: frozenset[str]) -> Known:
    if carried > {NONE}:  # eight crops say "nothing" and name a thing: the thing wins
        carried -= {NONE}
    has_bag = bool(names & set(NAMED_BAGS))
    # "Other" and "folder" may hide a bag that PETA does not name: leave `bag` open there.
    open_bag = not has_bag and bool(names & {"carryingOther", "carryingFolder"})
    present = carried | ({"bag"} if has_bag else set())
    absent = frozenset(_CARRYING.values()) - present
    return Known(frozenset(present), absent if has_bag or open_bag else _with_leaves("carrying", absent | {"bag"}))


def _with_leaves(group: str, absent: frozenset[str]) -> frozenset[str]:
    """What is ruled out by ruling these out: no blue is no dark blue either."""
    return absent.union(*(leaves for parent, leaves in GROUP[group].parents.items() if parent in absent))


# Benchmark label -> how to read it from calibrated scores: the values whose probabilities are added.
_FROM_SCORES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType({
    "accessoryHat": ("headwear", ("hat", "cap")),
    "accessoryMuffler": ("neckwear", ("scarf",)),
    "accessorySunglasses": ("eyewear", ("sunglasses",)),
    "upperBodyLogo": ("upper.pattern", ("logo",)),
    "upperBodyPlaid": ("upper.pattern", ("plaid",)),
    "upperBodyThinStripes": ("upper.pattern", ("thin stripes",)),
    "upperBodyVNeck": ("upper.neckline", ("v-neck",)),
    **{label: (group, (value,)) for group, pairs in _EXCLUSIVE.items() for label, value in pairs},
    **{label: ("carrying", (value,)) for label, value in _CARRYING.items()},
})  # fmt: skip


def benchmark_targets(labels: Iterable[str]) -> np.ndarray:
    """The 35 labels as the literature counts them: ``float32 [35]``, 1 where named, else 0 (no label is unknown)."""
    names = set(labels)
    return np.array([name in names for name in BENCHMARK], np.float32)


def benchmark_scores(scores: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """Probabilities of the 35 labels from the calibrated ``scores`` of a description: ``float32 [35]``.

    ``accessoryNothing`` is the product of the four groups' probabilities of none. A label whose group has no scores,
    because the model was not taught it, counts as absent: 0.
    """
    result = np.zeros(len(BENCHMARK), np.float32)
    for index, label in enumerate(BENCHMARK):
        if label == "accessoryNothing":
            bare = [scores.get(group, {}).get(NONE, 0.0) for group in ("headwear", "neckwear", "headphones")]
            sunglasses = scores.get("eyewear", {}).get("sunglasses", 0.0)
            result[index] = math.prod(bare) * (1.0 - sunglasses)
        else:
            group, values = _FROM_SCORES[label]
            result[index] = sum(scores.get(group, {}).get(value, 0.0) for value in values)
    return result


SAYABLE = tuple(label for label in BENCHMARK if label in _FROM_SCORES and not {NONE, OTHER} & {*_FROM_SCORES[label][1]})
"""Those of the 35 labels that a sentence can state: absence, and "something else", are never said."""


def benchmark_statements(values: Values) -> np.ndarray:
    """What a sentence states of :data:`SAYABLE`, from the values that were read from it: ``bool [len(SAYABLE)]``."""
    def stated(label: str) -> bool:
        group, wanted = _FROM_SCORES[label]
        return any(GROUP[group].covers(value, said) for said in values.get(group, ()) for value in wanted)

    return np.array([stated(label) for label in SAYABLE], bool)
