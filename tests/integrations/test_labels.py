from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.integrations.labels import label_config, task, training_lines
from personvlm.schema import GROUP, Attribute, PersonDescription

PERSON = PersonDescription(text="The image shows a man.", model="edge 1", attributes={
    "gender": Attribute(value="male", confidence=0.9), "upper.color": Attribute(value=("red",), confidence=0.8),
    "age": Attribute(value="unknown", confidence=0.5)})  # fmt: skip


def controls(config: str) -> dict[str, set[str]]:
    return {one.get("name", ""): {choice.get("value", "") for choice in one}
            for one in ElementTree.fromstring(config) if one.get("toName") == "image"}  # fmt: skip


def test_every_choice_of_a_prediction_stands_in_the_interface() -> None:
    asked = controls(label_config())
    assert len(asked) == len(GROUP) + 1
    for item in task("http://host/a.jpg", PERSON)["predictions"][0]["result"]:
        if item["type"] == "choices":
            assert set(item["value"]["choices"]) <= asked[item["from_name"]]
        else:
            assert item["from_name"] in asked
    assert controls(label_config(["gender"])) == {"gender": {"male", "female"}, "text": set()}


def test_what_is_not_decided_is_not_predicted() -> None:
    found = task("a.jpg", PERSON)["predictions"][0]
    assert {item["from_name"] for item in found["result"]} == {"gender", "upper_color", "text"}
    assert found["model_version"] == "edge 1"
    assert len(task("a.jpg", PERSON, ["gender"])["predictions"][0]["result"]) == 2


def exported(result: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"image": "a.jpg"}, "annotations": [{"result": result, **more}]}


def test_corrections_come_back_as_lines_that_training_reads(tmp_path: Path) -> None:
    from personvlm.data.readers import read_samples

    result = task("a.jpg", PERSON)["predictions"][0]["result"]
    result[0]["value"]["choices"] = ["female"]
    result.append({"from_name": "carrying", "type": "choices", "value": {"choices": ["none"]}})
    result.append({"from_name": "something", "type": "choices", "value": {"choices": ["else"]}})
    lines = list(training_lines([exported(result), {"id": 8, "data": {"image": "b.jpg"}, "annotations": []},
                                 exported(result, was_cancelled=True)]))  # fmt: skip
    assert lines == [{"image": "a.jpg", "attributes": {"gender": "female", "upper.color": ["red"], "carrying": []},
                      "captions": ["The image shows a man."]}]  # fmt: skip
    (tmp_path / "x.jsonl").write_text(json.dumps(lines[0]) + "\n")
    Image.new("RGB", (64, 128)).save(tmp_path / "a.jpg")
    samples = list(read_samples(tmp_path / "x.jsonl", "personvlm"))
    assert len(samples) == 1


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (exported([{"from_name": "gender", "type": "choices", "value": {"choices": ["robot"]}}]), "task 7: 'robot'"),
        ({"id": 9, "image": "a.jpg"}, "task 9: no data.image"),
        ({"id": 9, "data": "a.jpg"}, "task 9: not of the form"),
        ({"id": 9, "data": {"image": "a.jpg"}, "annotations": {"result": []}}, "task 9: not of the form"),
        ({"id": 9, "data": {"image": "a.jpg"}, "annotations": [{"result": ["x"]}]}, "task 9: not of the form"),
        (exported([{"from_name": "gender", "type": "choices", "value": ["male"]}]), "task 7: not of the form"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        list(training_lines([wrong]))


def test_a_sentence_that_is_no_list_is_one_sentence() -> None:
    written = exported([{"from_name": "text", "type": "textarea", "value": {"text": "A man."}}])
    assert next(training_lines([written]))["captions"] == ["A man."]


def test_a_group_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="mood"):
        label_config(["mood"])


def test_what_has_no_choice_in_the_interface_is_not_predicted() -> None:
    carrying = PersonDescription(text="The image shows a man.", attributes={
        "carrying": Attribute(value=("phone", "other"), confidence=0.9),
        "hair.color": Attribute(value="other", confidence=0.9)})  # fmt: skip
    result = task("a.jpg", carrying)["predictions"][0]["result"]
    assert [item["value"]["choices"] for item in result if item["type"] == "choices"] == [["phone"]]


@pytest.mark.parametrize("address", [
    "/data/local-files/?d=people/images/a%20b.jpg", "/data/upload/3/0123abcd-a%20b.jpg", "a b.jpg",
    "https://host:8080/crops/people/images/a%20b.jpg?signature=x",
])  # fmt: skip
def test_pictures_are_found_by_the_end_of_their_address(tmp_path: Path, address: str) -> None:
    from personvlm.integrations.labels import write_training

    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 128)).save(tmp_path / "pictures" / "a b.jpg")
    one = exported([{"from_name": "gender", "type": "choices", "value": {"choices": ["female"]}}])
    one["data"] = {"image": address, "identity": "anna"}
    (tmp_path / "export.json").write_text(json.dumps([one]))
    with pytest.raises(InputError, match="say with --images in which folder"):
        write_training(tmp_path / "export.json", tmp_path / "out")
    done = write_training(tmp_path / "export.json", tmp_path / "out", [tmp_path / "pictures"])
    line = json.loads(done.file.read_text())
    assert (line["image"], line["identity"]) == ("../pictures/a b.jpg", "anna")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "line 1: not JSON"), ("{}", "not a list of tasks"), ("[" * 100_000, "not JSON"),
     ('[{"data": {"image": "http://[::1/x.jpg"}, "annotations": [{"result": []}]}]', "not an address"),
      ('[{"data": {"image": "a.jpg"}}]', "nobody has done")],
)
def test_an_export_that_is_none(tmp_path: Path, text: str, complaint: str) -> None:
    from personvlm.integrations.labels import write_training

    (tmp_path / "export.json").write_text(text)
    with pytest.raises(InputError, match=complaint):
        write_training(tmp_path / "export.json", tmp_path / "out")
