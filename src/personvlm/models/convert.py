"""From a pickled PyTorch checkpoint to safetensors: the mend for files that :mod:`.pretrained` refuses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from personvlm.base.errors import InputError
from personvlm.models.pretrained import WEIGHTS

_INSIDE = ("state_dict", "model_state_dict", "model", "module", "weights")
_WRAPPERS = ("module.", "_orig_mod.")


def convert(checkpoint: Path, directory: Path) -> int:
    """Write the tensors of ``checkpoint`` (``.pt``, ``.pth``, ``.bin``) as ``model.safetensors`` into ``directory``.

    Only tensors and plain containers are read (``torch.load(weights_only=True)``): code inside the file does not run.
    A state dict may lie under ``state_dict``, ``model_state_dict``, ``model``, ``module`` or ``weights``; names lose
    the ``module.`` of DDP. A ``config.json`` beside the checkpoint is copied.

    Returns:
        The number of tensors written.

    Raises:
        InputError: the file is absent, damaged, holds anything but weights, or no weights.
    """
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: no such file")
    try:
        content: Any = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and runtime errors, according to what is wrong
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{checkpoint}: not a checkpoint of weights only ({first}); save model.state_dict() where it "
                         "was trained and convert that") from error  # fmt: skip
    for key in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    state = _tensors(content)
    if not state:
        raise InputError(f"{checkpoint}: holds no tensors by name; save model.state_dict() and convert that")
    directory.mkdir(parents=True, exist_ok=True)
    save_file(state, directory / WEIGHTS)
    config = checkpoint.parent / "config.json"
    if config.is_file() and config.resolve() != (directory / "config.json").resolve():
        shutil.copyfile(config, directory / "config.json")
    return len(state)


def _tensors(content: Any) -> dict[str, Tensor]:
    """Tensors by name; every one in memory of its own, as safetensors wants it."""
    if not isinstance(content, Mapping):
        return {}
    state = {}
    for name, value in content.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            for wrapper in _WRAPPERS:
                name = name.removeprefix(wrapper)
            state[name] = value.detach().clone().contiguous()
    return state
