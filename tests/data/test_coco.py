"""COCO files with attributes: whose crops are cut, what attributes mean, and what is refused by name."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.cli import main
from personvlm.data.attribute_names import read_table, translated
from personvlm.data.coco import read_coco
from personvlm.data.readers import READERS, read_samples
from personvlm.data.splits import prepare
from personvlm.schema import Known

Write = Callable[..., Path]


def annotation(number: int, box: list[float], **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 7, "category_id": 3, "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            "attributes": {"gender": "male"}, **more}  # fmt: skip


@pytest.fixture
def coco(tmp_path: Path) -> Write:
    """A scene of 200 by 100 pixels, red on the left and blue on the right, with people in it."""
    pixels: NDArray[np.uint8] = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :100, 0], pixels[:, 100:, 2] = 255, 255
    (tmp_path / "frames").mkdir()
    Image.fromarray(pixels).save(tmp_path / "frames" / "a.png")

    def write(*people: dict[str, Any], **more: Any) -> Path:
        document = {
            "images": [{"id": 7, "file_name": "frames/a.png", "width": 200, "height": 100}],
            "categories": [{"id": 1, "name": "car"}, {"id": 3, "name": "Person"}], "annotations": list(people), **more,
        }  # fmt: skip
        path = tmp_path / "people.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_a_crop_is_cut_from_the_box_with_what_is_known(coco: Write) -> None:
    path = coco(
        annotation(1, [20.0, 20.0, 40.0, 60.0], attributes={"gender": "female", "upper.color": "red; black",
                                                            "occluded": True}, caption="A woman.", track_id=4),
        annotation(2, [120, 20, 40, 60], attributes={"carrying": ["backpack"]}, identity="anna", camera="gate"),
        annotation(3, [0, 0, 50, 50], category_id=1), annotation(4, [0, 0, 90, 90], iscrowd=1),
    )  # fmt: skip
    woman, anna = read_coco(path)
    assert (woman.identity, woman.captions, woman.labels) == ("track 4", ("A woman.",), ())
    assert woman.values == {"gender": ("female",), "upper.color": ("black", "red")}
    assert (anna.identity, anna.labels, anna.source) == ("anna", ("camera=gate",), "coco")
    assert anna.values["carrying"] == ("backpack",)
    for sample, color in ((woman, (255, 0, 0)), (anna, (0, 0, 255))):
        crop = decode(sample.image)
        assert crop.shape == (66, 44, 3)  # the box and a twentieth on each side
        assert np.abs(crop.mean((0, 1)) - color).max() < 4
    assert sorted(path.with_name("people.crops").iterdir()) == sorted([woman.image, anna.image])


def test_a_crop_that_was_cut_is_not_cut_again_unless_the_picture_changes(coco: Write) -> None:
    path = coco(annotation(1, [20, 20, 40, 60]))
    (first,) = read_coco(path)
    before = first.image.stat().st_mtime_ns
    (again,) = read_coco(path)
    assert (again.image, again.image.stat().st_mtime_ns) == (first.image, before)
    Image.new("RGB", (200, 100), "white").save(path.parent / "frames" / "a.png")
    (other,) = read_coco(path)
    assert other.image != first.image
    assert decode(other.image).mean() > 250


def test_a_picture_that_is_one_person_is_used_as_it_is(coco: Write) -> None:
    path = coco(annotation(1, [0, 0, 200, 100]))
    (sample,) = read_coco(path)
    assert sample.image == path.parent / "frames" / "a.png"
    assert not path.with_name("people.crops").exists()


def test_people_of_whom_nothing_is_known_or_to_be_seen_are_left_out(
    coco: Write, caplog: pytest.LogCaptureFixture
) -> None:
    path = coco(annotation(1, [20, 20, 40, 60]), annotation(2, [20, 20, 40, 60], attributes={}),
                annotation(3, [20, 20, 3, 5]), annotation(4, [500, 20, 40, 60]))  # fmt: skip
    with caplog.at_level(logging.WARNING):
        assert len(read_coco(path)) == 1
    assert "1 people of whom nothing is annotated" in caplog.text
    assert "2 people under 8 pixels, or outside" in caplog.text


@pytest.mark.parametrize(
    ("people", "more", "complaint"),
    [
        ([annotation(5, [1, 2, 0, 4])], {}, r"annotation 5: 'bbox' is \[1, 2, 0, 4\]"),
        ([annotation(5, [1, 2, 30, 40], image_id=9)], {}, "annotation 5: 'image_id' is 9"),
        ([annotation(5, [1, 2, 30, 40], attributes={"mood": "good"})], {}, "annotation 5: attribute 'mood'"),
        ([annotation(5, [1, 2, 30, 40], attributes={"gender": "robot"})], {}, "annotation 5: 'robot' is not a value"),
        ([annotation(5, [1, 2, 30, 40], attributes={"gender": 1})], {}, "annotation 5: attribute 'gender' is '1'"),
        ([{"id": 5, "category_id": 3, "bbox": [1, 2, 3, 4]}], {}, "annotation 5: no 'image_id'"),
        ([annotation(5, [1, 2, 30, 40], attributes={})], {}, "none of its 1 people has attributes"),
        ([annotation(5, [1, 2, 30, 40])], {"categories": [{"id": 3, "name": "dog"}]}, "no category .* 'dog'"),
        ([annotation(5, [1, 2, 30, 40])], {"images": [{"id": 7, "file_name": "b.png"}]}, "1 images are missing"),
        ([annotation(5, [1, 2, 30, 40])], {"images": [{"id": 7, "file_name": "frames/a.png", "width": 100,
                                                       "height": 50}]}, "annotation 5: .* 200x100 pixels, not 100x50"),
        ([annotation(5, [1, 2, 30, 40])], {"images": {}}, "not COCO's format"),
        ([annotation(5, [1, 2, 30, 40])], {"images": [{"id": 7, "file_name": "frames/a.png", "width": float("inf"),
                                                       "height": 50}]}, "annotation 5: cannot convert float infinity"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(
    coco: Write, people: list[dict[str, Any]], more: dict[str, Any], complaint: str
) -> None:
    path = coco(*people, **more)
    with pytest.raises(InputError, match=complaint) as refused:
        read_coco(path)
    assert str(path) in str(refused.value)


def test_results_and_broken_files_are_refused(tmp_path: Path) -> None:
    for text, complaint in (("[]", "not COCO's format"), ("{", "line 1: not JSON")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(InputError, match=complaint):
            read_coco(tmp_path / "x.json")
    with pytest.raises(InputError, match="no such file"):
        read_coco(tmp_path / "y.json")


TABLE: dict[str, Any] = {
    "sex": {"M": {"gender": "male"}, "F": {"gender": "female"}, "?": None},
    "backpack": {"true": {"carrying": {"present": ["backpack"]}}, "false": {"carrying": {"absent": ["backpack"]}}},
    "phone": {"true": {"carrying": {"present": ["phone"]}}, "false": {"carrying": {"absent": ["phone"]}}},
    "years": {"0": {"age": "child"}, "1": {"age": ["young adult", "thirties"]}},
    "adult": {"true": {"age": "adult"}},
    "top": "upper.color", "note": None,
}  # fmt: skip


def test_a_table_says_what_attributes_mean() -> None:
    known = translated({"sex": "F", "backpack": True, "phone": False, "years": 1, "top": "red", "note": "x"}, TABLE)
    assert known.known["gender"] == Known(frozenset({"female"}))
    assert known.known["carrying"].present == {"backpack"}
    assert {"phone", "none"} <= known.known["carrying"].absent
    assert "umbrella" not in known.known["carrying"].absent, "nobody has said anything about umbrellas"
    assert known.known["age"].present == {"young adult", "thirties"}
    assert known.values()["upper.color"] == ("red",)
    assert not translated({"sex": "?", "years": None, "top": ""}, TABLE).known
    assert translated({"years": 1, "adult": True}, TABLE).known["age"].present == {"young adult", "thirties"}
    with pytest.raises(ValueError, match="contradict each other about 'age'"):
        translated({"years": 0, "adult": True}, TABLE)
    with pytest.raises(ValueError, match="'sex' has no value 'X', only 'M', 'F'"):
        translated({"sex": "X"}, TABLE)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ([], "a JSON list"),
        ({"sex": {"M": {"gender": "man"}}}, "'sex': 'man' is not a value"),
        ({"sex": {"M": {"sex": "male"}}}, "'sex': 'sex' is not an attribute group"),
        ({"sex": "sex"}, "'sex': 'sex' is not an attribute group"),
        ({"sex": {"M": "male"}}, "'sex': 'M' must be an object"),
        ({"sex": 3}, "'sex': must be"),
    ],
)
def test_a_table_that_is_wrong_is_refused_before_any_picture_is_read(
    tmp_path: Path, table: Any, complaint: str
) -> None:
    (tmp_path / "m.json").write_text(json.dumps(table))
    with pytest.raises(InputError, match=complaint):
        read_table(tmp_path / "m.json")


def test_a_table_beside_the_file_is_used_by_every_command(coco: Write, tmp_path: Path) -> None:
    people = [annotation(number, [20 + number, 20, 40, 60], attributes={"sex": "MF"[number % 2]}, track_id=number // 2)
              for number in range(20)]  # fmt: skip
    path = coco(*people)
    with pytest.raises(InputError, match="'sex' is none of ours and not in the mapping"):
        read_samples(path, "coco")
    (tmp_path / "elsewhere.json").write_text(json.dumps(TABLE))
    assert len(read_samples(path, "coco", mapping=tmp_path / "elsewhere.json")) == 20
    with pytest.raises(InputError, match="a mapping is for attributes of --format coco"):
        read_samples(path, "peta", mapping=tmp_path / "elsewhere.json")
    (tmp_path / "people.mapping.json").write_text(json.dumps(TABLE))
    report = prepare(path, "coco", tmp_path / "data")
    assert sum(part["samples"] for part in report["splits"].values()) == 20
    assert sum(part["identities"] for part in report["splits"].values()) == 10
    back = [sample for name in ("train", "val", "test") for sample in read_samples(tmp_path / "data" / f"{name}.jsonl",
                                                                                   "personvlm")]  # fmt: skip
    assert {sample.values["gender"] for sample in back} == {("male",), ("female",)}
    assert all(decode(sample.image).shape == (66, 44, 3) for sample in back)


def test_every_command_that_takes_a_format_takes_every_one() -> None:
    from personvlm.cli import data, evaluate

    assert set(get_args(evaluate.Form)) == set(READERS)
    assert set(get_args(get_args(data.Format)[0])) == set(READERS)


def test_the_command_prepares_with_a_mapping(coco: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = coco(*(annotation(number, [20 + number, 20, 40, 60], attributes={"sex": "M"}) for number in range(10)))
    (tmp_path / "elsewhere.json").write_text(json.dumps(TABLE))
    with pytest.raises(SystemExit) as done:
        main(["data", "prepare", str(path), "--format", "coco", "--mapping", str(tmp_path / "elsewhere.json"),
              "--out", str(tmp_path / "data")])  # fmt: skip
    assert not done.value.code
    assert len((tmp_path / "data" / "train.jsonl").read_text().splitlines()) == 8
