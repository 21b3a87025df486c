"""Readers: what they give, and errors that name file, line and the mend."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.own import read_personvlm, write_personvlm
from personvlm.data.readers import READERS, read_orientation, read_samples, track_of
from personvlm.data.sample import Sample
from personvlm.data.splits import prepare
from personvlm.schema import NONE, Annotations, Known
from personvlm.schema.mappings import msp60k
from personvlm.schema.mappings.clothing_attribute import FIELDS

DATA = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data")


def folder_with(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 40)).save(tmp_path / name)
    return tmp_path


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_peta_gives_identity_labels_and_annotations(tmp_path: Path) -> None:
    folder_with(tmp_path, "images/a.jpg")
    row = {"image": "images/a.jpg", "identity": "CUHK/1", "labels": ["personalMale", "upperBodyRed"]}
    (sample,) = read_samples(lines(tmp_path / "d.jsonl", row, ""), "peta")
    assert sample.image == tmp_path / "images/a.jpg"
    assert (sample.identity, sample.labels, sample.source) == ("CUHK/1", ("personalMale", "upperBodyRed"), "peta")
    assert sample.annotations.known["upper.color"].present == {"red"}
    elsewhere = lines(tmp_path / "sub.jsonl", {**row, "image": "a.jpg"})
    assert read_samples(elsewhere, "peta", tmp_path / "images")[0].image == tmp_path / "images/a.jpg"


def test_orientation_is_a_view_and_a_diagonal_one_is_partial(tmp_path: Path) -> None:
    folder_with(tmp_path, "a.jpg")
    row = {"image": "a.jpg", "identity": "001", "camera": "01", "view": "back-side", "split": "train"}
    path = lines(tmp_path / "d.jsonl", row, {**row, "view": "front", "split": "test"})
    diagonal, front = read_samples(path, "orientation")
    assert diagonal.annotations.known == {"view": Known(frozenset({"back", "side"}))}
    assert front.values == {"view": ("front",)}
    assert read_orientation(path, split="test") == [front]
    with pytest.raises(InputError, match=r"d.jsonl, line 1: 'view' is 'up'; legal: front"):
        read_samples(lines(path, {**row, "view": "up"}), "orientation")


def test_msp60k_finds_images_in_a_flat_folder_and_knows_tracks(tmp_path: Path) -> None:
    folder_with(tmp_path, "flat/part15_01629_012.jpg")
    row = {"image": "MSP60k/images/part15_01629_012.jpg", "answer": "A man.",
           "one_hot": [int(name in ("Male", "Adult")) for name in msp60k.COLUMNS]}  # fmt: skip
    (sample,) = read_samples(lines(tmp_path / "d.jsonl", row), "msp60k", tmp_path / "flat")
    assert (sample.identity, sample.captions, sample.labels) == ("part15_01629", ("A man.",), ("Male", "Adult"))
    assert track_of(Path("part17_20231212193357_02078_010.jpg")) == "part17_20231212193357_02078"
    assert track_of(Path("part14_00355.jpg")) == "part14"
    assert [track_of(Path(name)) for name in ("crop_0017.jpg", "_1.jpg", "a.jpg")] == ["crop_0017", "_1", "a"]
    for change, message in (({"one_hot": [1]}, "line 1: MSP60K's one_hot has 58"), ({"one_hot": 5}, "must be a list"),
                            ({"answer": ["A man."]}, "line 1: 'answer' must be a text"),
                            ({"image": None}, "line 1: 'image' must be a path")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            read_samples(lines(tmp_path / "d.jsonl", {**row, **change}), "msp60k", tmp_path / "flat")
    (blank,) = read_samples(lines(tmp_path / "d.jsonl", {**row, "answer": " \n"}), "msp60k", tmp_path / "flat")
    assert blank.captions == ()


def test_ccp_and_clothing_attribute(tmp_path: Path) -> None:
    folder_with(tmp_path, "a.jpg")
    (street,) = read_samples(lines(tmp_path / "c.jsonl", {"image": "a.jpg", "tags": ["dress", "hat"]}), "ccp")
    assert street.values["upper.garment"] == ("dress",)
    row = {"image": "a.jpg", "labels": {**dict.fromkeys(FIELDS), "gender": 2}}
    (person,) = read_samples(lines(tmp_path / "d.jsonl", row), "clothing_attribute")
    assert (person.values, person.labels) == ({"gender": ("female",)}, ("gender=2",))


@pytest.mark.parametrize(("format", "row", "reason"), [
    ("peta", "{", "line 2: not JSON"), ("peta", "[]", "line 2: a JSON list"),
     ("peta", {"image": "a.jpg"}, "no 'labels'"),
    ("peta", {"image": "a.jpg", "labels": "x"}, "line 2: 'labels' must be a list"),
    ("peta", {"image": "a.jpg", "labels": [], "identity": ["q"]}, "line 2: 'identity' must be a name or a number"),
    ("ccp", {"image": "a.jpg", "tags": ["tuxedo"]}, "line 2: 'tuxedo' is not a tag"),
    ("clothing_attribute", {"image": "a.jpg", "labels": {}}, "line 2: no field 'black'"),
    ("clothing_attribute", {"image": "a.jpg", "labels": []}, "line 2: 'labels' must be an object"),
    ("personvlm", {"image": "a.jpg", "atributes": {}}, "line 2: unknown key 'atributes'; legal: image"),
    ("personvlm", {"image": "a.jpg", "attributes": {"hat": "cap"}}, "line 2: 'hat' is not an attribute group; legal"),
    ("personvlm", {"image": "a.jpg", "attributes": {"gender": "man"}}, "line 2: 'man' is not a value.*legal: male"),
    ("personvlm", {"image": "a.jpg", "attributes": {"gender": 1}}, "line 2: 'gender' must be a text or a list"),
    ("personvlm", {"image": "a.jpg", "attributes": {"gender": {"present": []}}}, "line 2: 'gender': only a set"),
    ("personvlm", {"image": "a.jpg", "attributes": {"carrying": {"present": ["box"], "absent": ["box"]}}}, "both"),
    ("personvlm", {"image": "a.jpg", "attributes": {"carrying": ["none", "backpack"]}},
     "line 2: 'carrying': 'none' and 'backpack' contradict each other; take one"),
    ("personvlm", {"image": "a.jpg", "attributes": {"carrying": {"present": ["none", "box"]}}}, "'none' and 'box'"),
    ("personvlm", {"image": "a.jpg", "attributes": {"carrying": {"present": ["backpack"], "absent": ["bag"]}}},
     "line 2: 'carrying': 'backpack' is present and 'bag'.*take 'bag' out of 'absent'"),
    ("personvlm", {"image": "a.jpg", "attributes": {"upper.color": {"present": ["dark blue"], "absent": ["blue"]}}},
     "line 2: 'upper.color': 'dark blue' is present and 'blue'"),
    ("personvlm", {"image": 3}, "line 2: 'image' must be the path"), ("personvlm", {"identity": "x"}, "no 'image'"),
])  # fmt: skip
def test_a_malformed_line_is_named(tmp_path: Path, format: str, row: Any, reason: str) -> None:
    folder_with(tmp_path, "a.jpg")
    with pytest.raises(InputError, match=reason) as caught:
        read_samples(lines(tmp_path / "data.jsonl", "", row), format)
    assert str(tmp_path / "data.jsonl") in str(caught.value)


@pytest.mark.parametrize("format", [name for name in READERS if name != "coco"])  # which has no lines: test_coco.py
def test_missing_files_and_images_are_named(tmp_path: Path, format: str) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl: no such file"):
        read_samples(tmp_path / "nothing.jsonl", format)
    with pytest.raises(InputError, match="a folder"):
        read_samples(tmp_path, format)
    rows: dict[str, dict[str, Any]] = {
        "peta": {"labels": []}, "ccp": {"tags": []}, "personvlm": {}, "msp60k": {"one_hot": [0] * 58},
        "clothing_attribute": {"labels": dict.fromkeys(FIELDS)},
        "orientation": {"identity": "1", "camera": "1", "view": "side", "split": "train"}}  # fmt: skip
    path = lines(tmp_path / "d.jsonl", *({"image": f"gone{n}.jpg", **rows[format]} for n in range(7)))
    with pytest.raises(InputError, match=r"7 of 7 images are missing: .*gone0.jpg, .*--root"):
        read_samples(path, format)


@pytest.mark.parametrize("text", ['{"image": ' + "[" * 100_000, '{"image": ' + "1" * 5000 + "}"])
def test_json_that_python_cannot_hold_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "d.jsonl").write_text(text)
    with pytest.raises(InputError, match=r"d\.jsonl, line 1: "):
        read_samples(tmp_path / "d.jsonl", "personvlm")


def test_an_unknown_format_lists_the_legal_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'voc' is not a data format; legal: peta, personvlm"):
        read_samples(tmp_path / "x", "voc")


def test_own_jsonl_tells_unknown_from_absent_and_partial(tmp_path: Path) -> None:
    folder_with(tmp_path, "a.jpg")
    row = {"image": "a.jpg", "identity": 7, "caption": "Hello.", "attributes": {
        "gender": None, "age": "adult", "hair.color": ["brown", "black"], "carrying": [], "upper.color": ["dark blue"],
        "activity": {"present": [], "absent": ["smoking"]}}}  # fmt: skip
    (sample,) = read_samples(lines(tmp_path / "d.jsonl", row), "personvlm")
    known = sample.annotations.known
    assert (sample.identity, sample.captions) == ("7", ("Hello.",))
    assert "gender" not in known
    assert known["age"].present == {"young adult", "thirties", "middle-aged"}
    assert known["hair.color"].present == {"brown", "black"}
    assert known["carrying"].present == {NONE}
    assert known["upper.color"].present == {"blue", "dark blue"}
    assert known["activity"] == Known(frozenset(), frozenset({"smoking"}))
    assert sample.values == {"age": ("adult",), "upper.color": ("dark blue",), "carrying": (NONE,)}


def test_own_csv(tmp_path: Path) -> None:
    folder_with(tmp_path, "a b.jpg", "ü.jpg")
    path = tmp_path / "d.csv"
    path.write_text("\ufeffimage,identity,caption,gender,upper.color,carrying\r\n"
                    'a b.jpg,anna,"A woman, waiting.",female,red; white,\r\n\r\nü.jpg,,,,,none\r\n')  # fmt: skip
    first, second = read_samples(path, "personvlm")
    assert (first.identity, first.captions) == ("anna", ("A woman, waiting.",))
    assert first.values == {"gender": ("female",), "upper.color": ("white", "red")}
    assert (second.identity, second.captions, second.values) == (None, (), {"carrying": (NONE,)})


@pytest.mark.parametrize("between", [";", "\t"])
def test_a_table_may_be_separated_as_the_office_of_the_country_does(tmp_path: Path, between: str) -> None:
    folder_with(tmp_path, "a.jpg", "b.jpg")
    lines = [["image", "gender", "upper.color"], ["a.jpg", "female", '"red;white"'], ["b.jpg", "", "black"]]
    (tmp_path / "d.csv").write_text("\r\n".join(between.join(cells) for cells in lines), encoding="utf-8-sig")
    first, second = read_samples(tmp_path / "d.csv", "personvlm")
    assert first.values == {"gender": ("female",), "upper.color": ("white", "red")}
    assert second.values == {"upper.color": ("black",)}


@pytest.mark.parametrize(("text", "reason"), [
    ("image,hat\n", "line 1: unknown column 'hat'; legal: image, identity, camera, caption, gender"),
    ("identity\n", "no column 'image'"), ("image,image\n", "twice"), ("", "no column 'image'"),
    ("image,gender\na.jpg,male,x\n", "line 2: 3 cells, the header has 2"),
    ("image,gender\na.jpg,man\n", "line 2: 'man' is not a value of group 'gender'; legal: male, female"),
    ("image,gender\n,male\n", "line 2: 'image' must be the path"), ('image\n"a.jpg\n', "not valid CSV"),
])  # fmt: skip
def test_a_malformed_csv_is_named(tmp_path: Path, text: str, reason: str) -> None:
    folder_with(tmp_path, "a.jpg")
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_samples(tmp_path / "d.csv", "personvlm")


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    folder_with(tmp_path, "in/ä.jpg")
    known = {"age": Known(frozenset({"thirties", "elderly"})), "gender": Known(frozenset({"male"})),
             "carrying": Known(frozenset({"bag"}),
                               frozenset({NONE})), **Annotations.build({"lower.color": "red"}).known}
    sample = Sample(tmp_path / "in/ä.jpg", Annotations(known), ("One.", "Two."), "p", ("x", "y"), "peta")
    bare = Sample(tmp_path / "in/ä.jpg", Annotations())
    write_personvlm([sample, bare], tmp_path / "out.jsonl", tmp_path / "in")
    again, empty = read_samples(tmp_path / "out.jsonl", "personvlm", tmp_path / "in")
    assert again == sample
    assert (empty.annotations, empty.captions, empty.identity) == (Annotations(), (), None)


def test_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(b'{"image": "\xe9.jpg"}')
    with pytest.raises(InputError, match="not UTF-8 at byte 11"):
        read_samples(tmp_path / "d.jsonl", "personvlm")


@pytest.mark.skipif(not (DATA / "peta").is_dir(), reason="PERSONVLM_ASSETS has no data/peta")
@pytest.mark.parametrize(("path", "format", "count"), [
    ("peta/test.jsonl", "peta", 2072), ("ccp/all.jsonl", "ccp", 2098), ("orientation/all.jsonl", "orientation", 1184),
    ("clothing_attribute/all.jsonl", "clothing_attribute", 1856)])  # fmt: skip
def test_real_sets_are_read_whole(path: str, format: str, count: int) -> None:
    samples = read_samples(DATA / path, format)
    assert len(samples) == count
    assert all(sample.annotations.known or format == "clothing_attribute" for sample in samples)


def test_line_breaks_that_json_allows_inside_a_text_do_not_end_a_line(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    caption = "one\u2028two\x85three"
    write_personvlm([Sample(tmp_path / "a.png", Annotations(), (caption,))], tmp_path / "all.jsonl", tmp_path)
    (tmp_path / "all.jsonl").write_bytes((tmp_path / "all.jsonl").read_bytes().replace(b"\n", b"\r\n"))
    assert read_personvlm(tmp_path / "all.jsonl")[0].captions == (caption,)


def test_a_file_name_that_is_no_text_is_written_and_read_back(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "f") + b"\xe9"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    image = Path(os.fsdecode(folder), os.fsdecode(b"caf\xe9 \xc3\xa4.png"))
    Image.new("RGB", (8, 8)).save(image)
    sample = Sample(image, Annotations.build({"gender": "male"}), ("Ein Träger.",), source="x")
    write_personvlm([sample], tmp_path / "all.jsonl", tmp_path)
    assert read_personvlm(tmp_path / "all.jsonl") == [sample]
    prepare(tmp_path / "all.jsonl", "personvlm", tmp_path / "out", (1.0, 0.0, 0.0), root=image.parents[1])
    assert [found.image.resolve() for found in read_personvlm(tmp_path / "out" / "train.jsonl")] == [image.resolve()]
    inside = image.parent / "mine.jsonl"
    write_personvlm([sample], inside, image.parent)
    prepare(inside, "personvlm", tmp_path / "out", (1.0, 0.0, 0.0))
    assert [found.image.resolve() for found in read_personvlm(tmp_path / "out" / "train.jsonl")] == [image.resolve()]
