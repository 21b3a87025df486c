"""ONVIF HumanBody, there and back, and what is refused."""

import pytest

from personvlm.schema import Attribute, PersonDescription, values_of
from personvlm.schema.mappings.onvif import _POINTS, BODY, from_xml, to_xml


def person(**values: str | tuple[str, ...]) -> PersonDescription:
    return PersonDescription(text="", attributes={
        name.replace("_", "."): Attribute(value=value, confidence=0.9) for name, value in values.items()})  # fmt: skip


SEEN = person(
    body="thin", upper_garment="jacket", upper_sleeve="long", upper_pattern="plain", upper_color=("red", "white"),
    lower_garment="jeans", lower_color=("dark blue",), footwear_type="boots", footwear_color=("black",),
    neckwear="scarf", gloves="gloves", carrying=("backpack", "bag", "umbrella"), posture="walking",
    activity=("making a phone call",))  # fmt: skip


def test_what_onvif_can_say_comes_back() -> None:
    again = from_xml(to_xml(SEEN))
    assert values_of(again.attributes) == values_of(SEEN.attributes)
    assert {item.source for item in again.attributes.values()} == {"given"}


def test_what_onvif_cannot_say_is_left_out() -> None:
    xml = to_xml(person(body="normal", gender="male", hair_length="long", headwear="hat", upper_garment="t-shirt"))
    assert not from_xml(xml).attributes
    assert xml == f'<bd:HumanBody xmlns:bd="{BODY}" />'


def test_elements_stand_in_the_order_of_the_schema() -> None:
    xml = to_xml(SEEN)
    names = ["BodyMetric", "Clothing", "Scarf", "Gloves", "Tops", "Category", "Color", "Grain", "Style", "Bottoms",
             "Shoes", "Belonging", "Bag", "Umbrella", "Behaviour", "UsingMobile", "Activity"]  # fmt: skip
    places = [xml.index(f"<bd:{name}") for name in names]
    assert places == sorted(places)


@pytest.mark.parametrize("color", _POINTS)
def test_every_color_comes_back(color: str) -> None:
    attributes = from_xml(to_xml(person(upper_color=(color,)))).attributes
    assert attributes["upper.color"].values == (color,)


def test_a_foreign_document_is_read() -> None:
    xml = f"""<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:b="{BODY}"><tt:Appearance>
      <b:HumanBody><b:Clothing>
        <b:Tops><b:Style>Overcoat</b:Style><b:Color>
          <tt:ColorCluster><tt:Color X="250" Y="10" Z="20" Colorspace="RGB"/></tt:ColorCluster>
          <tt:ColorCluster><tt:Color X="90" Y="1" Z="2"/></tt:ColorCluster></b:Color></b:Tops>
        <b:Bottoms><b:Category>Trousers</b:Category><b:Style>FornalPants</b:Style></b:Bottoms></b:Clothing>
        <b:Behaviour><b:Smoking>NoSmoking</b:Smoking><b:Activity>Flying</b:Activity></b:Behaviour>
      </b:HumanBody></tt:Appearance></tt:MetadataStream>"""
    assert values_of(from_xml(xml).attributes) == {
        "upper.garment": ("coat",), "upper.color": ("red",), "lower.garment": ("suit trousers",)}  # fmt: skip


@pytest.mark.parametrize(("xml", "reason"), [
    ('<!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>', "document type"),
    ("<a>", "well-formed"),
    ("<a/>", "no HumanBody"),
    ("<a>" + "x" * 1_000_001 + "</a>", "at most 1000000"),
    (f'<b:HumanBody xmlns:b="{BODY}" xmlns:t="http://www.onvif.org/ver10/schema"><b:Clothing><b:Tops><b:Color>'
     '<t:ColorCluster><t:Color X="red" Y="1" Z="1" Colorspace="RGB"/></t:ColorCluster>'
     "</b:Color></b:Tops></b:Clothing></b:HumanBody>", "not a number"),
])  # fmt: skip
def test_what_is_no_metadata_is_refused(xml: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_xml(xml)


@pytest.mark.parametrize(("said", "values"), [
    ("true", {"neckwear": ("scarf",), "gloves": ("gloves",), "carrying": ("box",)}),
    (" 1 ", {"neckwear": ("scarf",), "gloves": ("gloves",), "carrying": ("box",)}),
    ("false", {"gloves": ("none",)}), ("0", {"gloves": ("none",)}), ("maybe", {}), ("", {}),
])  # fmt: skip
def test_booleans_are_read_in_every_form_of_xml_schema(said: str, values: dict[str, tuple[str, ...]]) -> None:
    xml = f"""<HumanBody xmlns="{BODY}"><Clothing><Scarf><Wear>{said}</Wear></Scarf><Gloves><Wear>{said}</Wear></Gloves>
      </Clothing><Belonging><Box><Lug>{said}</Lug></Box></Belonging></HumanBody>"""
    assert values_of(from_xml(xml).attributes) == values
