"""One model of the study under one budget: trained, made to describe the test people, and scored.

A folder per model and budget. What is done is not done again: ``trained.json`` stands when the model does,
``described.jsonl`` when every test picture has its text, ``result.json`` at the end; a killed training goes on from
its checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.study_describe_torch import describe_edge, describe_stage, edge_validation
from personvlm.evaluation.study_plan import DECODER, EDGE, ENCODER, TOKENIZER, Entry, folder_of
from personvlm.evaluation.study_score import read_said, score_said_texts, write_said
from personvlm.models.config import EdgeConfig
from personvlm.models.presets import StageConfig, preset
from personvlm.models.pretrained import located
from personvlm.models.sizes import size_of
from personvlm.training.loop import read_curves
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.stage_recipe import StageRecipe, with_settings
from personvlm.training.stages import RANDOM, StageStart, run_stage
from personvlm.training.stopping import BEST

TRAINED, DESCRIBED, RESULT = "trained.json", "described.jsonl", "result.json"

EDGE_RECIPE = Recipe(phases=(Phase(55, 192, 96, False), Phase(45, 256, 128, True)), batch=32, rendered=0, ema=0.99)
"""Edge for budgets of minutes: its text phase starts earlier than in the shipped recipe, and nothing is drawn, so that
it learns from the same pictures as the stages."""


@dataclass(frozen=True)
class Job:
    """What every model of a study shares.

    Attributes:
        data: folder that is trained on.
        out: the study's folder.
        samples: the test pictures.
        tokenizer: folder of GPT-2's tokenizer; None: that of the assets, else the hub's.
        say: called with a sentence when something begins.
        quiet: no progress bars.
    """

    data: Path
    out: Path
    samples: Sequence[Sample]
    tokenizer: Path | None = None
    say: Callable[[str], None] = print
    quiet: bool = False

    @property
    def cache(self) -> Path:
        """Decoded pictures, shared by all models."""
        return self.out / "cache"


@dataclass(frozen=True)
class Weights:
    """Where the parts of a model start.

    Attributes:
        sources: part -> folder, ``hub`` or ``random``.
        reasons: part -> why it starts at random.
    """

    sources: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)


def run_entry(entry: Entry, job: Job) -> dict[str, Any]:
    """Train, describe and score one model, or what of that is left to do; returns its ``result.json``.

    Raises:
        InputError: the folder holds a model of other settings, or what is needed cannot be had.
    """
    folder = job.out / entry.key
    folder.mkdir(parents=True, exist_ok=True)
    trained = _train(entry, job, folder)
    pictures = [str(sample.image) for sample in job.samples]
    said = read_said(folder / DESCRIBED)
    if [one.image for one in said] != pictures:
        job.say(f"{entry.key}: describing {len(pictures)} pictures")
        describe = describe_edge if entry.model == EDGE else describe_stage
        said = describe(folder, job.samples, quiet=job.quiet)
        write_said(said, folder / DESCRIBED)
    result = {**trained, "pictures": len(said), "scores": score_said_texts(said, job.samples)}
    write_json(folder / RESULT, result)
    return result


def _train(entry: Entry, job: Job, folder: Path) -> dict[str, Any]:
    asked = {"model": entry.model, "variant": entry.variant, "settings": dict(entry.settings),
             "weights_wanted": entry.weights, "budget": asdict(entry.budget)}  # fmt: skip
    if (folder / TRAINED).is_file():
        done: dict[str, Any] = json.loads((folder / TRAINED).read_text("utf-8"))
        if {name: done[name] for name in asked} != asked:
            raise InputError(f"{folder}: holds {done['model']} with other settings ({done['settings']}, "
                             f"{done['budget']}); take another --out, or remove it")  # fmt: skip
        return done
    weights = find_weights(entry, job)
    # accelerate keeps one state for a whole process; the models of a study differ in precision.
    AcceleratorState._reset_state(reset_partial_state=True)
    job.say(f"{entry.key}: training")
    train = _train_edge if entry.model == EDGE else _train_stage
    train(entry, job, folder, weights)
    config = EdgeConfig.load(folder) if entry.model == EDGE else StageConfig.load(folder)
    size = size_of(config)
    result = {
        **asked,
        "key": entry.key,
        "weights": {part: {"source": source, "why": weights.reasons.get(part, "")}
                    for part, source in weights.sources.items()},
        "parameters": size["parameters"], "trainable": size["trainable"], "budget_share": size["budget"],
        "parts": size["parts"], "height": config.height, "width": config.width, "encoder": config.encoder,
        "used": used(folder), "machine": machine(),
    }  # fmt: skip
    write_json(folder / TRAINED, result)
    for name in ("checkpoint", "checkpoint.old", "checkpoint.part"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / BEST).unlink(missing_ok=True)
    return result


def _train_stage(entry: Entry, job: Job, folder: Path, weights: Weights) -> None:
    start = StageStart(**dict(weights.sources))
    run_stage(entry.model, job.data, folder, entry.settings, start, cache=job.cache, budget=entry.budget,
              quiet=job.quiet)  # fmt: skip


def _train_edge(entry: Entry, job: Job, folder: Path, weights: Weights) -> None:
    from personvlm.runtime.release import release
    from personvlm.training.run import Start, train_edge

    source = weights.sources[ENCODER]
    recipe = EDGE_RECIPE.with_settings(dict(entry.settings))
    trained = train_edge(job.data, folder, recipe, Start(None if source == RANDOM else Path(source)), cache=job.cache,
                         budget=entry.budget, judged=edge_validation(job.data), quiet=job.quiet)  # fmt: skip
    release(folder, trained.validation, trained.taught)


def find_weights(entry: Entry, job: Job) -> Weights:
    """Pretrained weights where they can be had: among the assets, else on the hub; else random, and why."""
    sources: dict[str, str] = {}
    reasons: dict[str, str] = {}
    if entry.model == EDGE:
        wanted = {ENCODER: "mobilenet_v2"}
    else:
        config = with_settings(StageRecipe.of(entry.model), preset(entry.model), entry.settings)[1]
        wanted = {ENCODER: config.encoder} | ({DECODER: "gpt2"} if config.decoder == "gpt2" else {})
        if DECODER in wanted:
            tokenizer = job.tokenizer or folder_of("gpt2_tokenizer")
            sources[TOKENIZER] = "hub" if tokenizer is None else str(tokenizer)
    for part, name in wanted.items():
        folder = folder_of({"gpt2": "distilgpt2"}.get(name, name))
        if not entry.weights:
            sources[part], reasons[part] = RANDOM, "by choice"
        elif folder is not None:
            sources[part] = str(folder)
        elif entry.model == EDGE:
            sources[part], reasons[part] = RANDOM, f"no folder weights/{name} below PERSONVLM_ASSETS"
        else:
            try:
                sources[part] = str(located("hub", name))
            except InputError as error:
                sources[part], reasons[part] = RANDOM, str(error)
    return Weights(sources, reasons)


def used(folder: Path) -> dict[str, float]:
    """What training took: ``seconds``, ``cpu_seconds``, ``crops``, ``steps``, ``samples``, and ``epochs``."""
    clock = {name.removeprefix("clock."): value for _, name, value in read_curves(folder / "curves.csv")
             if name.startswith("clock.")}  # fmt: skip
    return {**clock, "epochs": clock["crops"] / max(1.0, clock["samples"])}


def machine() -> dict[str, Any]:
    """What computed: processor, cores, threads, accelerator, torch."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        processor = platform.processor() or platform.machine()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {"processor": processor, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "gpu": gpu,
            "torch": torch.__version__}  # fmt: skip


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all; NaN is refused."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", "utf-8")
    os.replace(part, path)

