"""A stage in torch, float32 or any other type: what the graphs of :mod:`.stage_engine` are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.models import Loaded, load
from personvlm.models.person_vlm import PersonVLM
from personvlm.runtime.engine import Floats
from personvlm.runtime.stage_engine import Written


class TorchStage:
    """Greedy, one word a step with a cache; otherwise like :class:`~personvlm.runtime.stage_engine.StageEngine`.

    Args:
        model: a loaded stage, or its folder.
        device: ``cpu``, ``cuda``, ``mps``.

    Raises:
        InputError: the model is no stage.
    """

    def __init__(self, model: Loaded | Path, device: str = "cpu") -> None:
        loaded = load(model) if isinstance(model, Path) else model
        if not isinstance(loaded.model, PersonVLM):
            raise InputError(f"{loaded.model.config.title}: not a stage")
        self.device = torch.device(device)
        self.model = loaded.model.eval().to(self.device)
        self.tokenizer, self.transform, self.config = loaded.tokenizer, loaded.transform, loaded.model.config

    def write(self, pixels: Floats) -> list[str]:
        """One text per picture ``float32 [N, 3, H, W]``."""
        return [self.tokenizer.decode(row.ids) for row in self.generate(pixels)]

    @torch.no_grad()
    def generate(self, pixels: Floats, *, max_new: int | None = None, ignore_end: bool = False,
                 allowed: NDArray[np.bool_] | None = None) -> list[Written]:  # fmt: skip
        """See :meth:`StageEngine.generate <personvlm.runtime.stage_engine.StageEngine.generate>`."""
        max_new = self.config.max_text - 1 if max_new is None else max_new
        end = self.tokenizer.eos_id
        mask = torch.zeros(self.config.vocabulary, device=self.device)
        if allowed is not None:
            mask[torch.from_numpy(~allowed).to(self.device)] = -torch.inf
        if ignore_end:
            mask[end] = -torch.inf
        cache = self.model.begin(self.model.see(torch.from_numpy(pixels).to(self.device)))
        words = torch.full((len(pixels), 1), self.tokenizer.bos_id, device=self.device)
        steps: list[torch.Tensor] = []
        ended = torch.zeros(len(pixels), dtype=torch.bool, device=self.device)
        while len(steps) < max_new and not bool(ended.all()):
            logits, cache = self.model.decode(words, cache)
            words = (logits[:, -1].float() + mask).argmax(-1, keepdim=True)
            ended |= words[:, 0] == end
            steps.append(words)
        rows = torch.cat(steps, 1).tolist()
        cut = [row[: row.index(end) + 1] if end in row else row for row in rows]
        return [Written(row, len(row)) for row in cut]

    @torch.no_grad()
    def score(self, pixels: Floats, texts: Sequence[str]) -> NDArray[np.float64]:
        """See :meth:`StageEngine.score <personvlm.runtime.stage_engine.StageEngine.score>`."""
        result = np.zeros(len(texts))
        for row, text in enumerate(texts):
            ids = self.tokenizer.encode(text, ends=True)[: self.config.max_text]
            words = torch.tensor([ids], device=self.device)
            logits = self.model(torch.from_numpy(pixels[row : row + 1]).to(self.device), words[:, :-1])
            nats = F.cross_entropy(logits[0].double(), words[0, 1:], reduction="sum")
            result[row] = float(nats) / max(1, len(text))
        return result
