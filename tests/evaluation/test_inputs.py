"""What evaluate reads: MSP60K with and without pictures, predictions by path, name or number."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.inputs import one_per_person, read_labelled, read_predictions, read_training
from personvlm.schema import Annotations

MAN = [0, 1, 0, 1, *[0] * 54]


def captions_file(path, names):
    path.parent.mkdir(exist_ok=True)
    rows = [{"image": f"MSP60k/images/{name}", "one_hot": MAN, "answer": "The image shows a man."} for name in names]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((40, 20, 3), np.uint8)).save(path)


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def samples(*names):
    return [Sample(Path("/data") / name, Annotations.build({"gender": "male"}), identity=name) for name in names]


def test_msp60k_comes_without_pictures_with_all_or_fails(tmp_path):
    data = captions_file(tmp_path / "captions.jsonl", ["a.jpg", "b.jpg"])
    found, pictures = read_labelled(data, "msp60k")
    assert (len(found), pictures) == (2, False)
    assert found[0].captions == ("The image shows a man.",)
    picture(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"1 of 2 images are missing"):
        read_labelled(data, "msp60k")
    picture(tmp_path / "b.jpg")
    found, pictures = read_labelled(data, "msp60k")
    assert pictures
    assert found[1].image == tmp_path / "b.jpg"


def test_a_root_that_is_given_must_hold_the_pictures(tmp_path):
    data = captions_file(tmp_path / "captions.jsonl", ["a.jpg"])
    with pytest.raises(InputError, match="--root"):
        read_labelled(data, "msp60k", tmp_path / "nowhere")
    picture(tmp_path / "crops" / "MSP60k" / "images" / "a.jpg")
    assert read_labelled(data, "msp60k", tmp_path / "crops")[1]


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    for form in ("msp60k", "peta"):
        with pytest.raises(InputError, match=r"empty\.jsonl: no samples"):
            read_labelled(tmp_path / "empty.jsonl", form)


def test_predictions_are_found_by_path_end_of_path_name_stem_and_number(tmp_path):
    given = samples("x/a.jpg", "y/a.jpg", "y/b.jpg", "c.jpg", "d.jpg")
    file = write(tmp_path / "p.jsonl", {"id": 4, "text": "4"}, {"image": "/data/x/a.jpg", "text": "0"},
                 {"image": "y/a.jpg", "text": "1"}, {"input": "elsewhere/b.jpg", "text": "2", "model": "any"},
                 {"id": "c", "text": ""})  # fmt: skip
    assert read_predictions(file, given) == ["0", "1", "2", "", "4"]


def test_what_describe_printed_from_another_folder_is_taken_as_it_is(tmp_path, monkeypatch):
    given = samples("x/a.jpg", "y/a.jpg")
    printed = [{"input": "people/x/a.jpg", "text": "0"}, {"input": "elsewhere/people/y/a.jpg", "text": "1"}]
    assert read_predictions(write(tmp_path / "p.jsonl", *printed), given) == ["0", "1"]
    monkeypatch.chdir("/")
    printed = [{"input": "data/x/../x/a.jpg", "text": "0"}, {"input": "/data/y/a.jpg", "text": "1"}]
    assert read_predictions(write(tmp_path / "p.jsonl", *printed), given) == ["0", "1"]


def test_only_the_scored_rows_need_a_text(tmp_path):
    given = samples("a.jpg", "b.jpg", "c.jpg")
    file = write(tmp_path / "p.jsonl", {"image": "a.jpg", "text": "0"}, {"image": "c.jpg", "text": "2"})
    assert read_predictions(file, given, 1) == ["0"]
    with pytest.raises(InputError, match=r"no text for 1 of 3 pictures: b\.jpg"):
        read_predictions(file, given)


@pytest.mark.parametrize(("row", "message"), [
    ({"image": "z.jpg", "text": "x"}, "line 1: 'z.jpg' is no picture of the data"),
    ({"image": "a.jpg", "text": "x"}, "line 1: 'a.jpg' is no picture of the data, or fits several"),
    ({"id": 3, "text": "x"}, "line 1: 3 is no picture"),
    ({"id": True, "text": "x"}, "line 1: True is no picture"),
    ({"image": 0, "text": "x"}, "line 1: 0 is no picture"),
    ({"text": "x"}, "line 1: no 'image'"),
    ({"image": "b.jpg"}, "line 1: no 'text'"),
    ({"input": "b.jpg", "error": "broken"}, r"line 1: no 'text'; 'b\.jpg' could not be described \(broken\)"),
    ({"image": "b.jpg", "text": None}, "line 1: 'text' must be a string"),
])  # fmt: skip
def test_predictions_that_cannot_be_placed_are_named(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        read_predictions(write(tmp_path / "p.jsonl", row), samples("x/a.jpg", "y/a.jpg", "b.jpg"))


def test_a_second_text_for_a_picture_is_refused(tmp_path):
    file = write(tmp_path / "p.jsonl", {"id": 0, "text": "x"}, {"image": "a.jpg", "text": "y"})
    with pytest.raises(InputError, match="line 2: a second text"):
        read_predictions(file, samples("a.jpg"))


def test_the_training_file_is_the_one_beside_unless_another_is_given(tmp_path):
    data = captions_file(tmp_path / "val.jsonl", ["a.jpg"])
    assert read_training(data, "msp60k", None, None) is None
    captions_file(tmp_path / "train.jsonl", ["b.jpg", "c.jpg"])
    found = read_training(data, "msp60k", None, None)
    assert found is not None
    assert (found[0], len(found[1])) == ("train.jsonl", 2)
    assert read_training(tmp_path / "train.jsonl", "msp60k", None, None) is None  # not in itself
    (tmp_path / "train.jsonl").write_text('{"image": "a.jpg"}\n')
    assert read_training(data, "msp60k", None, None) is None
    with pytest.raises(InputError, match="one_hot"):
        read_training(data, "msp60k", None, tmp_path / "train.jsonl")
    with pytest.raises(InputError, match="evaluated file itself"):
        read_training(data, "msp60k", None, data)


def test_one_picture_per_person_the_same_ones_every_time():
    given = [Sample(Path(f"{i}.jpg"), Annotations({}), identity=None if i < 2 else str(i % 5)) for i in range(30)]
    kept = one_per_person(given, 100)
    assert len(kept) == 7
    assert kept == one_per_person(given, 100)
    assert one_per_person(given, 3) == kept[:3]
