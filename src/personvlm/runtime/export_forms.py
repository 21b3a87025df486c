"""Forms of edge's graphs: how weights are stored, and what is computed in 8 bits.

Every form but ``int8-static`` leaves the arithmetic of the eyes in float32: smaller weights are widened once, when
onnxruntime loads the graph. In every form a row's result does not depend on the rows beside it: static ranges are
constants, where dynamic ones would be those of the whole batch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from personvlm.models.codes import Codes
from personvlm.runtime.engine import CPU
from personvlm.runtime.export import Graphs, halve, save_graphs, store_codes
from personvlm.runtime.export_quantize import quantize

FormName = Literal["float32", "float16", "bfloat16", "int8-decoder", "int8-vision", "int8-weights", "int8-static"]
FORMS: tuple[FormName, ...] = get_args(FormName)

_AT_ONCE = 8


_KINDS: Mapping[FormName, tuple[str, str]] = {
    "float32": ("float32", "float32"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "int8-decoder": ("float16", "int8"),
    "int8-vision": ("int8", "float16"),
    "int8-weights": ("int8", "int8"),
    "int8-static": ("static", "int8"),
}
"""How eyes and decoder are kept; ``int8`` is :func:`eighth` of the eyes, and :func:`~.export_quantize.quantize` of the
decoder."""

SEES_OTHERWISE = frozenset(form for form, (eyes, _) in _KINDS.items() if eyes not in ("float32", "float16"))
"""Forms whose decisions and appearance vectors are not those of the weights (docs/compress.md): other models to a
store."""


def write_form(graphs: Graphs, directory: Path, form: FormName, pixels: NDArray[np.float32]) -> dict[str, int]:
    """Write ``vision.onnx`` and ``decoder.onnx`` in one form; ``graphs`` stay as they are.

    Args:
        pixels: ``[N, 3, H, W]``, pictures by which ``int8-static`` chooses its ranges; of no use to the others.

    Returns:
        Size of each file in bytes.
    """
    eyes, words = _KINDS[form]
    vision, decoder = (_copy(graph) for graph in graphs)
    if eyes == "static":
        vision = static(vision, pixels)
    if eyes in ("int8", "static"):
        eighth(vision)
    if words == "int8":
        quantize(decoder)
    for graph, kind in ((vision, eyes), (decoder, words)):
        if kind != "float32":
            halve(graph, kind=TensorProto.BFLOAT16 if kind == "bfloat16" else TensorProto.FLOAT16)
    return save_graphs(Graphs(vision, decoder), directory)


def eighth(model: onnx.ModelProto, least: int = 4096) -> int:
    """Store weights of convolutions and products in 8 bits, one scale per output channel, in place; onnxruntime
    multiplies them out when it loads the graph, and computes in float32.

    The appearance layer keeps its weights: what goes in (a vector, visual tokens, logits) is of different sizes, and
    so are the weights; one scale for all of a channel moves the vector far.

    Returns:
        How many weights were replaced.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    outputs: dict[str, set[int]] = {}  # weight -> its axis of output channels, by every use
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in weights and _APPEARANCE not in name:
                outputs.setdefault(name, set()).add(_output_axis(node, place))
    made: list[onnx.NodeProto] = []
    for name, axes in outputs.items():
        tensor, (axis, *others) = weights[name], sorted(axes)
        if others or axis == _NO_AXIS or tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < least:
            continue
        values = numpy_helper.to_array(tensor)
        rest = tuple(index for index in range(values.ndim) if index != axis % values.ndim)
        scale = np.maximum(np.abs(values).max(rest, keepdims=True) / 127.0, np.finfo(np.float32).tiny)
        made += store_codes(model, tensor, Codes(np.rint(values / scale).astype(np.int8), scale.astype(np.float32)))
    for node in reversed(made):
        model.graph.node.insert(0, node)
    return len(made) // 2


def static(model: onnx.ModelProto, pixels: NDArray[np.float32]) -> onnx.ModelProto:
    """1x1 convolutions in 8 bits: weights with a scale per output channel, what goes in and out with ranges as wide as
    ``pixels [N, 3, H, W]`` ask for, fixed once and for all (QDQ nodes, which onnxruntime turns into 8-bit kernels).

    Depthwise convolutions and the first four of all stay in float32: their channels differ too much in size.
    """
    with tempfile.TemporaryDirectory() as name:
        plain, made = Path(name) / "plain.onnx", Path(name) / "static.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Batch norms must have been folded before ranges are taken.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(plain)
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[CPU])
        folded = onnx.load(str(plain))
        for index, node in enumerate(folded.graph.node):
            node.name = f"node{index}"  # nodes are left out by name
        folded.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")  # it is prepared: no warning
        onnx.save(folded, str(plain))
        quantize_static(str(plain), str(made), _Batches(pixels), quant_format=QuantFormat.QDQ, per_channel=True,
                        op_types_to_quantize=["Conv"], nodes_to_exclude=_delicate(folded),
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)  # fmt: skip
        result = onnx.load(str(made))
    del result.metadata_props[:]
    return result


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self._parts = (pixels[start : start + _AT_ONCE] for start in range(0, len(pixels), _AT_ONCE))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        part = next(self._parts, None)
        return None if part is None else {"pixels": part}


def _delicate(model: onnx.ModelProto) -> list[str]:
    """Names of convolutions that stay in float32."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    wide = [node for node in convolutions
            if any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)]  # fmt: skip
    return sorted({node.name for node in (*convolutions[:_FIRST], *wide)})


_FIRST = 4
_NO_AXIS = 99
_APPEARANCE = ".appearance."


def _output_axis(node: onnx.NodeProto, place: int) -> int:
    """Axis of the output channels of a weight that is the input at ``place``; ``_NO_AXIS`` where it is no weight."""
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    axes = {("Conv", 1): 0, ("MatMul", 1): -1, ("Gemm", 1): 0 if turned else 1, ("Transpose", 0): 0}
    return axes.get((node.op_type, place), _NO_AXIS)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy
