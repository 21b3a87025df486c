"""The stages at their real sizes, under their own recipes: minutes each, run by ``make accept``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from stage_folders import (  # noqa: E402
    assert_killed_run_ends_as_a_whole_one,
    assert_two_processes_compute_what_one_does,
    write_msp60k,
)

from personvlm.base.images import decode  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models import load  # noqa: E402
from personvlm.models.generate import write  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.training.loop import read_curves  # noqa: E402
from personvlm.training.stages import StageStart, run_stage  # noqa: E402

pytestmark = pytest.mark.accept
ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
GPT2 = Path(ASSETS, "weights", "gpt2_tokenizer")
PETA = Path(ASSETS, "data", "peta")
STAGES = ("stage1", "stage2", "stage3", "stage4")
BATCH = {"batch_size": "8"}
needs_gpt2 = pytest.mark.skipif(not ASSETS or not GPT2.is_dir(), reason="PERSONVLM_ASSETS has no GPT-2 tokenizer")


def start(stage: str) -> StageStart:
    return StageStart("random", "random", str(GPT2) if stage in ("stage3", "stage4") else "words")


def assert_learned_and_writes(out: Path, steps: int, pictures: list[Path]) -> None:
    losses = [value for _, name, value in read_curves(out / "curves.csv") if name == "loss"]
    assert len(losses) == steps
    assert np.mean(losses[-20:]) <= 0.8 * np.mean(losses[:20])
    model, tokenizer, transform = load(out)
    assert isinstance(model, PersonVLM)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 100e6
    texts = write(model, torch.from_numpy(transform([decode(path) for path in pictures])), tokenizer)
    assert all(text.startswith("The") for text in texts), texts


@needs_gpt2
@pytest.mark.skipif(not (PETA / "train.jsonl").is_file(), reason="PERSONVLM_ASSETS has no data/peta")
@pytest.mark.parametrize("stage", STAGES)
def test_two_hundred_steps_on_peta(stage: str, tmp_path: Path) -> None:
    run_stage(stage, PETA, tmp_path, {**BATCH, "steps": "200"}, start(stage), quiet=True)
    assert_learned_and_writes(tmp_path, 200, sorted((PETA / "images").iterdir())[:2])


@needs_gpt2
@pytest.mark.parametrize("stage", STAGES)
def test_fifty_steps_on_people_in_msp60ks_format(stage: str, tmp_path: Path) -> None:
    data, images = write_msp60k(tmp_path / "data", 400), tmp_path / "data" / "images"
    run_stage(stage, data, tmp_path / "out", {**BATCH, "steps": "50"}, start(stage), images=images, quiet=True)
    assert_learned_and_writes(tmp_path / "out", 50, sorted(images.iterdir())[:2])
    if stage in ("stage1", "stage2"):
        assert "identifiers" not in PersonVocabulary.load(tmp_path / "out").words


KILLED = """
import sys
from pathlib import Path
from personvlm.training.stages import StageStart, run_stage
stage, data, out, cache, tokenizer = sys.argv[1:]
settings = {"batch_size": "2", "steps": "8", "checkpoint_minutes": "0"}
run_stage(stage, Path(data), Path(out), settings, StageStart("random", "random", tokenizer), cache=Path(cache),
          quiet=True)
"""


@needs_gpt2
@pytest.mark.parametrize("stage", ["stage2", "stage3"])
def test_a_killed_run_at_its_size_ends_where_an_uninterrupted_one_does(
    stage: str, folder: Path, tmp_path: Path
) -> None:
    def command(out: str) -> list[str]:
        arguments = [stage, str(folder), str(tmp_path / out), str(tmp_path / "cache"), start(stage).tokenizer]
        return [sys.executable, "-c", KILLED, *arguments]

    assert_killed_run_ends_as_a_whole_one(command, tmp_path, atol=1e-5, steps=8)


@needs_gpt2
@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_at_their_size_compute_what_one_does(stage: str, folder: Path, tmp_path: Path) -> None:
    tokenizer = str(GPT2) if stage in ("stage3", "stage4") else ""
    largest = assert_two_processes_compute_what_one_does(stage, {"dropout": "0.0"}, tokenizer, folder, tmp_path, 4)
    assert largest > 1e-2
