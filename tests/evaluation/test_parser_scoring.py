import json

import pytest

from personvlm.base.errors import InputError
from personvlm.evaluation.parser import SCORED, evaluate_parser
from personvlm.schema.mappings.msp60k import COLUMNS


def write(path, rows):
    path.write_text("\n".join(json.dumps({"answer": text, "one_hot": [int(name in names) for name in COLUMNS]})
                              for text, names in rows))  # fmt: skip
    return path


def test_columns_by_hand(tmp_path):
    rows = [("man with backpack", {"Male", "Backpack"}), ("man", {"Male", "Backpack"}), ("backpack", {"Female"})]

    def read(text):
        return {"gender": ("male",) if "man" in text else (), "carrying": ("backpack",) if "backpack" in text else ()}

    scored = evaluate_parser(write(tmp_path / "captions.jsonl", rows), read=read)
    assert scored["n"] == 3
    assert scored["columns"]["Male"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "positives": 2}
    assert scored["columns"]["Backpack"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "positives": 2}
    assert scored["columns"]["Female"] == {"precision": None, "recall": 0.0, "f1": 0.0, "positives": 1}
    assert scored["columns"]["Hat"]["f1"] is None
    assert scored["mean_f1"] == pytest.approx(0.5)
    assert set(scored["columns"]) == set(SCORED)
    assert len(SCORED) == 33


def test_the_real_parser_reads_a_caption(tmp_path):
    text = "The image shows an elderly woman, seen from the back. She is wearing shorts and boots. She has no backpack."
    names = {"Female", "Elderly", "Back", "Shorts", "Boots"}
    columns = evaluate_parser(write(tmp_path / "captions.jsonl", [(text, names)]))["columns"]
    assert all(columns[name]["f1"] == 1.0 for name in names)
    assert columns["Backpack"]["f1"] is None


@pytest.mark.parametrize(("line", "message"), [
    ('{"answer": "a man", "one_hot": [0, 1]}', "line 1: 'one_hot' must be a list of 58"),
    ('{"answer": 3, "one_hot": %s}' % ([0] * 58), "line 1: 'answer' must be the caption"),
    ("", "no captions in it"),
])
def test_malformed_files_are_named(tmp_path, line, message):
    path = tmp_path / "captions.jsonl"
    path.write_text(line)
    with pytest.raises(InputError, match=message):
        evaluate_parser(path)
