"""`personvlm describe`: formats, names, failures, exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from personvlm.base.images import ENDINGS
from personvlm.cli.output import write
from personvlm.schema import Attribute, DescribeResult, PersonDescription

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run: Run, fake_describer: Any) -> Run:
    fake_describer.own = None
    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 80), "red").save(path)
    return path


def test_jsonl_is_the_promised_object(run: Run, picture: Path) -> None:
    status, out, _ = run("describe", str(picture), "--jsonl")
    assert status == 0
    assert json.loads(out) == {
        "input": str(picture),
        "text": "The image shows a man. He is wearing a red coat.",
        "attributes": {"gender": {"value": "male", "confidence": 0.91},
                       "upper.garment": {"value": "coat", "confidence": 0.75},
                       "upper.color": {"value": ["red", "black"], "confidence": 0.8}},
        "quality": 0.5, "model": "fake 1", "latency_ms": 12.35,
    }  # fmt: skip


def test_a_bad_input_does_not_stop_the_batch(run: Run, picture: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    missing = tmp_path / "missing.jpg"
    status, out, err = run("describe", str(empty), str(picture), str(missing), "--jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [line["input"] for line in lines] == [str(empty), str(picture), str(missing)]
    assert [sorted(line) == ["error", "input"] for line in lines] == [True, False, True]
    assert "2 of 3 inputs failed" in err


def test_json_is_one_array(run: Run, picture: Path) -> None:
    status, out, _ = run("describe", str(picture), str(picture), "--json")
    assert status == 0
    assert [item["input"] for item in json.loads(out)] == [str(picture)] * 2


def test_csv_has_a_row_per_input_and_columns_per_group(run: Run, picture: Path) -> None:
    status, out, _ = run("describe", str(picture), "nothing.jpg", "--csv")
    good, bad = csv.DictReader(io.StringIO(out))
    assert status == 1
    assert (good["gender"], good["gender.confidence"], good["upper.color"]) == ("male", "0.91", "red; black")
    assert good["error"] == ""
    assert good["age"] == ""
    assert bad["input"] == "nothing.jpg"
    assert bad["error"]
    assert bad["text"] == ""


def test_plain_output_is_for_people(run: Run, picture: Path) -> None:
    status, out, err = run("describe", str(picture), "no-[such].jpg")
    assert status == 1
    assert str(picture) in out
    assert "He is wearing a red coat." in out
    assert "91%" in out
    assert "red, black" in out
    assert "no-[such].jpg: error: " in err, "a name with brackets is a name, not markup"


def test_options_reach_the_describer(run: Run, picture: Path, fake_describer: Any) -> None:
    run("describe", str(picture), "--say", "all", "--no-gender", "--no-age", "--batch", "3", "--jsonl")
    run("describe", str(picture), "--min-precision", "0.9", "--candidates", "3", "--jsonl")
    assert fake_describer.asked == [
        {"say": "all", "min_precision": None, "gender": False, "age": False, "batch": 3, "candidates": 1},
        {"say": "confident", "min_precision": 0.9, "gender": True, "age": True, "batch": 16,
         "candidates": 3},
    ]
    assert run("describe", str(picture), "--min-precision", "0.9", "--say", "all")[0] == 2


def test_a_backend_that_was_asked_for_is_named(run: Run, picture: Path, fake_describer: Any) -> None:
    assert "onnx (asked for)" in run("describe", str(picture), "--backend", "onnx")[2]
    assert "asked for" not in run("describe", str(picture), "--backend", "onnx", "-q")[2]
    assert "asked for" not in run("describe", str(picture))[2]
    assert run("describe", str(picture), "--backend", "abacus")[0] == 2


def test_folders_globs_and_odd_names(run: Run, picture: Path, tmp_path: Path) -> None:
    below = tmp_path / "deeper down"
    below.mkdir()
    names = ["zwei Wörter ü.PNG", "人.png", "[x].png"]
    for name in names:
        Image.new("RGB", (40, 80)).save(below / name)
    (below / "notes.txt").write_text("no picture")
    (below / ".hidden.png").write_bytes(b"")
    _, out, _ = run("describe", str(tmp_path), "--jsonl")
    assert [json.loads(line)["input"] for line in out.splitlines()] == [
        str(picture), *(str(below / name) for name in sorted(names))
    ]  # fmt: skip
    _, out, _ = run("describe", str(tmp_path / "**" / "*.png"), "--jsonl")
    assert {json.loads(line)["input"] for line in out.splitlines()} == {str(below / name) for name in names[1:]}
    _, out, _ = run("describe", str(below / "[x].png"), "--jsonl")
    assert "text" in json.loads(out), "a file of this name wins over the pattern"
    assert "人.png" in run("describe", str(below / "人.png"))[1]


@pytest.mark.parametrize("form", ["--jsonl", "--json", "--csv", "--quiet"])
def test_a_name_that_is_no_text(run: Run, picture: Path, tmp_path: Path, form: str) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        os.link(picture, name)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    status, out, _ = run("describe", os.fsdecode(name), form)
    assert status == 0
    assert "caf\\udce9.jpg" in out
    if form == "--jsonl":
        assert json.loads(out)["input"] == os.fsdecode(name)


def test_empty_folder_and_empty_glob_are_errors(run: Run, picture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nothing here"
    folder.mkdir()
    status, out, _ = run("describe", str(folder), str(tmp_path / "*.webp"), "https://a.example/b.jpg", str(picture),
                         "--jsonl")  # fmt: skip
    first, second, address, third = (json.loads(line) for line in out.splitlines())
    assert status == 1
    assert "no pictures" in first["error"]
    assert "matches no files" in second["error"]
    assert address["input"] == "https://a.example/b.jpg"
    assert "addresses are not read" in address["error"]
    assert "text" in third


@pytest.mark.parametrize("command", [["calibrate", "--data", "{data}"], ["export"], ["compress", "--out", "{out}"]])
@pytest.mark.parametrize(("model", "what"), [("nosuch", "no such folder"), ("{picture}", "a file")])
def test_a_model_that_is_no_folder_is_named(run: Run, picture: Path, tmp_path: Path, command: list[str], model: str,
                                            what: str) -> None:  # fmt: skip
    if command[0] in ("export", "compress"):
        pytest.importorskip("torch", reason="needs the train extra")
    (tmp_path / "data.jsonl").write_text(json.dumps({"image": str(picture)}))
    places = {"picture": picture, "data": tmp_path / "data.jsonl", "out": tmp_path / "out"}
    status, _, err = run(*(each.format(**places) for each in [*command, model]))
    assert status == 1
    assert f"{model.format(**places)}: {what}; a model is a folder" in err


def test_stdin(run: Run, picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(picture.read_bytes())))
    status, out, _ = run("describe", "-", "--jsonl")
    assert status == 0
    assert json.loads(out)["input"] == "-"
    assert "text" in json.loads(out)


@pytest.mark.parametrize(
    "arguments", [[], ["x.jpg", "--json", "--csv"], ["x.jpg", "--say", "maybe"], ["x.jpg", "--batch", "0"]]
)
def test_usage_errors_end_with_2(run: Run, arguments: list[str]) -> None:
    assert run("describe", *arguments)[0] == 2


def test_control_characters_do_not_reach_the_terminal(run: Run) -> None:
    _, _, err = run("describe", "evil\x1b[31m\n.jpg")
    assert "\x1b" not in err
    assert "evil\\x1b[31m\\n.jpg: error" in err


def test_an_empty_name_is_said_to_be_one(run: Run, picture: Path) -> None:
    status, out, err = run("describe", "", str(picture))
    assert status == 1
    assert "'': error: an empty name" in err
    assert "red coat" in out


def test_every_format_that_is_read_is_found_in_a_folder(run: Run, tmp_path: Path) -> None:
    names = [f"a{ending}" for endings in ENDINGS.values() for ending in endings]
    for name in [*names, "b.ppm", "b.avif"]:
        (tmp_path / name).write_bytes(b"")
    _, out, _ = run("describe", str(tmp_path), "--jsonl")
    assert [Path(json.loads(line)["input"]).name for line in out.splitlines()] == sorted(names)


@pytest.mark.parametrize(("form", "ending"), [(form, ending) for form in ENDINGS for ending in ENDINGS[form]])
def test_endings_are_those_that_pillow_writes_the_format_under(tmp_path: Path, form: str, ending: str) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / f"a{ending}")
    assert Image.open(tmp_path / f"a{ending}").format == form


def test_csv_has_columns_for_groups_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    def said(**own: str) -> DescribeResult:
        attributes = {"headwear": Attribute(value="cap", confidence=0.5)} if own["headwear"] == "none" else {}
        mine = {name: Attribute(value=value, confidence=0.875) for name, value in own.items()}
        return DescribeResult(input="a.jpg", description=PersonDescription(text="", attributes=attributes, own=mine))

    results = [said(uniform="guard", headwear="none"), said(headwear="turban")]
    assert write(results, "csv", ("uniform", "headwear")) == 0
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["uniform"], first["uniform.confidence"], first["headwear"]) == ("guard", "0.875", "cap")
    assert (second["uniform"], second["headwear"], second["headwear.confidence"]) == ("", "turban", "0.875")
