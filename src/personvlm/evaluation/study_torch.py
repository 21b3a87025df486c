"""One model of the study under one budget: trained, made to describe the test people, and scored.

A folder per model and budget. What is done is not done again: ``trained.json`` stands when the model does,
``described.jsonl`` (and ``views.jsonl``) when every test picture has its text, ``cost.json`` when time and memory are
measured, ``result.json`` at the end; a killed training goes on from its checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from personvlm.base.errors import InputError
from personvlm.base.hub import HUB
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.evaluation.study_cost import CROPS, cost_of
from personvlm.evaluation.study_cost_torch import as_set, encoder_cost, seconds_per_crop, unlearned
from personvlm.evaluation.study_describe_torch import (
    describe_by_sight,
    describe_edge,
    describe_stage,
    edge_validation,
)
from personvlm.evaluation.study_plan import EDGE, Entry
from personvlm.evaluation.study_score import read_said, score_said_texts, write_json, write_said
from personvlm.models.config import EdgeConfig
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import StageConfig
from personvlm.models.pretrained import located
from personvlm.models.sizes import size_of
from personvlm.training.imagenet import known_weights
from personvlm.training.loop import read_curves
from personvlm.training.origin import FILE as ORIGIN
from personvlm.training.origin import weights_source
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.stage_start import AUTO, RANDOM, StageStart, asset_folder
from personvlm.training.stages import run_stage
from personvlm.training.stopping import BEST

TRAINED, DESCRIBED, VIEWS, COST, RESULT = (
    "trained.json", "described.jsonl", "views.jsonl", "cost.json", "result.json"
)  # fmt: skip
PREFIXED = ("stage3", "stage4")
EDGE_ENCODERS = ("efficientnet_lite0", "mobilenet_v2")
"""Edge takes the first of these whose ImageNet weights are at hand."""

BY_CHOICE = "random by choice"

EDGE_RECIPE = Recipe(phases=(Phase(60, 192, 96, True), Phase(40, 256, 128, True)), batch=16, decoder_lr=1.0,
                     random_text=0.15, rendered=0, ema=0.98)  # fmt: skip
"""Edge for short budgets. The decoder learns from the first step and in small batches: where it began at 55 % of five
minutes of processor time, in batches of 32, it ended at 0.65 nats per character, stage 1 under the same budget at 0.28.
Nothing is drawn, so that edge learns from the pictures that the stages learn from."""


@dataclass(frozen=True)
class Job:
    """What every model of a study shares.

    Attributes:
        data: folder that is trained on.
        out: the study's folder.
        samples: the test pictures.
        views: test pictures with the side that they are seen from; may be empty.
        tokenizer: of stages 3 and 4, as ``train`` takes it; ``""``: as found.
        resamples: of the bootstrap over people.
        say: called with a sentence when something begins.
        quiet: no progress bars.
    """

    data: Path
    out: Path
    samples: Sequence[Sample]
    views: Sequence[Sample] = ()
    tokenizer: str = ""
    resamples: int = 1000
    say: Callable[[str], None] = print
    quiet: bool = False

    @property
    def cache(self) -> Path:
        """Decoded pictures, shared by all models."""
        return self.out / "cache"


def run_entry(entry: Entry, job: Job) -> dict[str, Any]:
    """Train, describe and measure one model, or what of that is left to do; returns its ``result.json``.

    Raises:
        InputError: the folder holds a model of other settings, or what is needed cannot be had.
    """
    folder = job.out / entry.key
    folder.mkdir(parents=True, exist_ok=True)
    trained = _train(entry, job, folder)
    _describe(entry, job, folder, DESCRIBED, job.samples)
    if job.views and not entry.ablation:
        _describe(entry, job, folder, VIEWS, job.views)
    cost = None
    if not entry.ablation:
        cost = _cost(entry, job, folder, lambda: cost_of(folder, [sample.image for sample in job.samples[:CROPS]]))
    elif entry.model != EDGE:
        cost = _cost(entry, job, folder, lambda: encoder_cost(PersonVLM.load(folder)))
    said = read_said(folder / DESCRIBED)
    scores = score_said_texts(said, job.samples, job.resamples)
    result = {**trained, "cost": cost, "pictures": len(said), "scores": scores}
    write_json(folder / RESULT, result)
    return result


def untrained(entry: Entry, job: Job, why: str) -> dict[str, Any]:
    """What stands in place of a result where weights are :func:`lacking`; an encoder's ``cost`` is told anyway."""
    folder = job.out / entry.key
    folder.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {"key": entry.key, "model": entry.model, "variant": entry.variant, "failed": why}
    if entry.needs == "encoder":
        told["cost"] = _cost(entry, job, folder, lambda: encoder_cost(unlearned(entry)))
    return told


def _cost(entry: Entry, job: Job, folder: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured before, or is now."""
    if not (folder / COST).is_file():
        job.say(f"{entry.key}: measuring time and memory")
        write_json(folder / COST, measure())
    kept: dict[str, Any] = json.loads((folder / COST).read_text("utf-8"))
    return kept


def _describe(entry: Entry, job: Job, folder: Path, file: str, samples: Sequence[Sample]) -> None:
    if [one.image for one in read_said(folder / file)] == [str(sample.image) for sample in samples]:
        return
    job.say(f"{entry.key}: describing {len(samples)} pictures")
    if entry.model != EDGE:
        said = describe_stage(folder, samples, job.quiet)
    elif entry.settings.get("attribute_prefix") == "false":
        said = describe_by_sight(folder, samples, job.quiet)
    else:
        test = file == DESCRIBED
        said = describe_edge(folder, samples, job.quiet, job.data, test and not entry.ablation, everything=not test)
    write_said(said, folder / file)


def _train(entry: Entry, job: Job, folder: Path) -> dict[str, Any]:
    asked = {"model": entry.model, "variant": entry.variant, "settings": dict(entry.settings),
             "weights_wanted": entry.weights, "tokenizer": entry.tokenizer,
             "budget": asdict(entry.budget)}  # fmt: skip
    if (folder / TRAINED).is_file():
        done: dict[str, Any] = json.loads((folder / TRAINED).read_text("utf-8"))
        if {name: done[name] for name in asked} != asked:
            raise InputError(f"{folder}: holds {done['model']} with other settings ({done['settings']}, "
                             f"{done['budget']}); take another --out, or remove it")  # fmt: skip
        return done
    job.say(f"{entry.key}: training")
    train = _train_edge if entry.model == EDGE else _train_stage
    weights = train(entry, job, folder)
    config = EdgeConfig.load(folder) if entry.model == EDGE else StageConfig.load(folder)
    size = size_of(config)
    result = {
        **asked,
        "key": entry.key,
        "weights": weights,
        "parameters": size["parameters"], "trainable": size["trainable"], "budget_share": size["budget"],
        "parts": size["parts"], "height": config.height, "width": config.width, "encoder": config.encoder,
        "used": used(folder), "machine": machine(),
    }  # fmt: skip
    write_json(folder / TRAINED, result)
    for name in ("checkpoint", "checkpoint.old", "checkpoint.part"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / BEST).unlink(missing_ok=True)
    return result


def _train_stage(entry: Entry, job: Job, folder: Path) -> dict[str, Any]:
    why: list[str] = []
    given = {} if entry.weights else {"encoder": RANDOM, "decoder": RANDOM}
    tokenizer = entry.tokenizer or (job.tokenizer if entry.model in PREFIXED else "") or AUTO
    start = StageStart(**given, tokenizer=tokenizer)
    run_stage(entry.model, job.data, folder, entry.settings, start, cache=job.cache, budget=entry.budget,
              quiet=job.quiet, report=why.append)  # fmt: skip
    origin = json.loads((folder / ORIGIN).read_text("utf-8"))
    parts = ("encoder", "decoder", "tokenizer") if entry.model in PREFIXED else ("encoder",)
    return {part: {"source": origin[part]["name"], "sha256": origin[part]["sum"],
                   "why": next((each for each in why if f"the {part} " in each), "" if entry.weights else BY_CHOICE)}
            for part in parts}  # fmt: skip


def edge_recipe() -> Recipe:
    """:data:`EDGE_RECIPE` on the encoder that edge has here, whether an entry begins with its weights or not."""
    at_hand = (name for name in EDGE_ENCODERS if known_weights(name) is not None)
    return replace(EDGE_RECIPE, encoder=next(at_hand, EDGE_ENCODERS[0]))


def _train_edge(entry: Entry, job: Job, folder: Path) -> dict[str, Any]:
    from personvlm.runtime.release import release
    from personvlm.training.run import Start, train_edge

    recipe = edge_recipe().with_settings(dict(entry.settings))
    encoder = known_weights(recipe.encoder) if entry.weights else None
    trained = train_edge(job.data, folder, recipe, Start(encoder), cache=job.cache, budget=entry.budget,
                         judged=edge_validation(job.data, recipe.attribute_prefix), quiet=job.quiet)  # fmt: skip
    release(folder, trained.validation, trained.taught)
    source = weights_source(encoder, RANDOM)
    absent = f"no folder weights/{' or weights/'.join(EDGE_ENCODERS)} below PERSONVLM_ASSETS or in the cache"
    why = "" if encoder else absent if entry.weights else BY_CHOICE
    return {"encoder": {"source": source.name, "sha256": source.sum, "why": why}}


def lacking(entry: Entry) -> str:
    """Why an entry cannot be trained: there are no weights here of the part that it needs; empty where it can."""
    if not entry.needs:
        return ""
    name = str(getattr(as_set(entry)[1], entry.needs))
    try:
        located(HUB if (folder := asset_folder(name)) is None else str(folder), name)
    except InputError as error:
        return f"{error} below PERSONVLM_ASSETS/weights"
    return ""


def estimated(entries: Sequence[Entry], job: Job) -> dict[str, float]:
    """Seconds that training will take, of the entries whose budget is in epochs and which are not trained yet."""
    waiting = [entry for entry in entries
               if entry.budget.unit == "epochs" and not (job.out / entry.key / TRAINED).is_file()]  # fmt: skip
    crops = len(read_training(job.data)[0]) if waiting else 0
    return {entry.key: entry.budget.amount * crops * seconds_per_crop(entry, edge_recipe()) for entry in waiting}


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
