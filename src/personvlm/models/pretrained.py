"""Pretrained weights, from a folder that ``transformers`` saved or from the hub at a pinned revision. Safetensors only.

A pickled checkpoint can run any code when it is opened, so it is refused; ``personvlm convert`` is the way in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from personvlm.base.errors import InputError
from personvlm.base.hub import HUB, fetch_published

REPOSITORIES: Mapping[str, str] = MappingProxyType({
    "mobilevit_xs": "apple/mobilevit-x-small",
    "mobilevit_s": "apple/mobilevit-small",
    "mobilenet_v2": "google/mobilenet_v2_1.0_224",
    "mobilenet_v3_small": "timm/mobilenetv3_small_100.lamb_in1k",
    "efficientnet_b0": "google/efficientnet-b0",
    "dinov2_small": "facebook/dinov2-small",
    "gpt2": "distilbert/distilgpt2",
})  # fmt: skip
"""Where each part is published; :data:`personvlm.base.hub.PINS` has the commits."""

WEIGHTS = "model.safetensors"
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_PREFIX = re.compile(r"^(mobilevit|mobilenet_v2|efficientnet|dinov2|transformer)\.")
_HEADS = re.compile(r"^(classifier|lm_head|conv_head|pooler)\b|(^|\.)attn\.(masked_)?bias$")
"""What published files hold beside the body: heads for other tasks, and masks that old versions of GPT-2 stored."""


def load_pretrained(module: nn.Module, source: str, part: str) -> str:
    """Fill ``module`` with published weights.

    Args:
        module: a backbone of :mod:`~personvlm.models.vision`, or the ``body`` of a GPT-2 decoder.
        source: a folder or a ``.safetensors`` file; ``hub``; or ``repository@commit`` on the hub.
        part: a key of :data:`REPOSITORIES`.

    Returns:
        Where the weights came from, for the record.

    Raises:
        InputError: no weights there, a pickle, a truncated file, a tensor that is missing or of a wrong shape.
    """
    path, state = read_weights(located(source, part))
    body = {_PREFIX.sub("", name): tensor for name, tensor in state.items()}
    wanted = module.state_dict()
    fill(module, {name: tensor for name, tensor in body.items() if name in wanted or not _HEADS.search(name)}, path)
    return str(path)


def read_weights(source: Path) -> tuple[Path, dict[str, Tensor]]:
    """The tensors of a folder's ``model.safetensors`` (or of the file itself), floats as float32.

    Raises:
        InputError: it is absent, truncated, or a pickle.
    """
    path = source / WEIGHTS if source.is_dir() else source
    if path.suffix.lower() in _PICKLES:
        raise InputError(_pickled(path))
    if not path.is_file():
        beside = sorted(source.glob("*")) if source.is_dir() else []
        pickles = [each for each in beside if each.suffix.lower() in _PICKLES]
        absent = f"{path}: no such file; give a folder that holds {WEIGHTS}"
        raise InputError(_pickled(pickles[0]) if pickles else absent)
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError, and OSError
        raise InputError(f"{path}: damaged or not safetensors ({error}); fetch or copy it again") from error
    return path, {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


@torch.no_grad()
def fill(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Copy ``state`` into ``module``: every tensor, each of the right shape and finite, and none left over.

    Raises:
        InputError: names the file and the first tensor that does not fit.
    """
    wanted = module.state_dict()
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked") and name not in state:
            continue  # a counter that changes nothing; some exporters leave it out
        if name not in state:
            raise InputError(f"{path}: has no tensor {name!r}; it is of another model")
        if state[name].shape != tensor.shape:
            raise InputError(f"{path}: {name!r} has the shape {list(state[name].shape)}, this model needs "
                             f"{list(tensor.shape)}; it is of another model or size")  # fmt: skip
        if tensor.is_floating_point() and not (state[name].is_floating_point() and state[name].isfinite().all()):
            raise InputError(f"{path}: {name!r} holds something else than finite floats; it is damaged, or of a run "
                             "that went wrong")  # fmt: skip
    unknown = [name for name in state if name not in wanted]
    if unknown:
        raise InputError(f"{path}: holds {unknown[0]!r}, which this model has not; it is of another model or size")
    for name, tensor in wanted.items():
        if name in state:
            tensor.copy_(state[name])


def _pickled(path: Path) -> str:
    return (f"{path}: a pickled checkpoint, which can run code when it is opened, is not loaded; make it safe with "
            f"`personvlm convert {path} FOLDER` and give that folder")  # fmt: skip


def located(source: str, part: str) -> Path:
    """The local file or folder of a source, downloaded where it must be; arguments of :func:`load_pretrained`.

    Raises:
        InputError: it cannot be had; says why.
    """
    if source == HUB:
        return fetch_published(REPOSITORIES[part], WEIGHTS).path
    path = Path(source)
    if path.exists():
        return path
    repository, at, commit = source.partition("@")
    if at and re.fullmatch(r"[\w.-]+/[\w.-]+", repository) and commit:
        return fetch_published(repository, WEIGHTS, commit).path
    raise InputError(f"{source}: no such file or folder; give a folder that holds {WEIGHTS}, `{HUB}`, or "
                     "REPOSITORY@COMMIT as in distilbert/distilgpt2@2290a62")  # fmt: skip
