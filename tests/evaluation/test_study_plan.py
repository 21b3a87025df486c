"""Budgets, plans, and what a study says before it starts. No torch."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_folders import write_people

from personvlm.base.errors import InputError
from personvlm.evaluation.study_ablations import ABLATIONS, ablation_entries, parse_ablations
from personvlm.evaluation.study_plan import announced, held_out, parse_models, parse_settings, planned, spread
from personvlm.evaluation.study_score import Said, read_said, write_said
from personvlm.training.budget import NOMINAL, Budget, Pace, parse_budgets, validated_on
from personvlm.training.recipe import Phase, Recipe


@pytest.mark.parametrize(
    ("text", "name"),
    [("10m", "10m"), ("10 min", "10m"), ("10", "10m"), ("2 minutes", "2m"), ("1e", "1e"), ("0.5 epochs", "0.5e"),
     ("1 EPOCH", "1e")],
)  # fmt: skip
def test_budgets_as_they_are_written(text: str, name: str) -> None:
    assert Budget.parse(text).name == name


@pytest.mark.parametrize("text", ["", "ten", "0m", "-1e", "1h", "1e2", "m"])
def test_other_budgets_are_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match="as in 10m"):
        Budget.parse(text)


def test_several_budgets_and_a_repeated_one() -> None:
    assert [each.name for each in parse_budgets(["10m,1e", "10"])] == ["10m", "1e"]
    with pytest.raises(InputError, match="no budget"):
        parse_budgets([" , "])


RECIPE = Recipe(phases=(Phase(55, 64, 32, False), Phase(45, 64, 32, True)), batch=10)


def test_epochs_are_crops_over_samples() -> None:
    recipe, pace = Budget.parse("2e").fitted(RECIPE, samples=400, threads=1)
    assert recipe.steps == 80
    assert [phase.steps for phase in recipe.phases] == [44, 36]
    assert recipe.evaluate_every == 10
    assert [pace.at(step) for step in (0, 7, 80)] == [0, 7, 80]


def test_minutes_pass_with_the_time_that_steps_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0, 0.0]  # wall, processor
    monkeypatch.setattr("personvlm.training.budget.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("personvlm.training.budget.time.process_time", lambda: now[1])
    recipe, wall = Budget.parse("1m").fitted(RECIPE, samples=400, threads=2)
    _, cpu = Budget.parse("1m", "cpu").fitted(RECIPE, samples=400, threads=2)
    assert recipe.steps == NOMINAL
    assert recipe.phase_at(NOMINAL * 54 // 100).text is False
    assert recipe.phase_at(NOMINAL * 56 // 100).text is True
    for pace in (wall, cpu):
        for _ in range(3):
            with pace.step(10):
                now[0] += 10.0
                now[1] += 5.0
            now[0] += 100.0  # validation: not counted
        assert (pace.crops, pace.taken, pace.seconds, pace.cpu_seconds) == (30, 3, 30.0, 15.0)
    assert wall.at(3) == NOMINAL // 2
    assert cpu.at(3) == NOMINAL // 8  # 7.5 seconds of each of two threads
    again = Pace(wall.steps, 1.0)
    again.restore(wall.state())
    assert again.at(0) == wall.at(3)
    with wall.step(10):
        now[0] += 1000.0
    assert wall.at(4) == NOMINAL  # late, and then over


def test_models_and_settings_by_name() -> None:
    assert parse_models("1,edge,stage2,1") == ["stage1", "edge", "stage2"]
    assert parse_models("none") == []
    assert parse_settings(["stage1.dim=8", "edge.batch=4"]) == {"stage1": {"dim": "8"}, "edge": {"batch": "4"}}
    for wrong in ("5", "stage9", ""):
        with pytest.raises(InputError, match="legal: 1, 2, 3, 4, edge"):
            parse_models(wrong)
    for wrong in ("dim=8", "stage1.dim", "stage7.dim=8"):
        with pytest.raises(InputError, match="--set"):
            parse_settings([wrong])


def test_a_plan_names_its_folders_and_its_time() -> None:
    entries = planned(["stage1", "edge"], parse_budgets(["10m,1e"]), {"stage1": {"dim": "8"}}, ["mobilenet_v2"])
    assert [entry.key for entry in entries] == [
        "stage1-10m", "stage1+mobilenet_v2-10m", "edge-10m", "stage1-1e", "stage1+mobilenet_v2-1e", "edge-1e",
    ]  # fmt: skip
    assert entries[1].settings == {"precision": "bf16", "dim": "8", "encoder": "mobilenet_v2"}
    assert entries[2].settings == {}
    said = announced(entries, {"stage1-1e": 600.0, "stage1+mobilenet_v2-1e": 300.0, "edge-1e": 60.0})
    assert "3 models in 30 minutes" in said
    assert "about 16 minutes" in said
    assert "stage1-1e 10" in said


def test_ablations_share_what_they_can() -> None:
    assert parse_ablations("all") == list(ABLATIONS)
    assert parse_ablations("none") == parse_ablations("") == []
    with pytest.raises(InputError, match="backbones"):
        parse_ablations("visual,nope")
    keys = [entry.key for entry in ablation_entries(["visual", "tokens", "prefix", "start"], Budget.parse("3m"))]
    assert keys == ["ablations/stage1+base-3m", "ablations/stage1+grid-3m", "ablations/stage1+tokens12-3m",
                    "ablations/edge+base-3m", "ablations/edge+noprefix-3m", "ablations/edge+random-3m"]  # fmt: skip
    every = ablation_entries(list(ABLATIONS), Budget.parse("3m"))
    assert len({entry.key for entry in every}) == len(every)
    assert {row.needs for row in ABLATIONS["pretrained"].rows} == {"decoder"}


def test_people_to_test_on(tmp_path: Path) -> None:
    data = write_people(tmp_path, 4, 4, 8)
    everybody = held_out(data)
    assert len(everybody) == 8
    few = held_out(data, people=2)
    assert len(few) == 4
    assert len({sample.identity for sample in few}) == 2
    assert held_out(data, people=2) == few
    spread_out = held_out(data, limit=4)
    assert len({sample.identity for sample in spread_out}) == 4
    assert len(spread(everybody, 3, 5)) == 5
    (data / "test.jsonl").unlink()
    with pytest.raises(InputError, match=r"test\.jsonl"):
        held_out(data)


def test_validation_looks_at_everybody_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = held_out(write_people(tmp_path, 2, 2, 8))
    monkeypatch.setattr("personvlm.training.budget.VALIDATED", 4)
    assert len({sample.identity for sample in validated_on(samples)}) == 4
    monkeypatch.setattr("personvlm.training.budget.VALIDATED", 100)
    assert validated_on(samples) == samples


def test_what_was_said_is_kept_whatever_a_picture_is_called(tmp_path: Path) -> None:
    said = [Said(name, "A man.", "A man.", 1.5, 6) for name in ("a\u2028b.jpg", "a\x85b.jpg", "caf\udce9.jpg")]
    write_said(said, tmp_path / "described.jsonl")
    assert read_said(tmp_path / "described.jsonl") == said
    assert read_said(tmp_path / "nothing.jsonl") == []
