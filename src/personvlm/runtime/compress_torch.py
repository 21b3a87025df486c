"""Small and fast: a trained stage with its vocabulary pruned, weights in 16 bits, 8-bit graphs and a table of drafts;
edge with graphs in another form."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from personvlm.base.errors import InputError
from personvlm.base.folders import copy_files
from personvlm.language.tokenizer import Tokenizer
from personvlm.models import Loaded, load
from personvlm.models.config import EdgeConfig
from personvlm.models.person_vlm import WEIGHTS, PersonVLM
from personvlm.models.prune import prune
from personvlm.runtime.draft import NgramTable
from personvlm.runtime.engine import DECODER, VISION
from personvlm.runtime.export import Graphs
from personvlm.runtime.export_forms import SEES_OTHERWISE, FormName, write_form
from personvlm.runtime.release import MEASURED
from personvlm.runtime.stage_export import export_stage

Weights = Literal["float32", "float16", "bfloat16"]
LEAST, SURE = 3, 0.35
"""Of the table of drafts: the best for DistilGPT-2's step times on unseen realised texts; .25 to .5 lose under 2 %."""

_COPIED = ("recipe.json", "curves.csv")
_LEFT = (WEIGHTS, VISION, DECODER, *MEASURED, "curves.*")


def compress(directory: Path, out: Path, texts: Sequence[str], *, keep_vocabulary: bool = False,
             weights: Weights = "float16") -> Loaded:  # fmt: skip
    """Write a folder that :meth:`StageEngine.load <personvlm.runtime.stage_engine.StageEngine.load>` takes.

    Args:
        directory: a trained stage.
        out: another folder; gets weights, config, tokenizer (with ``kept.json``: the ids it had), transform, recipe,
            ``vision.onnx``, ``decoder.onnx`` and ``draft.json``.
        texts: what the vocabulary must hold and drafts are learned from.
        keep_vocabulary: do not prune; needed for stages with words of their own.
        weights: type of ``model.safetensors``, and what the graphs are made from.

    Returns:
        The model in float32 before its weights were rounded, pruned if it was to be.

    Raises:
        InputError: the folder holds no stage, or one whose vocabulary cannot be pruned; or ``out`` is ``directory``, or
            holds weights.
    """
    _refuse_to_replace(directory, out)
    loaded = load(directory)
    if not isinstance(loaded.model, PersonVLM):
        raise InputError(f"{directory}: not a stage but edge, whose vocabulary is small; it has forms of its own")
    smaller = loaded if keep_vocabulary else prune(loaded, texts)
    assert isinstance(smaller.model, PersonVLM)
    out.mkdir(parents=True, exist_ok=True)
    smaller.model.config.save(out)
    save_weights(smaller.model, out / WEIGHTS, weights)
    smaller.tokenizer.save(out)
    smaller.transform.save(out)
    for name in _COPIED:
        if (directory / name).is_file():
            shutil.copyfile(directory / name, out / name)
    export_stage(out)
    drafts_of(texts, smaller.tokenizer).save(out)
    return smaller


def write_edge(directory: Path, out: Path, graphs: Graphs, form: FormName, pixels: NDArray[np.float32]) -> int:
    """Write a folder that :meth:`Describer.load <personvlm.runtime.describer.Describer.load>` takes.

    What was measured of the model stays behind, since it says nothing about another form; and so do the weights, which
    torch would run in the form's place where there is a GPU.

    Args:
        directory: edge.
        out: another folder.
        graphs, form, pixels: see :func:`personvlm.runtime.export_forms.write_form`.

    Returns:
        Bytes of both graphs.

    Raises:
        InputError: ``out`` is ``directory``, or holds weights.
    """
    _refuse_to_replace(directory, out)
    copy_files(directory, out, _LEFT)
    if form in SEES_OTHERWISE:
        EdgeConfig.load(directory).told_apart(form.encode()).save(out)
    return sum(write_form(graphs, out, form, pixels).values())


def _refuse_to_replace(directory: Path, out: Path) -> None:
    if out.resolve() == directory.resolve():
        raise InputError(f"{out}: the model would be written over; give another folder")
    if (out / WEIGHTS).exists():
        raise InputError(f"{out / WEIGHTS}: another model is there; give another folder")


def save_weights(model: PersonVLM, path: Path, weights: Weights) -> None:
    """The state of a model as safetensors; floats in the given type."""
    kind: torch.dtype = getattr(torch, weights)
    state = {name: tensor.to(kind) if tensor.is_floating_point() else tensor
             for name, tensor in model.state_dict().items()}  # fmt: skip
    save_file({name: tensor.cpu().contiguous() for name, tensor in state.items()}, path)


def drafts_of(texts: Iterable[str], tokenizer: Tokenizer) -> NgramTable:
    """What usually comes next in texts, in a tokenizer's ids."""
    return NgramTable.count([tokenizer.encode(text, ends=True) for text in texts], least=LEAST, sure=SURE)
