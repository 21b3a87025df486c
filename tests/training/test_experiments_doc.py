"""The commands of docs/experiments.md still mean what they meant: read as the command line reads them, not run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import personvlm
from docs_snippets import ROOT, commands, snippets, words
from personvlm.cli import main
from personvlm.training.distill import Distillation
from personvlm.training.recipe import Recipe
from personvlm.training.run import Start
from test_readme import tool

PAGE = ROOT / "docs" / "experiments.md"
SHIPPED = Path(personvlm.__file__).parent / "weights" / "edge"


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
        needed, *lines = rules.pop(target, "").replace("\\\n", " ").split("\n")
        before = [command for name in needed.split() for command in run(name)]
        return before + [shlex.split(re.sub(r"\$\([A-Z]+\)/?", "x/", line.strip()).replace("x/personvlm", "personvlm"))
                         for line in lines if "personvlm" in line or "measure.py" in line]  # fmt: skip

    return run("reproduce")


class Run(NamedTuple):
    """A training as the command line asks for it."""

    out: str
    start: str | None
    recipe: Recipe
    taught: Distillation | None


def trainings(monkeypatch: pytest.MonkeyPatch, several: list[list[str]]) -> list[Run]:
    """Every training among commands, by the real command line."""
    seen: list[Run] = []

    def instead(_: Path, out: Path, recipe: Recipe, begin: Start, *, distillation: Distillation | None = None,
                quiet: bool = False) -> None:  # fmt: skip
        seen.append(Run(out.name, None if begin.model is None else begin.model.name, recipe, distillation))
        raise SystemExit(0)

    monkeypatch.setattr("personvlm.training.run.train_edge", instead)
    monkeypatch.setattr("personvlm.cli.train.start_of", lambda encoder, model, *_: Start(model=model))
    monkeypatch.setattr("personvlm.cli.distill.start_of", lambda encoder, model, *_: Start(model=model))
    for command in several:
        if command[:2] in (["personvlm", "train"], ["personvlm", "distill"]):
            with pytest.raises(SystemExit) as left:
                main([*command[1:], "--quiet"])
            assert left.value.code == 0, command
    return seen


def shipped_recipe(name: str, folder: Path) -> Recipe:
    shutil.copyfile(SHIPPED / name, folder / "recipe.json")
    return Recipe.load(folder)


def check_that_it_makes_what_is_shipped(runs: list[Run], folder: Path) -> None:
    lite, mobilenet, student, text = runs
    assert [run.start for run in runs] == [None, None, "lite", "student"]
    assert [run.out for run in runs] == ["lite", "mobilenet", "student", "text"]
    for run, name in ((lite, "recipe.json"), (student, "recipe-student.json"), (text, "recipe-text.json")):
        assert replace(run.recipe, **BESIDE) == replace(shipped_recipe(name, folder), **BESIDE), name
    assert mobilenet.recipe.encoder == "mobilenet_v2"
    assert not any(phase.text for run in (lite, mobilenet, student) for phase in run.recipe.phases)
    assert [run.taught is None for run in runs] == [True, True, False, True]
    assert student.taught is not None
    saved = json.loads((SHIPPED / "distillation.json").read_text("utf-8"))
    assert [Path(teacher).name for teacher in student.taught.teachers] == saved.pop("teachers")
    assert {name: getattr(student.taught, name) for name in saved} == {**saved, "looks": tuple(saved["looks"])}


BESIDE: dict[str, Any] = {"evaluate_every": 400, "checkpoint_minutes": 4.0}
"""How often one looks changes nothing."""


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="this checkout has no shipped weights")
def test_the_trainings_are_those_of_what_is_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_that_it_makes_what_is_shipped(trainings(monkeypatch, typed()), tmp_path)


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="this checkout has no shipped weights")
def test_what_the_page_says_of_the_runs_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text("utf-8")
    for run in trainings(monkeypatch, typed()):
        phases = ", ".join(f"{phase.steps:,} at {phase.height}×{phase.width}" for phase in run.recipe.phases)
        (row,) = re.findall(rf"^\| `{run.out}` \|.*$", page, re.M)
        assert f"| {phases} |" in row


@pytest.mark.parametrize(
    ("was", "now"),
    [("lr=0.001", "lr=0.002"), ("vision=false", "eyes=false"), ("--from $(OUT)/student", "--from $(OUT)/lite"),
     ("--mix 0.5", "--mix 0.4"), ("encoder=mobilenet_v2", "encoder=efficientnet_lite1")],
)  # fmt: skip
def test_a_rule_that_no_longer_does_it_is_seen(was: str, now: str, monkeypatch: pytest.MonkeyPatch,
                                               tmp_path: Path) -> None:  # fmt: skip
    text = (ROOT / "Makefile").read_text("utf-8")
    assert was in text
    with pytest.raises(AssertionError):
        check_that_it_makes_what_is_shipped(trainings(monkeypatch, reproduction(text.replace(was, now))), tmp_path)


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
    assert {script[0] for script in scripts} == {"tools/measure.py", "tools/learning_curve.py"}
    for name, *arguments in scripts:
        assert (ROOT / name).is_file()
        if name == "tools/learning_curve.py":
            given = tool("learning_curve").parser().parse_args(arguments)
            assert given.docs
            assert given.data is not None
