"""Clothing Attribute and CCP: labels to annotations and back."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from personvlm.schema import NONE, OTHER
from personvlm.schema.mappings import ccp, clothing_attribute

DATA = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data")
needs_data = pytest.mark.skipif(not (DATA / "ccp/all.jsonl").is_file(), reason="PERSONVLM_ASSETS has no data/ccp")


def fields(**given: int | None) -> dict[str, int | None]:
    return {**dict.fromkeys(clothing_attribute.FIELDS), **given}


def worn(*tags: str) -> dict[str, frozenset[str]]:
    return {group: fact.present for group, fact in ccp.to_annotations(tags).known.items()}


def test_disagreement_is_not_absence() -> None:
    assert not clothing_attribute.to_annotations(fields()).known
    known = clothing_attribute.to_annotations(fields(scarf=1)).known["neckwear"]
    assert known.present == {NONE, "tie"}
    assert clothing_attribute.to_annotations(fields(scarf=1, necktie=1)).known["neckwear"].present == {NONE}
    assert clothing_attribute.to_annotations(fields(scarf=2)).known["neckwear"].present == {"scarf"}


def test_clothing_attribute_colors_with_and_without_a_field() -> None:
    no = dict.fromkeys(("black", "blue", "brown", "cyan", "gray", "green", "purple", "red", "white", "yellow"), 1)
    color = clothing_attribute.to_annotations(fields(**{**no, "many_colors": 1, "red": 2})).known["upper.color"]
    assert color.present == {"red"}
    assert {"black", "blue", "dark blue", "light blue", "multicolored"} <= color.absent
    assert not {"pink", "orange", "beige"} & color.absent, "no field asks for these"
    cyan = clothing_attribute.to_annotations(fields(**{**no, "many_colors": 1, "cyan": 2})).known["upper.color"]
    assert not {"blue", "green", "light blue"} & (cyan.absent | cyan.present)
    many = clothing_attribute.to_annotations(fields(**{**no, "many_colors": 2})).known["upper.color"]
    assert (many.present, many.absent) == ({"multicolored"}, frozenset())


def test_clothing_attribute_neckline_and_category_depend_on_other_fields() -> None:
    assert clothing_attribute.to_annotations(fields(neckline=1, collar=1)).known["upper.neckline"].present == {"v-neck"}
    assert clothing_attribute.to_annotations(fields(neckline=2, collar=2)).known["upper.neckline"].present == {"collar"}
    assert "upper.neckline" not in clothing_attribute.to_annotations(fields()).known
    his = clothing_attribute.to_annotations(fields(category=1, gender=1)).known["upper.garment"]
    hers = clothing_attribute.to_annotations(fields(category=1, gender=2)).known["upper.garment"]
    assert (his.present, hers.present) == ({"shirt"}, {"shirt", "blouse"})


def test_clothing_attribute_refuses_codes_and_fields_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="'gender' is 3"):
        clothing_attribute.to_annotations(fields(gender=3))
    with pytest.raises(ValueError, match="no field 'black'"):
        clothing_attribute.to_annotations({})


def test_clothing_attribute_back_to_fields() -> None:
    labels = clothing_attribute.to_labels({
        "gender": ("female",), "upper.garment": ("jacket",), "upper.color": ("dark blue", "pink"),
        "upper.pattern": ("striped",), "neckwear": ("tie",), "upper.neckline": ("collar",)})  # fmt: skip
    assert (labels["gender"], labels["category"], labels["collar"]) == (2, 4, 2)
    assert (labels["necktie"], labels["scarf"]) == (2, 1)
    assert (labels["blue"], labels["red"], labels["black"]) == (2, 2, 1)
    assert (labels["pattern_stripe"], labels["pattern_solid"]) == (2, 1)
    assert labels["sleevelength"] is None


def single(annotations: Any) -> dict[str, tuple[str, ...]]:
    """What is known for sure, as values: sets, and exclusive groups with one admissible value."""
    return {group: tuple(fact.present) for group, fact in annotations.known.items()
            if fact.present and (fact.absent or len(fact.present) == 1)}  # fmt: skip


@needs_data
def test_real_clothing_attribute_rows_survive_the_way_back() -> None:
    compared: Counter[str] = Counter()
    for line in (DATA / "clothing_attribute/all.jsonl").read_text().splitlines():
        labels = json.loads(line)["labels"]
        back = clothing_attribute.to_labels(single(clothing_attribute.to_annotations(labels)))
        for field in ("gender", "sleevelength", "category", "red", "black", "necktie", "scarf"):
            if labels[field] is not None and back[field] is not None:
                compared[field] += 1
                # two field pairs may be set at once and are held as an open choice, never as the wrong one
                assert back[field] == labels[field], (field, labels)
    assert all(compared[field] > 100 for field in ("gender", "sleevelength", "category", "red", "necktie", "scarf"))


def test_ccp_describes_the_outermost_layer() -> None:
    assert worn("coat", "sweater", "shirt")["upper.garment"] == {"coat", "padded coat"}
    assert worn("blazer", "t-shirt")["upper.garment"] == {"jacket", "suit"}
    assert worn("vest", "shirt")["upper.garment"] == {"vest"}
    assert worn("suit", "shirt", "pants")["upper.garment"] == {"suit", "jacket"}
    assert {"trousers", "suit trousers"} < worn("suit", "shirt", "pants")["lower.garment"]
    assert worn("skirt", "leggings")["lower.garment"] == {"short skirt", "long skirt"}
    assert "lower.garment" not in worn("dress", "leggings")
    assert worn("romper")["upper.garment"] == {OTHER}
    assert "footwear.type" not in worn("shoes")
    assert worn("pumps")["footwear.type"] == {"heels"}


def test_ccp_silence_is_absence_where_pictures_showed_so() -> None:
    known = ccp.to_annotations(["dress"]).known
    assert known["headwear"].present == {NONE}
    assert known["eyewear"].present == {NONE, "glasses"}
    assert {"bag", "backpack"} <= known["carrying"].absent
    assert NONE not in known["carrying"].present, "a phone has no tag"
    assert known["wrist"].present == {NONE}, "a label that is only positive would teach that everybody wears one"
    assert "gender" not in known
    assert "carrying" not in ccp.to_annotations(["dress", "accessories"]).known
    clutch = ccp.to_annotations(["wallet"]).known["carrying"]
    assert (clutch.present, clutch.absent) == ({"bag"}, {NONE})


def test_ccp_refuses_tags_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="'tuxedo' is not a tag"):
        ccp.to_annotations(["tuxedo"])


@needs_data
def test_real_ccp_rows_survive_the_way_back() -> None:
    groups: Counter[str] = Counter()
    for line in (DATA / "ccp/all.jsonl").read_text().splitlines():
        tags = set(json.loads(line)["tags"])
        annotations = ccp.to_annotations(tags)
        groups.update(list(annotations.known))
        said = {group: values for group, values in single(annotations).items() if group != "footwear.type"}
        extra = ccp.tags_of(said) - tags - {"bag", "sweater"}
        assert not extra, "cardigan is a sweater, purse a bag; nothing else is added"
    assert groups["upper.garment"] > 2000
    assert groups["footwear.type"] > 900
