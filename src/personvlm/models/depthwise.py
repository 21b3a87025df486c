"""Depthwise convolutions whose backward pass is not the slowest thing in the network.

On a CPU, oneDNN's gradient of a strided depthwise convolution by its input takes up to 25 times as long as its forward
pass. The same gradient is a depthwise convolution of stride 1 over the output's gradient, spread out with zeros. And
its gradient by weights of 5×5 in bfloat16 takes five times as long as in float32, and a hundred times the forward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LARGE = 5
"""Kernels from this size on get their gradient in float32."""


class TrainedDepthwise(nn.Conv2d):
    """``nn.Conv2d(c, c, k, groups=c)`` without bias, and without padding where it has a stride: the same numbers,
    trained faster on a CPU."""

    @classmethod
    def adopt(cls, convolution: nn.Conv2d) -> None:
        """Turn ``convolution`` into one of these in place, where it gains by it; its weights stay where they are."""
        stride, padding = convolution.stride, convolution.padding
        depthwise = convolution.groups == convolution.in_channels == convolution.out_channels > 1
        plain = convolution.bias is None and convolution.dilation == (1, 1) and stride[0] == stride[1]
        strided = stride[0] > 1 and padding in ("valid", (0, 0))
        large = stride[0] == 1 and convolution.kernel_size == (_LARGE, _LARGE) and not isinstance(padding, str)
        if depthwise and plain and (strided or large):
            convolution.__class__ = cls

    def forward(self, input: Tensor) -> Tensor:  # torch's own name
        """``[N, C, H, W]`` -> ``[N, C, (H + 2p - k) // s + 1, (W + 2p - k) // s + 1]``."""
        if not (torch.is_grad_enabled() and input.requires_grad and input.device.type == "cpu"):
            return super().forward(input)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            input, weight = input.to(kind), weight.to(kind)
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        answer: Tensor = _Depthwise.apply(input, weight, self.stride[0], padding)  # type: ignore[no-untyped-call]
        return answer


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        stride, padding, (count, channels, height, width) = ctx.stride, ctx.padding, x.shape
        size, spread = weight.shape[2:], grad
        if stride > 1:
            # Channels last by construction: a contiguous tensor would be copied to it and back.
            spread = grad.new_zeros((count, height - size[0] + 1, width - size[1] + 1, channels)).permute(0, 3, 1, 2)
            spread[:, :, ::stride, ::stride] = grad
        around = (size[0] - 1 - padding[0], size[1] - 1 - padding[1])
        by_input = F.conv2d(spread, weight.flip(2, 3), padding=around, groups=channels)
        kind = torch.float32 if max(size) >= _LARGE else weight.dtype
        _, by_weight, _ = torch.ops.aten.convolution_backward(
            grad.to(kind), x.to(kind), weight.to(kind), None, [stride, stride], list(padding), [1, 1], False, [0, 0],
            channels, [False, True, False],
        )  # fmt: skip
        return by_input, by_weight.to(weight.dtype), None, None
