"""The reference engine: the model itself in torch, float32. For tests, for training machines, and for GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.models.edge import EdgeVLM
from personvlm.runtime.engine import Cache, Floats, Integers, Seen


class TorchEngine:
    """See :class:`~personvlm.runtime.engine.Engine`; arrays go in and come out as numpy.

    Args:
        model: the model, or the folder that it is loaded from.
        device: ``cpu``, ``cuda``, ``mps``.
    """

    workers = 0

    def __init__(self, model: EdgeVLM | Path, device: str = "cpu") -> None:
        loaded = EdgeVLM.load(model) if isinstance(model, Path) else model
        self.device = torch.device(device)
        self.model = loaded.eval().to(self.device)

    @property
    def single(self) -> TorchEngine:
        """See :class:`Engine`."""
        return self

    @torch.no_grad()
    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        seen = self.model.see(torch.from_numpy(pixels).to(self.device))
        return Seen(*(_array(part) for part in (seen.tokens, seen.logits, seen.embedding, seen.quality.sigmoid())))

    @torch.no_grad()
    def begin(self, tokens: Floats, prefix: Integers) -> TorchCache:
        """See :class:`Engine`."""
        rows = []
        for row in range(len(tokens)):
            seen, slots = (torch.from_numpy(x[row : row + 1]).to(self.device) for x in (tokens, prefix))
            rows.append(self.model.decode(seen, slots, slots[:, :0], self.model.decoder.empty_cache(1))[1])
        return TorchCache(rows, tokens.shape[1] + prefix.shape[1])

    @torch.no_grad()
    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        """See :class:`Engine`. Row by row, as the model was trained."""
        assert isinstance(cache, TorchCache)
        logits = []
        nothing = torch.zeros(1, 0, self.model.config.dim, device=self.device)
        for row, before in enumerate(kept):
            key, value = (part[:, :, :, : cache.prefixed + before] for part in cache.rows[row])
            given = torch.from_numpy(words[row : row + 1]).to(self.device)
            found, cache.rows[row] = self.model.decode(nothing, given[:, :0], given, (key, value))
            logits.append(_array(found))
        return np.concatenate(logits)


class TorchCache:
    """Keys and values of each row, ``[layers, 1, heads, P, d]``, after a prefix of ``prefixed`` tokens."""

    def __init__(self, rows: list[tuple[torch.Tensor, torch.Tensor]], prefixed: int) -> None:
        self.rows, self.prefixed = rows, prefixed

    def take(self, rows: Integers) -> None:
        """See :class:`Cache`."""
        self.rows = [self.rows[row] for row in rows]


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return array
