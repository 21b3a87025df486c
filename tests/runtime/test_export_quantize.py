"""8-bit blocks: how far a weight moves, which products are replaced, and that a row stands for itself."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="quantizing a graph needs the train extra")

import onnxruntime  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from personvlm.runtime.export_quantize import blockwise, halve_tables, quantize  # noqa: E402


def test_no_weight_moves_by_more_than_half_a_step() -> None:
    rng = np.random.default_rng(0)
    weight = (rng.standard_normal((70, 9)) * rng.random((1, 9)) ** 4).astype(np.float32)
    weight[:, 3] = 0.0
    codes, scales = blockwise(weight, 32)
    assert codes.shape == (9, 3, 32)
    steps = scales.reshape(9, 3, 1)
    back = ((codes.astype(np.float32) - 128) * steps).reshape(9, 96)
    assert (np.abs(back[:, :70] - weight.T).reshape(-1) <= np.repeat(steps, 32, 2).reshape(9, 96)[:, :70].reshape(-1)
            * 0.5001).all()  # fmt: skip
    assert (back[:, 70:] == 0).all()


def graph(rng: np.random.Generator) -> onnx.ModelProto:
    """A look-up, three products with constant weights of three kinds, and one of two activations."""
    weights = {"table": (10, 64), "first": (64, 96), "second": (48, 96), "third": (32, 48), "bias": (48,),
               "tiny": (2, 2)}  # fmt: skip
    tensors = [numpy_helper.from_array((rng.standard_normal(shape) * 0.2).astype(np.float32), name)
               for name, shape in weights.items()]  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "words"], ["x"]),
        helper.make_node("MatMul", ["x", "first"], ["y"]),
        helper.make_node("Gemm", ["y", "second", "bias"], ["z"], transB=1),
        helper.make_node("FusedMatMul", ["z", "third"], ["u"], domain="com.microsoft", transB=1),
        helper.make_node("Transpose", ["u"], ["turned"], perm=[1, 0]),
        helper.make_node("MatMul", ["u", "turned"], ["square"]),
        helper.make_node("MatMul", ["tiny", "tiny"], ["small"]),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("u", "square", "small")]
    inputs = [helper.make_tensor_value_info("words", TensorProto.INT64, ["N"])]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def run(model: onnx.ModelProto, words: list[int]) -> list[NDArray[np.float32]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"words": np.array(words)})  # type: ignore[no-any-return]


def test_products_with_large_constant_weights_are_replaced() -> None:
    exact, model = graph(np.random.default_rng(1)), graph(np.random.default_rng(1))
    assert quantize(model, least=1000) == 3
    halve_tables(model)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds == ["Gather", "Cast", *["MatMulNBits"] * 3, "Transpose", "MatMul", "MatMul"]
    assert {tensor.name for tensor in model.graph.initializer} >= {"table", "bias", "tiny"}
    assert not {"first", "second", "third"} & {tensor.name for tensor in model.graph.initializer}
    words = [3, 1, 4, 1, 5, 9]
    for ours, theirs in zip(run(model, words), run(exact, words), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.03 * np.abs(theirs).max())
    assert model.ByteSize() < 0.5 * exact.ByteSize()


def test_a_row_is_the_same_alone_and_among_others() -> None:
    model = graph(np.random.default_rng(1))
    quantize(model, least=1000)
    together = run(model, [3, 1, 4, 1, 5, 9])[0]
    for row, word in enumerate([3, 1, 4]):
        np.testing.assert_array_equal(run(model, [word])[0][0], together[row])


@pytest.mark.parametrize("attributes", [{"alpha": 0.5, "transB": 1}, {"transB": 0}, {"transA": 1, "transB": 1}])
def test_other_products_are_left_alone(attributes: dict[str, float]) -> None:
    model = graph(np.random.default_rng(1))
    gemm = model.graph.node[2]
    del gemm.attribute[:]
    gemm.attribute.extend([helper.make_attribute(name, value) for name, value in attributes.items()])
    assert quantize(model, least=1000) == 2
    assert model.graph.node[2].op_type == "Gemm"
