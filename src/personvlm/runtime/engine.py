"""The torch-free engine: two ONNX graphs, the eyes and the decoder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from personvlm.base.errors import InputError

VISION, DECODER = "vision.onnx", "decoder.onnx"
Floats = NDArray[np.float32]
Cache = tuple[Floats, Floats]
"""Keys and values of all layers, each ``[layers, N, heads, P, d]``."""


class Seen(NamedTuple):
    """What the eyes give for N crops."""

    tokens: Floats  # [N, K, D] visual tokens
    logits: Floats  # [N, C] over schema.groups.columns()
    embedding: Floats  # [N, E], L2-normalised
    quality: Floats  # [N], 0..1


class Engine(Protocol):
    """What generation needs of a backend."""

    def encode(self, pixels: Floats) -> Seen:
        """``[N, 3, H, W]`` as the transform gives it."""

    def prefill(self, tokens: Floats, prefix: NDArray[np.int64], words: NDArray[np.int64]) -> tuple[Floats, Cache]:
        """Start: visual tokens ``[N, K, D]``, attribute slots ``[N, S]``, first words ``[N, T]`` -> logits of the next
        word ``[N, V]`` and the cache."""

    def decode(self, words: NDArray[np.int64], cache: Cache) -> tuple[Floats, Cache]:
        """One more word each ``[N]`` -> logits of the next ``[N, V]`` and the longer cache."""


def available_cores() -> int:
    """Cores that this process may use: the affinity mask, bounded by the cgroup's quota where there is one."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity mask
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return cores


class OnnxEngine:
    """Runs on onnxruntime's CPU provider.

    Args:
        directory: holds ``vision.onnx`` and ``decoder.onnx``.
        threads: cores to use; those available by default.

    Raises:
        InputError: a graph is absent or broken.
    """

    def __init__(self, directory: Path, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._vision, self._decoder = (_session(directory / name, options) for name in (VISION, DECODER))
        shape = {item.name: item.shape for item in self._decoder.get_inputs()}
        self._layers, _, self._heads, _, self._size = shape["past_key"]
        self._dim = shape["tokens"][2]

    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        return Seen(*self._vision.run(["tokens", "logits", "embedding", "quality"], {"pixels": pixels}))

    def prefill(self, tokens: Floats, prefix: NDArray[np.int64], words: NDArray[np.int64]) -> tuple[Floats, Cache]:
        """See :class:`Engine`."""
        empty = np.zeros((self._layers, len(tokens), self._heads, 0, self._size), np.float32)
        return self._run(tokens, prefix, words, (empty, empty))

    def decode(self, words: NDArray[np.int64], cache: Cache) -> tuple[Floats, Cache]:
        """See :class:`Engine`."""
        count = len(words)
        nothing = np.zeros((count, 0, self._dim), np.float32)
        return self._run(nothing, np.zeros((count, 0), np.int64), words[:, None], cache)

    def _run(self, tokens: Floats, prefix: NDArray[np.int64], words: NDArray[np.int64],
             cache: Cache) -> tuple[Floats, Cache]:  # fmt: skip
        feeds = {"tokens": tokens, "prefix": prefix, "words": words, "past_key": cache[0], "past_value": cache[1]}
        logits, key, value = self._decoder.run(["logits", "key", "value"], feeds)
        return logits, (key, value)


def _session(path: Path, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise InputError(f"{path}: not there; `personvlm export {path.parent}` makes it from model.safetensors")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise InputError(f"{path}: onnxruntime cannot load it ({error}); export the model again") from error
