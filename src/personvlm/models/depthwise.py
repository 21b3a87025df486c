"""Depthwise convolution with a stride whose backward pass is not the slowest thing in the network.

On a CPU, oneDNN's gradient of a strided depthwise convolution by its input takes up to 25 times as long as its forward
pass. The same gradient is a depthwise convolution of stride 1 over the output's gradient, spread out with zeros.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StridedDepthwise(nn.Conv2d):
    """``nn.Conv2d(c, c, k, stride=s, groups=c)`` without padding or bias: the same numbers, trained faster on a CPU."""

    @classmethod
    def adopt(cls, convolution: nn.Conv2d) -> None:
        """Turn ``convolution`` into one of these in place, where it is of the kind; its weights stay where they are."""
        stride, padded = convolution.stride, convolution.padding not in ("valid", (0, 0))
        depthwise = convolution.groups == convolution.in_channels == convolution.out_channels > 1
        plain = convolution.bias is None and not padded and convolution.dilation == (1, 1)
        if depthwise and plain and stride[0] == stride[1] > 1:
            convolution.__class__ = cls

    def forward(self, input: Tensor) -> Tensor:  # torch's own name
        """``[N, C, H, W]`` -> ``[N, C, (H - k) // s + 1, (W - k) // s + 1]``."""
        if not (torch.is_grad_enabled() and input.requires_grad and input.device.type == "cpu"):
            return super().forward(input)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            input, weight = input.to(kind), weight.to(kind)
        answer: Tensor = _Strided.apply(input, weight, self.stride[0])  # type: ignore[no-untyped-call]
        return answer


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, stride=stride, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        stride, (count, channels, height, width) = ctx.stride, x.shape
        size = weight.shape[2:]
        # Channels last by construction: a contiguous tensor would be copied to it and back.
        spread = grad.new_zeros((count, height - size[0] + 1, width - size[1] + 1, channels)).permute(0, 3, 1, 2)
        spread[:, :, ::stride, ::stride] = grad
        by_input = F.conv2d(spread, weight.flip(2, 3), padding=(size[0] - 1, size[1] - 1), groups=channels)
        _, by_weight, _ = torch.ops.aten.convolution_backward(
            grad, x, weight, None, [stride, stride], [0, 0], [1, 1], False, [0, 0], channels, [False, True, False]
        )
        return by_input, by_weight, None
