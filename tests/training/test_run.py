"""Training for real, at a size that takes seconds: it learns, and it survives being killed."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file
from stage_folders import assert_killed_run_ends_as_a_whole_one
from torch import nn

from personvlm.base.errors import InputError
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.models.pair import alike
from personvlm.training import checkpoint
from personvlm.training import objective as objective_module
from personvlm.training.checkpoint import load_checkpoint, save_checkpoint
from personvlm.training.distill import Distillation
from personvlm.training.loop import Curves, learning_rate, read_curves, train
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import Start, domain_vocabulary, train_edge

SMALL = Recipe(phases=(Phase(2, 64, 32, False), Phase(198, 64, 32, True)), batch=8, precision="no", evaluate_every=1000,
               checkpoint_minutes=60, rendered=4)  # fmt: skip


def test_two_hundred_steps_lower_every_loss(folder: Path, tmp_path: Path) -> None:
    train_edge(folder, tmp_path, SMALL, Start(), quiet=True)
    curves = read_curves(tmp_path / "curves.csv")
    for name in ("loss", "attributes", "text"):
        values = [value for _, series, value in curves if series == name]
        assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20]), name
    for file in ("config.json", "model.safetensors", "vocabulary.json", "transform.json", "recipe.json", "curves.png"):
        assert (tmp_path / file).stat().st_size > 0, file
    assert Recipe.load(tmp_path) == SMALL
    assert re.fullmatch(r"edge-1\+[0-9a-f]{8}", EdgeConfig.load(tmp_path).title), "other weights, another model"


SCRIPT = """
import sys
from pathlib import Path
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import Start, train_edge
recipe = Recipe(phases=(Phase(12, 64, 32, False), Phase(12, 64, 32, True)), batch=8, precision="no",
                evaluate_every=1000, checkpoint_minutes=0.0, rendered=0)
train_edge(Path(sys.argv[1]), Path(sys.argv[2]), recipe, Start(), cache=Path(sys.argv[3]), quiet=True)
"""


def test_a_killed_run_ends_where_an_uninterrupted_one_does(folder: Path, tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        return [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / out), str(tmp_path / "cache")]

    assert_killed_run_ends_as_a_whole_one(command, tmp_path, atol=1e-3)


def test_the_decoder_alone_leaves_the_eyes_as_they_are(folder: Path, tmp_path: Path) -> None:
    short = replace(SMALL, phases=(Phase(2, 64, 32, False), Phase(3, 64, 32, True)))
    train_edge(folder, tmp_path / "first", short, Start(), quiet=True)
    only_text = short.with_settings({"vision": "false"})
    assert [phase.text for phase in only_text.phases] == [True]
    train_edge(folder, tmp_path / "second", only_text, Start(model=tmp_path / "first"), quiet=True)
    first, second = (load_file(tmp_path / out / "model.safetensors") for out in ("first", "second"))
    changed = {name.partition(".")[0] for name, tensor in first.items() if not np.array_equal(tensor, second[name])}
    assert changed <= {"decoder", "attributes", "projection"}
    assert "decoder" in changed


def test_two_models_go_on_as_one_that_finds_what_both_find(folder: Path, tmp_path: Path) -> None:
    short = replace(SMALL, phases=(Phase(2, 64, 32, False), Phase(1, 64, 32, True)))
    for seed in (1, 2):
        train_edge(folder, tmp_path / str(seed), replace(short, seed=seed), Start(), quiet=True)
    start = Start(model=tmp_path / "1", beside=tmp_path / "2")
    train_edge(folder, tmp_path / "both", short.with_settings({"vision": "false"}), start, quiet=True)
    both, first, second = (EdgeVLM.load(tmp_path / name) for name in ("both", "1", "2"))
    assert both.config.encoder == Recipe.load(tmp_path / "both").encoder == "efficientnet_lite0+efficientnet_lite0"
    assert len({model.config.title for model in (both, first, second)}) == 3
    pixels = torch.rand(4, 3, 64, 32)
    with torch.no_grad():
        found, mine, its = (model.see(pixels).logits for model in (both, first, second))
    assert torch.allclose(found, (mine + its) / 2, atol=0.02)
    assert not torch.allclose(mine, its, atol=0.05)
    with pytest.raises(InputError, match=r"begun with beside: .*given now"):
        train_edge(folder, tmp_path / "both", short.with_settings({"vision": "false"}),
                   Start(model=tmp_path / "1", beside=tmp_path / "1"), quiet=True)  # fmt: skip


def test_a_second_model_learns_above_the_stages_that_it_shares_with_the_first(folder: Path, tmp_path: Path) -> None:
    short = replace(SMALL, phases=(Phase(2, 64, 32, False),), encoder="mobilenet_v2")
    train_edge(folder, tmp_path / "1", short, Start(), quiet=True)
    train_edge(folder, tmp_path / "2", replace(short, shared=5, seed=2), Start(model=tmp_path / "1"), quiet=True)
    first, second = (EdgeVLM.load(tmp_path / name) for name in ("1", "2"))
    assert alike(first.encoder, second.encoder) == 5
    start = Start(model=tmp_path / "1", beside=tmp_path / "2")
    text = replace(short, phases=(Phase(1, 64, 32, True),), vision=False)
    train_edge(folder, tmp_path / "both", text, start, quiet=True)
    both = EdgeVLM.load(tmp_path / "both")
    assert both.config.encoder == "mobilenet_v2+mobilenet_v2@5"
    pixels = torch.rand(4, 3, 64, 32)
    with torch.no_grad():
        found, mine, its = (model.see(pixels).logits for model in (both, first, second))
    assert torch.allclose(found, (mine + its) / 2, atol=0.02)
    with pytest.raises(InputError, match=r"shared=5: of which model\? Name it with --from"):
        train_edge(folder, tmp_path / "3", replace(short, shared=5), Start(), quiet=True)


def test_crossed_crops_are_nobody_that_others_know(folder: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    known: list[float] = []
    real = objective_module.identity_loss

    def identity(embedding: torch.Tensor, person: torch.Tensor) -> torch.Tensor:
        known.append(float((person >= 0).float().mean()))
        return real(embedding, person)

    monkeypatch.setattr(objective_module, "identity_loss", identity)
    recipe = replace(SMALL, phases=(Phase(2, 64, 32, False), Phase(2, 64, 32, True)), rendered=0, crossed=1.0)
    train_edge(folder, tmp_path / "out", recipe, Start(), quiet=True)
    assert max(known[:2]) < 0.6, "whoever has the legs of somebody else is nobody"
    assert min(known[2:]) == 1.0, "words are of real people"
    for given in ({"teachers": (str(tmp_path / "out"),), "whole": True}, {"looks": ("osnet.onnx",)}):
        with pytest.raises(InputError, match="crossed"):
            train_edge(folder, tmp_path / "student", recipe, Start(), distillation=Distillation(**given), quiet=True)


def test_another_recipe_does_not_continue_a_run(folder: Path, tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    with pytest.raises(InputError, match="another recipe"):
        train_edge(folder, tmp_path, replace(SMALL, lr=1.0), Start(), quiet=True)


def test_other_data_or_weights_do_not_continue_a_run(folder: Path, tmp_path: Path) -> None:
    tiny = replace(SMALL, phases=(Phase(1, 64, 32, False), Phase(1, 64, 32, True)))
    out = tmp_path / "out"
    train_edge(folder, out, tiny, Start(), quiet=True)
    fewer = shutil.copytree(folder, tmp_path / "fewer")
    train_edge(fewer, out, tiny, Start(), quiet=True)  # the same data, somewhere else
    lines = (fewer / "train.jsonl").read_text().splitlines(keepends=True)
    (fewer / "train.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match=r"begun with data: .*36 \+ 12 samples.*; given now: .*35 \+ 12 samples"):
        train_edge(fewer, out, tiny, Start(), quiet=True)
    with pytest.raises(InputError, match=r"begun with model: none; given now: .*out \([0-9a-f]{12}\)"):
        train_edge(folder, out, tiny, Start(model=out), quiet=True)
    (out / "origin.json").unlink()  # as runs from before the record have none
    train_edge(fewer, out, tiny, Start(), quiet=True)
    assert "35 + 12" in (out / "origin.json").read_text()
    (out / "origin.json").write_text("[]")
    with pytest.raises(InputError, match=r"origin\.json: damaged"):
        train_edge(fewer, out, tiny, Start(), quiet=True)


def test_settings_from_the_command_line() -> None:
    recipe = Recipe().with_settings({"lr": "0.5", "steps": "46", "precision": "no"})
    assert (recipe.lr, recipe.steps, recipe.precision) == (0.5, 46, "no")
    assert [phase.text for phase in recipe.phases] == [False, True]
    recipe = recipe.with_settings({"phases": "3x64x32,2x96x48+text", "augment.erase": "0.5"})
    assert recipe.phases == (Phase(3, 64, 32, False), Phase(2, 96, 48, True))
    assert (recipe.augment.erase, recipe.augment.flip) == (0.5, Recipe().augment.flip)
    for wrong in ({"phases": "3x64"}, {"phases": "3x64x32+words"}, {"phases": "0x64x32"}, {"phases": ""},
                  {"augment.erase": "much"}, {"augment.hue": "1"}, {"erase": "1"}):  # fmt: skip
        with pytest.raises(InputError, match="|".join(wrong)):
            recipe.with_settings(wrong)
    with pytest.raises(InputError, match="nope"):
        recipe.with_settings({"nope": "1"})
    with pytest.raises(InputError, match="lr=fast"):
        recipe.with_settings({"lr": "fast"})


def test_schedule_warms_up_and_comes_down() -> None:
    recipe = replace(Recipe(), phases=(Phase(100, 64, 32, False),), warmup=0.1)
    rates = [learning_rate(step, recipe) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == 1.0
    assert rates[9] == 1.0
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert rates[-1] < 0.02


def test_vocabulary_is_small_and_the_same_every_time() -> None:
    first, second = domain_vocabulary(), domain_vocabulary()
    assert first.words == second.words
    assert len(first) < 700


def test_a_line_that_a_kill_left_half_written_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    whole = "step,name,value\r\n0,loss,1.5\r\n1,loss,1.25\r\n"
    for rest in ("", "2", "2,lo", "2,loss,", "2,loss,1.1", "x,loss,1\r\n", "2,loss\r\n"):
        path.write_text(whole + rest, newline="")
        assert read_curves(path) == [(0, "loss", 1.5), (1, "loss", 1.25)], rest
        Curves(path, 1, True)
        assert read_curves(path) == [(0, "loss", 1.5)], rest
    path.write_text("step,na")
    assert read_curves(path) == []


def test_settings_that_no_training_can_be_done_with_are_refused() -> None:
    for wrong in ("batch=0", "evaluate_every=0", "seed=-1", "rendered=-5", "lr=nan", "lr=-1", "clip=0", "ema=2",
                  "precision=half", "steps=1", "phases=3x50x31", "augment.flip=nan"):  # fmt: skip
        name, _, value = wrong.partition("=")
        with pytest.raises(InputError, match=name):
            Recipe().with_settings({name: value})


def test_the_order_of_settings_does_not_matter() -> None:
    for settings in ({"steps": "450", "vision": "false"}, {"vision": "false", "steps": "450"}):
        assert Recipe().with_settings(settings).phases == (Phase(450, 256, 128, True),)
    both = {"steps": "60", "phases": "10x64x32,20x64x32+text"}
    assert [phase.steps for phase in Recipe().with_settings(both).phases] == [20, 40]
    assert Recipe().with_settings({"phases": "98x64x32,1x64x32,1x64x32+text", "steps": "3"}).steps == 3
    for settings in ({"vision": "false", "phases": "9x64x32"}, {"phases": "9x64x32", "vision": "false"}):
        with pytest.raises(InputError, match=r"name one, as in phases=450x256x128\+text"):
            Recipe().with_settings(settings)


def test_the_folder_of_another_kind_of_run_is_refused(folder: Path, tmp_path: Path) -> None:
    for text in ('{"epochs": 20, "learning_rate": 0.0001}', "", "[]"):
        (tmp_path / "recipe.json").write_text(text)
        with pytest.raises(InputError, match=r"recipe\.json: not the recipe of a run of edge"):
            train_edge(folder, tmp_path, SMALL, Start(), quiet=True)


def test_a_run_that_diverges_ends_and_says_so(tmp_path: Path) -> None:
    recipe = replace(SMALL, phases=(Phase(4, 64, 32, False),))
    with pytest.raises(InputError, match=r"the loss of step 2 is nan, the run has diverged; .* lower learning rate"):
        train(nn.Linear(2, 1), lambda model, step: {"loss": model(torch.ones(1, 2)).sum() / (2 - step) * (2 - step)},
              recipe, tmp_path, quiet=True)  # fmt: skip


def test_a_checkpoint_that_cannot_be_written_or_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(2, 1)
    average, optimizer = dict(model.state_dict()), torch.optim.AdamW(model.parameters())
    save_checkpoint(tmp_path, 1, model, average, optimizer, {})

    def full(tensors: object, path: Path) -> None:
        raise SafetensorError("No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save_file", full)
        with pytest.raises(InputError, match=r"cannot be written .*No space left"):
            save_checkpoint(tmp_path, 2, model, average, optimizer, {})
    assert load_checkpoint(tmp_path, model, average, optimizer) == {"step": 1}
    for name in ("state.json", "state.safetensors"):
        path = tmp_path / "checkpoint" / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InputError, match=r"checkpoint: damaged .* remove it"):
            load_checkpoint(tmp_path, model, average, optimizer)
        path.write_bytes(whole)
