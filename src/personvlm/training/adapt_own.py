"""Heads for groups of one's own, fitted to labelled crops: on what the eyes give, so that nothing else changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.metrics.scaling import fit_scaling
from personvlm.models.own import OwnHeads, Words, own_features, own_values
from personvlm.training.adapt import LEAST_PEOPLE, settled
from personvlm.training.adapt_fit import Group, coordinates
from personvlm.training.adapt_look import Looked

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OwnFit:
    """One group of one's own.

    Attributes:
        weight, bias: ``[K, F]`` and ``[K]``, calibrated.
        held_out: calibrated logits ``[N, K]``, each by a fit that never saw its person.
        truth: column of the label ``[N]``, -1 where there is none.
        why: it cannot be learned; empty where it can.
    """

    weight: Floats
    bias: Floats
    held_out: Floats
    truth: NDArray[np.int64]
    why: str = ""


def fit_own(new: Looked, words: Words, grid: tuple[int, int]) -> dict[str, OwnFit]:
    """Fit a head for each group of ``words`` that labels of the pictures name (``uniform=guard``)."""
    features = own_features(new.tokens, new.embedding, new.logits, grid)
    said = [own_values(sample.labels, words) for sample in new.samples]
    result = {}
    for name, values in words.items():
        order = list(values)
        truth = np.array([order.index(item[name]) if name in item else -1 for item in said], np.int64)
        result[name] = _fit(new, features, truth, order)
    return result


def heads(fits: Mapping[str, OwnFit], words: Words, grid: tuple[int, int]) -> OwnHeads:
    """Those that were learned."""
    kept = {name: fit for name, fit in fits.items() if not fit.why}
    return OwnHeads({name: words[name] for name in kept}, {name: fit.weight for name, fit in kept.items()},
                    {name: fit.bias for name, fit in kept.items()}, grid)  # fmt: skip


def _fit(new: Looked, features: Sequence[Floats], truth: NDArray[np.int64], values: list[str]) -> OwnFit:
    target = np.eye(len(values))[truth.clip(0)] * (truth >= 0)[:, None]
    mask = np.repeat((truth >= 0)[:, None], len(values), 1).astype(np.float64)
    nothing = np.zeros((len(values), sum(block.shape[1] for block in features))), np.zeros(len(values))
    for column, value in enumerate(values):
        people = len(np.unique(new.people[truth == column]))
        if people < LEAST_PEOPLE:
            why = f"{value!r} is labelled of {people} people, and takes {LEAST_PEOPLE}"
            return OwnFit(*nothing, np.zeros_like(target), truth, why)
    inputs, turn, offset = coordinates(features, len(new))
    empty = np.zeros((0, len(values)))
    group = Group("exclusive", inputs, np.zeros_like(target), target, mask, new.weights * (truth >= 0), new.people,
                  inputs[:0], empty, afresh=True)  # fmt: skip
    strength, added, held_out = settled(group)
    if strength is None:
        return OwnFit(*nothing, held_out, truth, "people left out are not told apart")
    scaling = fit_scaling(held_out, target, mask, group.weights, "exclusive")
    weight, bias = turn @ added[:-1], added[-1] + offset @ added[:-1]
    return OwnFit(scaling.scale * weight.T, scaling.scale * bias, scaling.scale * held_out, truth)
