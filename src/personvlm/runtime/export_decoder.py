"""The decoder of edge as an ONNX graph, written out node by node.

A traced graph spends a quarter of its time on shapes and masks. This one is given places and mask, returns only the
keys and values that are new (the engine keeps the old ones in a buffer of its own), and in the last layer works out
nothing but keys and values for the prefix, of which no word is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from personvlm.models.config import EdgeConfig

OPSET = 20
"""The first with the tanh form of GELU as an operator."""

_END = np.iinfo(np.int64).max
Weights = Mapping[str, NDArray[np.float32]]
_Ends = Mapping[str, tuple[int, Sequence[Any]]]


def decoder_graph(weights: Weights, config: EdgeConfig) -> onnx.ModelProto:
    """The graph; ``weights`` are those of :class:`~personvlm.models.edge.EdgeVLM` by name.

    For N rows, ``T = Tv + Ta + Tw`` new tokens after P that are in the cache, L layers with H heads of size d:

    ========  =====================  ===========================================================================
    tokens    float [N, Tv, D]       visual tokens
    prefix    int64 [N, Ta]          attribute slots
    words     int64 [N, Tw]          words; visual tokens, slots and words stand in this order
    places    int64 [N, T]           position of each new token
    mask      float [N, 1, T, P+T]   0 where a new token may look, a very low number where not
    past      float [2L, N, H, P, d] keys and values of the layers in turn
    logits    float [N, Tw, V]       of the word after each of ``words``
    new       float [2L, N, H, T, d] keys and values of the new tokens
    ========  =====================  ===========================================================================
    """
    graph = _Graph(weights)
    layers, dim, heads = config.layers, config.dim, config.heads
    size = dim // heads
    by_head, joined = graph.number([0, 0, 3 * heads, size]), graph.number([0, 0, dim])
    first, end, one, two = (graph.number([value]) for value in (0, _END, 1, 2))
    scale = graph.real(size**-0.5)
    given = graph("Concat", "tokens", graph("Gather", graph.weight("attributes.weight"), "prefix"),
                  graph("Gather", graph.weight("decoder.words.weight"), "words"), axis=1)  # fmt: skip
    x = graph("Add", given, graph("Gather", graph.weight("decoder.positions"), "places"))
    past = graph.several("Split", 2 * layers, "past", axis=0, num_outputs=2 * layers)
    words_on = graph("Neg", graph("Shape", "words", start=1, end=2))  # [1]: where the words begin, from the end
    mask, new = "mask", []
    for layer in range(layers):
        name = f"decoder.blocks.{layer}"
        normed = graph.norm(x, f"{name}.attention_norm")
        qkv = graph("Reshape", graph.linear(normed, f"{name}.qkv"), by_head)
        qkv = graph("Transpose", qkv, perm=[0, 2, 1, 3])  # [N, 3H, T, d]
        query, *key_value = graph.several("Split", 3, qkv, axis=1, num_outputs=3)
        if layer == layers - 1:
            query = graph("Slice", query, words_on, end, two)
            mask, x = graph("Slice", mask, words_on, end, two), graph("Slice", x, words_on, end, one)
        new += [graph("Unsqueeze", part, first) for part in key_value]
        key, value = (graph("Concat", graph("Squeeze", past[2 * layer + i], first), part, axis=2)
                      for i, part in enumerate(key_value))  # fmt: skip
        fit = graph("Mul", graph("MatMul", query, graph("Transpose", key, perm=[0, 1, 3, 2])), scale)
        fit = graph("Add", fit, mask)
        found = graph("MatMul", graph("Softmax", fit, axis=-1), value)
        found = graph("Reshape", graph("Transpose", found, perm=[0, 2, 1, 3]), joined)
        x = graph("Add", x, graph.linear(found, f"{name}.out"))
        wide = graph.linear(graph.norm(x, f"{name}.ffn_norm"), f"{name}.ffn.0")
        x = graph("Add", x, graph.linear(graph("Gelu", wide, approximate="tanh"), f"{name}.ffn.2"))
    tied = graph("Transpose", graph.weight("decoder.words.weight"), perm=[1, 0])
    graph("MatMul", graph.norm(x, "decoder.norm"), tied, out="logits")
    graph("Concat", *new, axis=0, out="new")
    floats, ints = TensorProto.FLOAT, TensorProto.INT64
    inputs: _Ends = {
        "tokens": (floats, ["N", "Tv", dim]), "prefix": (ints, ["N", "Ta"]), "words": (ints, ["N", "Tw"]),
        "places": (ints, ["N", "T"]), "mask": (floats, ["N", 1, "T", "PT"]),
        "past": (floats, [2 * layers, "N", heads, "P", size]),
    }  # fmt: skip
    outputs: _Ends = {
        "logits": (floats, ["N", "Tw", config.vocabulary]), "new": (floats, [2 * layers, "N", heads, "T", size]),
    }  # fmt: skip
    return graph.model(inputs, outputs)


class _Graph:
    """Nodes in their order; calling it adds one and returns the name of its output."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}

    def __call__(self, op: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"_{len(self._nodes):x}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def several(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        names = [f"_{len(self._nodes):x}.{index}" for index in range(count)]
        self._nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def number(self, values: list[int]) -> str:
        return self._constant(f"i{'_'.join(map(str, values))}", np.array(values, np.int64))

    def real(self, value: float) -> str:
        return self._constant(f"f{value}", np.array(value, np.float32))

    def weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def linear(self, x: str, name: str) -> str:
        weight = self._constant(f"{name}.weight", np.ascontiguousarray(self._weights[f"{name}.weight"].T))
        return self("Add", self("MatMul", x, weight), self.weight(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        return self("LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), axis=-1,
                    epsilon=1e-5)  # fmt: skip

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants.setdefault(name, values)
        return name

    def model(self, inputs: _Ends, outputs: _Ends) -> onnx.ModelProto:
        begin, end = ([helper.make_tensor_value_info(name, *facts) for name, facts in side.items()]
                      for side in (inputs, outputs))  # fmt: skip
        tensors = [numpy_helper.from_array(values, name) for name, values in self._constants.items()]
        graph = helper.make_graph(self._nodes, "decoder", begin, end, tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9,
                                 producer_name="personvlm")  # fmt: skip
