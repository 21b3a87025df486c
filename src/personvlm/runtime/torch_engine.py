"""The engine on torch: the reference in float32, and the one for GPUs.

A batch is read whole. Keys and values lie in buffers of fixed size that new words are written into, so that on a GPU a
run of the decoder can be captured as a CUDA graph and repeated without launching its kernels one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from personvlm.models.decoder import Block
from personvlm.models.edge import EdgeVLM
from personvlm.runtime.backend import Precision
from personvlm.runtime.engine import Cache, Floats, Integers, Seen

_Out = TypeVar("_Out")

_STEP = 16
"""Runs of the decoder are padded to multiples of this many words where they are captured, so that few are."""


class TorchEngine:
    """See :class:`~personvlm.runtime.engine.Engine`; arrays go in and come out as numpy.

    Args:
        model: the model, or the folder that it is loaded from.
        device: ``cpu``, ``cuda``, ``mps``; None is a CUDA GPU if there is one.
        precision: ``bfloat16`` halves what a GPU has to move. Texts and confidences are then no longer those of the
            reference to the last digit.
        graphs: capture runs of the decoder as CUDA graphs; on CUDA by default, elsewhere there are none.
    """

    workers = 0

    def __init__(self, model: EdgeVLM | Path, device: str | None = "cpu", precision: Precision = "float32",
                 graphs: bool | None = None) -> None:  # fmt: skip
        loaded = EdgeVLM.load(model) if isinstance(model, Path) else model
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = loaded.eval().to(self.device)
        self.precision: Precision = precision
        self.graphs = self.device.type == "cuda" if graphs is None else graphs
        if self.device.type == "cuda":
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._captured: dict[tuple[int, int], _Run] = {}
        self._lock = threading.Lock()  # of what was captured: its inputs are one caller's at a time

    @property
    def single(self) -> TorchEngine:
        """See :class:`Engine`."""
        return self

    @torch.inference_mode()
    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        given = torch.from_numpy(pixels).to(self.device)
        with self._cast():
            seen = self.model.see(given)
        return Seen(*(_array(part) for part in (seen.tokens, seen.logits, seen.embedding, seen.quality.sigmoid())))

    @torch.inference_mode()
    def begin(self, tokens: Floats, prefix: Integers) -> TorchCache:
        """See :class:`Engine`."""
        config = self.model.config
        count, prefixed = len(tokens), tokens.shape[1] + prefix.shape[1]
        # One place more than there are: what pads shorter rows is written there.
        shape = (config.layers, 2, count, config.heads, prefixed + config.max_text + 1, config.dim // config.heads)
        past = torch.zeros(shape, device=self.device, dtype=getattr(torch, self.precision))
        cache = TorchCache(past, prefixed)
        seen, slots = (torch.from_numpy(x).to(self.device) for x in (tokens, prefix))
        places = torch.arange(prefixed, device=self.device).expand(count, -1)
        with self._cast():
            x = torch.cat([seen, self.model.attributes(slots)], 1)
            self._read(x, places, past)
        return cache

    @torch.inference_mode()
    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        """See :class:`Engine`."""
        assert isinstance(cache, TorchCache)
        count, length = words.shape
        padded = np.zeros((count, up(length, _STEP) if self.graphs else length), np.int64)
        padded[:, :length] = words
        places = np.asarray(kept, np.int64)[:, None] + cache.prefixed + np.arange(padded.shape[1])
        given = [torch.from_numpy(x).to(self.device) for x in (padded, places.clip(max=cache.past.shape[4] - 1))]
        if not self.graphs:
            return _array(self._words(given[0], given[1], cache.past))
        key = (power_of_two(count), padded.shape[1])
        with self._lock:
            if key not in self._captured:
                self._captured[key] = _Run(self._words, *key, cache.past)
            return _array(self._captured[key](given[0], given[1], cache.past)[:, :length])

    def _words(self, words: Tensor, places: Tensor, past: Tensor) -> Tensor:
        """Words at their places, each ``[N, T]`` -> logits ``[N, T, V]``; keys and values are written to ``past``."""
        with self._cast():
            return self._read(self.model.decoder.words(words), places, past)

    def _read(self, x: Tensor, places: Tensor, past: Tensor) -> Tensor:
        """As :class:`~personvlm.models.decoder.PrefixDecoder`, each row at places of its own, without a copy of what
        was read: embedded tokens ``[N, T, D]``, ``past [layers, 2, N, heads, P, d]`` -> logits ``[N, T, V]``."""
        decoder = self.model.decoder
        x = x + decoder.positions[places.clamp(max=len(decoder.positions) - 1)]
        rows = torch.arange(len(x), device=x.device)[:, None]
        mask = (torch.arange(past.shape[4], device=x.device) <= places[..., None])[:, None]  # [N, 1, T, P]
        for block, (keys, values) in zip(decoder.blocks, past, strict=True):
            assert isinstance(block, Block)
            qkv = block.qkv(block.attention_norm(x)).unflatten(2, (3, block.heads, -1))  # [N, T, 3, heads, d]
            query, key, value = qkv.to(past.dtype).unbind(2)
            keys[rows, :, places], values[rows, :, places] = key, value
            found = F.scaled_dot_product_attention(query.transpose(1, 2), keys, values, attn_mask=mask)
            x = x + block.out(found.transpose(1, 2).flatten(2))
            x = x + block.ffn(block.ffn_norm(x))
        return F.linear(decoder.norm(x), decoder.words.weight)

    def _cast(self) -> torch.autocast:
        return mixed(self.device, self.precision, self.graphs)


class TorchCache:
    """Keys and values ``[layers, 2, N, heads, P, d]`` after a prefix of ``prefixed`` tokens."""

    def __init__(self, past: Tensor, prefixed: int) -> None:
        self.past, self.prefixed = past, prefixed

    def take(self, rows: Integers) -> None:
        """See :class:`Cache`."""
        self.past = self.past[:, :, torch.from_numpy(rows).to(self.past.device)]


class Captured(Generic[_Out]):
    """What ``run`` launches on a GPU as a CUDA graph: calling this does it again, on the same memory.

    ``run`` must work on tensors that stay, never wait for the GPU, and ask nothing of the host that changes. It runs
    four times here, the last time only to be recorded. What it returns is written over by every call.
    """

    def __init__(self, run: Callable[[], _Out]) -> None:
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries choose and allocate in the first runs, which cannot be captured
            for _ in range(3):
                run()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may allocate meanwhile: theirs is none of this capture's business.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._out = run()

    def __call__(self) -> _Out:
        self._graph.replay()
        return self._out


class _Run:
    """A captured run of the decoder over ``rows`` rows and ``length`` words, with inputs of its own."""

    def __init__(self, run: Callable[[Tensor, Tensor, Tensor], Tensor], rows: int, length: int, past: Tensor) -> None:
        shape = list(past.shape)
        shape[2] = rows
        self._words, self._places = past.new_zeros((2, rows, length), dtype=torch.int64)
        self._past = past.new_zeros(shape)
        self._again = Captured(lambda: run(self._words, self._places, self._past))

    def __call__(self, words: Tensor, places: Tensor, past: Tensor) -> Tensor:
        count = len(words)
        self._words[:count], self._places[:count], self._past[:, :, :count] = words, places, past
        logits = self._again()
        past.copy_(self._past[:, :, :count])
        return logits[:count]


def mixed(device: torch.device, precision: Precision, graphs: bool) -> torch.autocast:
    """Matrix products in bfloat16 where that is the precision. What is captured must not lean on weights that were
    cast before, in memory that is given back."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=not graphs)


def power_of_two(count: int) -> int:
    """``count``, rounded up to a power of two."""
    return 1 << (count - 1).bit_length()


def up(count: int, step: int) -> int:
    """``count``, rounded up to a multiple of ``step``."""
    return -(-count // step) * step


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
