"""Teachers that each left people out, and their student: trained by one command, which does nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the train extra")

from personvlm.models.edge import EdgeVLM
from personvlm.training.recipe import Recipe
from test_readme import tool

TINY = ("batch=8", "precision=no", "evaluate_every=1000", "rendered=4", "phases=2x64x32")


def asked(folder: Path, out: Path, *further: str) -> list[str]:
    sets = [text for each in TINY for text in ("--teacher", each, "--student", each)]
    return ["--data", str(folder), "--out", str(out), *sets, *further]


def test_a_student_of_teachers_who_left_people_out(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.delenv("PERSONVLM_ASSETS", raising=False)
    out = tmp_path / "cross"
    with pytest.raises(SystemExit, match=r"nothing-1: training ended with exit status 1; \S+\.log ends") as failed:
        tool("cross_fit").main([*asked(folder, out), "--encoders", "nothing"])
    assert "encoder 'nothing' is not offered" in str(failed.value)
    assert not (out / "student").exists()

    command = [*asked(folder, out, "--at-once", "2"), "--encoders", "mobilenet_v2", "--weight", "2"]
    tool("cross_fit").main(command)
    assert "taught by 2 models" in capsys.readouterr().out
    recipes = [Recipe.load(out / f"mobilenet_v2-{part}") for part in (1, 2)]
    assert [(recipe.left_out, recipe.seed, recipe.encoder) for recipe in recipes] == [
        ("1/2", 1, "mobilenet_v2"), ("2/2", 2, "mobilenet_v2")]  # fmt: skip
    told = json.loads((out / "student" / "distillation.json").read_text())
    assert told["teachers"] == [str(out / f"mobilenet_v2-{part}") for part in (1, 2)]
    assert (told["whole"], told["weight"], told["temperature"]) == (True, 2.0, 1.0)
    assert EdgeVLM.load(out / "student").config.name == "edge"

    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*/model.safetensors")}
    assert len(stamps) == 3
    tool("cross_fit").main(command)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_what_would_be_trained_is_shown(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool("cross_fit").main([*asked(folder, tmp_path / "out"), "--parts", "3", "--dry"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["train"] * 3 + ["distill"]
    assert not (tmp_path / "out").exists()
    for wrong in (["--parts", "1"], ["--encoders", ","], ["--at-once", "0"]):
        with pytest.raises(SystemExit, match="two parts"):
            tool("cross_fit").main([*asked(folder, tmp_path / "out"), *wrong])
