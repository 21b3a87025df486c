"""The forms that a stage goes through when it is compressed, ready to be compared."""

from __future__ import annotations

from pathlib import Path

from personvlm.evaluation.compress import Form
from personvlm.models import Loaded
from personvlm.models.person_vlm import WEIGHTS
from personvlm.runtime.draft import FILE
from personvlm.runtime.engine import DECODER, VISION
from personvlm.runtime.stage_engine import StageEngine
from personvlm.runtime.stage_torch import TorchStage


def forms_of(directory: Path, whole: Loaded, smaller: Loaded, out: Path) -> list[Form]:
    """The model as it was, pruned, with rounded weights, in 8 bits, and with drafts.

    Args:
        directory, whole: the model as it was.
        smaller, out: what :func:`personvlm.runtime.compress_torch.compress` returned, and where it wrote.
    """
    def size(folder: Path, *names: str) -> int:
        return sum((folder / name).stat().st_size for name in names)

    graphs = size(out, VISION, DECODER)
    forms = [Form("whole, torch", TorchStage(whole), size(directory, WEIGHTS))]
    if len(smaller.tokenizer) < len(whole.tokenizer):
        floats = sum(tensor.numel() * tensor.element_size() for tensor in smaller.model.state_dict().values())
        forms.append(Form("pruned, torch", TorchStage(smaller), floats))
    return [
        *forms,
        Form("rounded weights, torch", TorchStage(out), size(out, WEIGHTS)),
        Form("int8, onnxruntime", StageEngine.load(out, drafting=False), graphs),
        Form("int8 with drafts", StageEngine.load(out), graphs + size(out, FILE)),
    ]
