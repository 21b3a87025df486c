"""MobileNetV3-small, which ``transformers`` does not have. Torch only.

Tensors carry the names of ``timm``'s ``mobilenetv3_small_100``, so that its published safetensors load.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class _Row(NamedTuple):
    """One block of table 2 of the paper."""

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    swish: bool
    stride: int


_STAGES = (
    (_Row(3, 16, 16, True, False, 2),),
    (_Row(3, 72, 24, False, False, 2), _Row(3, 88, 24, False, False, 1)),
    (_Row(5, 96, 40, True, True, 2), _Row(5, 240, 40, True, True, 1), _Row(5, 240, 40, True, True, 1)),
    (_Row(5, 120, 48, True, True, 1), _Row(5, 144, 48, True, True, 1)),
    (_Row(5, 288, 96, True, True, 2), _Row(5, 576, 96, True, True, 1), _Row(5, 576, 96, True, True, 1)),
)
CHANNELS = 576
"""Width of the last convolution."""


class _SqueezeExcite(nn.Module):
    """Gates channels by their means (Hu et al., CVPR 2018), at a quarter of the width, in steps of 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(8, (width // 4 + 4) // 8 * 8)
        self.conv_reduce, self.conv_expand = nn.Conv2d(width, narrow, 1), nn.Conv2d(narrow, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.conv_expand(self.conv_reduce(x.mean((2, 3), keepdim=True)).relu())
        return x * nn.functional.hardsigmoid(gate)


class _Block(nn.Module):
    """Inverted residual; the first block of the network does not expand."""

    def __init__(self, width: int, row: _Row) -> None:
        super().__init__()
        self.expands = row.expanded != width
        self.adds = row.stride == 1 and row.out == width
        self.activation = nn.Hardswish() if row.swish else nn.ReLU()
        depthwise = nn.Conv2d(row.expanded, row.expanded, row.kernel, row.stride, row.kernel // 2,
                              groups=row.expanded, bias=False)  # fmt: skip
        if self.expands:
            self.conv_pw, self.bn1 = nn.Conv2d(width, row.expanded, 1, bias=False), nn.BatchNorm2d(row.expanded)
            self.conv_dw, self.bn2 = depthwise, nn.BatchNorm2d(row.expanded)
        else:
            self.conv_dw, self.bn1 = depthwise, nn.BatchNorm2d(row.expanded)
        self.se = _SqueezeExcite(row.expanded) if row.squeeze else nn.Identity()
        if self.expands:
            self.conv_pwl, self.bn3 = nn.Conv2d(row.expanded, row.out, 1, bias=False), nn.BatchNorm2d(row.out)
        else:
            self.conv_pw, self.bn2 = nn.Conv2d(row.expanded, row.out, 1, bias=False), nn.BatchNorm2d(row.out)

    def forward(self, x: Tensor) -> Tensor:
        if self.expands:
            y = self.activation(self.bn1(self.conv_pw(x)))
            y = self.bn3(self.conv_pwl(self.se(self.activation(self.bn2(self.conv_dw(y))))))
        else:
            y = self.bn2(self.conv_pw(self.se(self.activation(self.bn1(self.conv_dw(x))))))
        added: Tensor = x + y if self.adds else y
        return added


class _Last(nn.Module):
    """The 1x1 convolution before pooling."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv, self.bn1 = nn.Conv2d(width, CHANNELS, 1, bias=False), nn.BatchNorm2d(CHANNELS)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.hardswish(self.bn1(self.conv(x)))


class MobileNetV3Small(nn.Module):
    """MobileNetV3-small 1.0 without its classifier (Howard et al., ICCV 2019): 927,008 parameters, stride 32."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        stages: list[nn.Module] = []
        width = 16
        for rows in _STAGES:
            blocks = []
            for row in rows:
                blocks.append(_Block(width, row))
                width = row.out
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages, nn.Sequential(_Last(width)))

    def forward(self, pixels: Tensor) -> Tensor:
        """``[N, 3, H, W]`` -> ``[N, 576, H/32, W/32]``."""
        features: Tensor = self.blocks(nn.functional.hardswish(self.bn1(self.conv_stem(pixels))))
        return features
