"""The stages trained for real at a size that takes seconds: they learn, they end their sentences, they survive."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from safetensors.numpy import load_file  # noqa: E402
from stage_folders import (  # noqa: E402
    LONG,
    SHORT,
    TINY,
    assert_killed_run_ends_as_a_whole_one,
    assert_two_processes_compute_what_one_does,
    write_msp60k,
    write_two_kinds,
)

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.base.images import decode  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models import load  # noqa: E402
from personvlm.models.generate import write  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.training.loop import read_curves  # noqa: E402
from personvlm.training.stages import StageStart, run_stage  # noqa: E402
from personvlm.training.study_data import read_study  # noqa: E402

STAGES = ("stage1", "stage2", "stage3", "stage4")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models of this size are slower on several threads, and much slower beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StageStart]:
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
    pieces, random_start = StageStart("random", str(folder), str(folder)), StageStart("random")
    return {"stage1": random_start, "stage2": random_start, "stage3": pieces, "stage4": pieces}


def losses(out: Path) -> list[float]:
    return [value for _, name, value in read_curves(out / "curves.csv") if name == "loss"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_learns(stage: str, folder: Path, tmp_path: Path, starts: dict[str, StageStart]) -> None:
    own = {"stage1": {"encoder": "mobilevit_xs"}, "stage3": {"frozen_layers": "1", "steps": "150"}}.get(stage, {})
    settings = {**TINY, "steps": "60", **own}
    run_stage(stage, folder, tmp_path, settings, starts[stage], quiet=True)
    values = losses(tmp_path)
    assert len(values) == int(settings["steps"])
    assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20])
    loaded = load(tmp_path)
    assert isinstance(loaded.model, PersonVLM)
    texts = write(loaded.model, torch.rand(2, 3, 64, 64), loaded.tokenizer)
    assert all(text.startswith("The image") for text in texts)
    names = {name for _, name, _ in read_curves(tmp_path / "curves.csv")}
    assert {"val.loss", "val.bits_per_byte"} <= names


def test_msp60k_through_normaliser_split_and_vocabulary(tmp_path: Path, starts: dict[str, StageStart]) -> None:
    data = write_msp60k(tmp_path / "data", 60)
    training, validation = read_study(data, tmp_path / "data" / "images")
    assert len(training) + len(validation) == 60
    assert not {sample.identity for sample in training} & {sample.identity for sample in validation}
    settings = {**TINY, "steps": "50", "min_freq": "2"}
    images = tmp_path / "data" / "images"
    run_stage("stage1", data, tmp_path / "out", settings, starts["stage1"], images=images, quiet=True)
    values = losses(tmp_path / "out")
    assert np.mean(values[-20:]) <= 0.8 * np.mean(values[:20])
    words = PersonVocabulary.load(tmp_path / "out").words
    assert "image" in words
    assert not {"here", "description", "identifiers"} & set(words)
    with pytest.raises(InputError, match="part1_00000_000"):
        read_study(data, tmp_path)


@pytest.mark.parametrize("stage", ["stage1", "stage4"])
def test_generated_length_follows_the_captions(stage: str, tmp_path: Path, starts: dict[str, StageStart]) -> None:
    data = write_two_kinds(tmp_path / "data", (SHORT, LONG))
    # Of eight seeds all learn it so; at TINY's rate, or stage 1 in 200 steps, one in four or more does not, and where
    # numbers are rounded otherwise, as on another processor, that may be this one.
    steps = {"stage1": "350", "stage4": "120"}[stage]
    own = {"steps": steps, "learning_rate": "0.001"}
    settings = {**TINY, **own, "batch_size": "4", "min_freq": "1", "patience": "0"}
    run_stage(stage, data, tmp_path / "out", settings, starts[stage], quiet=True)
    model, tokenizer, transform = load(tmp_path / "out")
    assert isinstance(model, PersonVLM)
    pictures = [decode(data / f"val{index}.png") for index in (0, 1)]
    texts = write(model, torch.from_numpy(transform(pictures)), tokenizer)
    assert texts == [SHORT, LONG]


def test_a_model_over_the_budget_is_not_trained(folder: Path, tmp_path: Path, starts: dict[str, StageStart]) -> None:
    with pytest.raises(InputError, match="budget"):
        run_stage("stage4", folder, tmp_path, {"encoder": "dinov2_small"}, starts["stage4"], quiet=True)


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

    assert_killed_run_ends_as_a_whole_one(command, tmp_path, atol=1e-5)
    with pytest.raises(InputError, match="another recipe"):
        run_stage("stage1", folder, tmp_path / "whole", {**TINY, "steps": "25"}, StageStart("random"), quiet=True)


def test_two_processes_compute_what_one_does(folder: Path, tmp_path: Path) -> None:
    largest = assert_two_processes_compute_what_one_does("stage1", TINY, "", folder, tmp_path)
    assert largest > 1e-2
    assert {(tmp_path / count / f"steps{rank}").read_text() for count, rank in (("1", 0), ("2", 0), ("2", 1))} == {"6"}


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
