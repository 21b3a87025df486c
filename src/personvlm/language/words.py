"""One table of words: what the realiser says, what the parser understands, what the constraint allows.

A phrase plays one of three parts. A *fact* states its values wherever it stands ("walking", "backpack"). A *noun*
is the head of a region of the body ("jacket", "hair") and takes the adjectives before it. An *adjective* ("black",
"long-sleeved") waits for a noun and fills the slot of that noun's region: ``color`` before "jeans" is
``lower.color``. ``{his}`` in a phrase stands for any possessive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Said:
    """Ways to say one value: the canonical one, and what the realiser may say instead."""

    canonical: str
    paraphrases: tuple[str, ...] = ()

    @property
    def spoken(self) -> tuple[str, ...]:
        """Everything that the realiser may say."""
        return (self.canonical, *self.paraphrases)


def _said(canonical: str, paraphrases: str = "") -> Said:
    return Said(canonical, parts(paraphrases))


def parts(text: str) -> tuple[str, ...]:
    """Phrases separated by bars."""
    return tuple(part.strip() for part in text.split("|") if part.strip())


REGIONS = ("hair", "upper", "lower", "footwear")
"""Regions whose nouns take adjectives; ``f"{region}.{slot}"`` is the group that an adjective fills."""

GENERIC: Mapping[str, Said] = MappingProxyType({
    "hair": _said("hair"),
    "upper": _said("top"),
    "lower": _said("bottoms"),
    "footwear": _said("footwear"),
})  # fmt: skip
"""The noun of a region where the garment is not known."""

NOUNS: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "upper.garment": {
        "t-shirt": _said("t-shirt", "tee"),
        "shirt": _said("shirt", "button-up shirt"),
        "blouse": _said("blouse"),
        "sweater": _said("sweater", "pullover"),
        "hoodie": _said("hoodie", "sweatshirt"),
        "jacket": _said("jacket"),
        "suit": _said("suit"),
        "coat": _said("coat", "overcoat"),
        "padded coat": _said("padded coat", "padded jacket"),
        "vest": _said("vest"),
        "dress": _said("dress"),
        "graduation gown": _said("graduation gown", "academic gown"),
        "chef uniform": _said("chef uniform"),
    },
    "lower.garment": {
        "trousers": _said("trousers", "pants"),
        "jeans": _said("jeans", "denim pants"),
        "suit trousers": _said("suit trousers", "suit pants"),
        "leggings": _said("leggings"),
        "sweatpants": _said("sweatpants", "track pants"),
        "shorts": _said("shorts"),
        "hot pants": _said("hot pants"),
        "capri pants": _said("capri pants", "cropped pants"),
        "short skirt": _said("short skirt", "mini skirt"),
        "long skirt": _said("long skirt", "maxi skirt"),
        "skirt": _said("skirt"),
    },
    "footwear.type": {
        "shoes": _said("shoes"),
        "leather shoes": _said("leather shoes", "dress shoes"),
        "casual shoes": _said("casual shoes"),
        "sneakers": _said("sneakers", "running shoes"),
        "boots": _said("boots"),
        "sandals": _said("sandals"),
        "slippers": _said("slippers"),
        "heels": _said("heels", "high heels"),
        "stockings": _said("stockings"),
    },
})  # fmt: skip

ADJECTIVES: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "length": {
        "short": _said("short"),
        "long": _said("long"),
    },
    "color": {
        "black": _said("black"),
        "white": _said("white"),
        "gray": _said("gray"),
        "blue": _said("blue"),
        "red": _said("red"),
        "green": _said("green"),
        "brown": _said("brown"),
        "yellow": _said("yellow"),
        "orange": _said("orange"),
        "purple": _said("purple"),
        "pink": _said("pink"),
        "beige": _said("beige"),
        "dark blue": _said("dark blue", "navy | navy blue"),
        "light blue": _said("light blue", "pale blue"),
        "dark": _said("dark", "dark-colored"),
        "light": _said("light", "light-colored"),
        "multicolored": _said("multicolored", "colorful"),
    },
    "hair color": {
        "blond": _said("blond"),
    },
    "sleeve": {
        "sleeveless": _said("sleeveless"),
        "short": _said("short-sleeved", "short-sleeve"),
        "long": _said("long-sleeved", "long-sleeve"),
    },
    "pattern": {
        "plain": _said("plain"),
        "plaid": _said("plaid", "checkered"),
        "thin stripes": _said("thin-striped"),
        "thick stripes": _said("thick-striped"),
        "floral": _said("floral"),
        "spotted": _said("spotted"),
        "striped": _said("striped"),
    },
    "neckline": {
        "v-neck": _said("v-neck"),
        "round": _said("round-neck"),
        "collar": _said("collared"),
    },
    "style": {
        "casual": _said("casual"),
        "formal": _said("formal"),
    },
})  # fmt: skip
"""Slot -> value -> words. ``hair color`` adds what only hair can be to ``color``."""

FACTS: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "body": {
        "thin": _said("slim", "thin"),
        "normal": _said("average build", "normal build"),
        "fat": _said("heavyset", "stout"),
    },
    "hair.length": {
        "bald": _said("bald", "bald head"),
        "short": _said("short-haired"),
        "long": _said("long-haired"),
    },
    "hair.color": {
        "black": _said("black-haired"),
        "brown": _said("brown-haired"),
        "blond": _said("blond-haired"),
        "gray": _said("gray-haired"),
        "white": _said("white-haired"),
        "red": _said("red-haired"),
    },
    "headwear": {
        "hat": _said("hat"),
        "cap": _said("cap", "baseball cap"),
        "helmet": _said("helmet"),
        "hood": _said("hood"),
        "headband": _said("headband", "hair band"),
        "headscarf": _said("headscarf"),
    },
    "eyewear": {
        "glasses": _said("glasses", "eyeglasses"),
        "sunglasses": _said("sunglasses"),
    },
    "face": {"mask": _said("mask", "face mask")},
    "neckwear": {
        "scarf": _said("scarf", "muffler"),
        "shawl": _said("shawl"),
        "tie": _said("tie", "necktie"),
    },
    "gloves": {"gloves": _said("gloves")},
    "headphones": {"headphones": _said("headphones")},
    "wrist": {"watch": _said("watch", "wristwatch")},
    "upper.sleeve": {"short": _said("short sleeves"), "long": _said("long sleeves")},
    "upper.pattern": {
        "thin stripes": _said("thin stripes"),
        "thick stripes": _said("thick stripes", "wide stripes"),
        "logo": _said("logo"),
        "plaid": _said("plaid pattern"),
        "floral": _said("floral pattern"),
        "striped": _said("stripes"),
    },
    "upper.neckline": {"v-neck": _said("v-neckline"), "round": _said("round neckline"), "collar": _said("collar")},
    "carrying": {
        "backpack": _said("backpack", "rucksack"),
        "messenger bag": _said("messenger bag"),
        "shoulder bag": _said("shoulder bag"),
        "handbag": _said("handbag", "purse"),
        "plastic bag": _said("plastic bag"),
        "paper bag": _said("paper bag"),
        "suitcase": _said("suitcase"),
        "luggage": _said("luggage"),
        "briefcase": _said("briefcase"),
        "bag": _said("bag"),
        "folder": _said("folder"),
        "laptop": _said("laptop"),
        "phone": _said("phone"),
        "bottle": _said("bottle"),
        "umbrella": _said("umbrella"),
        "box": _said("box"),
        "stroller": _said("stroller"),
        "shopping trolley": _said("shopping trolley", "shopping cart"),
    },
    "posture": {
        "standing": _said("standing"),
        "walking": _said("walking"),
        "running": _said("running"),
        "sitting": _said("sitting"),
        "squatting": _said("squatting", "crouching"),
        "lying": _said("lying down"),
        "riding a bicycle": _said("riding a bicycle", "riding a bike"),
        "riding a scooter": _said("riding a scooter"),
        "riding a skateboard": _said("riding a skateboard"),
    },
    "activity": {
        "making a phone call": _said("making a phone call", "talking on the phone"),
        "smoking": _said("smoking"),
        "hands behind back": _said("{his} hands behind {his} back"),
        "arms crossed": _said("{his} arms crossed", "{his} arms folded"),
        "waiting": _said("waiting"),
        "talking": _said("talking"),
        "looking": _said("looking around"),
    },
    "view": {
        "front": _said("from the front", "facing the camera"),
        "back": _said("from the back", "from behind | facing away from the camera"),
        "side": _said("from the side"),
    },
    "visibility": {
        "full": _said("fully visible"),
        "partial": _said("partially visible", "partly visible"),
    },
})  # fmt: skip

PERSONS: Mapping[tuple[str | None, str | None], Said] = MappingProxyType({
    (None, None): _said("person"),
    (None, "male"): _said("male", "man"),
    (None, "female"): _said("female", "woman"),
    ("child", None): _said("child"),
    ("child", "male"): _said("male child", "boy"),
    ("child", "female"): _said("female child", "girl"),
    ("young adult", None): _said("young adult", "young person"),
    ("young adult", "male"): _said("young adult male", "young adult man | young man | young male"),
    ("young adult", "female"): _said("young adult female", "young adult woman | young woman | young female"),
    ("adult", None): _said("adult"),
    ("adult", "male"): _said("adult male", "adult man"),
    ("adult", "female"): _said("adult female", "adult woman"),
    ("middle-aged", None): _said("middle-aged person", "middle-aged adult"),
    ("middle-aged", "male"): _said("middle-aged male", "middle-aged man"),
    ("middle-aged", "female"): _said("middle-aged female", "middle-aged woman"),
    ("elderly", None): _said("elderly person", "older person"),
    ("elderly", "male"): _said("elderly male", "elderly man | older man"),
    ("elderly", "female"): _said("elderly female", "elderly woman | older woman"),
    ("thirties", None): _said("{his} thirties"),
})  # fmt: skip
"""(age, gender) -> how to name the person. The thirties are said after the noun: "a male in his thirties"."""

VIEWS: Mapping[str, Said] = MappingProxyType({
    "front": _said("front view"), "back": _said("back view"), "side": _said("side view"),
})  # fmt: skip
"""The view as a noun: "a back view of a man"."""

POSSESSIVES = ("his", "her", "their", "the")
PRONOUNS: Mapping[str, str] = MappingProxyType({
    **dict.fromkeys(("he", "his", "him", "himself", "he's"), "male"),
    **dict.fromkeys(("she", "her", "hers", "herself", "she's"), "female"),
})  # fmt: skip
NEGATIONS = frozenset((
    "no", "not", "without", "none", "never", "neither", "nor", "nothing", "isn't", "aren't", "doesn't", "don't",
    "didn't", "wasn't", "hasn't", "cannot", "can't", "lacks", "lacking",
))  # fmt: skip
"""Words that may turn what follows into its absence."""

OTHERS = frozenset(("another", "other", "others", "someone", "second", "people", "companion", "bystander"))
"""Words that may lead to somebody else, who is not described."""

SCENE = frozenset(("background", "backdrop", "surroundings"))
"""Words that lead away from the person."""

TRIGGERS = frozenset((
    "young", "little", "teenage", "padded", "cotton-padded", "cotton", "puffer", "puffy", "quilted", "riding", "rides",
    "ride", "rode", "bicycle", "bike", "scooter", "motorcycle", "motorbike", "moped", "ear", "talking", "speaking",
    "hooded", "build", "sleeves", "sleeve", "crossed", "folded", "clasped", "positioned", "placed", "mother", "father",
    "son", "daughter", "brother", "sister", "wife", "husband", "mom", "dad", "masculine", "feminine", "lady's", "teen",
    "teenager", "adolescent", "youth", "barefoot", "shirtless",
))  # fmt: skip
"""Words that mean something beyond the phrases of the table, to the parser or to a reader; the constraint lets them
through only inside a phrase that it may say, like negations, others and scene, which it never lets through."""

BREAKS = frozenset((
    "a", "an", "the", "his", "her", "their", "he", "she", "they", "it", "its", "who", "which", "that", "is", "are",
    "was", "has", "have", "wearing", "wears", "with", "of", "on", "in", "at", "to", "from", "over", "under",
    "underneath", "beneath", "by", "near", "while", "carrying", "holding", "appears", "appear", "seems", "but", "as",
    "for", "along", "paired", ".", ";", ":", "(", ")", "!", "?",
))  # fmt: skip
"""Words that end a noun phrase: adjectives before them do not wait any longer."""

ABSENT: Mapping[str, Said] = MappingProxyType({
    "headwear": _said("hat"), "eyewear": _said("glasses"), "face": _said("mask"), "neckwear": _said("scarf"),
    "gloves": _said("gloves"), "headphones": _said("headphones"), "wrist": _said("watch"),
    "carrying": _said("anything"),
})  # fmt: skip
"""Group -> the word whose negation means that the whole group is absent ("no hat")."""
