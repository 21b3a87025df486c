"""8-bit weights for ONNX graphs: onnxruntime's MatMulNBits, every output column in blocks with a scale of their own.

Activations are rounded to 8 bits block by block inside the kernel (accuracy level 4), each row by itself, so that a
row's result does not depend on the rows beside it; per-tensor dynamic quantization breaks that. The blocks are made
here in a few lines of numpy because onnxruntime's own tool needs a further package (``onnx_ir``) for as much.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
BLOCK = 64
"""A sixth faster than 32; at 128 a row alone no longer gives to the bit what it gives among others."""

_ZERO = 128
"""What stands for 0 where no zero points are given: the kernel's default for 8 bits."""


def blockwise(weight: NDArray[np.float32], block: int = BLOCK) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Weights ``[K, N]`` -> codes ``uint8 [N, ceil(K/block), block]`` and scales ``float32 [N * ceil(K/block)]``.

    ``weight[k, n] ~ (codes - 128) * scale``, symmetric; no weight moves by more than half a scale.
    """
    inner, outer = weight.shape
    count = -(-inner // block)
    padded = np.zeros((outer, count * block), np.float32)
    padded[:, :inner] = weight.T
    blocks = padded.reshape(outer, count, block)
    scales = np.maximum(np.abs(blocks).max(2) / 127.0, np.finfo(np.float32).tiny).astype(np.float32)
    codes = np.rint(blocks / scales[..., None]) + _ZERO
    return codes.astype(np.uint8), scales.reshape(-1)


def quantize(model: onnx.ModelProto, block: int = BLOCK, least: int = 4096) -> int:
    """Replace, in place, products with constant weights of at least ``least`` elements: ``MatMul`` by ``[K, N]``,
    ``Gemm`` and ``FusedMatMul`` by ``[N, K]`` (``transB``). Other uses of a weight keep what they had.

    Returns:
        How many products were replaced.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes, replaced = list(model.graph.node), 0
    for index, node in enumerate(nodes):
        turned = {"MatMul": False, "Gemm": True, "FusedMatMul": True}.get(node.op_type)
        tensor = weights.get(node.input[1]) if turned is not None else None
        if tensor is None or np.prod(tensor.dims) < least or not _plain(node):
            continue
        matrix = numpy_helper.to_array(tensor).astype(np.float32)
        codes, scales = blockwise(matrix.T if turned else matrix, block)
        made = [numpy_helper.from_array(codes, f"{tensor.name}.codes"),
                numpy_helper.from_array(scales, f"{tensor.name}.scales")]  # fmt: skip
        for each in made:
            if each.name not in weights:
                model.graph.initializer.append(each)
                weights[each.name] = each
        inputs = [node.input[0], made[0].name, made[1].name]
        if len(node.input) > 2:
            inputs += ["", "", node.input[2]]  # zero points and group index are left out; then the bias
        outer, inner = matrix.shape if turned else matrix.shape[::-1]
        nodes[index] = helper.make_node("MatMulNBits", inputs, list(node.output), domain=MICROSOFT, K=inner, N=outer,
                                        bits=8, block_size=block, accuracy_level=4)  # fmt: skip
        replaced += 1
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unused(model)
    if replaced and all(each.domain != MICROSOFT for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    return replaced


def halve_tables(model: onnx.ModelProto) -> None:
    """Store tables that are only looked up in (``Gather``) as float16, in place; what is read from them is cast back.

    A cast in front of the look-up would be folded when the graph is loaded, and the table would be whole again.
    """
    uses: dict[str, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            uses.setdefault(name, set()).add(node.op_type)
    tables = {tensor.name: tensor for tensor in model.graph.initializer
              if tensor.data_type == TensorProto.FLOAT and uses.get(tensor.name) == {"Gather"}}  # fmt: skip
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in tables:
            output = node.output[0]
            node.output[0] = f"{output}.half"
            nodes.append(helper.make_node("Cast", [node.output[0]], [output], to=TensorProto.FLOAT))
    for name, tensor in tables.items():
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _plain(node: onnx.NodeProto) -> bool:
    """Nothing but ``x @ w`` or ``x @ w.T + bias``: no scaling, the weight turned where the operator says so."""
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    scaled = any(given.get(name, 1.0) != 1.0 for name in ("alpha", "beta"))
    turned = bool(given.get("transB", 0)) is (node.op_type != "MatMul")
    return turned and not scaled and not given.get("transA", 0)


def _drop_unused(model: onnx.ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
