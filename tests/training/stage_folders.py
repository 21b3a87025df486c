"""Small things that the tests of training share: sizes, a tokenizer made by hand, people as MSP60K has them, a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
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


def assert_killed_run_ends_as_a_whole_one(command: Callable[[str], list[str]], folder: Path, atol: float) -> None:
    """Train 24 steps twice, into ``folder``'s ``whole`` and, killed on the way and begun again, into ``killed``.

    Args:
        command: the name of the output folder -> the program that trains into it, a checkpoint after every step.
        atol: how far the weights of the two may be apart.
    """
    from personvlm.training.loop import read_curves

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command("whole"), check=True, env=environment)
    killed = subprocess.Popen(command("killed"), env=environment)
    state = folder / "killed" / "checkpoint" / "state.json"
    deadline = time.monotonic() + 120
    while not (state.is_file() and json.loads(state.read_text() or '{"step": 0}')["step"] >= 5):
        assert killed.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    subprocess.run(command("killed"), check=True, env=environment)
    whole, resumed = (load_file(folder / out / "model.safetensors") for out in ("whole", "killed"))
    for name, tensor in whole.items():
        np.testing.assert_allclose(resumed[name], tensor, atol=atol, err_msg=name)
    steps = [step for step, name, _ in read_curves(folder / "killed" / "curves.csv") if name == "loss"]
    assert steps == list(range(24))
