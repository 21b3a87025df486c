"""From a stage's ``model.safetensors`` to the two ONNX graphs that :mod:`.stage_engine` runs without torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal

import onnx
import torch
from torch import Tensor, nn

from personvlm.base.errors import InputError
from personvlm.models import load
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.text_decoder import CrossDecoder
from personvlm.runtime.engine import DECODER, VISION
from personvlm.runtime.export import OPSET, halve, shorten
from personvlm.runtime.export_quantize import halve_tables, quantize
from personvlm.runtime.stage_export_graph import decoder_graph

Precision = Literal["int8", "fp32"]


class _Eyes(nn.Module):
    """What a picture gives the decoder: visual tokens, or the keys and values that each layer made of them."""

    def __init__(self, model: PersonVLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        visual = self.model.see(pixels)
        if isinstance(self.model.decoder, CrossDecoder):
            return tuple(part for pair in self.model.decoder.begin(visual).seen for part in pair)
        return (visual,)


def export_stage(directory: Path, out: Path | None = None, precision: Precision = "int8") -> dict[str, int]:
    """Write ``vision.onnx`` and ``decoder.onnx`` of the stage in ``directory`` into ``out`` (beside it by default).

    ``int8`` quantizes the decoder and the projection (:mod:`.export_quantize`) and stores the encoder as float16,
    computed in float32; ``fp32`` changes nothing.

    Returns:
        Size of each file in bytes.

    Raises:
        InputError: the folder holds no model, or one that is no stage.
    """
    model = load(directory).model
    if not isinstance(model, PersonVLM):
        raise InputError(f"{directory}: not a stage; `personvlm export` writes the graphs of edge")
    out = out or directory
    out.mkdir(parents=True, exist_ok=True)
    for name, graph in ((VISION, _vision(model, out / VISION)), (DECODER, _decoder(model))):
        if precision == "int8":
            quantize(graph)
            halve_tables(graph) if name == DECODER else halve(graph)
        shorten(graph)
        onnx.save(graph, str(out / name))
    return {name: (out / name).stat().st_size for name in (VISION, DECODER)}


def _decoder(model: PersonVLM) -> onnx.ModelProto:
    state = {name: tensor.detach().numpy() for name, tensor in model.decoder.state_dict().items()}
    return decoder_graph(model.config, state)


def _vision(model: PersonVLM, path: Path) -> onnx.ModelProto:
    config = model.config
    cross = [f"seen_{kind}{layer}" for layer in range(config.layers) for kind in ("key", "value")]
    names = cross if config.decoder == "cross" else ["visual"]
    pixels = torch.zeros(2, 3, config.height, config.width)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that are constant here by design
        torch.onnx.export(_Eyes(model).eval(), (pixels,), str(path), input_names=["pixels"], output_names=names,
                          dynamic_axes={name: {0: "batch"} for name in ("pixels", *names)}, opset_version=OPSET,
                          dynamo=False)  # fmt: skip
    return onnx.load(str(path))
