"""Whom the appearance vector tells apart, settled in closed form once the model has learned everything else.

Within-class whitening and the leading directions between people: linear discriminant analysis (Fisher 1936; Hatch and
Stolcke, "Generalized linear kernels for one-versus-all classification", 2006), on people with several pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.models.appearance import Appearance
from personvlm.models.edge import EdgeVLM

LEAST_PEOPLE = 30
"""Fewer people with several pictures say nothing about what changes from picture to picture."""

MOST_PICTURES = 12
"""Of one person, drawn at random."""

RIDGE = 0.3
"""Of the mean variance, added to that within people, so that no direction is taken for perfectly reliable."""

Floats = NDArray[np.float64]


def fit_appearance(model: EdgeVLM, samples: Sequence[Sample], transform: Transform, *, batch: int = 32,
                   quiet: bool = False) -> bool:  # fmt: skip
    """Give ``model`` an appearance layer, or a new one; whether there were people enough for it.

    Sources weigh alike, whatever their numbers of pictures. Drawn people do not count: they come out of one program
    and do not change as real people do.

    Args:
        model: in evaluation mode; it stays on its device.
        samples: pictures of people; those of one person share ``identity`` within a ``source``.
        transform: the model's.
        batch: pictures at a time.
        quiet: no progress bar.
    """
    chosen = several(samples)
    if not chosen:
        return False
    model.with_appearance(None)
    device = next(model.parameters()).device
    layer = Appearance(model.config).to(device)
    parts: list[list[NDArray[np.float32]]] = []
    starts = range(0, len(chosen), batch)
    with torch.inference_mode():
        for start in track(starts, "appearance", disable=quiet):
            images = [decode(sample.image) for sample in chosen[start : start + batch]]
            seen = model.see(torch.from_numpy(transform(images)).to(device))
            blocks = layer.blocks(seen.embedding, seen.tokens, seen.logits)
            parts.append([block.float().cpu().numpy() for block in blocks])
    people = np.unique([f"{sample.source}/{sample.identity}" for sample in chosen], return_inverse=True)[1]
    sources = np.unique([sample.source for sample in chosen], return_inverse=True)[1]
    inputs = [np.concatenate(block).astype(np.float64) for block in zip(*parts, strict=True)]
    weight, bias = discriminant(inputs, people, sources, model.config.embedding_dim)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.from_numpy(weight))
        layer.linear.bias.copy_(torch.from_numpy(bias))
    model.with_appearance(layer.requires_grad_(False))
    return True


def several(samples: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """Pictures of people with at least two, at most :data:`MOST_PICTURES` each, of sources with enough such people."""
    people: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        if sample.identity and sample.source != "rendered":
            people.setdefault((sample.source, sample.identity), []).append(sample)
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[Sample]]] = {}
    for (source, _), pictures in people.items():
        if len(pictures) > 1:
            rows = rng.permutation(len(pictures))[:MOST_PICTURES]
            found.setdefault(source, []).append([pictures[row] for row in sorted(rows)])
    return [sample for groups in found.values() if len(groups) >= LEAST_PEOPLE for group in groups for sample in group]


def discriminant(blocks: Sequence[Floats], people: NDArray[np.int64], sources: NDArray[np.int64],
                 size: int) -> tuple[Floats, Floats]:  # fmt: skip
    """The map ``[size, F]`` and its offset ``[size]`` whose outputs are told apart best, by their cosine.

    Args:
        blocks: inputs ``[N, f]`` of different kinds, side by side ``[N, F]``; each counts as much.
        people: number of the person ``[N]``, each with at least two rows.
        sources: number of the source ``[N]`` that a row comes from.
        size: of the output.
    """
    kinds = np.unique(sources)
    share = np.array([1.0 / (len(kinds) * np.count_nonzero(sources == source)) for source in sources])
    # What does not vary at all (in an untrained model) must not become infinite.
    scales = [max(1e-9, np.sqrt(share @ ((block - share @ block) ** 2).sum(1))) for block in blocks]
    scale = np.concatenate([np.full(block.shape[1], each) for block, each in zip(blocks, scales, strict=True)])
    rows = np.concatenate(blocks, 1) / scale
    mean = share @ rows
    rows -= mean
    count = np.bincount(people)
    center = np.stack([np.bincount(people, column) for column in rows.T], 1) / count[:, None]
    off = rows - center[people]
    home = np.zeros(len(count), np.int64)
    home[people] = sources
    within, between = np.zeros((2, rows.shape[1], rows.shape[1]))
    for kind in kinds:
        mine, theirs = sources == kind, home == kind
        within += off[mine].T @ off[mine] / (np.count_nonzero(mine) - np.count_nonzero(theirs)) / len(kinds)
        between += center[theirs].T @ center[theirs] / np.count_nonzero(theirs) / len(kinds)
    within += (RIDGE * np.trace(within) / len(within) + 1e-12) * np.eye(len(within))
    variance, directions = np.linalg.eigh(within)
    whiten = directions / np.sqrt(variance)
    leading = np.linalg.eigh(whiten.T @ between @ whiten)[1][:, ::-1][:, :size]
    weight = (whiten @ leading).T
    weight /= max(1e-9, np.sqrt(share @ ((rows @ weight.T) ** 2).sum(1)))  # for float16
    return weight / scale, -weight @ mean
