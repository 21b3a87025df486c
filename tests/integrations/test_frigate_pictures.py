from __future__ import annotations

import numpy as np
import pytest
from frigate_server import Tracked

from personvlm.integrations.frigate_events import from_database, parse
from personvlm.integrations.frigate_pictures import cut, names, short
from personvlm.schema import Attribute, PersonDescription

PERSON, STREET = 200, 20
BOXES = [(600, 200, 700, 500), (0, 0, 80, 240), (1200, 500, 1280, 720), (10, 300, 60, 420), (300, 10, 600, 715),
         (640, 360, 660, 420)]  # fmt: skip


def scene(box: tuple[int, int, int, int], frame: tuple[int, int] = (1280, 720)) -> Tracked:
    image = np.full((frame[1], frame[0], 3), STREET, np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = PERSON
    return Tracked("1.0-a", "gate", image, box)


@pytest.mark.parametrize("box", BOXES)
def test_the_person_is_cut_out_of_the_square(box: tuple[int, int, int, int]) -> None:
    one = scene(box)
    found = cut(one.square(), tuple(map(float, box)), (1280, 720))  # type: ignore[arg-type]
    person = (found == PERSON).all(-1)
    assert person.sum() == (box[2] - box[0]) * (box[3] - box[1])  # all of the person
    assert person.mean() > 0.75  # and little else


@pytest.mark.parametrize("box", BOXES)
def test_the_person_is_cut_out_of_a_whole_frame(box: tuple[int, int, int, int]) -> None:
    found = cut(scene(box).frame, tuple(map(float, box)), (1280, 720))  # type: ignore[arg-type]
    person = (found == PERSON).all(-1)
    assert person.sum() == (box[2] - box[0]) * (box[3] - box[1])
    assert person.mean() > 0.75


def test_without_the_size_of_the_frame_the_middle_of_the_square_is_taken() -> None:
    one = scene(BOXES[0])
    assert ((cut(one.square(), (600.0, 200.0, 700.0, 500.0), None) == PERSON).all(-1)).mean() > 0.75


def test_a_square_higher_than_the_frame_is_still_understood() -> None:
    one = scene((300, 5, 600, 475), (640, 480))
    assert one.square().shape[:2] == (480, 516)
    assert (cut(one.square(), (300.0, 5.0, 600.0, 475.0), (640, 480)) == PERSON).all(-1).mean() > 0.75


def test_what_fits_nothing_is_left_as_it_is() -> None:
    odd = np.zeros((123, 77, 3), np.uint8)
    assert cut(odd, (600.0, 200.0, 700.0, 500.0), (1280, 720)) is odd
    assert cut(odd, None, None) is odd


def said(**values: tuple[str, float] | tuple[tuple[str, ...], float]) -> PersonDescription:
    attributes = {name.replace("_", "."): Attribute(value=value, confidence=sure) for name, (value, sure)
                  in values.items()}  # fmt: skip
    return PersonDescription(text="…", attributes=attributes)


def test_short_labels() -> None:
    look = said(gender=("male", 0.9), upper_color=(("red", "black"), 0.8), upper_garment=("coat", 0.75),
                lower_garment=("jeans", 0.7), headwear=("none", 0.2), carrying=(("backpack",), 0.6))  # fmt: skip
    assert short(look) == ("man, red and black coat, jeans, backpack", 0.6)
    assert short(said(gender=("female", 0.9), age=("child", 0.8))) == ("girl", 0.8)
    assert short(said(age=("child", 0.8))) == ("child", 0.8)
    assert short(PersonDescription(text="")) == ("person", 1.0)
    bottoms = said(gender=("female", 0.9), lower_color=(("blue",), 0.8), carrying=(("backpack", "bag"), 0.7))
    assert short(bottoms) == ("woman, blue bottoms, backpack", 0.7)
    assert names(look) == ["backpack", "black", "coat", "jeans", "male", "red"]


def test_a_label_never_has_more_than_100_characters() -> None:
    many = ("backpack", "messenger bag", "shoulder bag", "handbag", "plastic bag", "paper bag", "suitcase", "umbrella",
            "shopping trolley")  # fmt: skip
    label, _ = short(said(carrying=(many, 0.9), upper_garment=("graduation gown", 0.5)))
    assert len(label) <= 100
    assert label.endswith(", umbrella") or label.split(", ")[-1] in many


def test_messages_and_rows_say_the_same() -> None:
    one = scene(BOXES[0])
    import json

    live, row = parse(json.dumps(one.message("new")).encode()), from_database(one.listed(), (1280, 720))
    assert live is not None
    assert live.box == row.box == (600.0, 200.0, 700.0, 500.0)
    assert (live.event, live.camera, live.start, live.kept, live.area) == (row.event, row.camera, row.start, row.kept,
                                                                           row.area)  # fmt: skip


@pytest.mark.parametrize("change", [{"label": "car"}, {"false_positive": True}])
def test_others_are_none_of_our_business(change: dict[str, object]) -> None:
    import json

    message = scene(BOXES[0]).message("new")
    message["after"] = message["after"] | change
    assert parse(json.dumps(message).encode()) is None


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"{}", b'{"type": "new", "after": {"label": "person"}}', b"\xff",
                b'{"after": {}, "type": 1}',
                b'{"type": "new", "after": {"label": "person", "id": 7, "camera": "x", "start_time": 1}}',
                b'{"type": "new", "after": {"label": "person", "id": "7", "camera": "x", "start_time": []}}',
                b'{"type": "new", "after": {"label": "person", "id": "7", "camera": "x", "start_time": 1, '
                b'"box": [1, 1, Infinity, 90]}}'],
)  # fmt: skip
def test_broken_messages_are_value_errors(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse(payload)
