"""The forms of a stage, or of edge, that compressing makes, ready to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from personvlm.evaluation.compress import Form, Writer
from personvlm.evaluation.compress_edge import Speaker
from personvlm.models import Loaded
from personvlm.models.person_vlm import WEIGHTS
from personvlm.runtime.compress_torch import write_edge
from personvlm.runtime.describer import Describer
from personvlm.runtime.draft import FILE
from personvlm.runtime.engine import DECODER, VISION
from personvlm.runtime.export import Graphs
from personvlm.runtime.export_forms import FORMS
from personvlm.runtime.stage_engine import StageEngine
from personvlm.runtime.stage_torch import TorchStage
from personvlm.runtime.torch_engine import TorchEngine


def forms_of(directory: Path, whole: Loaded, smaller: Loaded, out: Path) -> list[Form[Writer]]:
    """The model as it was, pruned, with rounded weights, in 8 bits, and with drafts.

    Args:
        directory, whole: the model as it was.
        smaller, out: what :func:`personvlm.runtime.compress_torch.compress` returned, and where it wrote.
    """
    def size(folder: Path, *names: str) -> int:
        return sum((folder / name).stat().st_size for name in names)

    graphs = size(out, VISION, DECODER)
    forms: list[Form[Writer]] = [Form("whole, torch", TorchStage(whole), size(directory, WEIGHTS))]
    if len(smaller.tokenizer) < len(whole.tokenizer):
        floats = sum(tensor.numel() * tensor.element_size() for tensor in smaller.model.state_dict().values())
        forms.append(Form("pruned, torch", TorchStage(smaller), floats))
    return [
        *forms,
        Form("rounded weights, torch", TorchStage(out), size(out, WEIGHTS)),
        Form("int8, onnxruntime", StageEngine.load(out, drafting=False), graphs),
        Form("int8 with drafts", StageEngine.load(out), graphs + size(out, FILE)),
    ]


@contextmanager
def edge_forms(directory: Path, graphs: Graphs, pixels: NDArray[np.float32]) -> Iterator[list[Form[Speaker]]]:
    """Every form of the edge model in ``directory`` on onnxruntime, float32 first, and torch in bfloat16 at the end.

    Args:
        graphs, pixels: see :func:`personvlm.runtime.export_forms.write_form`.
    """
    with TemporaryDirectory() as name:
        forms: list[Form[Speaker]] = []
        for form in FORMS:
            folder = Path(name) / form
            size = write_edge(directory, folder, graphs, form, pixels)
            forms.append(Form(form, Describer.load(folder, backend="onnx"), size))
        torch = Describer.load(Path(name) / FORMS[0], backend="onnx")
        torch.engine = TorchEngine(directory, "cpu", "bfloat16")
        yield [*forms, Form("bfloat16, torch", torch, (directory / WEIGHTS).stat().st_size)]
