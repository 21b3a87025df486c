"""The words of Spanish; how they are written down stands in ``romance.py``."""

from __future__ import annotations

from personvlm.language.languages.base import Table

_COLORS = {
    "black": "negro/negra/negros/negras", "white": "blanco/blanca/blancos/blancas", "gray": "gris/grises",
    "blue": "azul/azules", "red": "rojo/roja/rojos/rojas", "green": "verde/verdes", "brown": "marrón/marrones",
    "yellow": "amarillo/amarilla/amarillos/amarillas", "orange": "naranja/naranjas",
    "purple": "morado/morada/morados/moradas", "pink": "rosa/rosas", "beige": "beis", "dark blue": "azul oscuro",
    "light blue": "azul claro", "dark": "oscuro/oscura/oscuros/oscuras", "light": "claro/clara/claros/claras",
    "multicolored": "multicolor/multicolores",
}  # fmt: skip
_STYLES = {"casual": "informal/informales", "formal": "formal/formales"}

TABLE = Table(
    words={
        "body": {"thin": "complexión delgada", "normal": "complexión media", "fat": "complexión corpulenta"},
        "hair.length": {"bald": "calvo/calva/calvos/calvas", "short": "corto", "long": "largo"},
        "hair.color": {"black": "negro", "brown": "castaño", "blond": "rubio", "gray": "canoso", "white": "blanco",
                       "red": "pelirrojo"},
        "headwear": {"none": "sombrero", "hat": "m sombrero", "cap": "f gorra", "helmet": "m casco",
                     "hood": "f capucha", "headband": "f cinta|para el pelo", "headscarf": "m pañuelo|en la cabeza"},
        "eyewear": {"none": "gafas", "glasses": "fp gafas", "sunglasses": "fp gafas|de sol"},
        "face": {"none": "mascarilla", "mask": "f mascarilla"},
        "neckwear": {"none": "bufanda", "scarf": "f bufanda", "shawl": "m chal", "tie": "f corbata"},
        "gloves": {"none": "guantes", "gloves": "mp guantes"},
        "headphones": {"none": "auriculares", "headphones": "mp auriculares"},
        "wrist": {"none": "reloj", "watch": "m reloj"},
        "upper.garment": {
            "t-shirt": "f camiseta", "shirt": "f camisa", "blouse": "f blusa", "sweater": "m suéter",
            "hoodie": "f sudadera|con capucha", "jacket": "f chaqueta", "suit": "m traje", "coat": "m abrigo",
            "padded coat": "m abrigo acolchado", "vest": "m chaleco", "dress": "m vestido",
            "graduation gown": "f toga de graduación", "chef uniform": "m uniforme de cocina",
        },
        "upper.sleeve": {"sleeveless": "sin mangas", "short": "de manga corta", "long": "de manga larga"},
        "upper.pattern": {
            "plain": "liso/lisa/lisos/lisas", "plaid": "de cuadros", "thin stripes": "de rayas finas",
            "thick stripes": "de rayas anchas", "logo": "con un logotipo", "floral": "de flores",
            "spotted": "de lunares", "striped": "de rayas",
        },
        "upper.neckline": {"v-neck": "con cuello de pico", "round": "con cuello redondo", "collar": "con cuello"},
        "upper.style": _STYLES,
        "upper.color": _COLORS,
        "lower.garment": {
            "trousers": "mp pantalones", "jeans": "mp vaqueros", "suit trousers": "mp pantalones de traje",
            "leggings": "fp mallas", "sweatpants": "mp pantalones de chándal", "shorts": "mp pantalones cortos",
            "hot pants": "mp pantalones muy cortos", "capri pants": "mp pantalones pirata",
            "short skirt": "f falda corta", "long skirt": "f falda larga", "skirt": "f falda",
        },
        "lower.style": _STYLES,
        "lower.color": _COLORS,
        "footwear.type": {
            "shoes": "mp zapatos", "leather shoes": "mp zapatos de cuero", "casual shoes": "mp zapatos informales",
            "sneakers": "fp zapatillas de deporte", "boots": "fp botas", "sandals": "fp sandalias",
            "slippers": "fp pantuflas", "heels": "mp zapatos de tacón", "stockings": "fp medias",
        },
        "footwear.color": _COLORS,
        "carrying": {
            "none": "no lleva nada consigo", "backpack": "f mochila", "messenger bag": "f bandolera",
            "shoulder bag": "m bolso de hombro", "handbag": "m bolso de mano", "plastic bag": "f bolsa de plástico",
            "paper bag": "f bolsa de papel", "suitcase": "f maleta", "luggage": "m0 equipaje",
            "briefcase": "m maletín",
            "bag": "f bolsa", "folder": "f carpeta", "laptop": "m ordenador portátil", "phone": "m teléfono",
            "bottle": "f botella", "umbrella": "m paraguas", "box": "f caja", "stroller": "m cochecito de bebé",
            "shopping trolley": "m carro de la compra",
        },
        "posture": {
            "standing": "está de pie", "walking": "camina", "running": "corre",
            "sitting": "está sentado/está sentada/están sentados/están sentadas", "squatting": "está en cuclillas",
            "lying": "está tumbado/está tumbada/están tumbados/están tumbadas", "riding a bicycle": "va en bicicleta",
            "riding a scooter": "va en escúter", "riding a skateboard": "va en monopatín",
        },
        "activity": {
            "making a phone call": "habla por teléfono", "smoking": "fuma",
            "hands behind back": "|con las manos a la espalda", "arms crossed": "|con los brazos cruzados",
            "waiting": "espera", "talking": "conversa", "looking": "mira a su alrededor",
        },
        "view": {"front": "visto de frente/vista de frente//", "back": "visto de espaldas/vista de espaldas//",
                 "side": "visto de perfil/vista de perfil//"},
        "visibility": {"full": "totalmente visible", "partial": "parcialmente visible"},
    },
    persons={
        (None, None): "f persona", (None, "male"): "m hombre", (None, "female"): "f mujer",
        ("child", None): "f persona menor de edad", ("child", "male"): "m niño", ("child", "female"): "f niña",
        ("young adult", None): "f persona|joven", ("young adult", "male"): "m hombre|joven",
        ("young adult", "female"): "f mujer|joven",
        ("adult", None): "f persona|adulta", ("adult", "male"): "m hombre|adulto",
        ("adult", "female"): "f mujer|adulta",
        ("thirties", None): "f persona||treinta y tantos años",
        ("thirties", "male"): "m hombre||treinta y tantos años",
        ("thirties", "female"): "f mujer||treinta y tantos años",
        ("middle-aged", None): "f persona||mediana edad", ("middle-aged", "male"): "m hombre||mediana edad",
        ("middle-aged", "female"): "f mujer||mediana edad",
        ("elderly", None): "f persona|mayor", ("elderly", "male"): "m hombre|mayor",
        ("elderly", "female"): "f mujer|mayor",
    },
    generic={"upper": "f prenda superior", "lower": "f prenda inferior", "footwear": "m0 calzado"},
)  # fmt: skip
