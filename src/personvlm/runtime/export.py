"""From ``model.safetensors`` to the ONNX graphs that the torch-free engine runs.

Weights are stored as float16, as in the safetensors file they come from, with a cast in front that onnxruntime
folds when it loads: half the bytes, and the arithmetic of float32.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from personvlm.models.edge import EdgeVLM
from personvlm.runtime.engine import DECODER, VISION
from personvlm.runtime.export_decoder import decoder_graph

OPSET = 18


class _Vision(nn.Module):
    def __init__(self, model: EdgeVLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        seen = self.model.see(pixels)
        return seen.tokens, seen.logits, seen.embedding, seen.quality.sigmoid()


def export(directory: Path) -> dict[str, int]:
    """Write ``vision.onnx`` and ``decoder.onnx`` beside the model in ``directory``; returns their sizes in bytes."""
    model = EdgeVLM.load(directory)
    config = model.config
    pixels = torch.zeros(2, 3, config.height, config.width)
    _write(_Vision(model), (pixels,), directory / VISION, ["pixels"], ["tokens", "logits", "embedding", "quality"],
           {name: {0: "batch"} for name in ("pixels", "tokens", "logits", "embedding", "quality")})  # fmt: skip
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    _save(decoder_graph(weights, config), directory / DECODER)
    return {name: (directory / name).stat().st_size for name in (VISION, DECODER)}


def _write(module: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: list[str], outputs: list[str],
           axes: dict[str, dict[int, str]]) -> None:  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that are constant here by design
        torch.onnx.export(module.eval(), example, str(path), input_names=inputs, output_names=outputs,
                          dynamic_axes=axes, opset_version=OPSET, dynamo=False,
                          # Batch norm is kept apart (onnxruntime fuses it in float32), tied embeddings are kept tied.
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)  # fmt: skip
    _save(onnx.load(str(path)), path)


def _save(graph: onnx.ModelProto, path: Path) -> None:
    halve(graph)
    shorten(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def shorten(model: onnx.ModelProto) -> None:
    """Drop what only a reader of the graph would want: the tracer's long names are a fiftieth of the file."""
    model.producer_name, model.doc_string = "personvlm", ""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    short: dict[str, str] = {"": ""}
    for node in model.graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = name if name in kept else short.setdefault(name, f"_{len(short):x}")
    for tensor in model.graph.initializer:
        tensor.name = short.get(tensor.name, tensor.name)
    del model.graph.value_info[:]


def halve(model: onnx.ModelProto, least: int = 64) -> None:
    """Store float32 weights of at least ``least`` elements as float16 followed by a cast to float32."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < least:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}.half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT, name=f"{name}.cast"))
    for node in reversed(casts):
        model.graph.node.insert(0, node)
