"""One table of words: what the realiser says, what the parser understands, what the constraint allows.

A phrase plays one of three parts. A *fact* states its values wherever it stands ("walking", "backpack"). A *noun*
is the head of a region of the body ("jacket", "hair") and takes the adjectives before it. An *adjective* ("black",
"long-sleeved") waits for a noun and fills the slot of that noun's region: ``color`` before "jeans" is
``lower.color``. ``{his}`` in a phrase stands for any possessive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from personvlm.language.tokens import split
from personvlm.schema.groups import GROUP

Part = Literal["fact", "noun", "adjective"]
Fact = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """Ways to say one value: the canonical one, what the realiser may say instead, and what only the parser knows."""

    canonical: str
    paraphrases: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()

    @property
    def spoken(self) -> tuple[str, ...]:
        """Everything that the realiser may say."""
        return (self.canonical, *self.paraphrases)


def _said(canonical: str, paraphrases: str = "", synonyms: str = "") -> Said:
    def parts(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split("|") if part.strip())

    return Said(canonical, parts(paraphrases), parts(synonyms))


REGIONS = ("hair", "upper", "lower", "footwear")
"""Regions whose nouns take adjectives; ``f"{region}.{slot}"`` is the group that an adjective fills."""

GENERIC: Mapping[str, Said] = MappingProxyType({
    "hair": _said("hair", "", "hairstyle | ponytail | braids | braid | bun | pigtails | bob | haircut"),
    "upper": _said("top", "", "tops | upper garment | upper clothing | upper body | upper body clothing | clothing | clothes | outfit"),
    "lower": _said("bottoms", "", "bottom | lower garment | lower clothing | lower body clothing | lower body"),
    "footwear": _said("footwear", "", "footgear"),
})  # fmt: skip
"""The noun of a region where the garment is not known."""

NOUNS: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "upper.garment": {
        "t-shirt": _said("t-shirt", "tee", "tshirt | t-shirts | tee-shirt | tank top | jersey | undershirt"),
        "shirt": _said("shirt", "button-up shirt", "polo shirt | dress shirt | button-down shirt | button-down | button-up | polo | collared shirt | shirts"),
        "blouse": _said("blouse"),
        "sweater": _said("sweater", "pullover", "jumper | cardigan | turtleneck | knitwear | sweaters"),
        "hoodie": _said("hoodie", "sweatshirt", "hooded sweatshirt | hoody"),
        "jacket": _said("jacket", "", "blazer | windbreaker | hooded jacket | bomber jacket | denim jacket | leather jacket | jackets | raincoat jacket"),
        "suit": _said("suit", "", "suit jacket | suit and tie | business suit | tuxedo"),
        "coat": _said("coat", "overcoat", "trench coat | raincoat | parka | outer coat | coats"),
        "padded coat": _said("padded coat", "padded jacket", "cotton-padded coat | cotton-padded jacket | cotton padded coat | cotton padded jacket | cotton-padded clothes | puffer jacket | puffer coat | puffy jacket | puffy coat | down jacket | down coat | quilted jacket | quilted coat | quilted coat | puffer"),
        "vest": _said("vest", "", "waistcoat | vests | gilet"),
        "dress": _said("dress", "", "gown | sundress | dresses | one-piece dress"),
        "graduation gown": _said("graduation gown", "academic gown", "graduation robe | academic robe | graduation gowns | academic regalia | graduation attire"),
        "chef uniform": _said("chef uniform", "", "chef's uniform | chef coat | chef's coat | chef jacket | chef's jacket | chef's whites | chef whites | chef outfit"),
    },
    "lower.garment": {
        "trousers": _said("trousers", "pants", "slacks | khakis | trouser | pant | chinos | long pants | cargo pants"),
        "jeans": _said("jeans", "denim pants", "denims | denim trousers | jean | denim jeans"),
        "suit trousers": _said("suit trousers", "suit pants", "dress pants | dress trousers"),
        "leggings": _said("leggings", "", "tights | yoga pants"),
        "sweatpants": _said("sweatpants", "track pants", "joggers | jogging pants | sweat pants | tracksuit bottoms"),
        "shorts": _said("shorts", "", "short pants | denim shorts | cargo shorts | bermudas"),
        "hot pants": _said("hot pants", "", "short shorts | hotpants"),
        "capri pants": _said("capri pants", "cropped pants", "capris | capri trousers | cropped trousers"),
        "short skirt": _said("short skirt", "mini skirt", "miniskirt | mini-skirt"),
        "long skirt": _said("long skirt", "maxi skirt", "ankle-length skirt | floor-length skirt"),
        "skirt": _said("skirt", "", "skirts"),
    },
    "footwear.type": {
        "shoes": _said("shoes", "", "shoe"),
        "leather shoes": _said("leather shoes", "dress shoes", "oxfords | loafers | formal shoes | brogues"),
        "casual shoes": _said("casual shoes", "", "casual footwear | casual shoe"),
        "sneakers": _said("sneakers", "running shoes", "trainers | sneaker | sports shoes | athletic shoes | tennis shoes | sport shoes"),
        "boots": _said("boots", "", "boot | ankle boots"),
        "sandals": _said("sandals", "", "sandal | flip-flops | flip flops | slides"),
        "slippers": _said("slippers", "", "slipper"),
        "heels": _said("heels", "high heels", "high-heeled shoes | stilettos | high-heels | pumps"),
        "stockings": _said("stockings", "", "pantyhose | stocking"),
    },
})  # fmt: skip

ADJECTIVES: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "length": {
        "short": _said("short", "", "short-length | shoulder-length-or-shorter | cropped | close-cropped"),
        "long": _said("long", "", "waist-length"),
    },
    "color": {
        "black": _said("black", "", "jet-black | black-colored | blackish | jet black"),
        "white": _said("white", "", "off-white | white-colored | whitish | off white"),
        "gray": _said("gray", "", "grey | greyish | grayish | silver | charcoal | gray-colored | grey-colored | dark gray | dark grey | light gray | light grey | dark-gray | light-gray | light-grey | dark-grey | charcoal gray"),
        "blue": _said("blue", "", "blue-colored | bluish | royal blue | bright blue | medium blue | cobalt | denim blue"),
        "red": _said("red", "", "red-colored | reddish | maroon | burgundy | crimson | scarlet | dark red | bright red | dark-red | wine-red | wine red"),
        "green": _said("green", "", "green-colored | greenish | olive | olive green | dark green | light green | dark-green | light-green | teal | lime | mint | bright green | turquoise"),
        "brown": _said("brown", "", "brown-colored | brownish | dark brown | light brown | dark-brown | light-brown | chestnut | coffee-colored"),
        "yellow": _said("yellow", "", "yellow-colored | yellowish | mustard | gold | golden | bright yellow | light yellow"),
        "orange": _said("orange", "", "orange-colored | orangish | bright orange | coral"),
        "purple": _said("purple", "", "violet | lavender | purple-colored | purplish | dark purple | light purple | lilac | plum"),
        "pink": _said("pink", "", "pink-colored | pinkish | hot pink | light pink | light-pink | bright pink | rose | magenta"),
        "beige": _said("beige", "", "khaki | tan | cream | cream-colored | khaki-colored | tan-colored | beige-colored | light beige | ivory | camel"),
        "dark blue": _said("dark blue", "navy | navy blue", "dark-blue | navy-blue | deep blue | darker blue"),
        "light blue": _said("light blue", "pale blue", "light-blue | sky blue | sky-blue | baby blue | pale-blue"),
        "dark": _said("dark", "dark-colored", "darker | dark-toned | dark-coloured | darkly colored | darker-colored"),
        "light": _said("light", "light-colored", "lighter | light-toned | light-coloured | lighter-colored | pale"),
        "multicolored": _said("multicolored", "colorful", "multi-colored | multicoloured | multi-color | multicolor | vibrant-colored"),
    },
    "hair color": {
        "blond": _said("blond", "", "blonde | fair | light blonde | blondish"),
    },
    "sleeve": {
        "sleeveless": _said("sleeveless"),
        "short": _said("short-sleeved", "short-sleeve", "short sleeved | short sleeve | half-sleeved"),
        "long": _said("long-sleeved", "long-sleeve", "long sleeved | long sleeve"),
    },
    "pattern": {
        "plain": _said("plain", "", "solid-colored | solid | unpatterned"),
        "plaid": _said("plaid", "checkered", "checked | tartan | gingham"),
        "thin stripes": _said("thin-striped", "", "pinstriped | pinstripe"),
        "thick stripes": _said("thick-striped", "", "wide-striped | broad-striped"),
        "floral": _said("floral", "", "flowered | flower-patterned | floral-print | floral-patterned"),
        "spotted": _said("spotted", "", "polka-dot | polka dot | polka-dotted | dotted"),
        "striped": _said("striped", "", "stripy"),
    },
    "neckline": {
        "v-neck": _said("v-neck", "", "v-necked"),
        "round": _said("round-neck", "", "crew-neck | round-necked | crewneck"),
        "collar": _said("collared"),
    },
    "style": {
        "casual": _said("casual", "", "informal"),
        "formal": _said("formal", "", "business | dressy"),
    },
})  # fmt: skip
"""Slot -> value -> words. ``hair color`` adds what only hair can be to ``color``."""

FACTS: Mapping[str, Mapping[str, Said]] = MappingProxyType({
    "body": {
        "thin": _said("slim", "thin", "slender | skinny | lean | slim build | thin build | slender build | slim body shape | thin body shape | thin body | slim body"),
        "normal": _said("average build", "normal build", "medium build | average body | normal body | average body shape | normal body shape | normal physique | average physique | average height | medium-build"),
        "fat": _said("heavyset", "stout", "fat | overweight | plump | obese | chubby | heavy-set | stocky | fat body | heavier build | heavy build | large build | fuller figure"),
    },
    "hair.length": {
        "bald": _said("bald", "bald head", "balding | shaved head | hairless | bald-headed"),
        "short": _said("short-haired"),
        "long": _said("long-haired"),
    },
    "hair.color": {
        "black": _said("black-haired", "", "dark-haired"),
        "brown": _said("brown-haired"),
        "blond": _said("blond-haired", "", "blonde-haired"),
        "gray": _said("gray-haired", "", "grey-haired"),
        "white": _said("white-haired"),
        "red": _said("red-haired"),
    },
    "headwear": {
        "hat": _said("hat", "", "beanie | sun hat | straw hat | fedora | bucket hat | hats | knit hat | winter hat | beret | turban | headgear | headwear | head covering | chef's hat | chef hat"),
        "cap": _said("cap", "baseball cap", "visor | caps | graduation cap | mortarboard"),
        "helmet": _said("helmet", "", "hard hat | hardhat | safety hat | helmets"),
        "hood": _said("hood", "", "hood up"),
        "headband": _said("headband", "hair band", "hairband | head band | bandana"),
        "headscarf": _said("headscarf", "", "head scarf | kerchief | hijab | head wrap | head-scarf"),
    },
    "eyewear": {
        "glasses": _said("glasses", "eyeglasses", "spectacles | eyewear | goggles"),
        "sunglasses": _said("sunglasses", "", "shades | dark glasses"),
    },
    "face": {"mask": _said("mask", "face mask", "facemask | surgical mask | medical mask | masks | facial mask | masked")},
    "neckwear": {
        "scarf": _said("scarf", "muffler", "neckerchief | scarves"),
        "shawl": _said("shawl", "", "pashmina"),
        "tie": _said("tie", "necktie", "bow tie | bowtie"),
    },
    "gloves": {"gloves": _said("gloves", "", "glove | mittens | gloved")},
    "headphones": {"headphones": _said("headphones", "", "earphones | headset | earbuds | earbud | headphone")},
    "wrist": {"watch": _said("watch", "wristwatch", "smartwatch | wrist watch")},
    "upper.sleeve": {"short": _said("short sleeves"), "long": _said("long sleeves")},
    "upper.pattern": {
        "thin stripes": _said("thin stripes", "", "pinstripes | narrow stripes"),
        "thick stripes": _said("thick stripes", "wide stripes", "broad stripes | bold stripes"),
        "logo": _said("logo", "", "logos | emblem"),
        "plaid": _said("plaid pattern", "", "checkered pattern | checked pattern"),
        "floral": _said("floral pattern", "", "floral print | flower pattern | floral design"),
        "striped": _said("stripes", "", "striped pattern"),
    },
    "upper.neckline": {"v-neck": _said("v-neckline"), "round": _said("round neckline"), "collar": _said("collar")},
    "carrying": {
        "backpack": _said("backpack", "rucksack", "school bag | schoolbag | backpacks | bookbag | knapsack"),
        "messenger bag": _said("messenger bag", "", "satchel | crossbody bag | cross-body bag | sling bag"),
        "shoulder bag": _said("shoulder bag", "", "tote bag | tote | shoulder bags"),
        "handbag": _said("handbag", "purse", "hand bag | handbags | clutch"),
        "plastic bag": _said("plastic bag", "", "plastic shopping bag | plastic bags | plastic carrier bag | grocery bag | plastic grocery bag | clear plastic bag"),
        "paper bag": _said("paper bag", "", "paper shopping bag | paper bags"),
        "suitcase": _said("suitcase", "", "rolling suitcase | suitcases | trolley case"),
        "luggage": _said("luggage", "", "baggage | luggage bag"),
        "briefcase": _said("briefcase"),
        "bag": _said("bag", "", "bags | laptop bag | shopping bag | duffel bag | gym bag | waist bag | fanny pack | tool bag"),
        "folder": _said("folder", "", "file folder | binder | folders"),
        "laptop": _said("laptop", "", "laptop computer"),
        "phone": _said("phone", "", "cell phone | cellphone | mobile phone | smartphone | mobile | phones"),
        "bottle": _said("bottle", "", "water bottle | bottles"),
        "umbrella": _said("umbrella", "", "parasol | umbrellas"),
        "box": _said("box", "", "cardboard box | boxes | carton"),
        "stroller": _said("stroller", "", "baby carriage | pram | buggy | pushchair"),
        "shopping trolley": _said("shopping trolley", "shopping cart", "trolley"),
    },
    "posture": {
        "standing": _said("standing", "", "stands | stood | upright position"),
        "walking": _said("walking", "", "walks | strolling | mid-stride | strides | striding"),
        "running": _said("running", "", "runs | jogging | sprinting"),
        "sitting": _said("sitting", "", "seated | sits"),
        "squatting": _said("squatting", "crouching", "crouches | crouched | squats | kneeling"),
        "lying": _said("lying down", "", "lying | lies down | lying on the ground"),
        "riding a bicycle": _said("riding a bicycle", "riding a bike", "bicycling | cycling | rides a bicycle | riding bicycle | riding on a bicycle | rides a bike | riding {his} bicycle | ride a bicycle | on a bicycle"),
        "riding a scooter": _said("riding a scooter", "", "riding an electric scooter | riding a motorcycle | riding a motorbike | rides a scooter | riding an scooter | on a scooter | riding a moped | riding a motor scooter | riding an e-scooter"),
        "riding a skateboard": _said("riding a skateboard", "", "skateboarding | rides a skateboard"),
    },
    "activity": {
        "making a phone call": _said("making a phone call", "talking on the phone", "on the phone | on a phone call | talking on a phone | talking on a cell phone | talking on {his} phone | on {his} phone | speaking on the phone | making a call | phone call | phone to {his} ear"),
        "smoking": _said("smoking", "", "smokes | smoking a cigarette | cigarette"),
        "hands behind back": _said("{his} hands behind {his} back", "", "hands behind {his} back | hands clasped behind {his} back | hands are behind {his} back | hands held behind {his} back | arms behind {his} back | hands folded behind {his} back"),
        "arms crossed": _said("{his} arms crossed", "{his} arms folded", "arms crossed | arms folded | crossed arms | folded arms | arms are crossed | arms are folded | crosses {his} arms | crossing {his} arms"),
        "waiting": _said("waiting", "", "waits"),
        "talking": _said("talking", "", "talks | chatting | conversing | speaking"),
        "looking": _said("looking around", "", "looking | looks around | gazing"),
    },
    "view": {
        "front": _said("from the front", "facing the camera", "front view | frontal view | facing forward | faces the camera | facing front | frontal | facing towards the camera | facing toward the camera | front-facing | front profile"),
        "back": _said("from the back", "from behind | facing away from the camera", "back view | rear view | facing away | back of | away from the camera | back to the camera | rear-view | turned away | from the rear | walking away | back is to the camera | back turned | back is turned"),
        "side": _said("from the side", "", "side view | side profile | in profile | sideways | profile view | side-view | profile"),
    },
    "visibility": {
        "full": _said("fully visible", "", "full-body | full body | full-length | full shot | entire body | whole body"),
        "partial": _said("partially visible", "partly visible", "upper half | close-up"),
    },
})  # fmt: skip

PERSONS: Mapping[tuple[str | None, str | None], Said] = MappingProxyType({
    (None, None): _said("person", "", "individual | pedestrian | figure | human"),
    (None, "male"): _said("male", "man", "gentleman | guy | males"),
    (None, "female"): _said("female", "woman", "lady | females"),
    ("child", None): _said("child", "", "kid | toddler | young child | schoolchild | young person child | infant | little child"),
    ("child", "male"): _said("male child", "boy", "young boy | schoolboy | little boy"),
    ("child", "female"): _said("female child", "girl", "young girl | schoolgirl | little girl"),
    ("young adult", None): _said("young adult", "young person", "young individual | young adults"),
    ("young adult", "male"): _said("young adult male", "young adult man | young man | young male", "young gentleman"),
    ("young adult", "female"): _said("young adult female", "young adult woman | young woman | young female", "young lady"),
    ("adult", None): _said("adult", "", "grown-up"),
    ("adult", "male"): _said("adult male", "adult man", "male adult"),
    ("adult", "female"): _said("adult female", "adult woman", "female adult"),
    ("middle-aged", None): _said("middle-aged person", "middle-aged adult", "middle-aged | middle aged"),
    ("middle-aged", "male"): _said("middle-aged male", "middle-aged man", "middle aged man"),
    ("middle-aged", "female"): _said("middle-aged female", "middle-aged woman", "middle aged woman"),
    ("elderly", None): _said("elderly person", "older person", "elderly | senior | older adult | older individual | aged | older | elder | old"),
    ("elderly", "male"): _said("elderly male", "elderly man | older man", "old man | older male"),
    ("elderly", "female"): _said("elderly female", "elderly woman | older woman", "old woman | old lady | older female | older lady"),
    ("thirties", None): _said("{his} thirties", "", "{his} 30s | {his} forties | {his} early forties | {his} late thirties | {his} mid-thirties | {his} early thirties | {his} 40s"),
})  # fmt: skip
"""(age, gender) -> how to name the person. The thirties are said after the noun: "a male in his thirties"."""

POSSESSIVES = ("his", "her", "their", "the")
PRONOUNS: Mapping[str, str] = MappingProxyType({
    **{word: "male" for word in ("he", "his", "him", "himself", "he's")},
    **{word: "female" for word in ("she", "her", "hers", "herself", "she's")},
})  # fmt: skip
NEGATIONS = frozenset((
    "no", "not", "without", "none", "never", "neither", "nor", "nothing", "isn't", "aren't", "doesn't", "don't",
    "didn't", "wasn't", "hasn't", "cannot", "can't", "lacks", "lacking", "unclear", "absent", "barefoot",
))  # fmt: skip
"""Words that may turn what follows into its absence; the constraint never lets them through."""

ABSENT: Mapping[str, Said] = MappingProxyType({
    "headwear": _said("hat"), "eyewear": _said("glasses"), "face": _said("mask"), "neckwear": _said("scarf"),
    "gloves": _said("gloves"), "headphones": _said("headphones"), "wrist": _said("watch"),
    "carrying": _said("anything", "", "nothing"),
})  # fmt: skip
"""Group -> the word whose negation means that the whole group is absent ("no hat")."""


@dataclass(frozen=True)
class Phrase:
    """A sequence of words that means something.

    Attributes:
        words: as :func:`~personvlm.language.tokens.split` gives them.
        part: fact, noun or adjective.
        facts: (group, value) pairs that it states; of an adjective one (slot, value).
        region: of a noun, where its adjectives go.
    """

    words: tuple[str, ...]
    part: Part
    facts: tuple[Fact, ...]
    region: str = ""


def _expand(text: str) -> list[tuple[str, ...]]:
    forms = [text.replace("{his}", word) for word in POSSESSIVES] if "{his}" in text else [text]
    return [tuple(split(form)) for form in forms]


@lru_cache(maxsize=1)
def lexicon() -> Mapping[tuple[str, ...], Phrase]:
    """Every phrase of the table by its words. Gendered possessives inside a phrase ("his thirties") state nothing
    here: pronouns are read by themselves."""
    found: dict[tuple[str, ...], Phrase] = {}

    def add(said: Said, part: Part, facts: tuple[Fact, ...], region: str = "") -> None:
        for text in (*said.spoken, *said.synonyms):
            for words in _expand(text):
                found.setdefault(words, Phrase(words, part, facts, region))

    for (age, gender), said in PERSONS.items():
        facts = (*((("age", age),) if age else ()), *((("gender", gender),) if gender else ()))
        add(said, "fact", facts, "person")
    for group, values in FACTS.items():
        for value, said in values.items():
            add(said, "fact", ((group, value),))
    for group, values in NOUNS.items():
        for value, said in values.items():
            add(said, "noun", ((group, value),), group.split(".")[0])
    for region, said in GENERIC.items():
        add(said, "noun", (), region)
    for slot, values in ADJECTIVES.items():
        for value, said in values.items():
            add(said, "adjective", (("color" if slot == "hair color" else slot, value),))
    return MappingProxyType(found)


def group_of(region: str, slot: str, value: str) -> str | None:
    """The group that an adjective fills before a noun of ``region``, or None where it says nothing there."""
    group = f"{region}.{slot}"
    return group if group in GROUP and value in GROUP[group].values else None
