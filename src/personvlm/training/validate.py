"""Figures on the validation split while training goes on: what the heads know, every person counted once."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.data.transform import Transform
from personvlm.metrics.facts import identity_weights
from personvlm.models.edge import EdgeVLM
from personvlm.schema.groups import GROUP, column_slices, columns
from personvlm.training.dataset import TrainingSet

HEADLINE = ("gender", "age", "hair.color", "upper.color", "lower.color")


@torch.no_grad()
def logits_of(model: EdgeVLM, data: TrainingSet, transform: Transform, batch: int = 64) -> NDArray[np.float32]:
    """``float32 [N, C]`` logits of all samples, at the transform's size."""
    was_training = model.training
    model.eval()
    parts = []
    for start in range(0, len(data.samples), batch):
        pixels = torch.from_numpy(transform.normalize(data.pixels[start : start + batch]))
        device = next(model.parameters()).device
        parts.append(model.see(pixels.to(device, memory_format=torch.channels_last)).logits.float().cpu().numpy())
    model.train(was_training)
    return np.concatenate(parts)


def headline(logits: NDArray[np.float32], data: TrainingSet) -> dict[str, float]:
    """Accuracy of the most probable value of the five exclusive or first-said groups, balanced accuracy of ``bag`` at
    its best threshold, and their mean."""
    weights = identity_weights([sample.identity for sample in data.samples])
    figures: dict[str, float] = {}
    for name in HEADLINE:
        where = column_slices()[name]
        target, mask = data.target[:, where], data.mask[:, where]
        known = (mask.max(1) > 0) & (target.sum(1) > 0)
        if GROUP[name].kind == "exclusive" and name != "hair.color":
            known &= target.sum(1) == 1
        if known.any():
            hit = target[np.arange(len(target)), logits[:, where].argmax(1)] > 0
            figures[name] = float(np.average(hit[known], weights=weights[known]))
    column = columns().index(("carrying", "bag"))
    known = data.mask[:, column] > 0
    truth, score, w = data.target[known, column] > 0, logits[known, column], weights[known]
    if known.any() and 0 < truth.sum() < len(truth):
        cuts = np.quantile(score, np.linspace(0.02, 0.98, 49))
        figures["bag"] = max((np.average(score[truth] > cut, weights=w[truth])
                              + np.average(score[~truth] <= cut, weights=w[~truth])) / 2 for cut in cuts)  # fmt: skip
    figures["mean"] = float(np.mean(list(figures.values()))) if figures else float("nan")
    return figures
