"""What generation asks of a backend, and the torch-free one: two ONNX graphs, the eyes and the decoder."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.models.config import EdgeConfig
from personvlm.models.prefix import slots

VISION, DECODER = "vision.onnx", "decoder.onnx"
CPU = "CPUExecutionProvider"
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
_Item = TypeVar("_Item")

TOGETHER = 4
"""Crops that a thread describes at once: a seventh less time than one by one. More save nothing, and take memory."""

_NEVER = np.float32(-1e30)
"""Added to what a token may not look at: its share of the attention is then exactly 0."""


class Seen(NamedTuple):
    """What the eyes give for N crops."""

    tokens: Floats  # [N, K, D] visual tokens
    logits: Floats  # [N, C] over schema.groups.columns()
    embedding: Floats  # [N, E], L2-normalised
    quality: Floats  # [N], 0..1


class Cache(Protocol):
    """What a decoder remembers of N texts under way."""

    def take(self, rows: Integers) -> None:
        """Go on with these rows only, in this order; a row may come several times."""


class Engine(Protocol):
    """What describing needs of a backend.

    Attributes:
        workers: how many threads describe best side by side, each its own crops with :attr:`single`; 0 where the
            engine wants whole batches instead.
        single: the same engine for one of such threads.
    """

    @property
    def workers(self) -> int: ...
    @property
    def single(self) -> Engine: ...

    def encode(self, pixels: Floats) -> Seen:
        """``[N, 3, H, W]`` as the transform gives it."""

    def begin(self, tokens: Floats, prefix: Integers) -> Cache:
        """Start N texts after visual tokens ``[N, K, D]`` and attribute slots ``[N, S]``."""

    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        """Read words ``[N, T]``, of row i after the first ``kept[i]`` words that it has read; later ones are forgotten.

        Returns:
            Logits ``[N, T, V]`` of the word after each of ``words``.
        """


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


def shared_out(items: Sequence[_Item], workers: int, most: int) -> list[list[_Item]]:
    """Parts of at most ``most`` items, in order, so that each of ``workers`` threads gets as many as the others."""
    if not items:
        return []
    count = min(len(items), workers * -(-len(items) // (workers * most)))
    ends = [len(items) * part // count for part in range(count + 1)]
    return [list(items[start:end]) for start, end in itertools.pairwise(ends)]


class OnnxEngine:
    """Runs on onnxruntime.

    Args:
        directory: holds ``vision.onnx`` and ``decoder.onnx``.
        threads: cores to use; those available by default.
        providers: onnxruntime's execution providers, the preferred one first; the CPU by default.

    Raises:
        InputError: a graph is absent, broken, or of an older release.
    """

    def __init__(self, directory: Path, threads: int | None = None,
                 providers: Sequence[str] = (CPU,)) -> None:  # fmt: skip
        self._directory, self._providers = directory, tuple(providers)
        self.threads = threads or available_cores()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # a block is kept for every number of crops: 40 MB, and no time is won
        options.log_severity_level = 3
        # Each session has threads of its own. Those of one must not spin on when the other's turn has come.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._vision, self._decoder = (_session(directory / name, options, providers) for name in (VISION, DECODER))
        shape = {item.name: item.shape for item in self._decoder.get_inputs()}
        if "places" not in shape:
            raise InputError(f"{directory / DECODER}: made by an older release; `personvlm export {directory}` makes "
                             "it anew from model.safetensors")  # fmt: skip
        self._past, config = shape["past"], EdgeConfig.load(directory)
        self._places = len(slots()) + config.grid[0] * config.grid[1] + config.max_text

    @property
    def workers(self) -> int:
        """One thread per core, each with single-threaded sessions: no step waits for the other core."""
        return self.threads if self._providers == (CPU,) else 0

    @property
    def in_use(self) -> list[str]:
        """Execution providers that started, the preferred one first."""
        found: list[str] = self._decoder.get_providers()
        return found

    @cached_property
    def single(self) -> OnnxEngine:
        """The same model for threads that work side by side."""
        return self if self.threads == 1 else OnnxEngine(self._directory, 1, self._providers)

    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        return Seen(*self._vision.run(["tokens", "logits", "embedding", "quality"], {"pixels": pixels}))

    def begin(self, tokens: Floats, prefix: Integers) -> OnnxCache:
        """See :class:`Engine`. Nothing runs yet: the prefix is read together with the first words."""
        return OnnxCache(tokens, prefix, self._past)

    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        """See :class:`Engine`."""
        assert isinstance(cache, OnnxCache)
        tokens, prefix = cache.unread()
        start = np.asarray(kept, np.int64) + cache.read
        new, past = tokens.shape[1] + prefix.shape[1] + words.shape[1], int(start.max(initial=0))
        # What pads a shorter row may lie beyond the last place.
        places = (start[:, None] + np.arange(new)).clip(max=self._places - 1)
        feeds = {"tokens": tokens, "prefix": prefix, "words": words, "places": places, "mask": _mask(start, past, new),
                 "past": cache.past[:, :, :, :past]}  # fmt: skip
        logits, fresh = self._decoder.run(["logits", "new"], feeds)
        cache.write(start, fresh)
        result: Floats = logits
        return result


class OnnxCache:
    """Keys and values of the tokens that were read, each row's new ones written where it stands.

    Attributes:
        past: ``[2L, N, H, P, d]``; P is at least what the longest row has read.
        read: length of the prefix once it was read.
    """

    def __init__(self, tokens: Floats, prefix: Integers, shape: Sequence[int]) -> None:
        layers, _, heads, _, size = shape
        self._tokens, self._prefix = tokens, prefix
        self.past, self.read = np.zeros((layers, len(tokens), heads, 0, size), np.float32), 0

    def unread(self) -> tuple[Floats, Integers]:
        """What of the prefix is still to be read."""
        return (self._tokens[:, :0], self._prefix[:, :0]) if self.read else (self._tokens, self._prefix)

    def write(self, start: Integers, fresh: Floats) -> None:
        """Keep new keys and values ``[2L, N, H, T, d]``, those of row i from place ``start[i]`` on."""
        self.read = self._tokens.shape[1] + self._prefix.shape[1]
        new, room = fresh.shape[3], self.past.shape[3]
        if room == 0:
            self.past = fresh
            return
        if room < int(start.max(initial=0)) + new:
            self.past = np.concatenate([self.past, np.zeros_like(fresh)], 3)
        for row, place in enumerate(start):
            self.past[:, row, :, place : place + new] = fresh[:, row]

    def take(self, rows: Integers) -> None:
        """See :class:`Cache`."""
        self._tokens, self._prefix, self.past = self._tokens[rows], self._prefix[rows], self.past[:, rows]


def _mask(start: Integers, past: int, new: int) -> Floats:
    """``[N, 1, T, P+T]``: 0 where a new token may look, else :data:`_NEVER`. Row i has ``start[i]`` tokens behind it;
    what lies in the cache after them is of words that were taken back, or of longer rows."""
    behind = np.broadcast_to((np.arange(past) < start[:, None])[:, None], (len(start), new, past))
    ahead = np.broadcast_to(np.tri(new, dtype=np.bool_), (len(start), new, new))
    return np.where(np.concatenate([behind, ahead], 2), np.float32(0), _NEVER)[:, None]


def _session(path: Path, options: onnxruntime.SessionOptions,
             providers: Sequence[str] = (CPU,)) -> onnxruntime.InferenceSession:  # fmt: skip
    if not path.is_file():
        raise InputError(f"{path}: not there; `personvlm export {path.parent}` makes it from model.safetensors")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise InputError(f"{path}: onnxruntime cannot load it ({error}); export the model again") from error
