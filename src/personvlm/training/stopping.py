"""Early stopping, decided once and obeyed by every process, and the best weights of a run."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor

from personvlm.base.errors import InputError
from personvlm.training.checkpoint import save_tensors

BEST = "best.safetensors"


class EarlyStopping:
    """Watches one figure of the evaluations, lower being better.

    Args:
        out: folder that the best weights are kept in.
        metric: name of the figure.
        patience: evaluations without a better figure after which the run ends; 0 never ends it.
    """

    def __init__(self, out: Path, metric: str, patience: int) -> None:
        self.path, self.metric, self.patience = out / BEST, metric, patience
        self.best: float | None = None
        self.since = 0
        self.stopped = False

    def after(self, figures: dict[str, float], average: dict[str, Tensor], accelerator: Accelerator) -> bool:
        """Take note of an evaluation; True on every process if the run is to end. All processes must call it, only the
        main one has figures.

        Raises:
            InputError: the figure is not a number: the run has diverged.
        """
        if accelerator.is_main_process:
            if not math.isfinite(figures[self.metric]):
                raise InputError(f"{self.path.parent}: {self.metric} is {figures[self.metric]}, the run has diverged; "
                                 "remove it and train with a lower learning rate")  # fmt: skip
            if self.best is None or figures[self.metric] < self.best:
                self.best, self.since = figures[self.metric], 0
                part = self.path.with_suffix(".part")
                save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in average.items()}, part)
                os.replace(part, self.path)
            else:
                self.since += 1
            self.stopped = self.patience > 0 and self.since >= self.patience
        # The sum over the processes: one that says stop is enough, and none goes on alone and waits for the others.
        votes = accelerator.reduce(torch.tensor([int(self.stopped)], device=accelerator.device), reduction="sum")
        self.stopped = bool(votes.item())
        return self.stopped

    def best_weights(self) -> dict[str, Tensor]:
        """The weights of the best evaluation so far, a state dict."""
        return load_file(self.path)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "since": self.since, "stopped": self.stopped}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self.best, self.since = state.get("best"), int(state.get("since", 0))
        self.stopped = bool(state.get("stopped", False))
