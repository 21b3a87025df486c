"""What else a word may mean: values near the asked one, each with the share of its probability that counts.

"A red jacket" is looked for among orange and pink ones too, at a discount, because the describer, and the witness, may
be wrong about the shade. 1 means that the word covers the value; the asked value itself always counts whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from personvlm.schema import GROUP

DISCOUNT = 0.15
"""Of a color beside the asked one. This and the shares below were halved once: on PETA's validation split the first ten
were right a little more often so (macro precision of two attributes .691 to .696; .697 without anything near)."""

_NEIGHBORS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "red": ("orange", "pink"), "orange": ("red", "yellow"), "yellow": ("orange", "beige"), "pink": ("red", "purple"),
    "purple": ("pink", "blue"), "blue": ("purple",), "green": (), "brown": ("beige",), "beige": ("brown", "white"),
    "black": ("dark blue",), "white": ("beige",), "gray": (), "multicolored": (),
    "dark blue": ("black",), "light blue": ("white",),
})  # fmt: skip

_COVERED: Mapping[tuple[str, str], Mapping[str, float]] = MappingProxyType({
    ("color", "dark blue"): {"blue": 0.3},
    ("color", "light blue"): {"blue": 0.25},
    ("color", "dark"): {"black": 1.0, "dark blue": 1.0, "brown": 0.25, "gray": 0.25},
    ("color", "light"): {"white": 1.0, "beige": 1.0, "light blue": 1.0, "yellow": 0.25, "pink": 0.25},
    ("hair.color", "dark"): {"black": 1.0, "brown": 1.0},
    ("hair.color", "light"): {"blond": 1.0, "gray": 0.25, "white": 0.25},
    ("hair.color", "beige"): {"blond": 1.0},
    ("hair.color", "yellow"): {"blond": 1.0},
    ("headwear", "hat"): {"cap": 1.0},
    ("headwear", "hood"): {"hat": 0.1},
    ("headwear", "headscarf"): {"hood": 0.1},
    ("upper.garment", "jacket"): {"padded coat": 0.25, "coat": 0.2, "suit": 0.15},
    ("upper.garment", "coat"): {"padded coat": 1.0, "jacket": 0.2},
    ("upper.garment", "padded coat"): {"coat": 0.2, "jacket": 0.15},
    ("upper.garment", "hoodie"): {"sweater": 0.2, "jacket": 0.1},
    ("upper.garment", "sweater"): {"hoodie": 0.2},
    ("upper.garment", "shirt"): {"t-shirt": 0.2, "blouse": 0.2},
    ("upper.garment", "t-shirt"): {"shirt": 0.1},
    ("upper.garment", "blouse"): {"shirt": 0.2},
    ("lower.garment", "trousers"): {"jeans": 0.2, "suit trousers": 0.3, "sweatpants": 0.25, "leggings": 0.15},
    ("lower.garment", "jeans"): {"trousers": 0.1},
    ("lower.garment", "suit trousers"): {"trousers": 0.15},
    ("lower.garment", "sweatpants"): {"trousers": 0.15},
    ("lower.garment", "leggings"): {"trousers": 0.1},
    ("lower.garment", "shorts"): {"hot pants": 1.0, "capri pants": 0.2},
    ("footwear.type", "shoes"): {"leather shoes": 0.25, "casual shoes": 0.4, "sneakers": 0.25, "heels": 0.2},
    ("footwear.type", "sneakers"): {"casual shoes": 0.2},
    ("footwear.type", "sandals"): {"slippers": 0.15},
    ("carrying", "luggage"): {"suitcase": 0.4},
    ("carrying", "suitcase"): {"luggage": 0.4},
    ("carrying", "shoulder bag"): {"messenger bag": 0.3, "handbag": 0.25},
    ("carrying", "messenger bag"): {"shoulder bag": 0.3},
    ("carrying", "handbag"): {"shoulder bag": 0.25},
    ("carrying", "plastic bag"): {"paper bag": 0.15},
    ("activity", "making a phone call"): {},
})  # fmt: skip


def weights(group: str, value: str) -> dict[str, float]:
    """Columns of ``group`` that ``value`` is looked for in, with their weights: 1 for itself (a parent of an exclusive
    group: for its leaves), less for what is near."""
    found: dict[str, float] = {}
    if value in GROUP[group].values:
        found.update(dict.fromkeys(GROUP[group].leaves(value), 1.0))
    slot = group.rpartition(".")[2]
    covered = _COVERED.get((group, value))
    if covered is None and slot == "color":
        covered = {**_COVERED.get(("color", value), {})}
        for near in _NEIGHBORS.get(value, ()):
            covered.setdefault(near, DISCOUNT)
    for near, weight in (covered or {}).items():
        if near in GROUP[group].values:
            found.setdefault(near, weight)
    return found
