"""ONVIF's ``bd:HumanBody`` (analytics metadata, namespace ``http://www.onvif.org/ver20/analytics/humanbody``).

Video management systems search recordings by these elements. ONVIF knows less than the schema does: one bag, no
gender, age, hair or headwear, and colors as points of a color space. What has no element is left out on the way there
and not invented on the way back. Element order is that of ONVIF's schema, which is a sequence.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from personvlm.schema.description import Attribute, PersonDescription, Values, values_of
from personvlm.schema.groups import GROUP, NONE

BODY = "http://www.onvif.org/ver20/analytics/humanbody"
SCHEMA = "http://www.onvif.org/ver10/schema"
RGB = "http://www.onvif.org/ver10/colorspace/RGB"
MAX_CHARS = 1_000_000

# Path below HumanBody -> (group, {our value: ONVIF value}). Where several of our values share one of ONVIF, it is read
# as the first of them.
_PATHS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("BodyMetric/BodyShape", "body", {"fat": "Fat", "thin": "Thin"}),
    ("Clothing/Tops/Category", "upper.sleeve", {"long": "LongSleeve", "short": "ShortSleeve",
                                                "sleeveless": "Sleeveless"}),
    ("Clothing/Tops/Grain", "upper.pattern", {"plain": "PureColour", "plaid": "Plaid", "striped": "Stria",
                                              "thin stripes": "Stria", "thick stripes": "Stria", "logo": "Decal"}),
    ("Clothing/Tops/Style", "upper.garment", {"suit": "Tailor", "jacket": "Jacket", "shirt": "Shirt",
                                              "blouse": "Shirt", "sweater": "Sweater", "hoodie": "Sweater",
                                              "coat": "Overcoat", "padded coat": "Overcoat", "dress": "Dress",
                                              "vest": "Vest"}),
    ("Clothing/Bottoms/Style", "lower.garment", {"suit trousers": "FormalPants", "jeans": "Jeans"}),
    ("Clothing/Bottoms/Category", "lower.garment", {
        "trousers": "Trousers", "jeans": "Trousers", "suit trousers": "Trousers", "leggings": "Trousers",
        "sweatpants": "Trousers", "capri pants": "Trousers", "shorts": "Shorts", "hot pants": "Shorts",
        "skirt": "Skirt", "short skirt": "Skirt", "long skirt": "Skirt"}),
    ("Clothing/Shoes/Category", "footwear.type", {"boots": "Boots", "leather shoes": "LeatherShoes",
                                                  "sneakers": "Sneakers", "sandals": "Sandal",
                                                  "slippers": "Slipper"}),
    ("Clothing/Scarf/Wear", "neckwear", {"scarf": "true", "shawl": "true"}),
    ("Clothing/Gloves/Wear", "gloves", {"gloves": "true", NONE: "false"}),
    ("Behaviour/Activity", "posture", {"walking": "Walking", "running": "Running", "squatting": "Squatting",
                                       "sitting": "Sitting", "standing": "Standing", "lying": "Fallen"}),
)  # fmt: skip
_COLOR_PATHS = (("Clothing/Tops/Color", "upper.color"), ("Clothing/Bottoms/Color", "lower.color"),
                ("Clothing/Shoes/Color", "footwear.color"))  # fmt: skip
_BAGS = (("backpack", "Backpack"), ("shoulder bag", "SingleShoulderBag"), ("messenger bag", "SingleShoulderBag"),
         ("bag", "Other"))  # fmt: skip
_BOOLEANS: Mapping[str, str] = MappingProxyType({"true": "true", "1": "true", "false": "false", "0": "false"})
_ORDER: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "HumanBody": ("BodyMetric", "Clothing", "Belonging", "Behaviour"),
    "Clothing": ("Scarf", "Gloves", "Tops", "Bottoms", "Shoes"),
    "Belonging": ("Bag", "Umbrella", "LiftSomething", "Box", "Cart"),
    "Behaviour": ("Smoking", "UsingMobile", "Activity"),
    **dict.fromkeys(("Tops", "Bottoms"), ("Category", "Color", "Grain", "Style")),
    **dict.fromkeys(("Shoes", "Bag", "Cart"), ("Category", "Color")),
})  # fmt: skip
_POINTS: Mapping[str, tuple[int, int, int]] = MappingProxyType({
    "black": (0, 0, 0), "white": (255, 255, 255), "gray": (128, 128, 128), "blue": (0, 0, 255), "red": (220, 20, 30),
    "green": (0, 128, 0), "brown": (120, 70, 30), "yellow": (255, 235, 0), "orange": (255, 140, 0),
    "purple": (128, 0, 128), "pink": (255, 160, 190), "beige": (225, 205, 165), "dark blue": (0, 0, 110),
    "light blue": (130, 190, 240),
})  # fmt: skip


def to_xml(description: PersonDescription) -> str:
    """A ``bd:HumanBody`` element with what ONVIF can express of the description's decided attributes."""
    values = values_of(description.attributes)
    texts: dict[str, str] = {}
    for path, group, names in _PATHS:
        for value in values.get(group, ()):
            if value in names:
                texts[path] = names[value]
    carried, doing = values.get("carrying", ()), values.get("activity", ())
    bag = next((name for value, name in _BAGS if value in carried), None)
    if bag is None and set(carried) & set(GROUP["carrying"].parents["bag"]):
        bag = "Other"
    if bag is not None:
        texts["Belonging/Bag/Category"] = bag
    for value, path, text in (("umbrella", "Belonging/Umbrella", ""), ("box", "Belonging/Box/Lug", "true"),
                              ("stroller", "Belonging/Cart/Category", "BabyCarriage"),
                              ("shopping trolley", "Belonging/Cart/Category", "Other")):  # fmt: skip
        if value in carried:
            texts[path] = text
    if "smoking" in doing:
        texts["Behaviour/Smoking"] = "Other"  # what is smoked is not known
    if "making a phone call" in doing:
        texts["Behaviour/UsingMobile"] = "Other"  # the hand is not known
    ET.register_namespace("bd", BODY)
    ET.register_namespace("tt", SCHEMA)
    root = ET.Element(f"{{{BODY}}}HumanBody")
    for path, text in texts.items():
        _make(root, path).text = text or None
    for path, group in _COLOR_PATHS:
        _add_colors(root, path, values.get(group, ()))
    _sort(root)
    return ET.tostring(root, encoding="unicode")


def from_xml(xml: str) -> PersonDescription:
    """The first ``bd:HumanBody`` in a metadata document, as attributes of source ``given``; the text is empty.

    Raises:
        ValueError: not XML, no such element, longer than a million characters, or a document type declaration (which
            metadata never has, and which could expand without bound).
    """
    if len(xml) > MAX_CHARS:
        raise ValueError(f"ONVIF metadata of {len(xml)} characters; at most {MAX_CHARS} are read")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ValueError("ONVIF metadata with a document type declaration is refused")
    try:
        root = ET.fromstring(xml)
    except ET.ParseError as error:
        raise ValueError(f"ONVIF metadata is not well-formed XML: {error}") from None
    body = next(root.iter(f"{{{BODY}}}HumanBody"), None)
    if body is None:
        raise ValueError(f"no HumanBody element of namespace {BODY}")
    return PersonDescription(text="", attributes={
        group: Attribute(value=values if GROUP[group].kind == "set" else values[0], confidence=1.0, source="given")
        for group, values in _read(body).items()
    })  # fmt: skip


def _read(body: ET.Element) -> Values:
    values: dict[str, tuple[str, ...]] = {}
    for path, group, names in _PATHS:
        text = _text(body, path).replace("FornalPants", "FormalPants")  # ONVIF's schema once had the slip
        if path.endswith("/Wear"):
            text = _BOOLEANS.get(text, "")
        said = next((value for value, name in names.items() if name == text), None)
        if said is not None and group not in values:  # the style of trousers says more than their category
            values[group] = (said,)
    for path, group in _COLOR_PATHS:
        colors = _colors(body, path)
        if colors:
            values[group] = colors
    carried = _carried(body)
    if carried:
        values["carrying"] = carried
    doing = (("smoking", _text(body, "Behaviour/Smoking") not in ("", "NoSmoking")),
             ("making a phone call", _text(body, "Behaviour/UsingMobile") != ""))  # fmt: skip
    if any(held for _, held in doing):
        values["activity"] = tuple(value for value, held in doing if held)
    return values


def _carried(body: ET.Element) -> tuple[str, ...]:
    carried: list[str] = []
    category = _text(body, "Belonging/Bag/Category")
    if body.find(_path("Belonging/Bag")) is not None:
        leaf = next((value for value, name in _BAGS if name == category and value != "bag"), None)
        carried += [leaf, "bag"] if leaf else ["bag"]
    if body.find(_path("Belonging/Umbrella")) is not None:
        carried.append("umbrella")
    if _BOOLEANS.get(_text(body, "Belonging/Box/Lug")) == "true":
        carried.append("box")
    if _text(body, "Belonging/Cart/Category") == "BabyCarriage":
        carried.append("stroller")
    return tuple(carried)


def _path(path: str) -> str:
    return "/".join(f"{{{BODY}}}{name}" for name in path.split("/"))


def _text(body: ET.Element, path: str) -> str:
    return (body.findtext(_path(path)) or "").strip()


def _make(root: ET.Element, path: str) -> ET.Element:
    for name in path.split("/"):
        tag = f"{{{BODY}}}{name}"
        child = root.find(tag)
        root = ET.SubElement(root, tag) if child is None else child
    return root


def _sort(element: ET.Element) -> None:
    name = element.tag.rpartition("}")[2]
    if name in _ORDER:
        element[:] = sorted(element, key=lambda child: _ORDER[name].index(child.tag.rpartition("}")[2]))
    for child in element:
        _sort(child)


def _add_colors(root: ET.Element, path: str, colors: Iterable[str]) -> None:
    points = [_POINTS[color] for color in colors if color in _POINTS]
    if not points:
        return
    parent = _make(root, path)
    for point in points:
        cluster = ET.SubElement(parent, f"{{{SCHEMA}}}ColorCluster")
        ET.SubElement(cluster, f"{{{SCHEMA}}}Color", {**dict(zip("XYZ", map(str, point), strict=True)),
                                                      "Colorspace": RGB})  # fmt: skip


def _colors(body: ET.Element, path: str) -> tuple[str, ...]:
    """Names of the nearest points. Color spaces other than RGB are not read: YCbCr is ONVIF's default."""
    names: list[str] = []
    for color in body.findall(f"{_path(path)}/{{{SCHEMA}}}ColorCluster/{{{SCHEMA}}}Color"):
        if not color.get("Colorspace", "").upper().endswith("RGB"):
            continue
        try:
            point = [float(color.get(axis, "")) for axis in "XYZ"]
        except ValueError:
            point = [math.nan]
        if not all(map(math.isfinite, point)):
            raise ValueError("an ONVIF color whose X, Y or Z is not a number")
        name = min(_POINTS, key=lambda name: sum((a - b) ** 2 for a, b in zip(_POINTS[name], point, strict=True)))
        if name not in names:
            names.append(name)
    return tuple(names)
