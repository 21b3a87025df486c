"""Shares of the people are nested and fair, and the tool trains, measures, and does nothing twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.models.edge import EdgeVLM
from personvlm.schema import Annotations
from personvlm.training.learning_curve import Size, first_share, in_order, of_sources, recipe_at
from personvlm.training.recipe import Phase, Recipe
from test_readme import tool

SETTINGS = ["--set", "batch=8", "--set", "precision=no", "--set", "evaluate_every=1000", "--set", "rendered=4"]


def many() -> list[Sample]:
    """Three parts of one set with 160, 24 and 3 people of two crops each, and 40 pictures of another without names."""
    known = Annotations.build({"gender": ("male",)})
    named = [Sample(Path(f"{part}{n}{shot}.png"), known, identity=f"{part}/{n}", source="peta")
             for part, count in (("A", 160), ("B", 24), ("C", 3)) for n in range(count) for shot in "ab"]  # fmt: skip
    return named + [Sample(Path(f"{n}.png"), known, source="ccp") for n in range(40)]


def test_shares_are_nested_and_hold_every_part_in_proportion() -> None:
    samples = many()
    order = in_order(samples, seed=3)
    assert sorted(sample.image.name for person in order for sample in person) == sorted(s.image.name for s in samples)
    assert all(len({sample.identity for sample in person}) == 1 for person in order)
    before: list[list[Sample]] = []
    for share in map(Fraction, ("1/8", "1/4", "1/2", "1")):
        people = first_share(order, share)
        assert len(people) == round(share * 227)
        assert people[: len(before)] == before
        before = people
        parts = Counter((person[0].identity or "/")[0] for person in people)
        for part, count in (("A", 160), ("B", 24), ("C", 3), ("/", 40)):
            assert abs(parts[part] - share * count) <= 1.5, (share, part)
    assert in_order(samples, seed=3) == order
    assert in_order(samples, seed=4) != order
    assert {person[0].source for person in of_sources(order, samples[:1])} == {"peta"}
    for wrong in (Fraction(0), Fraction(3, 2)):
        with pytest.raises(InputError, match="share"):
            first_share(order, wrong)


def test_a_recipe_keeps_its_mixture_and_never_learns_words() -> None:
    recipe = recipe_at(Size(192, 96), Fraction(1, 4), 550, {"lr": "0.002"})
    assert recipe.phases == (Phase(550, 192, 96, False),)
    assert (recipe.rendered, recipe.lr) == (Recipe().rendered // 4, 0.002)
    for name in ("phases", "steps", "vision"):
        with pytest.raises(InputError, match=f"--set {name}"):
            recipe_at(Size(192, 96), Fraction(1), 550, {name: "1"})


def test_sizes_are_read_as_they_are_written() -> None:
    for text in ("192x96", "256x128", "192x96/64", "192x96@mobilenet_v2", "192x96/64@efficientnet_lite2"):
        assert str(Size.parse(text)) == text
    assert Size.parse("192x96/256") == Size(192, 96)
    assert recipe_at(Size.parse("192x96@mobilenet_v2"), Fraction(1), 5, {}).encoder == "mobilenet_v2"
    for wrong in ("192", "192x96x64", "192x90", "0x96", "192x96/60", "192x96/", "axb"):
        with pytest.raises(ValueError, match=r"HEIGHT|width|invalid"):
            Size.parse(wrong)


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERSONVLM_ASSETS", raising=False)


@pytest.mark.usefixtures("no_weights")
def test_the_tool_trains_measures_and_does_nothing_twice(folder: Path, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    out = tmp_path / "curve"

    def curve(*further: str) -> dict[str, Any]:
        tool("learning_curve").main(["--data", str(folder), "--out", str(out), "--shares", "1/2,1", "--steps", "3",
                                     "--people", "6", "--quiet", *SETTINGS, *further])  # fmt: skip
        found: dict[str, Any] = json.loads((out / "learning_curve.json").read_text())
        return found

    first = curve("--sizes", "64x32")
    half, whole = first["points"]
    assert (half["people"], half["crops"], half["drawn"]) == (9, 18, 2)
    assert (whole["people"], whole["crops"], whole["drawn"]) == (18, 36, 4)
    for each in (half, whole):
        assert (each["val"]["people"], each["val"]["crops"], each["seen"]["people"]) == (6, 12, 6)
        assert 0 <= each["val"]["mean_interval"][0] <= each["val"]["mean"] + 1e-9
        assert each["val"]["loss_interval"][0] < each["val"]["loss"] < each["val"]["loss_interval"][1]
        assert each["crops_seen"] == 24
    assert [row["size"] for row in first["slopes"]] == ["64x32"]
    assert "| 18 people, 36 crops | 64x32 |" in capsys.readouterr().out
    assert (out / "learning_curve.png").stat().st_size > 0
    nested = [{s.identity for s in read_training(out / f"64x32-{name}" / "data")[0]} for name in ("1of2", "1")]
    assert nested[0] < nested[1]

    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    again = curve("--sizes", "64x32,64x32/64", "--also", str(out / "64x32-1"))
    assert again["points"][:2] == first["points"]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert [point["size"] for point in again["points"][2:]] == ["64x32/64"] * 2
    assert again["points"][2]["parameters"] < whole["parameters"]
    assert EdgeVLM.load(out / "64x32-64-1").config.head_dim == 64
    other = curve("--sizes", "64x32", "--further-sizes", "64x32@mobilenet_v2")
    assert other["points"][:2] == first["points"]
    assert [(point["size"], point["share"]) for point in other["points"][2:]] == [("64x32@mobilenet_v2", "1")]
    assert EdgeVLM.load(out / "64x32@mobilenet_v2-1").config.encoder == "mobilenet_v2"
    assert list(other["encoders"]) == ["efficientnet_lite0", "mobilenet_v2"]
    (also,) = again["also"]
    assert (also["val"], also["seen"]) == (whole["val"], whole["seen"])
    fewer = curve("--sizes", "64x32", "--people", "5")["points"]
    assert [(point["seen"]["people"], point["val"]) for point in fewer] == [(5, half["val"]), (5, whole["val"])]
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    with pytest.raises(SystemExit, match="another recipe"):
        curve("--sizes", "64x32", "--set", "lr=0.5")
    with pytest.raises(SystemExit, match="begun with data"):
        curve("--sizes", "64x32", "--seed", "1")


@pytest.mark.usefixtures("no_weights")
def test_the_folder_of_a_run_repeats_it_with_the_ordinary_command(folder: Path, tmp_path: Path) -> None:
    from personvlm.cli import main
    from personvlm.training.loop import read_curves

    tool("learning_curve").main(["--data", str(folder), "--out", str(tmp_path / "curve"), "--shares", "1/2", "--steps",
                                 "2", "--sizes", "64x32", "--quiet", *SETTINGS])  # fmt: skip
    run = tmp_path / "curve" / "64x32-1of2"
    settings = [*SETTINGS[:-1], "rendered=2", "--set", "phases=2x64x32"]
    with pytest.raises(SystemExit) as left:
        main(["train", "edge", "--data", str(run / "data"), "--out", str(tmp_path / "again"), "--quiet", *settings])
    assert left.value.code == 0
    rows = [[row for row in read_curves(place / "curves.csv") if not row[1].startswith("clock.")]
            for place in (run, tmp_path / "again")]  # fmt: skip
    assert rows[0] == rows[1]


def test_the_page_agrees_with_its_json() -> None:
    module = tool("learning_curve")
    assert module.wanted() == module.PAGE.read_text("utf-8"), "run `python tools/learning_curve.py` with --docs"


def test_nothing_is_claimed_without_a_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tool("learning_curve")
    monkeypatch.setattr(module, "CURVE", tmp_path / "absent.json")
    inside = module.wanted().split(module.BEGIN)[1].split(module.END)[0]
    assert inside.strip() == module.NOTHING


def test_real_people_are_written_and_read_back_as_they_were(tmp_path: Path) -> None:
    from personvlm.data.own import write_personvlm

    data = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data")
    if not (data / "peta" / "train.jsonl").is_file():
        pytest.skip("PERSONVLM_ASSETS does not hold data/peta")
    train, val = read_training(data)
    people = first_share(in_order(train), Fraction(1, 50))
    for name, samples in (("train", [s for person in people for s in person]), ("val", val)):
        write_personvlm(samples, tmp_path / f"{name}.jsonl", tmp_path)
    for before, after in zip(([s for person in people for s in person], val), read_training(tmp_path), strict=True):
        assert [(s.source, s.identity, s.annotations, s.labels) for s in before] == [
            (s.source, s.identity, s.annotations, s.labels) for s in after]  # fmt: skip
    assert {sample.source for person in people for sample in person} == {sample.source for sample in train}
