"""Pictures of nobody: crops made of two of a batch, which no model can have learned by heart."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from personvlm.schema.groups import column_slices, columns
from personvlm.training.augment import hidden_by_cut

ABOVE = ("hair", "headwear", "eyewear", "face", "neckwear", "headphones", "upper")
"""What is seen above the waist alone, by the first part of a group's name."""


@functools.cache
def above() -> Tensor:
    """``bool [C]``: the columns of what is seen above the waist alone."""
    return torch.tensor([name.partition(".")[0] in ABOVE for name, _ in columns()])


def crossed(pixels: Tensor, target: Tensor, mask: Tensor, share: float, whole: Tensor,
            generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Give a random ``share`` of crops ``[N, 3, H, W]`` the legs of another crop of the batch, and their labels.

    Of what is not seen on one side of the waist alone (gender, age, what is carried), a label stays where both agree.

    Source: Yun et al., "CutMix", ICCV 2019, with a cut that the labels know of.

    Args:
        target, mask: labels ``[N, C]``, as :meth:`Annotations.arrays` gives them.
        whole: ``bool [N]``, the crops that show a whole person; the others stay, and give nothing.

    Returns:
        The crops, their labels, and which are as they were (``bool [N]``); always at least one.
    """
    count, height = len(pixels), pixels.shape[2]
    if share <= 0.0:
        return pixels, target, mask, torch.ones(count, dtype=torch.bool)
    giver = torch.randperm(count, generator=generator)
    taken = (torch.rand(count, generator=generator) < share) & whole & whole[giver]
    taken[0] = False
    waist = (height * (0.44 + 0.12 * torch.rand(count, generator=generator))).long()
    legs = (torch.arange(height) >= waist[:, None]) & taken[:, None]
    pixels = torch.where(legs[:, None, :, None], pixels[giver], pixels)
    theirs = taken[:, None] & hidden_by_cut()
    both = taken[:, None] & ~hidden_by_cut() & ~above()
    agreed = mask * mask[giver] * _alike(target, target[giver])
    mask = torch.where(both, agreed, torch.where(theirs, mask[giver], mask))
    return pixels, torch.where(theirs, target[giver], target), mask, ~taken


def _alike(target: Tensor, other: Tensor) -> Tensor:
    """``float [N, C]``: 1 in the groups where all of the group's columns are the same."""
    same = target == other
    alike = torch.zeros_like(target)
    for where in column_slices().values():
        alike[:, where] = same[:, where].all(1, keepdim=True).float()
    return alike


def mixed(pixels: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Lay another crop of the batch over each of a random ``share`` of crops ``[N, 3, H, W]``, at a random strength.

    Source: Zhang et al., "mixup", ICLR 2018; without labels, as pictures on which nobody has learned anything by heart
    and a student can be taught a function: Beyer et al., "Knowledge distillation: a good teacher is patient and
    consistent", CVPR 2022.

    Returns:
        The crops, and which are as they were (``bool [N]``); always at least one.
    """
    count = len(pixels)
    plain = torch.rand(count, generator=generator) >= share
    plain[0] = True
    if share <= 0.0:
        return pixels, plain
    over = torch.randperm(count, generator=generator)
    strength = torch.rand(count, generator=generator) * ~plain
    strength = strength[:, None, None, None]
    return pixels * (1.0 - strength) + pixels[over] * strength, plain
