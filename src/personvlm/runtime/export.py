"""From ``model.safetensors`` to the ONNX graphs that the torch-free engine runs.

Weights are stored as float16, as in the safetensors file they come from, with a cast in front that onnxruntime
folds when it loads: half the bytes, and the arithmetic of float32. Those that 8 bits hold exactly
(:mod:`personvlm.models.codes`) take half of that.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from personvlm.data.transform import FILE as TRANSFORM
from personvlm.data.transform import Transform
from personvlm.models.codes import Codes, exactly_coded
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


class Graphs(NamedTuple):
    """Edge in float32, as traced and written out."""

    vision: onnx.ModelProto
    decoder: onnx.ModelProto


def export(directory: Path) -> dict[str, int]:
    """Write ``vision.onnx`` and ``decoder.onnx`` beside the model in ``directory``; returns their sizes in bytes."""
    graphs = edge_graphs(directory)
    for graph in graphs:
        halve(graph)
    return save_graphs(graphs, directory)


def edge_graphs(directory: Path) -> Graphs:
    """The graphs of the model in ``directory``, nothing rounded, for pictures of its transform's size; of the config's
    where no transform lies beside the weights."""
    model = EdgeVLM.load(directory)
    config = model.config
    size = Transform.load(directory) if (directory / TRANSFORM).is_file() else config
    pixels = torch.zeros(2, 3, size.height, size.width)
    outputs = ["tokens", "logits", "embedding", "quality"]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of shapes that are constant here by design
        torch.onnx.export(_Vision(model).eval(), (pixels,), f"{folder}/{VISION}", input_names=["pixels"],
                          output_names=outputs, opset_version=OPSET, dynamo=False,
                          dynamic_axes={name: {0: "batch"} for name in ("pixels", *outputs)},
                          # Batch norm is kept apart (onnxruntime fuses it in float32), tied embeddings are kept tied.
                          training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)  # fmt: skip
        vision = onnx.load(f"{folder}/{VISION}")
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return Graphs(vision, decoder_graph(weights, config))


def save_graphs(graphs: Graphs, directory: Path) -> dict[str, int]:
    """Write both, names shortened, into ``directory``; returns the sizes of the files in bytes."""
    sizes = {}
    for name, graph in zip((VISION, DECODER), graphs, strict=True):
        shorten(graph)
        onnx.checker.check_model(graph)
        onnx.save(graph, str(directory / name))
        sizes[name] = (directory / name).stat().st_size
    return sizes


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


def halve(model: onnx.ModelProto, least: int = 64, kind: int = TensorProto.FLOAT16) -> None:
    """Store float32 weights of at least ``least`` elements as float16, or bfloat16, followed by a cast to float32;
    those that lie on 8-bit grids, by rows or by columns, as their codes.

    Scales of 8-bit codes stay as they are: they may lie below what float16 can hold.
    """
    scales = {node.input[1] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")}
    scales |= {tensor.name for tensor in model.graph.initializer if tensor.name.endswith(SCALES)}
    made: list[onnx.NodeProto] = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < least or tensor.name in scales:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        codes = _codes(values)
        if codes is not None:
            made += store_codes(model, tensor, codes)
            continue
        half = _bfloat16(values) if kind == TensorProto.BFLOAT16 else values.astype(np.float16)
        tensor.CopyFrom(helper.make_tensor(f"{name}.half", kind, tensor.dims, half.tobytes(), raw=True))
        made.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT, name=f"{name}.cast"))
    for node in reversed(made):
        model.graph.node.insert(0, node)


def _codes(values: NDArray[np.float32]) -> Codes | None:
    """Codes of a weight, output channels in front, or behind, as the decoder's graph has them."""
    if values.ndim < 2:
        return None
    codes = exactly_coded(values)
    if codes is None and values.ndim == 2 and (turned := exactly_coded(values.T)) is not None:
        codes = Codes(np.ascontiguousarray(turned.codes.T), np.ascontiguousarray(turned.scales.T))
    return codes


SCALES = ".scales"
"""How the names of scales end."""


def store_codes(model: onnx.ModelProto, tensor: onnx.TensorProto, codes: Codes) -> list[onnx.NodeProto]:
    """Put 8-bit codes and their scales in a weight's place; returns the nodes that multiply them out, in order, to go
    first in the graph. onnxruntime does it once, when it loads the graph."""
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(codes.codes, f"{name}.codes"))
    model.graph.initializer.append(numpy_helper.from_array(codes.scales, f"{name}{SCALES}"))
    return [helper.make_node("Cast", [f"{name}.codes"], [f"{name}.wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}.wide", f"{name}{SCALES}"], [name])]  # fmt: skip


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Bits of the nearest bfloat16, ties to even: the upper half of a float32. Numpy has no such type."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
