"""How large each model is, counted without memory for its weights, and what share of the budget it takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from personvlm.base.errors import InputError
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import BUDGET, PRESETS, StageConfig


def sizes(edge_vocabulary: int | None = None) -> list[dict[str, Any]]:
    """One row per preset: ``name``, ``parameters``, ``trainable``, ``budget`` (share of 100M, 0..1) and ``parts``
    (name -> parameters).

    Args:
        edge_vocabulary: words of an edge model to be counted as well. Its vocabulary is learned, so that edge has no
            size of its own; the shipped weights' ``metrics.json`` has the size of what is shipped.
    """
    rows = [size_of(config) for config in PRESETS.values()]
    if edge_vocabulary is not None:
        rows.insert(0, size_of(EdgeConfig(vocabulary=edge_vocabulary)))
    return rows


def size_of(config: EdgeConfig | StageConfig) -> dict[str, Any]:
    """The row of one configuration, whatever its size."""
    with torch.device("meta"):
        model: nn.Module = EdgeVLM(config) if isinstance(config, EdgeConfig) else PersonVLM(config)
    parameters = _count(model)
    return {
        "name": config.name,
        "parameters": parameters,
        "trainable": sum(each.numel() for each in model.parameters() if each.requires_grad),
        "budget": round(parameters / BUDGET, 4),
        "parts": {name: _count(part) for name, part in model.named_children()},
    }


def check_budget(config: EdgeConfig | StageConfig) -> int:
    """The number of parameters of ``config``.

    Raises:
        InputError: it is over the budget; the message has the parts.
    """
    size = size_of(config)
    if size["parameters"] > BUDGET:
        parts = ", ".join(f"{name} {count:,}" for name, count in size["parts"].items())
        raise InputError(f"{config.name} would have {size['parameters']:,} parameters ({parts}); the budget is "
                         f"{BUDGET:,}: take a smaller encoder, decoder or vocabulary")  # fmt: skip
    return int(size["parameters"])


def _count(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
