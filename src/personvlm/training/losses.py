"""Masked losses: what was not annotated teaches nothing, and a partial label leaves its values open."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from personvlm.schema.groups import GROUP, column_slices


def attribute_loss(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Sum over groups of the loss of the rows where a group is known, divided by the number of all rows: a group counts
    for as much as it is labelled.

    Exclusive groups: ``-log sum of softmax over the admissible values`` (Jin & Ghahramani, "Learning with multiple
    labels", NIPS 2002). Sets: binary cross-entropy over the known values, summed over them.

    Args:
        logits, target, mask: each ``[N, C]``, as :meth:`Annotations.arrays` gives them.
    """
    logits = logits.float()
    total = logits.new_zeros(())
    count = len(logits)
    for name, where in column_slices().items():
        x, t, m = logits[:, where], target[:, where], mask[:, where]
        if GROUP[name].kind == "exclusive":
            known = m[:, 0] > 0
            admissible = torch.where(t > 0, x, torch.full_like(x, -1e4))
            loss = torch.logsumexp(x, 1) - torch.logsumexp(admissible, 1)
            total = total + (loss * known).sum() / count
        else:
            total = total + (F.binary_cross_entropy_with_logits(x, t, reduction="none") * m).sum() / count
    return total


def identity_loss(embedding: Tensor, identity: Tensor, temperature: float = 0.1) -> Tensor:
    """Supervised contrastive loss (Khosla et al., NeurIPS 2020, eq. 2) over ``embedding [N, E]``, L2-normalised.

    Rows with ``identity`` < 0 take no part.
    """
    keep = identity >= 0
    x, y = embedding[keep].float(), identity[keep]
    if len(x) < 2:
        return embedding.sum() * 0.0
    similarity = x @ x.T / temperature
    myself = torch.eye(len(x), dtype=torch.bool, device=x.device)
    positive = (y[:, None] == y[None, :]) & ~myself
    log_probability = similarity - torch.logsumexp(similarity.masked_fill(myself, -1e4), 1, keepdim=True)
    pairs = positive.sum(1)
    per_row = -(log_probability * positive).sum(1) / pairs.clamp_min(1)
    return per_row[pairs > 0].mean() if bool((pairs > 0).any()) else embedding.sum() * 0.0


def quality_loss(logits: Tensor, quality: Tensor, counted: Tensor) -> Tensor:
    """Mean binary cross-entropy of ``logits [N]`` for ``quality [N]``, of the rows that are ``counted`` (``bool [N]``);
    0 where none is."""
    each = F.binary_cross_entropy_with_logits(logits.float(), quality, reduction="none")
    return (each * counted).sum() / counted.sum().clamp_min(1)


def text_loss(logits: Tensor, words: Tensor, pad: int, smoothing: float) -> Tensor:
    """Cross-entropy of ``logits [N, T, V]`` for the next of ``words [N, T+1]``; the first word and the end count."""
    return F.cross_entropy(logits.float().flatten(0, 1), words[:, 1:].flatten(), ignore_index=pad,
                           label_smoothing=smoothing)  # fmt: skip
