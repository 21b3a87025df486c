"""Checkpoints without pickle: tensors in safetensors, the rest in JSON, written beside and moved into place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from personvlm.base.errors import InputError

FOLDER = "checkpoint"


def save_checkpoint(directory: Path, step: int, model: nn.Module, average: dict[str, Tensor],
                    optimizer: torch.optim.Optimizer, extra: dict[str, Any]) -> None:  # fmt: skip
    """Replace the checkpoint in ``directory``; a kill at any moment leaves a complete one, the old or the new."""
    part, final, old = (directory / f"{FOLDER}{end}" for end in (".part", "", ".old"))
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in average.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
    save_tensors({name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()},
                 part / "state.safetensors")  # fmt: skip
    (part / "state.json").write_text(json.dumps({"step": step, **extra}))
    for name in ("state.safetensors", "state.json"):
        with open(part / name, "rb") as file:
            os.fsync(file.fileno())
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    part.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors, each in memory of its own, to a file.

    Raises:
        InputError: they cannot be written.
    """
    try:
        save_file(tensors, path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be written ({error}); what was written before is whole: make room, and give "
                         "the same command again") from error  # fmt: skip


def load_checkpoint(directory: Path, model: nn.Module, average: dict[str, Tensor],
                    optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:  # fmt: skip
    """Restore everything in place. Returns the JSON part, or None where there is no checkpoint yet.

    Raises:
        InputError: the checkpoint is damaged, or of another model.
    """
    folder = directory / FOLDER
    if not folder.is_dir():
        folder = directory / f"{FOLDER}.old"  # killed between the two renames
    if not folder.is_dir():
        return None
    try:
        tensors = load_file(folder / "state.safetensors")
        meta: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: damaged ({error}); remove it to begin anew, or take another --out") from error
    state: dict[int, dict[str, Tensor]] = {}
    try:
        model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")}, strict=True)
        for name, tensor in average.items():
            tensor.copy_(tensors[f"average.{name}"])
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, field = name.split(".")
                state.setdefault(int(index), {})[field] = tensor
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{folder}: a checkpoint of another model ({error}); take another --out") from error
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return meta
