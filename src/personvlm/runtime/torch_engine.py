"""The reference engine: the model itself in torch, float32. For tests, for training machines, and for GPUs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.models.edge import EdgeVLM
from personvlm.runtime.engine import Cache, Floats, Seen


class TorchEngine:
    """See :class:`~personvlm.runtime.engine.Engine`; arrays go in and come out as numpy.

    Args:
        model: the model, or the folder that it is loaded from.
        device: ``cpu``, ``cuda``, ``mps``.
    """

    def __init__(self, model: EdgeVLM | Path, device: str = "cpu") -> None:
        loaded = EdgeVLM.load(model) if isinstance(model, Path) else model
        self.device = torch.device(device)
        self.model = loaded.eval().to(self.device)

    @torch.no_grad()
    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        seen = self.model.see(torch.from_numpy(pixels).to(self.device))
        return Seen(*(_array(part) for part in (seen.tokens, seen.logits, seen.embedding, seen.quality.sigmoid())))

    def prefill(self, tokens: Floats, prefix: NDArray[np.int64], words: NDArray[np.int64]) -> tuple[Floats, Cache]:
        """See :class:`Engine`."""
        empty = _array(self.model.decoder.empty_cache(len(tokens))[0])
        return self._run(tokens, prefix, words, (empty, empty))

    def decode(self, words: NDArray[np.int64], cache: Cache) -> tuple[Floats, Cache]:
        """See :class:`Engine`."""
        count = len(words)
        nothing = np.zeros((count, 0, self.model.config.dim), np.float32)
        return self._run(nothing, np.zeros((count, 0), np.int64), words[:, None], cache)

    @torch.no_grad()
    def _run(self, tokens: Floats, prefix: NDArray[np.int64], words: NDArray[np.int64],
             cache: Cache) -> tuple[Floats, Cache]:  # fmt: skip
        given = [torch.from_numpy(np.ascontiguousarray(x)).to(self.device) for x in (tokens, prefix, words, *cache)]
        logits, (key, value) = self.model.decode(given[0], given[1], given[2], (given[3], given[4]))
        return _array(logits[:, -1]), (_array(key), _array(value))


def _array(tensor: torch.Tensor) -> Floats:
    array: Floats = tensor.detach().float().cpu().numpy()
    return array
