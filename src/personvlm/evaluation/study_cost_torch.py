"""Costs that are known before anything is trained, or without describing: an encoder's time, a training step's time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch import nn

from personvlm.evaluation.study_plan import EDGE, Entry
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.prefix import slots
from personvlm.models.presets import StageConfig, preset
from personvlm.training.loop import fast_precision
from personvlm.training.recipe import Recipe
from personvlm.training.run import domain_vocabulary
from personvlm.training.stage_recipe import StageRecipe, with_settings

WORDS = 60
"""Length of a text of a training step that is timed."""

CROPS = 8
"""Crops of it: a fourth of a batch, because only its time for each crop matters."""


@torch.no_grad()
def encoder_cost(model: PersonVLM, times: int = 10) -> dict[str, Any]:
    """``encoder_ms`` (median, one crop, torch in float32) and ``encoder_parameters`` of a stage."""
    pixels = torch.zeros(1, 3, model.config.height, model.config.width)
    backbone = model.encoder.backbone.eval()
    took = []
    for _ in range(times + 2):
        began = time.perf_counter()
        backbone(pixels)
        took.append(1000 * (time.perf_counter() - began))
    return {"encoder_ms": float(np.median(took[2:])), "threads": torch.get_num_threads(),
            "encoder_parameters": sum(each.numel() for each in backbone.parameters())}  # fmt: skip


def as_set(entry: Entry) -> tuple[StageRecipe, StageConfig]:
    """Recipe and config of a stage with the settings of an entry."""
    return with_settings(StageRecipe.of(entry.model), preset(entry.model), entry.settings)


def unlearned(entry: Entry) -> PersonVLM:
    """A stage as an entry has it, from random numbers: of use only for what it costs."""
    return PersonVLM(as_set(entry)[1])


def seconds_per_crop(entry: Entry, edge_recipe: Recipe) -> float:
    """Wall seconds that training takes for a crop, judged by one step on noise; for edge by one of every phase."""
    torch.manual_seed(0)
    if entry.model != EDGE:
        model = unlearned(entry).train()
        inputs = (torch.rand(CROPS, 3, model.config.height, model.config.width),
                  torch.zeros(CROPS, WORDS, dtype=torch.int64))  # fmt: skip
        return _timed(model, [inputs], [1.0], as_set(entry)[0].precision)
    recipe_ = edge_recipe.with_settings(dict(entry.settings))
    last = recipe_.phases[-1]
    edge = EdgeVLM(EdgeConfig(len(domain_vocabulary()), encoder=recipe_.encoder, height=last.height,
                              width=last.width)).train()  # fmt: skip
    prefix = torch.zeros(CROPS, len(slots()), dtype=torch.int64)
    batches = [(torch.rand(CROPS, 3, phase.height, phase.width), prefix,
                torch.zeros(CROPS, WORDS if phase.text else 0, dtype=torch.int64))
               for phase in recipe_.phases]  # fmt: skip
    return _timed(edge, batches, [phase.steps / recipe_.steps for phase in recipe_.phases], recipe_.precision)


def _timed(model: nn.Module, batches: list[Any], shares: list[float], precision: str) -> float:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad])
    total = 0.0
    for batch, share in zip(batches, shares, strict=True):
        for turn in range(2):
            began = time.perf_counter()
            with torch.autocast(device, torch.bfloat16, enabled=fast_precision(precision) == "bf16"):
                out = model(*(each.to(device) for each in batch))
            loss = out.float().mean() if isinstance(out, torch.Tensor) else (
                out[0].logits.float().mean() + out[0].embedding.mean() + out[1].float().sum()
            )  # fmt: skip
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if turn:
                total += share * (time.perf_counter() - began) / CROPS
    return total
