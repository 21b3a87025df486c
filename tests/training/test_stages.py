"""The stages trained for real at a size that takes seconds: they learn, they end their sentences, they survive."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from safetensors.numpy import load_file  # noqa: E402
from stage_folders import TINY, write_gpt2_tokenizer, write_msp60k, write_two_kinds  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.base.images import decode  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models import load  # noqa: E402
from personvlm.models.generate import write  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS  # noqa: E402
from personvlm.training.loop import read_curves, train  # noqa: E402
from personvlm.training.recipe import Phase, Recipe  # noqa: E402
from personvlm.training.stage_recipe import StageRecipe, with_encoder, with_settings  # noqa: E402
from personvlm.training.stages import StageStart, run_stage  # noqa: E402
from personvlm.training.stopping import EarlyStopping  # noqa: E402
from personvlm.training.study_data import read_study  # noqa: E402
from personvlm.training.study_objective import NO_TARGET, caption_loss, encoded  # noqa: E402

STAGES = ("stage1", "stage2", "stage3", "stage4")
SHORT = "The image shows a man."
LONG = "The image shows a woman. She is wearing a red coat."


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models of this size are slower on several threads, and much slower beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> StageStart:
    """An encoder without weights; for stages 3 and 4 a small GPT-2 with a small tokenizer: 50,257 logits take long."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from personvlm.language.random_values import random_values
    from personvlm.language.realiser import realise
    from personvlm.language.tokenizer import DomainBPE

    rng, folder = random.Random(0), tmp_path_factory.mktemp("pieces")
    DomainBPE.from_corpus([realise(random_values(rng), seed=seed) for seed in range(500)], 700).save(folder)
    # GPT-2 as transformers saves it, its embeddings so large that a frozen output layer can tell 700 words apart.
    GPT2LMHeadModel(GPT2Config(vocab_size=700, n_embd=32, n_layer=2, n_head=4, n_inner=64, initializer_range=0.25,
                               bos_token_id=1, eos_token_id=2)).save_pretrained(folder)  # fmt: skip
    return StageStart("random", str(folder), str(folder))


@pytest.fixture(scope="session")
def gpt2_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_gpt2_tokenizer(tmp_path_factory.mktemp("gpt2"))


def losses(out: Path) -> list[float]:
    return [value for _, name, value in read_curves(out / "curves.csv") if name == "loss"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_learns(stage: str, folder: Path, tmp_path: Path, start: StageStart) -> None:
    own = {"stage1": {"encoder": "mobilevit_xs"}, "stage3": {"frozen_layers": "1", "steps": "150"}}.get(stage, {})
    settings = {**TINY, "steps": "60", **own}
    run_stage(stage, folder, tmp_path, settings, start, quiet=True)
    values = losses(tmp_path)
    assert len(values) == int(settings["steps"])
    assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20])
    loaded = load(tmp_path)
    assert isinstance(loaded.model, PersonVLM)
    texts = write(loaded.model, torch.rand(2, 3, 64, 64), loaded.tokenizer)
    assert all(text.startswith("The image") for text in texts)
    names = {name for _, name, _ in read_curves(tmp_path / "curves.csv")}
    assert {"val.loss", "val.bits_per_byte"} <= names


def test_msp60k_through_normaliser_split_and_vocabulary(tmp_path: Path, start: StageStart) -> None:
    data = write_msp60k(tmp_path / "data", 60)
    training, validation = read_study(data, tmp_path / "data" / "images")
    assert len(training) + len(validation) == 60
    assert not {sample.identity for sample in training} & {sample.identity for sample in validation}
    settings = {**TINY, "steps": "50", "min_freq": "2"}
    run_stage("stage1", data, tmp_path / "out", settings, start, images=tmp_path / "data" / "images", quiet=True)
    values = losses(tmp_path / "out")
    assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20])
    words = PersonVocabulary.load(tmp_path / "out").words
    assert "image" in words
    assert not {"here", "description", "identifiers"} & set(words)
    with pytest.raises(InputError, match="part1_00000_000"):
        read_study(data, tmp_path)


@pytest.mark.parametrize("stage", ["stage1", "stage4"])
def test_generated_length_follows_the_captions(stage: str, tmp_path: Path, start: StageStart) -> None:
    data = write_two_kinds(tmp_path / "data", (SHORT, LONG))
    own = {"encoder": "mobilevit_xs"} if stage == "stage1" else {}
    settings = {**TINY, **own, "steps": "120", "batch_size": "4", "min_freq": "1", "patience": "0"}
    run_stage(stage, data, tmp_path / "out", settings, start, quiet=True)
    model, tokenizer, transform = load(tmp_path / "out")
    assert isinstance(model, PersonVLM)
    pictures = [decode(data / f"val{index}.png") for index in (0, 1)]
    texts = write(model, torch.from_numpy(transform(pictures)), tokenizer)
    assert texts == [SHORT, LONG]


@pytest.mark.parametrize("kind", ["words", "gpt2"])
def test_first_word_and_end_are_in_the_loss(kind: str, gpt2_tokenizer: str) -> None:
    from personvlm.language.tokenizer import GPT2Tokenizer

    tokenizer = PersonVocabulary.from_corpus([SHORT, LONG], min_freq=1) if kind == "words" \
        else GPT2Tokenizer.load(gpt2_tokenizer)  # fmt: skip
    words, targets = encoded([SHORT, LONG], tokenizer, 256)
    first, end = tokenizer.encode(SHORT)[0], tokenizer.eos_id
    assert words[0, 0] == tokenizer.bos_id
    assert targets[0, 0] == first
    length = len(tokenizer.encode(SHORT))
    assert targets[0, length] == end
    assert words[0, length] == tokenizer.encode(SHORT)[-1]
    assert (targets[0, length + 1 :] == NO_TARGET).all()
    assert (targets != NO_TARGET).sum() == sum(len(tokenizer.encode(text)) + 1 for text in (SHORT, LONG))
    logits = torch.zeros(2, targets.shape[1], len(tokenizer), requires_grad=True)
    caption_loss(logits, targets, 0.1).backward()
    assert logits.grad is not None
    for place, target in ((0, first), (length, end)):
        assert logits.grad[0, place, target] < -0.8  # pulled up, as strongly as any other word
    assert (logits.grad[0, length + 1 :] == 0).all()


def test_a_caption_that_is_too_long_learns_no_end() -> None:
    tokenizer = PersonVocabulary.from_corpus([LONG], min_freq=1)
    words, targets = encoded([LONG], tokenizer, 8)
    assert words.shape == (1, 7)
    assert tokenizer.eos_id not in targets


def test_recipes_are_the_table_of_the_design() -> None:
    table = {name: StageRecipe.of(name) for name in STAGES}
    assert [table[name].epochs for name in STAGES] == [20, 75, 20, 40]
    assert [table[name].learning_rate for name in STAGES] == [1e-4, 2e-4, 5e-5, 2e-5]
    assert [table[name].weight_decay for name in STAGES] == [0.01, 0.005, 0.01, 0.01]
    assert [table[name].patience for name in STAGES] == [0, 15, 0, 10]
    assert [table[name].precision for name in STAGES] == ["no", "no", "no", "fp16"]
    assert {table[name].label_smoothing for name in STAGES} == {0.1}
    assert {table[name].clip for name in STAGES} == {1.0}
    assert table["stage2"].scaled_rate(4) == pytest.approx(2e-4)
    assert table["stage2"].scaled_rate(1) == pytest.approx(0.5e-4)
    assert table["stage1"].scaled_rate(1) == pytest.approx(1e-4)
    loop = table["stage2"].for_loop(27_000, 4, PRESETS["stage2"], "no")
    assert (loop.batch, loop.evaluate_every, loop.steps) == (128, 210, 75 * 210)


def test_settings_change_recipe_and_model(tmp_path: Path) -> None:
    recipe, config = with_settings(StageRecipe.of("stage2"), PRESETS["stage2"],
                                   {"epochs": "3", "learning_rate": "0.001", "visual_tokens": "4"})  # fmt: skip
    assert (recipe.epochs, recipe.scaled_rate(7), config.visual_tokens) == (3, 0.001, 4)
    for settings, message in (({"nope": "1"}, "nope.*epochs"), ({"epochs": "many"}, "epochs=many"),
                              ({"encoder": "vgg"}, "mobilenet_v2"), ({"heads": "7"}, "heads"),
                              ({"frozen_layers": "7"}, "7 of 6 layers")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            with_settings(recipe, config, settings)
    (tmp_path / "own.yaml").write_text("epochs: 2\nlearning_rate: 1.0e-3\n")
    assert StageRecipe.read(tmp_path / "own.yaml").epochs == 2
    (tmp_path / "own.yaml").write_text("epoch: 2\n")
    with pytest.raises(InputError, match=r"own\.yaml.*batch_size"):
        StageRecipe.read(tmp_path / "own.yaml")


def test_another_encoder_brings_its_input_and_as_large_a_frozen_share() -> None:
    config = with_encoder(PRESETS["stage3"], "dinov2_small")
    assert (config.height, config.width, config.frozen_through) == (252, 126, "encoder.layer.6")
    assert config.transform.channels == "RGB"
    assert with_encoder(PRESETS["stage1"], "mobilenet_v2").frozen_through == "layer.14"
    assert with_encoder(PRESETS["stage1"], "mobilevit_xs") is PRESETS["stage1"]


def test_a_model_over_the_budget_is_not_trained(folder: Path, tmp_path: Path, start: StageStart) -> None:
    with pytest.raises(InputError, match="budget"):
        run_stage("stage4", folder, tmp_path, {"encoder": "dinov2_small"}, start, quiet=True)


def test_early_stopping_keeps_the_best_and_stays_stopped(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1)
    recipe = Recipe(phases=(Phase(40, 1, 1, True),), batch=1, lr=0.1, ema=0.0, precision="no", evaluate_every=2)
    figures = iter([3.0, 2.0, 2.5, 2.1, 2.2, 1.0])
    seen: list[dict[str, torch.Tensor]] = []

    def evaluate(average: dict[str, torch.Tensor]) -> dict[str, float]:
        seen.append({name: tensor.clone() for name, tensor in average.items()})
        return {"val.loss": next(figures)}

    def objective(wrapped: torch.nn.Module, step: int) -> dict[str, torch.Tensor]:
        return {"loss": (wrapped(torch.ones(1, 2)) - 5.0).square().mean()}

    stopping = EarlyStopping(tmp_path, "val.loss", patience=3)
    train(model, objective, recipe, tmp_path, evaluate=evaluate, stopping=stopping, quiet=True)
    assert len(seen) == 5  # two that were better, three that were not
    best = stopping.best_weights()
    assert torch.equal(best["weight"], seen[1]["weight"])
    again = EarlyStopping(tmp_path, "val.loss", patience=3)
    train(model, objective, recipe, tmp_path, evaluate=evaluate, stopping=again, quiet=True)
    assert len(seen) == 5
    assert again.best == 2.0


KILLED = """
import sys
from pathlib import Path
from personvlm.training.stages import StageStart, run_stage
sys.path.insert(0, sys.argv[1])
from stage_folders import TINY
settings = {**TINY, "steps": "24", "checkpoint_minutes": "0", "dropout": "0.1"}
run_stage("stage1", Path(sys.argv[2]), Path(sys.argv[3]), settings, StageStart("random"), cache=Path(sys.argv[4]),
          quiet=True)
"""


def test_a_killed_run_ends_where_an_uninterrupted_one_does(folder: Path, tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        here = str(Path(__file__).parent)
        return [sys.executable, "-c", KILLED, here, str(folder), str(tmp_path / out), str(tmp_path / "cache")]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, env=environment)
    killed = subprocess.Popen(command("killed"), env=environment)
    state = tmp_path / "killed" / "checkpoint" / "state.json"
    deadline = time.monotonic() + 120
    while not (state.is_file() and json.loads(state.read_text() or '{"step": 0}')["step"] >= 5):
        assert killed.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    subprocess.run(command("killed"), check=True, env=environment)
    whole, resumed = (load_file(tmp_path / out / "model.safetensors") for out in ("whole", "killed"))
    for name, tensor in whole.items():
        np.testing.assert_allclose(resumed[name], tensor, atol=1e-5, err_msg=name)
    steps = [step for step, name, _ in read_curves(tmp_path / "killed" / "curves.csv") if name == "loss"]
    assert steps == list(range(24))
    with pytest.raises(InputError, match="another recipe"):
        run_stage("stage1", folder, tmp_path / "whole", {**TINY, "steps": "25"}, StageStart("random"), quiet=True)


TOGETHER = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from safetensors.torch import save_file
from personvlm.models.presets import preset
from personvlm.training.loop import make_accelerator, train
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import domain_vocabulary
from personvlm.training.stage_recipe import StageRecipe, with_settings
from personvlm.training.stages import StageStart, initial_model
from personvlm.training.stopping import EarlyStopping
from personvlm.training.study_data import CaptionSet, read_study
from personvlm.training.study_objective import StudyObjective
sys.path.insert(0, sys.argv[1])
from stage_folders import TINY

folder, out, cache = map(Path, sys.argv[2:5])
accelerator = make_accelerator(Recipe(precision="no"))
size = 16 // accelerator.num_processes
recipe, config = with_settings(StageRecipe.of("stage1"), preset("stage1"), {**TINY, "batch_size": str(size)})
words = domain_vocabulary()
config = replace(config, vocabulary=len(words))
with accelerator.main_process_first():
    data = CaptionSet(read_study(folder)[0], config.transform, cache, quiet=True)
torch.manual_seed(0)
model = initial_model(config, StageStart("random"), data)
loop = recipe.for_loop(len(data), accelerator.num_processes, config, "no")
assert loop.batch == 16
objective = StudyObjective(data, loop, config.transform, words, accelerator, config.max_text)
wrapped = accelerator.prepare(model)
wrapped.train()
accelerator.backward(objective(wrapped, 0)["loss"])
if accelerator.is_main_process:
    save_file({n: p.grad for n, p in model.named_parameters() if p.grad is not None}, out / "gradients.safetensors")

# Early stopping: only the main process sees the figures, and both must end after the same step.
steps = []
figures = iter([1.0, 2.0, 2.0, 2.0, 2.0, 2.0])
line = torch.nn.Linear(2, 1)

def tiny(wrapped, step):
    steps.append(step)
    return {"loss": wrapped(torch.ones(1, 2)).square().mean()}

short = Recipe(phases=(Phase(12, 1, 1, True),), batch=2, precision="no", evaluate_every=2, ema=0.0)
train(line, tiny, short, out, evaluate=lambda average: {"val.loss": next(figures)}, accelerator=accelerator,
      stopping=EarlyStopping(out, "val.loss", 2), quiet=True)
(out / f"steps{accelerator.process_index}").write_text(str(len(steps)))
"""


def test_two_processes_compute_what_one_does(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    found = {}
    for count in (1, 2):
        out = tmp_path / str(count)
        out.mkdir()
        arguments = [str(Path(__file__).parent), str(folder), str(out), str(tmp_path / "cache")]
        runner = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"] if count > 1 else []
        subprocess.run([sys.executable, *runner, str(script), *arguments], check=True, timeout=240,
                       env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        found[count] = load_file(out / "gradients.safetensors")
        assert {(out / f"steps{rank}").read_text() for rank in range(count)} == {"6"}
    assert found[1].keys() == found[2].keys()
    assert any(name.startswith("encoder.backbone") for name in found[1])
    for name, gradient in found[1].items():
        np.testing.assert_allclose(found[2][name], gradient, atol=1e-5, err_msg=name)
    assert max(np.abs(gradient).max() for gradient in found[1].values()) > 1e-2


@pytest.mark.accept
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_trains_on_peta_at_its_size(stage: str, tmp_path: Path) -> None:
    assets = os.environ.get("PERSONVLM_ASSETS")
    if not assets or not Path(assets, "data", "peta", "train.jsonl").is_file():
        pytest.skip("PERSONVLM_ASSETS names no folder with data/peta")
    start = StageStart("random", "random", str(Path(assets, "weights", "gpt2_tokenizer")))
    settings = {"steps": "200", "learning_rate": "0.0003", "warmup": "0.05"}
    run_stage(stage, Path(assets, "data", "peta"), tmp_path, settings, start, quiet=True)
    values = losses(tmp_path)
    assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20])
    assert sum(parameter.numel() for parameter in load(tmp_path).model.parameters()) <= 100e6


def test_published_mobilenet_weights_load(folder: Path, tmp_path: Path) -> None:
    assets = os.environ.get("PERSONVLM_ASSETS")
    weights = Path(assets or "", "weights", "mobilenet_v2")
    if not assets or not (weights / "model.safetensors").is_file():
        pytest.skip("PERSONVLM_ASSETS names no folder with weights/mobilenet_v2")
    settings = {**TINY, "encoder": "mobilenet_v2", "steps": "2"}
    run_stage("stage1", folder, tmp_path, settings, StageStart(str(weights)), quiet=True)
    model, _, transform = load(tmp_path)
    assert isinstance(model, PersonVLM)
    assert (transform.mean, transform.channels) == ((0.5, 0.5, 0.5), "RGB")
    published = load_file(weights / "model.safetensors")
    state = model.encoder.backbone.state_dict()
    frozen = next(name for name in published if "conv_stem" in name and name.endswith("weight"))
    np.testing.assert_array_equal(state[frozen].numpy(), published[frozen].astype(np.float32))
    assert replace(model.config, encoder="mobilevit_xs").transform.channels == "BGR"
