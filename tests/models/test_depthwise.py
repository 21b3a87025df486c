"""The strided depthwise convolution gives torch's own numbers, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from personvlm.models.depthwise import StridedDepthwise
from personvlm.models.encoder import MobileNetV2Encoder


@pytest.mark.parametrize(("height", "width"), [(9, 9), (10, 7), (8, 12)])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 2), (3, 3)])
def test_same_numbers_as_torch(height: int, width: int, size: int, stride: int) -> None:
    torch.manual_seed(0)
    ours = nn.Conv2d(6, 6, size, stride=stride, groups=6, bias=False).double()
    theirs = nn.Conv2d(6, 6, size, stride=stride, groups=6, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    StridedDepthwise.adopt(ours)
    assert isinstance(ours, StridedDepthwise)
    gradients = []
    for layer in (ours, theirs):
        x = torch.linspace(-1, 1, 2 * 6 * height * width).double().reshape(2, 6, height, width).sin().requires_grad_()
        answer = layer(x)
        answer.backward(torch.arange(answer.numel()).double().cos().reshape(answer.shape))
        assert x.grad is not None
        assert layer.weight.grad is not None
        gradients.append((answer, x.grad, layer.weight.grad))
    for mine, torchs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize("other", [
    nn.Conv2d(6, 6, 3, stride=1, groups=6, bias=False), nn.Conv2d(6, 6, 3, stride=2, groups=6, bias=True),
    nn.Conv2d(6, 6, 3, stride=2, groups=6, bias=False, padding=1), nn.Conv2d(6, 6, 3, stride=2, bias=False),
    nn.Conv2d(6, 12, 3, stride=2, groups=6, bias=False), nn.Conv2d(6, 6, 3, stride=(2, 1), groups=6, bias=False),
])  # fmt: skip
def test_no_other_convolution_is_taken(other: nn.Conv2d) -> None:
    StridedDepthwise.adopt(other)
    assert not isinstance(other, StridedDepthwise)


def test_the_encoder_has_four_and_in_bfloat16_they_agree_too() -> None:
    torch.manual_seed(0)
    encoder = MobileNetV2Encoder()
    mine = [module for module in encoder.modules() if isinstance(module, StridedDepthwise)]
    assert len(mine) == 4
    theirs = nn.Conv2d(8, 8, 3, stride=2, groups=8, bias=False)
    ours = nn.Conv2d(8, 8, 3, stride=2, groups=8, bias=False)
    ours.load_state_dict(theirs.state_dict())
    StridedDepthwise.adopt(ours)
    found = []
    for layer in (ours, theirs):
        x = torch.linspace(-1, 1, 8 * 11 * 9).sin().reshape(1, 8, 11, 9).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            answer = layer(x)
        assert answer.dtype == torch.bfloat16
        answer.float().square().sum().backward()
        found.append((x.grad, layer.weight.grad))
    for ours_, theirs_ in zip(*found, strict=True):
        torch.testing.assert_close(ours_, theirs_, rtol=0.05, atol=0.05)
