"""Who is drawn: the values that the renderer can show, plausible people, and one person's own looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from personvlm.data.rendered.palette import CLOTH, HAIR, LIVELY, RGB, SKIN, stream, vary
from personvlm.schema import NONE, OTHER, UNKNOWN, Values
from personvlm.schema.description import check_values
from personvlm.schema.groups import GROUP

_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "posture": ("sitting", "squatting", "lying", "riding a bicycle", "riding a scooter", "riding a skateboard"),
    "carrying": ("laptop", "stroller", "shopping trolley"),
    "activity": ("smoking", "waiting", "talking", "looking"),
    "visibility": ("partial",),
    "wrist": ("watch",),
}
RENDERABLE: Mapping[str, tuple[str, ...]] = MappingProxyType({
    group.name: tuple(v for v in group.values if v != OTHER and v not in _LEFT_OUT.get(group.name, ()))
    for group in GROUP.values()
})
"""Group -> the values that a picture can show. Every other value is refused."""

FORMAL = frozenset({"suit", "graduation gown"})
ONE_PIECE = frozenset({"dress", "graduation gown"})
"""Garments that hide what is worn below them."""

HELD_BEFORE = frozenset({"folder", "phone", "bottle", "box"})
"""Things held before the body, which hides them from behind."""

_WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "gender": {"male": 5, "female": 5},
    "age": {"child": 1, "young adult": 4, "thirties": 3, "middle-aged": 2, "elderly": 1.4},
    "body": {"thin": 1.5, "normal": 6, "fat": 1.5},
    "headwear": {NONE: 14, "hat": 1.5, "cap": 2, "helmet": 0.5, "headband": 0.4, "headscarf": 0.6},
    "eyewear": {NONE: 7, "glasses": 2, "sunglasses": 1},
    "face": {NONE: 9, "mask": 1},
    "neckwear": {NONE: 9, "scarf": 1, "shawl": 0.3},
    "gloves": {NONE: 14, "gloves": 1},
    "headphones": {NONE: 14, "headphones": 1},
    "upper.pattern": {"plain": 9, "plaid": 1.5, "thin stripes": 1, "thick stripes": 1.2, "logo": 1.2, "floral": 0.4,
                      "spotted": 0.4},
    "upper.color": {"black": 24, "white": 13, "gray": 12, "blue": 9, "dark blue": 8, "light blue": 5, "red": 9,
                    "green": 6, "brown": 6, "yellow": 4, "orange": 3, "purple": 4, "pink": 4, "beige": 5,
                    "multicolored": 1},
    "lower.color": {"black": 24, "dark blue": 10, "blue": 10, "gray": 12, "beige": 7, "brown": 6, "white": 4,
                    "green": 2, "light blue": 2, "red": 2},
    "footwear.color": {"black": 12, "brown": 5, "white": 5, "gray": 3, "red": 1, "blue": 1},
    "posture": {"standing": 5, "walking": 6, "running": 0.3},
    "activity": {"": 20, "making a phone call": 1, "arms crossed": 0.7, "hands behind back": 0.7},
    "view": {"front": 5, "back": 4, "side": 3},
    "carrying": {NONE: 9, "backpack": 4, "messenger bag": 2.5, "shoulder bag": 1.5, "handbag": 2, "plastic bag": 2,
                 "paper bag": 0.6, "suitcase": 1, "luggage": 0.3, "briefcase": 0.7, "folder": 0.4, "phone": 0.5,
                 "bottle": 0.5, "umbrella": 0.4, "box": 0.5},
})
_GARMENTS = {"t-shirt": 5.0, "shirt": 3.0, "sweater": 2.5, "hoodie": 2.0, "jacket": 4.5, "suit": 1.5, "coat": 2.0,
             "padded coat": 2.0, "vest": 0.8}
_SLEEVES: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "t-shirt": {"short": 9, "long": 1, "sleeveless": 0.6}, "dress": {"sleeveless": 2, "short": 2, "long": 2},
    "vest": {"sleeveless": 2, "long": 2}, "shirt": {"long": 3, "short": 2}, "blouse": {"long": 2, "short": 2},
})
_LOWER = {"trousers": 5.0, "jeans": 5.0, "sweatpants": 1.0, "shorts": 1.2}
_SHOES = {"sneakers": 4.0, "casual shoes": 2.0, "shoes": 2.0, "leather shoes": 1.2, "boots": 1.2, "sandals": 0.6}


def check(values: Values) -> None:
    """Refuse what cannot be drawn.

    Raises:
        ValueError: an unknown group, an illegal value, two values of an exclusive group, or a value without a drawing.
    """
    for name, given in values.items():
        check_values(name, given)
        if GROUP[name].kind == "exclusive" and len(given) > 1:
            raise ValueError(f"{name!r} takes one value, not {', '.join(given)}")
        for value in given:
            if value != UNKNOWN and value not in RENDERABLE[name]:
                legal = ", ".join(RENDERABLE[name])
                raise ValueError(f"the renderer cannot draw {value!r} of {name!r}; it can draw: {legal}")


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    names, shares = list(weights), np.array(list(weights.values()))
    return names[int(np.searchsorted(np.cumsum(shares), rng.random() * shares.sum(), side="right"))]


def _weights(name: str, known: Mapping[str, tuple[str, ...]]) -> Mapping[str, float]:
    """How likely each value of a group is, given the groups that are decided already."""
    female, age = known["gender"] == ("female",), known.get("age", ("",))[0]
    upper, lower = known.get("upper.garment", ("",))[0], known.get("lower.garment", ("",))[0]
    if name == "hair.length":
        bald = 0.0 if female or age == "child" else 2.5 if age in ("elderly", "middle-aged") else 0.4
        return {"short": 2.5, "long": 7.0} if female else {"short": 9.0, "long": 0.3, "bald": bald}
    if name == "hair.color":
        if age == "elderly":
            return {"gray": 5, "white": 3}
        return {"black": 5, "brown": 3, "blond": 1.2, "red": 0.4, "gray": 1.0 if age == "middle-aged" else 0.0}
    if name == "upper.garment":
        return {**_GARMENTS, "blouse": 2.0, "dress": 2.0} if female else _GARMENTS
    if name == "upper.sleeve":
        return _SLEEVES.get(upper, {"long": 1.0})
    if name == "upper.pattern" and upper in {"suit", "padded coat", "graduation gown", "chef uniform", "vest", "coat"}:
        return {"plain": 1.0}
    if name == "upper.pattern" and upper == "jacket":
        return {"plain": 9.0, "plaid": 0.5, "logo": 0.7}
    if name == "upper.neckline":
        collar = upper in {"shirt", "coat", "suit", "jacket", "chef uniform", "padded coat"}
        return {"collar": 1.0} if collar else {"round": 2.5, "v-neck": 1.0}
    if name in ("upper.style", "lower.style"):
        return {"formal": 1.0} if upper in FORMAL or lower == "suit trousers" else {"casual": 1.0}
    if name == "neckwear" and upper == "suit":
        return {"tie": 5.0, NONE: 2.0} if not female else {NONE: 1.0}
    if name == "headwear" and female:
        return {**_WEIGHTS[name], "headscarf": 1.2}
    if name == "lower.garment":
        if upper == "suit":
            return {"suit trousers": 1.0}
        more = {"short skirt": 1.5, "long skirt": 1.2, "leggings": 1.5, "hot pants": 0.5, "capri pants": 0.5}
        return {**_LOWER, **more} if female else {**_LOWER, "capri pants": 0.2}
    if name == "lower.color" and lower == "jeans":
        return {"blue": 4.0, "dark blue": 4.0, "light blue": 1.5, "black": 2.0, "gray": 1.0}
    if name == "footwear.type":
        if upper in FORMAL or lower == "suit trousers":
            return {"leather shoes": 1.0}
        return {**_SHOES, "heels": 1.5} if female and age != "child" else _SHOES
    if name == "upper.color" and upper == "chef uniform":
        return {"white": 1.0}
    return _WEIGHTS.get(name, {NONE: 1.0})


_ORDER = ("gender", "age", "body", "hair.length", "hair.color", "upper.garment", "upper.sleeve", "upper.pattern",
          "upper.neckline", "upper.color", "lower.garment", "upper.style", "lower.style", "lower.color",
          "footwear.type", "footwear.color", "headwear", "eyewear", "face", "neckwear", "gloves", "headphones",
          "carrying", "posture", "activity", "view")


def complete(values: Values, seed: int) -> dict[str, tuple[str, ...]]:
    """Every drawn group with a value: the given ones, and plausible ones of ``seed`` for the rest."""
    known = {name: given for name, given in values.items() if given and given != (UNKNOWN,)}
    known.setdefault("gender", (_pick(stream(seed, "gender"), _WEIGHTS["gender"]),))
    for name in _ORDER:
        if name in known:
            continue
        rng = stream(seed, name)
        value = _pick(rng, _weights(name, known))
        known[name] = (value,) if value else ()
        if name == "upper.color" and known["upper.pattern"][0] in ("plaid", "thin stripes", "thick stripes"):
            second = "white" if value not in ("white", "beige", "light blue", "yellow", "pink") else "dark blue"
            known[name] = (value, second if rng.random() < 0.6 or value == "black" else "black")
    return known


def random_person(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    """A plausible person that :func:`render` shows: only groups that can be seen from the drawn side have a value.

    ``none`` is given where absence can be seen. A set names its most specific values only ("dark blue", not "blue").
    """
    return visible(complete({}, int(rng.integers(2**31))))


def visible(values: Values) -> dict[str, tuple[str, ...]]:
    """Drop groups that cannot be seen: the face from behind, hair under a headscarf, trousers under a gown."""
    view, headwear, upper = values["view"][0], values["headwear"][0], values["upper.garment"][0]
    hidden: set[str] = {name for name, given in values.items() if not given}
    if view == "back":
        hidden |= {"eyewear", "face", "upper.neckline"} | ({"neckwear"} if values["neckwear"][0] == "tie" else set())
    if view == "back" and HELD_BEFORE & set(values["carrying"]):
        hidden |= {"carrying"}
    if {"back": "arms crossed", "front": "hands behind back"}.get(view) in values["activity"]:
        hidden |= {"activity"}
    if view == "side":
        hidden |= {"upper.neckline"}
    if headwear in ("headscarf", "hood", "helmet"):
        hidden |= {"hair.color", "hair.length", "headphones"}
    if values["hair.length"][0] == "bald":
        hidden |= {"hair.color"}
    if upper in ONE_PIECE:
        hidden |= {"lower.garment", "lower.color", "lower.style"}
    return {name: given for name, given in values.items() if name not in hidden}


@dataclass(frozen=True)
class Looks:
    """Paint and small choices of one person; the same for a seed whatever the view and the phase."""

    skin: RGB
    hair: RGB
    upper: tuple[RGB, RGB]
    lower: tuple[RGB, RGB]
    shoes: RGB
    inner: RGB
    bag: RGB
    accent: RGB
    open_front: bool
    bag_side: int
    spread: float
    seed: int

    @classmethod
    def build(cls, values: Values, seed: int) -> Looks:
        """From complete ``values``."""

        def cloth(group: str) -> tuple[RGB, RGB]:
            # A parent beside its leaf ("blue", "dark blue") is one color, not two.
            names = [v for v in values[group] if not set(GROUP[group].parents.get(v, ())) & set(values[group])]
            first, second = (vary(CLOTH[name], stream(seed, group + name)) for name in (names[0], names[-1]))
            return first, second

        rng = stream(seed, "looks")
        lower = cloth("lower.color")
        if values["lower.garment"][0] == "jeans" and lower[0][2] > lower[0][0] + 30:
            lower = (_denim(lower[0]), lower[1])
        tone = SKIN[int(rng.integers(len(SKIN)))]
        bags = ("black", "brown", "dark blue", "gray", "red", "green", "beige", "blue")
        inner = ("white", "gray", "light blue", "black", "white")[int(rng.integers(5))]
        if values["upper.color"][0] == inner:
            inner = "white" if inner != "white" else "gray"
        return cls(
            skin=vary(tone, rng, 3.0), hair=vary(HAIR[values["hair.color"][0]], rng, 5.0), upper=cloth("upper.color"),
            lower=lower, shoes=cloth("footwear.color")[0], inner=vary(CLOTH[inner], rng),
            bag=vary(CLOTH[bags[int(rng.integers(len(bags)))]], rng), accent=LIVELY[int(rng.integers(len(LIVELY)))],
            open_front=bool(rng.random() < 0.5), bag_side=1 if rng.random() < 0.5 else -1,
            spread=float(rng.random()), seed=seed,
        )


def _denim(blue: RGB) -> RGB:
    """The duller blue of denim."""
    gray = sum(blue) / 3.0
    red, green, rest = (int(value + (gray - value) * 0.3) for value in blue)
    return red, green, rest
