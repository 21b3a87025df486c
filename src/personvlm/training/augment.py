"""Augmentation of a batch that keeps labels true, on tensors, so that it costs little beside the model."""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from personvlm.data.transform import Augment, Transform
from personvlm.schema.groups import column_slices, columns

CUT_HIDES = ("lower.garment", "lower.style", "lower.color", "footwear.type", "footwear.color")
"""Groups that a crop cut below the waist no longer shows."""


@functools.cache
def hidden_by_cut() -> Tensor:
    """``bool [C]``: the columns of groups that a crop cut below the waist no longer shows."""
    hidden = torch.zeros(len(columns()), dtype=torch.bool)
    for name in CUT_HIDES:
        hidden[column_slices()[name]] = True
    return hidden


class Augmented(NamedTuple):
    """A batch after augmentation."""

    pixels: Tensor  # float [N, 3, H, W], normalised
    flipped: Tensor  # bool [N]: left and right have changed places
    cut: Tensor  # bool [N]: the lower part of the person is out of the picture
    quality: Tensor  # float [N]: how much of what the source showed is left, 0..1


def augment(images: Tensor, size: tuple[int, int], strength: Augment, transform: Transform,
            generator: torch.Generator) -> Augmented:  # fmt: skip
    """``uint8 [N, H, W, 3]`` pictures, already fitted, to a batch of ``size`` (height, width)."""
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def chosen(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    pixels = images.permute(0, 3, 1, 2).float() / 255.0
    gray = transform.fill / 255.0
    flipped, cut = chosen(strength.flip), chosen(strength.cut)
    kept = torch.where(cut, uniform(0.45, 0.75), torch.ones(count))
    pixels = _warp(pixels - gray, size, flipped, kept, strength, uniform) + gray

    quality = kept.clone()
    pixels, quality = _degrade(pixels, quality, chosen(strength.low_resolution), chosen(strength.blur), generator)
    gain = (1.0 + uniform(-strength.brightness, strength.brightness)).view(-1, 1, 1, 1)
    spread = (1.0 + uniform(-strength.contrast, strength.contrast)).view(-1, 1, 1, 1)
    vivid = (1.0 + uniform(-strength.saturation, strength.saturation)).view(-1, 1, 1, 1)
    center = pixels.mean((1, 2, 3), keepdim=True)
    pixels = ((pixels - center) * spread + center) * gain
    luma = pixels.mean(1, keepdim=True)
    pixels = luma + (pixels - luma) * vivid
    amount = uniform(0.0, strength.noise).view(-1, 1, 1, 1)
    pixels = pixels + torch.randn(pixels.shape, generator=generator) * amount
    pixels, quality = _erase(pixels, quality, chosen(strength.erase), gray, generator)

    pixels = pixels.clamp(0, 1)
    if transform.channels == "BGR":
        pixels = pixels.flip(1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    return Augmented((pixels - mean) / std, flipped, cut, quality)


def _warp(pixels: Tensor, size: tuple[int, int], flipped: Tensor, kept: Tensor, strength: Augment,
          uniform: object) -> Tensor:  # fmt: skip
    """Flip, scale, shift, rotate; show only the upper ``kept`` of the picture, centered."""
    assert callable(uniform)
    height, width = pixels.shape[2:]
    angle = torch.deg2rad(uniform(-strength.rotate, strength.rotate))
    scale_x, scale_y = (1.0 + uniform(-strength.scale, strength.scale) for _ in range(2))
    mirror = torch.where(flipped, -1.0, 1.0)
    theta = torch.zeros(len(pixels), 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * scale_x * angle.cos(), -angle.sin() * height / width
    theta[:, 1, 0], theta[:, 1, 1] = mirror * angle.sin() * width / height, scale_y * angle.cos()
    theta[:, 0, 2] = uniform(-2 * strength.shift, 2 * strength.shift)
    theta[:, 1, 2] = uniform(-2 * strength.shift, 2 * strength.shift) + kept - 1.0
    grid = F.affine_grid(theta, [len(pixels), 3, *size], align_corners=False)
    hidden = grid[..., 1] > (2.0 * kept - 1.0).view(-1, 1, 1) + 0.01
    grid[..., 1] = torch.where(hidden & (kept < 1).view(-1, 1, 1), torch.full_like(grid[..., 1], 3.0), grid[..., 1])
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _degrade(pixels: Tensor, quality: Tensor, low: Tensor, blurred: Tensor,
             generator: torch.Generator) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Low resolution for some rows (one factor a batch keeps it a single resize), a small blur for others."""
    if low.any():
        factor = 0.3 + 0.45 * float(torch.rand(1, generator=generator))
        height, width = pixels.shape[2:]
        small = F.interpolate(pixels[low], (int(height * factor), int(width * factor)), mode="area")
        pixels[low] = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)
        quality[low] = quality[low] * (0.5 + 0.5 * factor)
    if blurred.any():
        pixels[blurred] = F.avg_pool2d(F.pad(pixels[blurred], (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        quality[blurred] = quality[blurred] * 0.9
    return pixels, quality


def _erase(pixels: Tensor, quality: Tensor, erased: Tensor, gray: float,
           generator: torch.Generator) -> tuple[Tensor, Tensor]:  # fmt: skip
    """A gray box over 3 to 15 % of some rows (Zhong et al., "Random Erasing", AAAI 2020)."""
    height, width = pixels.shape[2:]
    for row in torch.nonzero(erased).flatten().tolist():
        area, aspect, at_y, at_x = torch.rand(4, generator=generator).tolist()
        area, aspect = 0.03 + 0.12 * area, 0.4 + 1.6 * aspect
        box_h = min(height, int((area * height * width * aspect) ** 0.5))
        box_w = min(width, int((area * height * width / aspect) ** 0.5))
        top, left = int(at_y * (height - box_h)), int(at_x * (width - box_w))
        pixels[row, :, top : top + box_h, left : left + box_w] = gray
        quality[row] = quality[row] * (1.0 - box_h * box_w / (height * width))
    return pixels, quality
