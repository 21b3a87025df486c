"""The decoders of the stages as ONNX graphs, written node by node from their tensors.

A traced graph joins caches with Concat and copies them at every step. Here keys and values stay in one buffer that
``GroupQueryAttention`` reads and writes in place: going back over rejected drafts is then only a smaller length.

onnxruntime multiplies one row by another routine than several, with another last bit, which 8-bit rounding makes
larger. Constant weights are packed and not concerned, but attention is. So that a word read alone gives bit for bit
what it gives among others, attention over a single place is given an idle one beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from personvlm.models.presets import StageConfig
from personvlm.runtime.export_quantize import MICROSOFT

OPSET, IR_VERSION = 21, 10
State = Mapping[str, NDArray[np.float32]]


def decoder_graph(config: StageConfig, state: State) -> onnx.ModelProto:
    """The decoder of a stage in float32.

    Inputs, for one row: ``words int64 [1, T]``; ``places int64 [S]``, of everything that is read; ``idle int64 [6]``,
    zeros but for the fifth, which is the number of idle places after them; ``last int32 [1]`` and ``total int32 []``,
    the last place and the length with the idle ones; ``key{l}`` and ``value{l} float32 [1, heads, P, d]``, buffers.
    GPT-2 also reads ``visual float32 [1, K, D]`` before its words (K may be 0), so that S = K + T; the stages' own
    decoder reads ``seen_key{l}`` and ``seen_value{l} [1, heads, K, d]``, and S = T.

    Outputs: ``logits float32 [1, T, V]``, and ``next_key{l}``, ``next_value{l}`` to be bound to the same buffers.

    Args:
        state: tensors of the decoder, without the prefix ``decoder.``.
    """
    build = _Builder(config, state)
    return build.gpt2() if config.decoder == "gpt2" else build.cross()


class _Builder:
    def __init__(self, config: StageConfig, state: State) -> None:
        self.config, self.state = config, state
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def gpt2(self) -> onnx.ModelProto:
        """As in :class:`~personvlm.models.gpt2.GPT2Decoder`; its linear layers hold ``[in, out]``."""
        config = self.config
        self.input("visual", TensorProto.FLOAT, [1, "visual", config.dim])
        self.attention_inputs()
        visual_and_words = self.node("Concat", ["visual", self.embedded("body.wte.weight")], axis=1)
        x = self.node("Add", [visual_and_words, self.placed("body.wpe.weight")])
        for layer in range(config.layers):
            at = f"body.h.{layer}."
            qkv = self.linear(self.norm(x, f"{at}ln_1"), f"{at}attn.c_attn", turned=False)
            x = self.node("Add", [x, self.linear(self.attention(qkv, layer), f"{at}attn.c_proj", turned=False)])
            wide = self.linear(self.norm(x, f"{at}ln_2"), f"{at}mlp.c_fc", turned=False)
            inner = self.node("Gelu", [wide], approximate="tanh")
            x = self.node("Add", [x, self.linear(inner, f"{at}mlp.c_proj", turned=False)])
        length = self.node("Shape", ["visual"], start=1, end=2)
        ends, axis = self.constant("ends", [np.iinfo(np.int64).max]), self.constant("axis", [1])
        of_words = self.node("Slice", [self.norm(x, "body.ln_f"), length, ends, axis])
        return self.model(of_words, "body.wte.weight")

    def cross(self) -> onnx.ModelProto:
        """As in :class:`~personvlm.models.text_decoder.CrossDecoder`; its linear layers hold ``[out, in]``."""
        config = self.config
        seen = [1, config.heads, config.visual_tokens, config.dim // config.heads]
        for layer in range(config.layers):
            self.input(f"seen_key{layer}", TensorProto.FLOAT, seen)
            self.input(f"seen_value{layer}", TensorProto.FLOAT, seen)
        self.attention_inputs()
        x = self.node("Add", [self.embedded("words.weight"), self.placed("positions")])
        for layer in range(config.layers):
            at = f"blocks.{layer}."
            qkv = self.linear(self.norm(x, f"{at}self_norm"), f"{at}self_qkv")
            x = self.node("Add", [x, self.linear(self.attention(qkv, layer), f"{at}self_out")])
            query = self.linear(self.norm(x, f"{at}cross_norm"), f"{at}cross_q")
            query = self.node("Pad", [query, "idle"])
            found = self.node("MultiHeadAttention", [query, f"seen_key{layer}", f"seen_value{layer}"],
                              domain=MICROSOFT, num_heads=config.heads)  # fmt: skip
            x = self.node("Add", [x, self.linear(self.without_idle(found), f"{at}cross_out")])
            inner = self.node("Gelu", [self.linear(self.norm(x, f"{at}ffn_norm"), f"{at}ffn.0")])
            x = self.node("Add", [x, self.linear(inner, f"{at}ffn.2")])
        return self.model(self.norm(x, "norm"), "words.weight")

    def attention_inputs(self) -> None:
        """What every decoder reads beside its picture, and the buffers that it writes."""
        config = self.config
        self.input("words", TensorProto.INT64, [1, "words"])
        self.input("places", TensorProto.INT64, ["read"])
        self.input("idle", TensorProto.INT64, [6])
        self.input("last", TensorProto.INT32, [1])
        self.input("total", TensorProto.INT32, [])
        self.nodes.append(helper.make_node("Shape", ["places"], ["read"]))
        buffer = [1, config.heads, "buffer", config.dim // config.heads]
        for layer in range(config.layers):
            for kind in ("key", "value"):
                self.input(f"{kind}{layer}", TensorProto.FLOAT, buffer)
                self.output(f"next_{kind}{layer}", buffer)

    def embedded(self, name: str) -> str:
        """Word embeddings ``[1, T, D]``."""
        return self.node("Gather", [self.weight(name), "words"])

    def placed(self, name: str) -> str:
        """Position embeddings ``[S, D]``."""
        return self.node("Gather", [self.weight(name), "places"])

    def attention(self, qkv: str, layer: int) -> str:
        """Causal self-attention of ``[1, S, 3D]`` over the buffers of a layer -> ``[1, S, D]``."""
        inputs = [self.node("Pad", [qkv, "idle"]), "", "", f"key{layer}", f"value{layer}", "last", "total"]
        heads = self.config.heads
        found = f"attended{layer}"
        self.nodes.append(helper.make_node(
            "GroupQueryAttention", inputs, [found, f"next_key{layer}", f"next_value{layer}"], domain=MICROSOFT,
            num_heads=heads, kv_num_heads=heads,
        ))  # fmt: skip
        return self.without_idle(found)

    def without_idle(self, x: str) -> str:
        """``[1, S + idle, D]`` -> ``[1, S, D]``."""
        return self.node("Slice", [x, self.constant("start", [0]), "read", self.constant("axis", [1])])

    def linear(self, x: str, name: str, *, turned: bool = True) -> str:
        """A linear layer whose tensor is ``[out, in]`` if ``turned``."""
        matrix = f"{name}.weight"
        self.weight(matrix, self.state[matrix].T if turned else self.state[matrix])
        return self.node("Add", [self.node("MatMul", [x, matrix]), self.weight(f"{name}.bias")])

    def norm(self, x: str, name: str) -> str:
        """Layer normalization over the last axis."""
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", [x, scale, bias], axis=-1, epsilon=1e-5)

    def model(self, hidden: str, embeddings: str) -> onnx.ModelProto:
        """Finish with logits from ``[1, T, D]`` by the tied embeddings ``[V, D]``."""
        # A product with the transposed weight keeps one tensor for both ends; quantization takes this end only.
        product = helper.make_node("FusedMatMul", [hidden, embeddings], ["logits"], domain=MICROSOFT, transB=1)
        self.nodes.append(product)
        self.output("logits", [1, "words", self.config.vocabulary])
        graph = helper.make_graph(self.nodes, "decoder", self.inputs, self.outputs, list(self.weights.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="personvlm")

    def node(self, operator: str, inputs: list[str], *, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        output = f"_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    def weight(self, name: str, array: NDArray[np.float32] | None = None) -> str:
        """Add a tensor of the state (or ``array`` in its place) once, and return its name."""
        if name not in self.weights:
            given = self.state[name] if array is None else array
            self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(given), name)
        return name

    def constant(self, name: str, values: list[int]) -> str:
        """Add a constant ``int64 [n]`` and return its name."""
        self.weights[name] = numpy_helper.from_array(np.array(values, np.int64), name)
        return name

    def input(self, name: str, kind: int, shape: list[Any]) -> None:
        """Declare an input of the graph."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def output(self, name: str, shape: list[Any]) -> None:
        """Declare a float32 output of the graph."""
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
