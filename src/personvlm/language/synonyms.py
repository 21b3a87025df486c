"""What only the parser understands: the last column of the table in :mod:`~personvlm.language.words`.

Keys are (group or slot, value) as there, ``("generic", region)`` and ``("person", "age gender")``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SYNONYMS: Mapping[tuple[str, str], str] = MappingProxyType({
    ("generic", "hair"): "hairstyle | ponytail | braids | braid | bun | pigtails | bob | haircut",
    ("generic", "upper"): (
        "tops | upper garment | upper clothing | upper body | upper body clothing | clothing | clothes | outfit"
    ),
    ("generic", "lower"): "bottom | lower garment | lower clothing | lower body clothing | lower body",
    ("generic", "footwear"): "footgear",
    ("upper.garment", "t-shirt"): "tshirt | t-shirts | tee-shirt | tank top | jersey | undershirt",
    ("upper.garment", "shirt"): (
        "polo shirt | dress shirt | button-down shirt | button-down | button-up | polo | shirts"
    ),
    ("upper.garment", "sweater"): "jumper | cardigan | turtleneck | knitwear | sweaters",
    ("upper.garment", "hoodie"): "hooded sweatshirt | hoody",
    ("upper.garment", "jacket"): (
        "blazer | windbreaker | hooded jacket | bomber jacket | denim jacket | leather jacket | jackets | "
        "raincoat jacket"
    ),
    ("upper.garment", "suit"): "suit jacket | suit and tie | business suit | tuxedo",
    ("upper.garment", "coat"): "trench coat | raincoat | parka | outer coat | coats",
    ("upper.garment", "padded coat"): (
        "cotton-padded coat | cotton-padded jacket | cotton padded coat | cotton padded jacket | cotton-padded "
        "clothes | puffer jacket | puffer coat | puffy jacket | puffy coat | down jacket | down coat | quilted "
        "jacket | quilted coat | quilted coat | puffer"
    ),
    ("upper.garment", "vest"): "waistcoat | vests | gilet",
    ("upper.garment", "dress"): "gown | sundress | dresses | one-piece dress",
    ("upper.garment", "graduation gown"): (
        "graduation robe | academic robe | graduation gowns | academic regalia | graduation attire"
    ),
    ("upper.garment", "chef uniform"): (
        "chef's uniform | chef coat | chef's coat | chef jacket | chef's jacket | chef's whites | chef whites | "
        "chef outfit"
    ),
    ("lower.garment", "trousers"): "slacks | khakis | trouser | pant | chinos | long pants | cargo pants",
    ("lower.garment", "jeans"): "denims | denim trousers | jean | denim jeans",
    ("lower.garment", "suit trousers"): "dress pants | dress trousers",
    ("lower.garment", "leggings"): "tights | yoga pants",
    ("lower.garment", "sweatpants"): "joggers | jogging pants | sweat pants | tracksuit bottoms",
    ("lower.garment", "shorts"): "short pants | short trousers | denim shorts | cargo shorts | bermudas",
    ("lower.garment", "hot pants"): "short shorts | hotpants",
    ("lower.garment", "capri pants"): "capris | capri trousers | cropped trousers",
    ("lower.garment", "short skirt"): "miniskirt | mini-skirt",
    ("lower.garment", "long skirt"): "ankle-length skirt | floor-length skirt",
    ("lower.garment", "skirt"): "skirts",
    ("footwear.type", "shoes"): "shoe | walking shoes",
    ("footwear.type", "leather shoes"): "oxfords | loafers | formal shoes | brogues",
    ("footwear.type", "casual shoes"): "casual footwear | casual shoe",
    ("footwear.type", "sneakers"): "trainers | sneaker | sports shoes | athletic shoes | tennis shoes | sport shoes",
    ("footwear.type", "boots"): "boot | ankle boots | walking boots | hiking boots",
    ("footwear.type", "sandals"): "sandal | flip-flops | flip flops | slides",
    ("footwear.type", "slippers"): "slipper",
    ("footwear.type", "heels"): "high-heeled shoes | stilettos | high-heels | pumps",
    ("footwear.type", "stockings"): "pantyhose | stocking",
    ("length", "short"): "short-length | shoulder-length-or-shorter | cropped | close-cropped",
    ("length", "long"): "waist-length",
    ("color", "black"): "jet-black | black-colored | blackish | jet black",
    ("color", "white"): "off-white | white-colored | whitish | off white",
    ("color", "gray"): (
        "grey | greyish | grayish | silver | charcoal | gray-colored | grey-colored | dark gray | dark grey | "
        "light gray | light grey | dark-gray | light-gray | light-grey | dark-grey | charcoal gray"
    ),
    ("color", "blue"): "blue-colored | bluish | royal blue | bright blue | medium blue | cobalt | denim blue",
    ("color", "red"): (
        "red-colored | reddish | maroon | burgundy | crimson | scarlet | dark red | bright red | dark-red | wine- "
        "red | wine red"
    ),
    ("color", "green"): (
        "green-colored | greenish | olive | olive green | dark green | light green | dark-green | light-green | "
        "teal | lime | mint | bright green | turquoise"
    ),
    ("color", "brown"): (
        "brown-colored | brownish | dark brown | light brown | dark-brown | light-brown | chestnut | coffee- "
        "colored"
    ),
    ("color", "yellow"): "yellow-colored | yellowish | mustard | gold | golden | bright yellow | light yellow",
    ("color", "orange"): "orange-colored | orangish | bright orange | coral",
    ("color", "purple"): "violet | lavender | purple-colored | purplish | dark purple | light purple | lilac | plum",
    ("color", "pink"): "pink-colored | pinkish | hot pink | light pink | light-pink | bright pink | rose | magenta",
    ("color", "beige"): (
        "khaki | tan | cream | cream-colored | khaki-colored | tan-colored | beige-colored | light beige | ivory "
        "| camel"
    ),
    ("color", "dark blue"): "dark-blue | navy-blue | deep blue | darker blue",
    ("color", "light blue"): "light-blue | sky blue | sky-blue | baby blue | pale-blue",
    ("color", "dark"): "darker | dark-toned | dark-coloured | darkly colored | darker-colored",
    ("color", "light"): "lighter | light-toned | light-coloured | lighter-colored | pale",
    ("color", "multicolored"): "multi-colored | multicoloured | multi-color | multicolor | vibrant-colored",
    ("hair color", "blond"): "blonde | fair | light blonde | blondish",
    ("sleeve", "short"): "short sleeved | short sleeve | half-sleeved",
    ("sleeve", "long"): "long sleeved | long sleeve",
    ("pattern", "plain"): "solid-colored | solid | unpatterned",
    ("pattern", "plaid"): "checked | tartan | gingham",
    ("pattern", "thin stripes"): "pinstriped | pinstripe",
    ("pattern", "thick stripes"): "wide-striped | broad-striped",
    ("pattern", "floral"): "flowered | flower-patterned | floral-print | floral-patterned",
    ("pattern", "spotted"): "polka-dot | polka dot | polka-dotted | dotted",
    ("pattern", "striped"): "stripy",
    ("neckline", "v-neck"): "v-necked",
    ("neckline", "round"): "crew-neck | round-necked | crewneck",
    ("style", "casual"): "informal",
    ("style", "formal"): "business | dressy",
    ("body", "thin"): (
        "slender | skinny | lean | slim build | thin build | slender build | slim body shape | thin body shape | "
        "thin body | slim body"
    ),
    ("body", "normal"): (
        "medium build | average body | normal body | average body shape | normal body shape | normal physique | "
        "average physique | average height | medium-build"
    ),
    ("body", "fat"): (
        "fat | overweight | plump | obese | chubby | heavy-set | stocky | fat body | heavier build | heavy build "
        "| large build | fuller figure"
    ),
    ("hair.length", "bald"): "balding | shaved head | hairless | bald-headed",
    ("hair.color", "blond"): "blonde-haired",
    ("hair.color", "gray"): "grey-haired",
    ("headwear", "hat"): (
        "beanie | sun hat | straw hat | fedora | bucket hat | hats | knit hat | winter hat | beret | turban | "
        "headgear | headwear | head covering | chef's hat | chef hat"
    ),
    ("headwear", "cap"): "visor | caps | graduation cap | mortarboard",
    ("headwear", "helmet"): "hard hat | hardhat | safety hat | helmets",
    ("headwear", "hood"): "hood up",
    ("headwear", "headband"): "hairband | head band | bandana",
    ("headwear", "headscarf"): "head scarf | kerchief | hijab | head wrap | head-scarf",
    ("eyewear", "glasses"): "spectacles | eyewear",
    ("eyewear", "sunglasses"): "shades | dark glasses",
    ("face", "mask"): (
        "facemask | surgical mask | medical mask | masks | facial mask | face covering | face shield mask"
    ),
    ("neckwear", "scarf"): "neckerchief | scarves",
    ("neckwear", "shawl"): "pashmina",
    ("neckwear", "tie"): "bow tie | bowtie",
    ("gloves", "gloves"): "glove | mittens | gloved",
    ("headphones", "headphones"): "earphones | headset | earbuds | earbud | headphone",
    ("wrist", "watch"): "smartwatch | wrist watch",
    ("upper.pattern", "thin stripes"): "pinstripes | narrow stripes",
    ("upper.pattern", "thick stripes"): "broad stripes | bold stripes",
    ("upper.pattern", "logo"): "logos | emblem",
    ("upper.pattern", "plaid"): "checkered pattern | checked pattern",
    ("upper.pattern", "floral"): "floral print | flower pattern | floral design",
    ("upper.pattern", "striped"): "striped pattern",
    ("carrying", "backpack"): "school bag | schoolbag | backpacks | bookbag | knapsack",
    ("carrying", "messenger bag"): "satchel | crossbody bag | cross-body bag | sling bag",
    ("carrying", "shoulder bag"): "tote bag | tote | shoulder bags",
    ("carrying", "handbag"): "hand bag | handbags | clutch",
    ("carrying", "plastic bag"): (
        "plastic shopping bag | plastic bags | plastic carrier bag | grocery bag | plastic grocery bag | clear "
        "plastic bag"
    ),
    ("carrying", "paper bag"): "paper shopping bag | paper bags",
    ("carrying", "suitcase"): "rolling suitcase | suitcases | trolley case",
    ("carrying", "luggage"): "baggage | luggage bag",
    ("carrying", "bag"): (
        "bags | laptop bag | shopping bag | duffel bag | gym bag | waist bag | fanny pack | tool bag"
    ),
    ("carrying", "folder"): "file folder | binder | folders",
    ("carrying", "laptop"): "laptop computer",
    ("carrying", "phone"): "cell phone | cellphone | mobile phone | smartphone | mobile | phones",
    ("carrying", "bottle"): "water bottle | bottles",
    ("carrying", "umbrella"): "parasol | umbrellas",
    ("carrying", "box"): "cardboard box | boxes | carton",
    ("carrying", "stroller"): "baby carriage | pram | buggy | pushchair",
    ("carrying", "shopping trolley"): "trolley",
    ("posture", "standing"): "stands | stood | upright position",
    ("posture", "walking"): "walks | strolling | mid-stride | strides | striding",
    ("posture", "running"): "runs | jogging | sprinting",
    ("posture", "sitting"): "seated | sits",
    ("posture", "squatting"): "crouches | crouched | squats | kneeling",
    ("posture", "lying"): "lying | lies down | lying on the ground",
    ("posture", "riding a bicycle"): (
        "bicycling | cycling | rides a bicycle | riding bicycle | riding on a bicycle | rides a bike | riding "
        "{his} bicycle | ride a bicycle"
    ),
    ("posture", "riding a scooter"): (
        "riding an electric scooter | riding a motorcycle | riding a motorbike | rides a scooter | riding an "
        "scooter | on a scooter | riding a moped | riding a motor scooter | riding an e-scooter"
    ),
    ("posture", "riding a skateboard"): "skateboarding | rides a skateboard",
    ("activity", "making a phone call"): (
        "on the phone | on a phone call | talking on a phone | talking on a cell phone | talking on a mobile phone | "
        "talking on {his} phone | talking on {his} mobile phone | talking on {his} cell phone | talking on {his} "
        "mobile | talking on {his} smartphone | on {his} phone | on {his} mobile phone | on {his} cell phone | "
        "speaking on the phone | making a call | phone call | phone to {his} ear"
    ),
    ("activity", "smoking"): "smokes | smoking a cigarette | cigarette",
    ("activity", "hands behind back"): (
        "hands {held} behind {his} back | hands {held} behind their backs | arms {held} behind {his} back"
    ),
    ("activity", "arms crossed"): (
        "arms crossed | arms folded | crossed arms | folded arms | arms are crossed | arms are folded | crosses "
        "{his} arms | crossing {his} arms"
    ),
    ("activity", "waiting"): "waits",
    ("activity", "talking"): "talks | chatting | conversing | speaking",
    ("activity", "looking"): "looking | looks around | gazing",
    ("view", "front"): (
        "front view | frontal view | facing forward | faces the camera | facing front | frontal | facing towards "
        "the camera | facing toward the camera | front-facing | front profile"
    ),
    ("view", "back"): (
        "back view | rear view | facing away | shows the back of | back of a | back of an | back of the | back of "
        "one | back of {his} head | person's back | man's back | woman's back | individual's back | away from the "
        "camera | back to the camera | rear-view | turned away | from the rear | back is to the camera | back "
        "turned | back is turned | back slightly turned | back facing the camera | back is facing the camera | "
        "back towards the camera | back toward the camera"
    ),
    ("view", "side"): "side view | side profile | in profile | sideways | profile view | side-view | profile",
    ("visibility", "full"): "full-body | full body | full-length | full shot | entire body | whole body",
    ("visibility", "partial"): "upper half | close-up",
    ("person", ""): "individual | pedestrian | figure | human | person's | individual's",
    ("person", "male"): "gentleman | guy | males | man's | male's | men",
    ("person", "female"): "lady | females | woman's | female's | women",
    ("person", "child"): "child's | children | kid | toddler | young child | schoolchild | infant | little child",
    ("person", "child male"): "boy's | boys | young boy | schoolboy | little boy",
    ("person", "child female"): "girl's | girls | young girl | schoolgirl | little girl",
    ("person", "young adult"): "young individual | young adults",
    ("person", "young adult male"): "young gentleman",
    ("person", "young adult female"): "young lady",
    ("person", "adult"): "grown-up",
    ("person", "adult male"): "male adult",
    ("person", "adult female"): "female adult",
    ("person", "middle-aged"): "middle-aged | middle aged",
    ("person", "middle-aged male"): "middle aged man",
    ("person", "middle-aged female"): "middle aged woman",
    ("person", "elderly"): "elderly | senior | older adult | older individual | elder",
    ("person", "elderly male"): "old man | older male",
    ("person", "elderly female"): "old woman | old lady | older female | older lady",
    ("person", "thirties"): (
        "{his} 30s | {his} forties | {his} early forties | {his} late thirties | {his} mid-thirties | {his} early "
        "thirties | {his} 40s"
    ),
})  # fmt: skip

SEVERAL: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType({
    **dict.fromkeys(("walking away", "walks away", "walking away from the camera"),
                    (("posture", "walking"), ("view", "back"))),
    **dict.fromkeys(("walking towards the camera", "walking toward the camera", "walking forward"),
                    (("posture", "walking"), ("view", "front"))),
    **dict.fromkeys(("running away", "running away from the camera"), (("posture", "running"), ("view", "back"))),
})  # fmt: skip
"""Phrases that state several things at once."""

IGNORED = (
    "on top | top of | top half | top left | top right | top portion | bottom of | bottom left | bottom right | "
    "bottom half | the bottom | light source | red light | green light | traffic light | back of {his} shirt | "
    "back of {his} jacket | back of {his} hand | back of {his} vest | back of the chair | "
    "bag of | box of | walking stick | walking frame | child's hand | child's toy | "
    "hood down"
)
"""Phrases that say nothing although a word inside them would."""
