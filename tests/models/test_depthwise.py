"""Our depthwise convolutions give torch's own numbers, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from personvlm.models.depthwise import TrainedDepthwise
from personvlm.models.encoder import MobileNetV2Encoder


@pytest.mark.parametrize(("height", "width"), [(9, 9), (10, 7), (8, 12)])
@pytest.mark.parametrize(("size", "stride", "padding"), [(3, 2, 0), (5, 2, 0), (3, 3, 0), (5, 1, 2), (5, 1, 0)])
def test_same_numbers_as_torch(height: int, width: int, size: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    kind = torch.float32 if size == 5 else torch.float64  # of 5x5, gradients by weights are float32
    ours, theirs = (nn.Conv2d(6, 6, size, stride, padding, groups=6, bias=False).to(kind) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    TrainedDepthwise.adopt(ours)
    assert isinstance(ours, TrainedDepthwise)
    gradients = []
    for layer in (ours, theirs):
        x = torch.linspace(-1, 1, 2 * 6 * height * width).to(kind).reshape(2, 6, height, width).sin().requires_grad_()
        answer = layer(x)
        answer.backward(torch.arange(answer.numel()).to(kind).cos().reshape(answer.shape))
        assert x.grad is not None
        assert layer.weight.grad is not None
        gradients.append((answer, x.grad, layer.weight.grad))
    for mine, torchs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, torchs)


@pytest.mark.parametrize("other", [
    nn.Conv2d(6, 6, 3, stride=1, groups=6, bias=False), nn.Conv2d(6, 6, 5, groups=6, padding=2),
    nn.Conv2d(6, 6, 3, stride=2, groups=6, bias=True),
    nn.Conv2d(6, 6, 3, stride=2, groups=6, bias=False, padding=1), nn.Conv2d(6, 6, 3, stride=2, bias=False),
    nn.Conv2d(6, 12, 3, stride=2, groups=6, bias=False), nn.Conv2d(6, 6, 3, stride=(2, 1), groups=6, bias=False),
])  # fmt: skip
def test_no_other_convolution_is_taken(other: nn.Conv2d) -> None:
    TrainedDepthwise.adopt(other)
    assert not isinstance(other, TrainedDepthwise)


def test_the_encoder_has_four_and_in_bfloat16_they_agree_too() -> None:
    torch.manual_seed(0)
    encoder = MobileNetV2Encoder()
    mine = [module for module in encoder.modules() if isinstance(module, TrainedDepthwise)]
    assert len(mine) == 4
    theirs = nn.Conv2d(8, 8, 3, stride=2, groups=8, bias=False)
    ours = nn.Conv2d(8, 8, 3, stride=2, groups=8, bias=False)
    ours.load_state_dict(theirs.state_dict())
    TrainedDepthwise.adopt(ours)
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
