"""Agreement, by rules that the tables do not know: every garment with every color, and people with what they do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from personvlm.language.languages import realise_in
from personvlm.schema.groups import COLORS, GROUP

GARMENTS = [(region, group, value) for region, group in
            (("upper", "upper.garment"), ("lower", "lower.garment"), ("footwear", "footwear.type"))
            for value in GROUP[group].values if value != "other"]  # fmt: skip

FEMININE = {
    "es": {"t-shirt", "shirt", "blouse", "hoodie", "jacket", "graduation gown", "leggings", "short skirt", "long skirt",
           "skirt", "sneakers", "boots", "sandals", "slippers", "stockings"},
    "fr": {"shirt", "jacket", "padded coat", "dress", "graduation gown", "chef uniform", "short skirt", "long skirt",
           "skirt"},
    "de": {"blouse", "jacket", "vest", "chef uniform", "trousers", "jeans", "suit trousers", "sweatpants",
           "capri pants"},
    "hi": {"t-shirt", "shirt", "hoodie", "jacket", "vest", "dress", "chef uniform", "trousers", "jeans",
           "suit trousers", "leggings", "sweatpants", "shorts", "hot pants", "capri pants", "short skirt", "long skirt",
           "skirt", "sandals", "slippers"},
}  # fmt: skip
"""Of fr and de: those in the singular."""


def worn(lang: str) -> Iterator[tuple[str, str, str, str]]:
    """Region, garment, color, the sentence that says it."""
    for region, group, garment in GARMENTS:
        for color in COLORS:
            text = realise_in({group: (garment,), f"{region}.color": (color,)}, lang)
            yield region, garment, color, re.split(r"(?<=[.。।])\s?", text)[1]


def spanish(color: str, feminine: bool, plural: bool) -> str:
    if color in ("beis", "azul oscuro", "azul claro"):
        return color
    if color.endswith("o"):
        return color[:-1] + ("a" if feminine else "o") + ("s" if plural else "")
    ending = "" if not plural else "s" if color[-1] in "aeiou" else "es"
    return color.replace("ó", "o" if plural else "ó") + ending


def test_spanish_colors_agree_with_the_article() -> None:
    base = dict(zip(COLORS, (
        "negro", "blanco", "gris", "azul", "rojo", "verde", "marrón", "amarillo", "naranja", "morado", "rosa", "beis",
        "azul oscuro", "azul claro", "oscuro", "claro", "multicolor",
    ), strict=True))  # fmt: skip
    for _, garment, color, sentence in worn("es"):
        found = re.match(r"Lleva (un|una|unos|unas) ", sentence)
        assert found, sentence
        feminine, plural = "a" in found[1], found[1].endswith("s")
        assert feminine == (garment in FEMININE["es"]), sentence
        assert re.search(rf" {spanish(base[color], feminine, plural)}( con capucha)?\.$", sentence), sentence


def test_french_colors_agree_with_the_noun() -> None:
    odd = {"white": "blanc blanche blancs blanches", "purple": "violet violette violets violettes",
           "gray": "gris grise gris grises", "brown": "marron", "orange": "orange", "dark blue": "bleu foncé",
           "light blue": "bleu clair", "red": "rouge rouge rouges rouges", "yellow": "jaune jaune jaunes jaunes",
           "pink": "rose rose roses roses", "beige": "beige beige beiges beiges",
           "dark": "sombre sombre sombres sombres", "multicolored": "multicolore multicolore multicolores multicolores",
           }  # fmt: skip
    regular = {"black": "noir", "blue": "bleu", "green": "vert", "light": "clair"}
    for region, garment, color, sentence in worn("fr"):
        found = re.match(r"La personne porte (un|une|des) ", sentence)
        assert found, sentence
        plural = found[1] == "des"
        feminine = region == "footwear" and garment != "stockings" if plural else found[1] == "une"
        if not plural:
            assert feminine == (garment in FEMININE["fr"]), sentence
        if color in regular:
            form = regular[color] + "e" * feminine + "s" * plural
        else:
            forms = odd[color].split(" ")
            form = forms[2 * plural + feminine] if len(forms) == 4 else odd[color]
        assert re.search(rf" {form}( à capuche)?\.$", sentence), sentence


def test_german_endings_follow_the_article() -> None:
    stems = dict(zip(COLORS, (
        "schwarz", "weiß", "grau", "blau", "rot", "grün", "braun", "gelb", "orangefarben", "violett", "rosafarben",
        "beigefarben", "dunkelblau", "hellblau", "dunkl", "hell", "bunt",
    ), strict=True))  # fmt: skip
    ends = {"einen": "en", "eine": "e", "ein": "es", "": "e"}
    for _, garment, color, sentence in worn("de"):
        found = re.fullmatch(r"Die Person trägt ((?:einen|eine|ein)?) ?(\S+) (\S+)\.", sentence)
        assert found, sentence
        assert found[2] == stems[color] + ends[found[1]], sentence
        assert (found[1] == "eine") == (garment in FEMININE["de"]), sentence


def test_german_adjectives_of_every_slot_take_the_ending() -> None:
    values = {"upper.sleeve": ("long",), "upper.pattern": ("plaid",), "upper.style": ("casual",),
              "upper.color": ("white", "blue")}  # fmt: skip
    for garment, said in {"coat": "einen lässigen, langärmeligen, karierten weiß-blauen Mantel",
                          "blouse": "eine lässige, langärmelige, karierte weiß-blaue Bluse",
                          "shirt": "ein lässiges, langärmeliges, kariertes weiß-blaues Hemd"}.items():  # fmt: skip
        assert said in realise_in({**values, "upper.garment": (garment,)}, "de")


def test_hindi_adjectives_and_the_verb_agree_with_the_garment() -> None:
    ends = {"पहना है": "ा", "पहनी है": "ी", "पहनी हैं": "ी", "पहने हैं": "े"}
    agree = {"black": "काल", "blue": "नील", "green": "हर", "brown": "भूर", "yellow": "पील"}
    for _, garment, color, sentence in worn("hi"):
        found = re.fullmatch(r"उसने (.*) (पहना है|पहनी है|पहनी हैं|पहने हैं)।", sentence)
        assert found, sentence
        assert ("पहनी" in found[2]) == (garment in FEMININE["hi"]), sentence
        if color in agree:
            assert found[1].startswith(agree[color] + ends[found[2]] + " "), sentence
        if color in ("dark", "light"):
            assert f"रंग क{ends[found[2]]} " in found[1], sentence


def test_the_hindi_verb_agrees_with_the_last_of_several() -> None:
    values = {"upper.garment": ("coat",), "lower.garment": ("skirt",)}
    assert "कोट और स्कर्ट पहनी है।" in realise_in(values, "hi")
    assert "कोट, स्कर्ट और जूते पहने हैं।" in realise_in({**values, "footwear.type": ("shoes",)}, "hi")


def test_chinese_classifiers_and_colors() -> None:
    for region, garment, color, sentence in worn("zh"):
        found = re.fullmatch(r"该人(身穿|脚穿)一(件|条|套|双)(..色|.色)(.+)。", sentence)
        assert found, sentence
        assert (found[1] == "脚穿") == (found[2] == "双") == (region == "footwear"), sentence
        assert (found[2] == "条") == (region == "lower" or garment == "dress"), sentence
        assert (len(found[3]) == 3) == (color in ("dark blue", "light blue")), sentence


def test_japanese_colors_stand_before_the_noun_and_the_verb_fits_the_body() -> None:
    for region, _, _, sentence in worn("ja"):
        found = re.fullmatch(r"(.+?[いのな])(.+)を(着ている|はいている)。", sentence)
        assert found, sentence
        assert (found[3] == "着ている") == (region == "upper"), sentence


@pytest.mark.parametrize(("lang", "male", "female", "unknown"), [
    ("es", "Está sentado.", "Está sentada.", "Está sentada."),
    ("de", "Er sitzt.", "Sie sitzt.", "Die Person sitzt."),
    ("fr", "Il est assis.", "Elle est assise.", "La personne est assise."),
    ("hi", "वह बैठा है।", "वह बैठी है।", "व्यक्ति बैठा है।"),
    ("zh", "他坐着。", "她坐着。", "该人坐着。"),
    ("ja", "座っている。", "座っている。", "座っている。"),
])  # fmt: skip
def test_what_somebody_does_agrees_with_them(lang: str, male: str, female: str, unknown: str) -> None:
    sitting = {"posture": ("sitting",)}
    assert realise_in({"gender": ("male",), **sitting}, lang).endswith(male)
    assert realise_in({"gender": ("female",), **sitting}, lang).endswith(female)
    assert realise_in(sitting, lang).endswith(unknown)


@pytest.mark.parametrize(("lang", "male", "female"), [
    ("es", "visto de espaldas", "vista de espaldas"), ("fr", "vu de dos", "vue de dos"),
    ("es", "hombre calvo", "mujer calva"), ("hi", "गंजा पुरुष", "गंजी महिला"), ("hi", "औसत शरीर का", "औसत शरीर की"),
])  # fmt: skip
def test_participles_and_adjectives_of_people_agree(lang: str, male: str, female: str) -> None:
    looks = {"view": ("back",), "hair.length": ("bald",), "body": ("normal",)}
    assert male in realise_in({"gender": ("male",), **looks}, lang)
    assert female in realise_in({"gender": ("female",), **looks}, lang)


def test_french_elision() -> None:
    assert realise_in({"neckwear": ("none",)}, "fr", say_absent=True).endswith("La personne ne porte pas d'écharpe.")
    assert realise_in({"face": ("none",)}, "fr", say_absent=True).endswith("La personne ne porte pas de masque.")
