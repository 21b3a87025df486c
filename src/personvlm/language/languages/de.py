"""The words of German; how they are written down stands in ``german.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "schwarz", "white": "weiß", "gray": "grau", "blue": "blau", "red": "rot", "green": "grün",
    "brown": "braun", "yellow": "gelb", "orange": "orangefarben", "purple": "violett", "pink": "rosafarben",
    "beige": "beigefarben", "dark blue": "dunkelblau", "light blue": "hellblau", "dark": "dunkel", "light": "hell",
    "multicolored": "bunt",
}  # fmt: skip
_STYLES = {"casual": "lässig", "formal": "elegant"}

TABLE = Table(
    words={
        "body": {"thin": "schlank", "normal": "von durchschnittlicher Statur", "fat": "korpulent"},
        "hair.length": {"bald": "glatzköpfig", "short": "kurz", "long": "lang"},
        "hair.color": {"black": "schwarz", "brown": "braun", "blond": "blond", "gray": "grau", "white": "weiß",
                       "red": "rot"},
        "headwear": {"none": "m Hut", "hat": "m Hut", "cap": "f Kappe", "helmet": "m Helm", "hood": "f Kapuze",
                     "headband": "n Stirnband", "headscarf": "n Kopftuch"},
        "eyewear": {"none": "f Brille", "glasses": "f Brille", "sunglasses": "f Sonnenbrille"},
        "face": {"none": "f Maske", "mask": "f Maske"},
        "neckwear": {"none": "m Schal", "scarf": "m Schal", "shawl": "n Schultertuch", "tie": "f Krawatte"},
        "gloves": {"none": "p Handschuhe", "gloves": "p Handschuhe"},
        "headphones": {"none": "p Kopfhörer", "headphones": "p Kopfhörer"},
        "wrist": {"none": "f Armbanduhr", "watch": "f Armbanduhr"},
        "upper.garment": {
            "t-shirt": "n T-Shirt", "shirt": "n Hemd", "blouse": "f Bluse", "sweater": "m Pullover",
            "hoodie": "m Kapuzenpullover", "jacket": "f Jacke", "suit": "m Anzug", "coat": "m Mantel",
            "padded coat": "m Steppmantel", "vest": "f Weste", "dress": "n Kleid", "graduation gown": "m Talar",
            "chef uniform": "f Kochuniform",
        },
        "upper.sleeve": {"sleeveless": "ärmellos", "short": "kurzärmelig", "long": "langärmelig"},
        "upper.pattern": {
            "plain": "einfarbig", "plaid": "kariert", "thin stripes": "fein gestreift",
            "thick stripes": "breit gestreift", "logo": "mit Logo", "floral": "geblümt", "spotted": "gepunktet",
            "striped": "gestreift",
        },
        "upper.neckline": {"v-neck": "mit V-Ausschnitt", "round": "mit rundem Ausschnitt", "collar": "mit Kragen"},
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "f Hose", "jeans": "f Jeans", "suit trousers": "f Anzughose", "leggings": "p Leggings",
            "sweatpants": "f Jogginghose", "shorts": "p Shorts", "hot pants": "p Hotpants",
            "capri pants": "f Caprihose", "short skirt": "m Minirock", "long skirt": "m Maxirock", "skirt": "m Rock",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "p Schuhe", "leather shoes": "p Lederschuhe", "casual shoes": "p Freizeitschuhe",
            "sneakers": "p Turnschuhe", "boots": "p Stiefel", "sandals": "p Sandalen", "slippers": "p Hausschuhe",
            "heels": "p Absatzschuhe", "stockings": "p Strümpfe",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "trägt nichts bei sich", "backpack": "m Rucksack", "messenger bag": "f Kuriertasche",
            "shoulder bag": "f Umhängetasche", "handbag": "f Handtasche", "plastic bag": "f Plastiktüte",
            "paper bag": "f Papiertüte", "suitcase": "m Koffer", "luggage": "n0 Gepäck", "briefcase": "f Aktentasche",
            "bag": "f Tasche", "folder": "f Mappe", "laptop": "m Laptop", "phone": "n Telefon", "bottle": "f Flasche",
            "umbrella": "m Regenschirm", "box": "m Karton", "stroller": "m Kinderwagen",
            "shopping trolley": "m Einkaufswagen",
        },
        "posture": {
            "standing": "steht", "walking": "geht", "running": "rennt", "sitting": "sitzt", "squatting": "hockt",
            "lying": "liegt", "riding a bicycle": "fährt Fahrrad", "riding a scooter": "fährt Roller",
            "riding a skateboard": "fährt Skateboard",
        },
        "activity": {
            "making a phone call": "telefoniert", "smoking": "raucht",
            "hands behind back": "den Händen hinter dem Rücken|die Hände hinter dem Rücken",
            "arms crossed": "verschränkten Armen|die Arme verschränkt", "waiting": "wartet",
            "talking": "unterhält sich", "looking": "sieht sich um",
        },
        "view": {"front": "von vorn gesehen", "back": "von hinten gesehen", "side": "von der Seite gesehen"},
        "visibility": {"full": "vollständig sichtbar", "partial": "teilweise sichtbar"},
    },
    persons={
        (None, None): "f |Person|", (None, "male"): "m |Mann|", (None, "female"): "f |Frau|",
        ("child", None): "n |Kind|", ("child", "male"): "m |Jungen|", ("child", "female"): "n |Mädchen|",
        ("young adult", None): "f jung|Person|", ("young adult", "male"): "m jung|Mann|",
        ("young adult", "female"): "f jung|Frau|",
        ("adult", None): "f erwachsen|Person|", ("adult", "male"): "m erwachsen|Mann|",
        ("adult", "female"): "f erwachsen|Frau|",
        ("thirties", None): "f |Person|in den Dreißigern", ("thirties", "male"): "m |Mann|in den Dreißigern",
        ("thirties", "female"): "f |Frau|in den Dreißigern",
        ("middle-aged", None): "f |Person|mittleren Alters", ("middle-aged", "male"): "m |Mann|mittleren Alters",
        ("middle-aged", "female"): "f |Frau|mittleren Alters",
        ("elderly", None): "f älter|Person|", ("elderly", "male"): "m älter|Mann|",
        ("elderly", "female"): "f älter|Frau|",
    },
    generic={"upper": "n Oberteil", "lower": "n Unterteil", "footwear": "p Schuhe"},
)  # fmt: skip
