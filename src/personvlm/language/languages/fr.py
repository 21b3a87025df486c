"""The words of French; how they are written down stands in ``romance.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "noir/noire/noirs/noires", "white": "blanc/blanche/blancs/blanches", "gray": "gris/grise/gris/grises",
    "blue": "bleu/bleue/bleus/bleues", "red": "rouge/rouges", "green": "vert/verte/verts/vertes", "brown": "marron",
    "yellow": "jaune/jaunes", "orange": "orange", "purple": "violet/violette/violets/violettes", "pink": "rose/roses",
    "beige": "beige/beiges", "dark blue": "bleu foncé", "light blue": "bleu clair", "dark": "sombre/sombres",
    "light": "clair/claire/clairs/claires", "multicolored": "multicolore/multicolores",
}  # fmt: skip
_STYLES = {"casual": "décontracté/décontractée/décontractés/décontractées",
           "formal": "habillé/habillée/habillés/habillées"}  # fmt: skip

TABLE = Table(
    words={
        "body": {"thin": "de corpulence mince", "normal": "de corpulence moyenne", "fat": "de forte corpulence"},
        "hair.length": {"bald": "chauve/chauves", "short": "courts", "long": "longs"},
        "hair.color": {"black": "noirs", "brown": "bruns", "blond": "blonds", "gray": "gris", "white": "blancs",
                       "red": "roux"},
        "headwear": {"none": "chapeau", "hat": "m chapeau", "cap": "f casquette", "helmet": "m casque",
                     "hood": "f capuche", "headband": "m bandeau", "headscarf": "m foulard|sur la tête"},
        "eyewear": {"none": "lunettes", "glasses": "fp lunettes", "sunglasses": "fp lunettes|de soleil"},
        "face": {"none": "masque", "mask": "m masque"},
        "neckwear": {"none": "écharpe", "scarf": "f écharpe", "shawl": "m châle", "tie": "f cravate"},
        "gloves": {"none": "gants", "gloves": "mp gants"},
        "headphones": {"none": "écouteurs", "headphones": "mp écouteurs"},
        "wrist": {"none": "montre", "watch": "f montre"},
        "upper.garment": {
            "t-shirt": "m tee-shirt", "shirt": "f chemise", "blouse": "m chemisier", "sweater": "m pull",
            "hoodie": "m sweat|à capuche", "jacket": "f veste", "suit": "m costume", "coat": "m manteau",
            "padded coat": "f doudoune", "vest": "m gilet", "dress": "f robe",
            "graduation gown": "f toge universitaire", "chef uniform": "f tenue de cuisine",
        },
        "upper.sleeve": {"sleeveless": "sans manches", "short": "à manches courtes", "long": "à manches longues"},
        "upper.pattern": {
            "plain": "uni/unie/unis/unies", "plaid": "à carreaux", "thin stripes": "à fines rayures",
            "thick stripes": "à larges rayures", "logo": "avec un logo", "floral": "à fleurs", "spotted": "à pois",
            "striped": "à rayures",
        },
        "upper.neckline": {"v-neck": "à col en V", "round": "à col rond", "collar": "avec un col"},
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "m pantalon", "jeans": "m jean", "suit trousers": "m pantalon de costume",
            "leggings": "m legging", "sweatpants": "m pantalon de survêtement", "shorts": "m short",
            "hot pants": "m mini-short", "capri pants": "m pantacourt", "short skirt": "f jupe courte",
            "long skirt": "f jupe longue", "skirt": "f jupe",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "fp chaussures", "leather shoes": "fp chaussures en cuir",
            "casual shoes": "fp chaussures décontractées", "sneakers": "fp baskets", "boots": "fp bottes",
            "sandals": "fp sandales", "slippers": "fp pantoufles", "heels": "fp chaussures à talons",
            "stockings": "mp bas",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "ne transporte rien", "backpack": "m sac à dos", "messenger bag": "f sacoche",
            "shoulder bag": "m sac à bandoulière", "handbag": "m sac à main", "plastic bag": "m sac en plastique",
            "paper bag": "m sac en papier", "suitcase": "f valise", "luggage": "mp bagages",
            "briefcase": "m porte-documents", "bag": "m sac", "folder": "m dossier",
            "laptop": "m ordinateur portable", "phone": "m téléphone", "bottle": "f bouteille",
            "umbrella": "m parapluie", "box": "f boîte", "stroller": "f poussette",
            "shopping trolley": "m chariot de courses",
        },
        "posture": {
            "standing": "est debout", "walking": "marche", "running": "court",
            "sitting": "est assis/est assise//", "squatting": "est accroupi/est accroupie//",
            "lying": "est allongé/est allongée//", "riding a bicycle": "roule à vélo",
            "riding a scooter": "roule en scooter", "riding a skateboard": "roule en planche à roulettes",
        },
        "activity": {
            "making a phone call": "téléphone", "smoking": "fume", "hands behind back": "|les mains dans le dos",
            "arms crossed": "|les bras croisés", "waiting": "attend", "talking": "parle",
            "looking": "observe les alentours",
        },
        "view": {"front": "vu de face/vue de face//", "back": "vu de dos/vue de dos//",
                 "side": "vu de profil/vue de profil//"},
        "visibility": {"full": "entièrement visible", "partial": "partiellement visible"},
    },
    persons={
        (None, None): "f personne", (None, "male"): "m homme", (None, "female"): "f femme",
        ("child", None): "m enfant", ("child", "male"): "m garçon", ("child", "female"): "f fille",
        ("young adult", None): "f jeune personne", ("young adult", "male"): "m jeune homme",
        ("young adult", "female"): "f jeune femme",
        ("adult", None): "f personne|adulte", ("adult", "male"): "m homme|adulte",
        ("adult", "female"): "f femme|adulte",
        ("thirties", None): "f personne||d'une trentaine d'années",
        ("thirties", "male"): "m homme||d'une trentaine d'années",
        ("thirties", "female"): "f femme||d'une trentaine d'années",
        ("middle-aged", None): "f personne||d'âge moyen", ("middle-aged", "male"): "m homme||d'âge moyen",
        ("middle-aged", "female"): "f femme||d'âge moyen",
        ("elderly", None): "f personne|âgé/âgée/âgés/âgées", ("elderly", "male"): "m homme|âgé/âgée/âgés/âgées",
        ("elderly", "female"): "f femme|âgé/âgée/âgés/âgées",
    },
    generic={"upper": "m haut", "lower": "m bas", "footwear": "fp chaussures"},
)  # fmt: skip
