"""Groups of one's own: read, learned, said, kept apart from the schema; words that would contradict it are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.own import read_personvlm
from personvlm.data.sample import Sample
from personvlm.language.parser import parse
from personvlm.models.own import OwnHeads, own_features, read_words, without_replaced
from personvlm.schema import Annotations, Attribute
from personvlm.schema.groups import column_slices, columns
from personvlm.training.adapt_look import Looked
from personvlm.training.adapt_own import fit_own, heads

GRID = (8, 4)
WORDS = {"uniform": {"guard": "wearing a guard's uniform", "none": ""}}


def looked(count: int, seed: int, *, learnable: bool) -> Looked:
    """Guards, every third person, have something in the first number of the appearance vector."""
    rng = np.random.default_rng(seed)
    guard = np.arange(count) % 3 == 0
    embedding = rng.normal(size=(count, 16))
    if learnable:
        embedding[:, 0] += 6.0 * guard
    said = ["guard" if each else "none" for each in guard]
    samples = tuple(Sample(Path(f"{row}.png"), Annotations({}), identity=str(row), labels=(f"uniform={said[row]}",))
                    for row in range(count))  # fmt: skip
    width = len(columns())
    return Looked(np.zeros((count, 1, 1)), np.zeros((count, 1)), rng.normal(size=(count, width)),
                  rng.normal(size=(count, 32, 6)), embedding, np.ones(count), np.zeros((count, width)),
                  np.zeros((count, width)), samples)  # fmt: skip


def test_a_group_of_ones_own_is_learned_kept_and_said(tmp_path: Path) -> None:
    new = looked(90, 0, learnable=True)
    fits = fit_own(new, WORDS, GRID)
    assert fits["uniform"].why == ""
    assert (fits["uniform"].held_out.argmax(1) == fits["uniform"].truth).mean() > 0.9
    heads(fits, WORDS, GRID).save(tmp_path)
    own = OwnHeads.load(tmp_path)
    assert own is not None
    other = looked(60, 1, learnable=True)
    seen = [part.astype(np.float32) for part in (other.tokens, other.embedding, other.logits)]
    found = own.decide(*seen, everything=True)  # type: ignore[arg-type]
    truth = [sample.labels[0].split("=")[1] for sample in other.samples]
    assert np.mean([item["uniform"].value == value for item, value in zip(found, truth, strict=True)]) > 0.9
    sure = own.decide(*seen, everything=False)  # type: ignore[arg-type]
    assert all(item["uniform"].confidence >= 0.8 for item in sure if item)
    assert own.said("The image shows a man.", found[0], "male") == (
        "The image shows a man. He is wearing a guard's uniform."
    )
    assert own.said("The image shows a man.", found[1], None) == "The image shows a man."


def test_what_cannot_be_told_is_not_learned() -> None:
    assert fit_own(looked(90, 2, learnable=False), WORDS, GRID)["uniform"].why
    few = fit_own(looked(21, 0, learnable=True), WORDS, GRID)["uniform"]
    assert few.why == "'guard' is labelled of 7 people, and takes 8"
    assert heads({"uniform": few}, WORDS, GRID).words == {}


def test_gender_and_age_do_not_come_back_through_it() -> None:
    new = looked(5, 0, learnable=True)
    noisy = new.logits.copy()
    for name in ("gender", "age"):
        noisy[:, column_slices()[name]] = 99.0
    plain, noised = (own_features(new.tokens, new.embedding, logits, GRID) for logits in (new.logits, noisy))
    for block, other in zip(plain, noised, strict=True):
        np.testing.assert_array_equal(block, other)


def test_a_value_of_ones_own_stands_in_for_the_schemas() -> None:
    decided = {"headwear": Attribute(value="cap", confidence=0.9), "face": Attribute(value="mask", confidence=0.9)}
    turban = {"headwear": Attribute(value="turban", confidence=0.9)}
    assert set(without_replaced(decided, turban)) == {"face"}
    assert without_replaced(decided, {"headwear": Attribute(value="none", confidence=0.9)}) == decided


def words(folder: Path, told: object) -> Path:
    path = folder / "words.json"
    path.write_text(json.dumps(told))
    return path


def test_words_are_read_and_contradictions_refused(tmp_path: Path) -> None:
    read = read_words(words(tmp_path, {"uniform": {"guard": "wearing a guard's uniform."}}))
    assert read == {"uniform": {"guard": "wearing a guard's uniform", "none": ""}}
    assert parse("The image shows a man. He is wearing a guard's uniform.") == parse("The image shows a man.")
    for told, wrong in (
        ({"uniform": {"guard": "wearing a black cap"}}, "choose other words"),
        ({"headwear": {"cap": "wearing a cap"}}, "has 'cap' already"),
        (["uniform"], "not words of your own"),
    ):
        with pytest.raises(InputError, match=wrong):
            read_words(words(tmp_path, told))


def test_labels_of_ones_own_are_read(tmp_path: Path) -> None:
    for row in range(4):
        Image.new("RGB", (8, 16)).save(tmp_path / f"{row}.png")
    path = tmp_path / "people.csv"
    path.write_text("image,camera,uniform,headwear\n0.png,gate,guard,turban\n1.png,gate,none,cap\n2.png,,,none\n")
    own = {"uniform": ("guard", "none"), "headwear": ("turban", "none")}
    first, second, third = read_personvlm(path, own=own)
    assert set(first.labels) == {"camera=gate", "uniform=guard", "headwear=turban"}
    assert first.values == {}
    assert set(second.labels) == {"camera=gate", "uniform=none", "headwear=none"}
    assert second.values == {"headwear": ("cap",)}
    assert third.labels == ("headwear=none",)
    bags = {"carrying": ("tool", "none"), **own}
    rows = ({"carrying": ["backpack", "umbrella"], "headwear": ["hat", "cap"]}, {"carrying": []},
            {"carrying": {"present": ["bag"], "absent": []}}, {"carrying": "tool"})  # fmt: skip
    lines = [json.dumps({"image": f"{row}.png", "attributes": told}) for row, told in enumerate(rows)]
    (tmp_path / "bags.jsonl").write_text("\n".join(lines))
    several, nothing, part, tool = read_personvlm(tmp_path / "bags.jsonl", own=bags)
    assert several.labels == ("carrying=none", "headwear=none")
    assert several.annotations.known["headwear"].present == {"hat", "cap"}
    assert nothing.labels == ("carrying=none",)
    assert part.labels == (), "of the rest nothing is known"
    assert tool.labels == ("carrying=tool",)
    path.write_text("image,uniform\n0.png,guard\n1.png,gaurd\n")
    with pytest.raises(InputError, match=r"line 3: 'gaurd' is not a value of your group 'uniform'; legal: guard, none"):
        read_personvlm(path, own=own)
    with pytest.raises(InputError, match=r"unknown column 'uniform'"):
        read_personvlm(path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    assert OwnHeads.load(tmp_path) is None
    (tmp_path / "own.json").write_text("{}")
    with pytest.raises(InputError, match=r"own\.json"):
        OwnHeads.load(tmp_path)
    assert replace(OwnHeads({}, {}, {}, GRID), grid=(4, 4)).words == {}
