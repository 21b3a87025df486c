"""Small things that the tests of training share: sizes, a tokenizer made by hand, people as MSP60K has them, a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

SHORT = "The image shows a man."
LONG = "The image shows a woman. She is wearing a red coat."

TINY = {"encoder": "mobilenet_v3_small", "dim": "32", "layers": "2", "heads": "4", "ffn": "64", "vision_dim": "32",
        "projection_hidden": "64", "height": "64", "width": "64", "dropout": "0.0", "batch_size": "8",
        "learning_rate": "0.005", "checkpoint_minutes": "60"}  # fmt: skip
"""Settings that make any stage small. The vocabulary of stages 3 and 4 stays GPT-2's."""


def write_gpt2_tokenizer(folder: Path) -> str:
    """A byte-level tokenizer of GPT-2's size whose merges are 50,000 pairs of bytes; returns the folder as text."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    pairs = [(a, b) for a in letters for b in letters][:50_000]
    words = [*letters, *(a + b for a, b in pairs), "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    merges = "\n".join(f"{a} {b}" for a, b in pairs)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", encoding="utf-8")
    return str(folder)


def write_msp60k(folder: Path, count: int) -> Path:
    """People drawn by the renderer as MSP60K's JSONL has them, two frames a track, with its preamble and remarks."""
    from personvlm.data.rendered import rendered_samples
    from personvlm.language.realiser import realise

    (folder / "images").mkdir(parents=True)
    lines = []
    for index, (image, values) in enumerate(rendered_samples(count, seed=7)):
        name = f"part1_{index // 2:05d}_{index % 2:03d}.png"
        Image.fromarray(image).save(folder / "images" / name)
        answer = f"Here is a description of the image:\n\n{realise(values)}  No text or unique identifiers are visible."
        male = int(values.get("gender") == ("male",))
        one_hot = [1 - male, male, *[0] * 56]
        lines.append(json.dumps({"image": f"MSP60k/SUBMIT/images/{name}", "one_hot": one_hot, "answer": answer}))
    path = folder / "captions.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_two_kinds(folder: Path, captions: tuple[str, str]) -> Path:
    """Bright pictures with the one caption, dark ones with the other, in the project's own format."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("val", 4)):
        lines = []
        for index in range(count):
            level = (40, 210)[index % 2]
            pixels = rng.integers(level - 30, level + 30, (96, 48, 3)).astype(np.uint8)
            name = f"{part}{index}.png"
            Image.fromarray(pixels).save(folder / name)
            lines.append(json.dumps({"image": name, "captions": [captions[index % 2]]}))
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def assert_killed_run_ends_as_a_whole_one(command: Callable[[str], list[str]], folder: Path, atol: float,
                                          steps: int = 24) -> None:  # fmt: skip
    """Train ``steps`` steps twice, into ``folder``'s ``whole`` and, killed on the way and begun again, into ``killed``.

    Args:
        command: the name of the output folder -> the program that trains into it, a checkpoint after every step.
        atol: how far the weights of the two may be apart.
    """
    from personvlm.training.loop import read_curves

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, env=environment)
    killed = subprocess.Popen(command("killed"), env=environment)
    state = folder / "killed" / "checkpoint" / "state.json"
    deadline = time.monotonic() + (120 if steps == 24 else 900)
    while _steps_in(state) < steps // 4:
        assert killed.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    subprocess.run(command("killed"), check=True, env=environment)
    whole, resumed = (load_file(folder / out / "model.safetensors") for out in ("whole", "killed"))
    for name, tensor in whole.items():
        np.testing.assert_allclose(resumed[name], tensor, atol=atol, err_msg=name)
    seen = [step for step, name, _ in read_curves(folder / "killed" / "curves.csv") if name == "loss"]
    assert seen == list(range(steps))


def _steps_in(state: Path) -> int:
    """Steps of a checkpoint that may be replaced at this moment."""
    try:
        return int(json.loads(state.read_text())["step"])
    except (OSError, ValueError):
        return 0


TOGETHER = """
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
import torch
from safetensors.torch import save_file
from personvlm.models.presets import preset
from personvlm.training.loop import finish, make_accelerator, train
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import domain_vocabulary
from personvlm.training.stage_recipe import StageRecipe, with_settings
from personvlm.training.stages import StageStart
from personvlm.training.stopping import EarlyStopping
from personvlm.training.study_data import CaptionSet, read_study
from personvlm.training.study_objective import StudyObjective

BATCH = int(sys.argv[7])
folder, out, cache = map(Path, sys.argv[1:4])
stage, tokenizer, settings = sys.argv[4], sys.argv[5], json.loads(sys.argv[6])
accelerator = make_accelerator(Recipe(precision="no"))
size = BATCH // accelerator.num_processes
recipe, config = with_settings(StageRecipe.of(stage), preset(stage), {**settings, "batch_size": str(size)})
start = StageStart("random", "random", tokenizer or "words").found(config, print)
words = start.loaded or domain_vocabulary()
config = replace(config, vocabulary=len(words))
with accelerator.main_process_first():
    data = CaptionSet(read_study(folder)[0], config.transform, cache, quiet=True)
torch.manual_seed(0)
model = start.initial_model(config, data)
loop = recipe.for_loop(len(data), accelerator.num_processes, config, "no")
assert loop.batch == BATCH
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
finish(accelerator)
print("rank", accelerator.process_index, "is done", file=sys.stderr, flush=True)
os._exit(0)  # what is tested is over; gloo's threads now and then abort an interpreter that is taken down
"""


def assert_two_processes_compute_what_one_does(stage: str, settings: Mapping[str, str], tokenizer: str, data: Path,
                                               folder: Path, batch: int = 16) -> float:  # fmt: skip
    """Gradients of the first step in one process with ``batch`` crops and in two with half as many, within 1e-5.

    Args:
        tokenizer: a folder; ``""``: words.
        folder: ``1/`` and ``2/`` below it get gradients, and files ``stepsRANK`` with the steps until early stopping.

    Returns:
        The largest gradient.
    """
    found = {}
    for count in (1, 2):
        out = folder / str(count)
        out.mkdir()
        script = folder / "together.py"
        script.write_text(TOGETHER)
        given = json.dumps(dict(settings))
        arguments = [str(data), str(out), str(folder / "cache"), stage, tokenizer, given, str(batch)]
        runner = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"] if count > 1 else []
        subprocess.run([sys.executable, *runner, str(script), *arguments], check=True, timeout=580,
                       env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        found[count] = load_file(out / "gradients.safetensors")
    assert found[1].keys() == found[2].keys()
    assert any(name.startswith("encoder.backbone") for name in found[1])
    for name, gradient in found[1].items():
        np.testing.assert_allclose(found[2][name], gradient, atol=1e-5, err_msg=name)
    return float(max(np.abs(gradient).max() for gradient in found[1].values()))
