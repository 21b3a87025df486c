"""MSP60K's columns: what a zero means, and that columns of values and annotations of columns agree."""

import json
import os
from pathlib import Path

import pytest

from personvlm.schema import GROUP, NONE
from personvlm.schema.mappings import msp60k

ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
CAPTIONS = Path(ASSETS, "data/msp60k/captions.jsonl")


def row(*names: str) -> list[int]:
    assert set(names) <= set(msp60k.COLUMNS)
    return [int(name in names) for name in msp60k.COLUMNS]


def present(*names: str) -> dict[str, frozenset[str]]:
    return {group: fact.present for group, fact in msp60k.to_annotations(row(*names)).known.items()}


def test_adult_is_a_partial_label() -> None:
    assert present("Male", "Adult")["age"] == {"young adult", "thirties", "middle-aged"}
    assert present("Child")["age"] == {"child"}


def test_a_back_view_says_nothing_about_the_face_and_a_front_view_does() -> None:
    assert "face" not in present("Back")
    assert "eyewear" not in present("Back")
    assert present("Front")["face"] == {NONE}
    assert present("Front")["eyewear"] == {NONE}
    assert present("Back", "Glasses")["eyewear"] == {"glasses", "sunglasses"}


def test_hair_is_known_only_where_it_is_seen() -> None:
    nothing = present("Hat")
    assert "hair.color" not in nothing
    assert "hair.length" not in nothing
    assert present("Black hair")["hair.length"] == {"short"}
    assert "black" not in present("Long hair")["hair.color"]
    assert present("Bald")["hair.length"] == {"bald"}


def test_the_outermost_garment_is_described() -> None:
    assert present("Shirt", "Jacket")["upper.garment"] == {"jacket"}
    assert present("Shirt", "Chef uniform")["upper.garment"] == {"chef uniform"}
    assert "upper.garment" not in present("Male")
    assert "lower.garment" not in present("Dress", "Trousers")
    assert present("Jeans", "Short skirt")["lower.garment"] == {"short skirt"}


def test_bags_that_are_not_set_are_absent_but_empty_hands_are_not_claimed() -> None:
    carried = msp60k.to_annotations(row("Male")).known["carrying"]
    assert not carried.present
    assert {"backpack", "bag", "plastic bag"} <= carried.absent
    assert not {NONE, "phone", "umbrella"} & carried.absent
    shoulder = msp60k.to_annotations(row("Shoulder bag")).known["carrying"]
    assert shoulder.present == {"bag"}, "a messenger bag has the same column"
    assert not {"shoulder bag", "messenger bag"} & shoulder.absent


def test_columns_of_states_every_column_from_words() -> None:
    values = {"gender": ("male",), "age": ("thirties",), "headwear": ("cap",), "eyewear": ("sunglasses",),
              "upper.garment": ("padded coat",), "lower.garment": ("jeans",), "footwear.type": ("sneakers",),
              "carrying": ("backpack", "bag"), "posture": ("riding a scooter",)}  # fmt: skip
    stated = msp60k.columns_of(values)
    assert list(stated) == list(msp60k.COLUMNS)
    assert {name for name, held in stated.items() if held} == {
        "Male", "Adult", "Hat", "Glasses", "Cotton-padded coat", "Jeans", "Trousers", "Casual shoes", "Backpack",
        "Riding an scooter"}  # fmt: skip


def test_every_column_can_be_stated_and_every_stated_value_exists() -> None:
    reached = set()
    for group in GROUP.values():
        for value in group.values:
            reached |= {name for name, held in msp60k.columns_of({group.name: (value,)}).items() if held}
    assert reached == set(msp60k.COLUMNS)


@pytest.mark.parametrize("wrong", [[0] * 57, [0] * 59, [2] * 58, [None] * 58])
def test_rows_of_the_wrong_shape_are_refused(wrong: list[int]) -> None:
    with pytest.raises(ValueError, match="58 values of 0 and 1"):
        msp60k.to_annotations(wrong)


@pytest.mark.skipif(not CAPTIONS.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")
def test_real_rows_state_no_column_that_the_row_does_not_have() -> None:
    assert json.loads((CAPTIONS.parent / "columns.json").read_text()) == list(msp60k.COLUMNS)
    recovered = total = 0
    for line in CAPTIONS.read_text().splitlines():
        labels = set(msp60k.labels_of(json.loads(line)["one_hot"]))
        known = msp60k.to_annotations(json.loads(line)["one_hot"]).known
        for group, fact in known.items():
            for value in fact.present:
                stated = {name for name, held in msp60k.columns_of({group: (value,)}).items() if held}
                # Jeans are trousers and are also labelled so in most rows, not in all.
                assert stated - {"Trousers", "Jeans"} <= labels, (group, value)
        first = {group: tuple(sorted(fact.present)) for group, fact in known.items()}
        stated = {name for name, held in msp60k.columns_of(first).items() if held}
        recovered, total = recovered + len(stated & labels), total + len(labels)
    assert recovered / total > 0.96, "columns -> annotations -> columns loses next to nothing"


@pytest.mark.parametrize("column", msp60k.COLUMNS)
def test_values_that_a_column_leaves_open_state_no_other_column(column: str) -> None:
    group = msp60k.to_annotations(row(column)).known
    for name, fact in group.items():
        for value in fact.present:
            stated = {other for other, held in msp60k.columns_of({name: (value,)}).items() if held}
            assert stated <= {column, "Trousers", "Jeans"}
