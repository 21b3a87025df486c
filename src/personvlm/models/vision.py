"""The encoders of the study, each pooled to one vector; and which of their blocks are trained."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from transformers import (
    Dinov2Config,
    Dinov2Model,
    EfficientNetConfig,
    EfficientNetModel,
    MobileNetV2Config,
    MobileNetV2Model,
    MobileViTConfig,
    MobileViTModel,
)

from personvlm.base.errors import InputError
from personvlm.models.mobilenet_v3 import CHANNELS, MobileNetV3Small

_CONTAINERS = ("encoder", "layer", "layers", "blocks", "transformer")
"""Children of these names are blocks of their own, in the order in which they run. Nothing else is split."""


def build(name: str) -> tuple[nn.Module, int]:
    """An encoder without weights and the width of its features. Names: ``presets.TRANSFORMS``."""
    if name == "mobilevit_xs":
        necks = [16, 32, 48, 64, 80, 96, 384]
        return MobileViTModel(MobileViTConfig(hidden_sizes=[96, 120, 144], neck_hidden_sizes=necks)), 384
    if name == "mobilevit_s":
        return MobileViTModel(MobileViTConfig()), 640
    if name == "mobilenet_v2":
        mobilenet = MobileNetV2Config(tf_padding=True, finegrained_output=False)
        return MobileNetV2Model(mobilenet, add_pooling_layer=False), 1280
    if name == "mobilenet_v3_small":
        return MobileNetV3Small(), CHANNELS
    if name == "efficientnet_b0":
        efficientnet = EfficientNetConfig(width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280)
        return EfficientNetModel(efficientnet), 1280
    if name == "dinov2_small":
        dinov2 = Dinov2Config(hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518)
        return Dinov2Model(dinov2), 384
    raise InputError(f"encoder {name!r} is not offered")


class VisionEncoder(nn.Module):
    """A backbone, pooled (mean over the grid; DINOv2: its class token), and a linear layer.

    The backbone always runs as in evaluation: batch norms use their stored statistics, and nothing is dropped
    (``transformers``' MobileViT and EfficientNet would, in frozen blocks too). A process of four sees 32 crops; with
    batch statistics the result would depend on how many processes there are, and a frozen block would not stay what it
    was.
    """

    def __init__(self, name: str, dim: int) -> None:
        super().__init__()
        self.name = name
        self.backbone, width = build(name)
        for norm in self._norms():
            norm.reset_parameters()  # transformers draws MobileViT's gains around 0: nothing would come through
        self.linear = nn.Linear(width, dim)

    def forward(self, pixels: Tensor) -> Tensor:
        """``float [N, 3, H, W]``, as the transform gives it -> ``[N, dim]``."""
        pooled: Tensor = self.linear(self.features(pixels))
        return pooled

    def cells(self, pixels: Tensor) -> Tensor:
        """``float [N, 3, H, W]`` -> the grid before pooling, row by row, each cell through the linear layer:
        ``[N, K, dim]`` (DINOv2: its patches)."""
        out = self.backbone(pixels)
        if self.name == "dinov2_small":
            features: Tensor = out.last_hidden_state[:, 1:]
        else:
            grid = out if isinstance(out, Tensor) else out.last_hidden_state
            features = grid.flatten(2).transpose(1, 2)
        each: Tensor = self.linear(features)
        return each

    def features(self, pixels: Tensor) -> Tensor:
        """``[N, 3, H, W]`` -> the pooled vector before the linear layer."""
        out = self.backbone(pixels)
        if self.name == "dinov2_small":
            token: Tensor = out.last_hidden_state[:, 0]
            return token
        grid: Tensor = out if isinstance(out, Tensor) else out.last_hidden_state
        return grid.mean((2, 3))

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """Named blocks of the backbone that hold parameters, from the input upwards."""
        return list(_blocks(self.backbone, ""))

    def freeze(self, through: str) -> None:
        """Do not train the blocks up to and with ``through``.

        Raises:
            InputError: there is no such block; the message has the legal names.
        """
        if not through:
            return
        names = [name for name, _ in self.blocks()]
        if through not in names:
            raise InputError(f"{self.name} has no block {through!r}; legal: {', '.join(names)}")
        for name, block in self.blocks():
            block.requires_grad_(False)
            if name == through:
                return

    def block_at(self, share: float) -> str:
        """The last block of those that hold, from the input upwards, at most ``share`` of the backbone's parameters."""
        total, seen, last = _size(self.backbone), 0, ""
        for name, block in self.blocks():
            seen += _size(block)
            if seen > share * total:
                break
            last = name
        return last

    def share_through(self, block: str) -> float:
        """Share of the backbone's parameters in the blocks up to and with ``block``."""
        names = [name for name, _ in self.blocks()]
        kept = self.blocks()[: names.index(block) + 1] if block else []
        return sum(_size(each) for _, each in kept) / _size(self.backbone)

    def train(self, mode: bool = True) -> VisionEncoder:
        """Training mode, of all but the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def measure(self, pixels: Tensor) -> None:
        """Take the batch norms' statistics from a batch ``[N, 3, H, W]``: for an encoder that starts without weights,
        whose signal would otherwise die out on its way through the norms."""
        for norm in self._norms():
            norm.reset_running_stats()
            norm.momentum = None  # a plain average over what is seen
            norm.train()
        self.backbone(pixels)
        self.train(self.training)

    def _norms(self) -> Iterator[nn.BatchNorm2d]:
        return (module for module in self.modules() if isinstance(module, nn.BatchNorm2d))


def _blocks(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        here = f"{path}{name}"
        inside = any(part in dict(child.named_children()) for part in _CONTAINERS)
        if name in _CONTAINERS or (isinstance(module, nn.ModuleList | nn.Sequential) and inside):
            yield from _blocks(child, f"{here}.")
        elif _size(child):
            yield here, child


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
