"""The commands of docs/experiments.md still mean what they meant: read as the command line reads them, not run."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import personvlm
from docs_snippets import ROOT, commands, snippets, words
from personvlm.cli import main
from personvlm.training.recipe import Phase, Recipe
from test_readme import tool

PAGE = ROOT / "docs" / "experiments.md"
SHIPPED = Path(personvlm.__file__).parent / "weights" / "edge"
TRAIN = ["personvlm", "train", "edge"]


def typed() -> list[list[str]]:
    """Words of every command of the page; ``make reproduce`` stands for what the Makefile does then."""
    found: list[list[str]] = []
    for snippet in snippets(PAGE):
        for command in commands(snippet.text):
            found += reproduction() if words(command)[:2] == ["make", "reproduce"] else [words(command)]
    return found


def reproduction(text: str | None = None) -> list[list[str]]:
    """Commands of the rules of ``make reproduce``, in the order in which they run."""
    text = (ROOT / "Makefile").read_text("utf-8") if text is None else text
    rules = dict(re.findall(r"^([^\s#:=][^:=\n]*):(?!=)([^\n]*(?:\n\t[^\n]*)*)", text, re.M))

    def run(target: str) -> list[list[str]]:
        needed, *lines = rules.get(target, "").replace("\\\n", " ").split("\n")
        before = [command for name in needed.split() for command in run(name)]
        return before + [shlex.split(re.sub(r"\$\([A-Z]+\)/?", "x/", line.strip()).replace("x/personvlm", "personvlm"))
                         for line in lines if "personvlm train" in line or "measure.py" in line]  # fmt: skip

    return run("reproduce")


def trainings(monkeypatch: pytest.MonkeyPatch, several: list[list[str]]) -> list[tuple[Path, Path | None, Recipe]]:
    """(folder, folder that it starts from, recipe) of every ``personvlm train edge``, by the real command line."""
    seen: list[tuple[Path, Path | None, Recipe]] = []

    def instead(data: Path, out: Path, changes: dict[str, str], encoder: Path | None, start: Path | None,
                beside: Path | None, quiet: bool) -> None:  # fmt: skip
        seen.append((out, start, Recipe().with_settings(changes)))

    monkeypatch.setattr("personvlm.cli.train._train_edge", instead)
    for command in several:
        if command[:3] == TRAIN:
            with pytest.raises(SystemExit) as left:
                main([*command[1:], "--quiet"])
            assert left.value.code == 0, command
    return seen


def check_that_it_makes_what_is_shipped(runs: list[tuple[Path, Path | None, Recipe]]) -> None:
    (eyes, nothing, first), (words_folder, start, second), *_ = runs
    assert (nothing, start) == (None, eyes)
    assert words_folder != eyes
    assert first == Recipe(encoder="mobilenet_v2"), "the default recipe, which the page tells, on the shipped encoder"
    assert [phase.text for phase in first.phases] == [False, True]
    assert second.phases == (Phase(450, 256, 128, True),)
    shipped: dict[str, Any] = json.loads((SHIPPED / "recipe-text.json").read_text("utf-8"))
    for name in ("batch", "lr", "encoder_lr", "decoder_lr", "weight_decay", "warmup", "clip", "ema", "label_smoothing",
                 "vision", "random_text", "rendered", "identity_power", "precision", "seed"):  # fmt: skip
        assert getattr(second, name) == shipped[name], name


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="this checkout has no shipped weights")
def test_the_trainings_are_those_of_what_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ["make", "reproduce"] in [words(command)[:2] for each in snippets(PAGE) for command in commands(each.text)]
    runs = trainings(monkeypatch, reproduction())
    check_that_it_makes_what_is_shipped(runs)
    _, (first, *_), *later = runs
    assert [start for _, start, _ in later] == [first, first], "the second shares stages of the first; both are joined"
    for (_, _, recipe), name in zip(later, ("recipe-second.json", "recipe-joined.json"), strict=True):
        shipped = json.loads((SHIPPED / name).read_text("utf-8"))
        typed_now = json.loads(json.dumps(asdict(recipe)))
        for each in ("encoder", "evaluate_every", "checkpoint_minutes"):  # the first comes of the model gone on from
            del shipped[each], typed_now[each]
        assert typed_now == shipped, name
    encoder = json.loads((SHIPPED / "config.json").read_text("utf-8"))["encoder"]
    assert encoder == f"mobilenet_v2+mobilenet_v2@{later[0][2].shared}"


def test_the_other_trainings_of_the_page_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    eyes, text = trainings(monkeypatch, [each for each in typed() if "x/" not in " ".join(each)])
    assert eyes[2].encoder == "efficientnet_lite0"
    assert text[1] == Path("runs/student")
    assert not text[2].vision


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="this checkout has no shipped weights")
def test_what_the_page_says_of_the_shipped_recipe_is_so() -> None:
    shipped = json.loads((SHIPPED / "recipe.json").read_text("utf-8"))
    said = re.sub(r"\s+", " ", PAGE.read_text("utf-8"))
    (eyes, both), (now, later) = shipped["phases"], Recipe().phases
    assert f"{eyes['steps']:,} steps at {eyes['height']}×{eyes['width']} and {both['steps']:,} at" in said
    assert f"({now.steps:,} steps at {now.height}×{now.width}, {later.steps:,} at {later.height}×{later.width}" in said


@pytest.mark.parametrize(
    ("was", "now"),
    [("lr=0.001", "lr=0.002"), ("vision=false", "eyes=false"), ("runs/edge \\", "runs/edges \\"),
     ("mobilenet_v2", "efficientnet_lite0"), ("steps=450", "steps=45")],
)  # fmt: skip
def test_a_command_that_no_longer_does_it_is_seen(was: str, now: str, monkeypatch: pytest.MonkeyPatch,
                                                  tmp_path: Path) -> None:  # fmt: skip
    text = ("```console\n$ personvlm train edge --data d --out runs/edge --set encoder=mobilenet_v2\n"
            "$ personvlm train edge --data d --out runs/text --from runs/edge \\\n"
            "    --set vision=false --set steps=450 --set lr=0.001 \\\n"
            "    --set decoder_lr=1 --set ema=0.985\n```\n")  # fmt: skip
    page = tmp_path / "page.md"
    for content, wrong in ((text, False), (text.replace(was, now), True)):
        page.write_text(content, "utf-8")
        several = [words(command) for snippet in snippets(page) for command in commands(snippet.text)]
        if wrong:
            assert content != text
            with pytest.raises(AssertionError):
                check_that_it_makes_what_is_shipped(trainings(monkeypatch, several))
        else:
            check_that_it_makes_what_is_shipped(trainings(monkeypatch, several))


def test_rules_of_the_makefile_are_followed_in_their_order() -> None:
    text = ("OUT ?= runs\nreproduce: $(OUT)/b\n\t$(BIN)/python tools/measure.py $(OUT)/text\n\n"
            "$(OUT)/a: | $(VENV)/.dev\n\t$(BIN)/personvlm train edge --data $(DATA) --out $(OUT)/edge\n\n"
            "$(OUT)/b: $(OUT)/a\n\t$(BIN)/personvlm train edge --out $(OUT)/text \\\n\t\t--set lr=1\n")  # fmt: skip
    assert [command[:4] for command in reproduction(text)] == [
        ["personvlm", "train", "edge", "--data"], ["personvlm", "train", "edge", "--out"],
        ["x/python", "tools/measure.py", "x/text"],
    ]  # fmt: skip
    assert reproduction(text)[1][-2:] == ["--set", "lr=1"]


def test_scripts_that_the_page_runs_are_there_and_take_what_they_are_given() -> None:
    scripts = [command[command.index(name) :] for command in typed() for name in command
               if name.startswith("tools/")]  # fmt: skip
    assert {script[0] for script in scripts} == {"tools/measure.py", "tools/learning_curve.py", "tools/cross_fit.py"}
    for name, *arguments in scripts:
        assert (ROOT / name).is_file()
        if name == "tools/learning_curve.py":
            given = tool("learning_curve").parser().parse_args(arguments)
            assert given.docs
            assert given.data is not None
        if name == "tools/cross_fit.py":
            crossed = tool("cross_fit")
            given = crossed.parser().parse_args(arguments)
            teachers, _ = crossed.planned(given)
            assert len(teachers) == given.at_once
            for settings in (given.teacher, given.student):
                Recipe().with_settings(dict(each.split("=", 1) for each in settings))
