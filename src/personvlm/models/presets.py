"""The four stages of the study as frozen dataclasses. Torch-free; saved as ``config.json`` beside the weights.

Counts are exact for the vocabulary of 3,179 words (stages 1 and 2) and GPT-2's 50,257 (stages 3 and 4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform
from personvlm.models.config import FILE, SCHEMA_VERSION

BUDGET = 100_000_000
"""Parameters that a model may have at most."""

IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_RAW_BGR: dict[str, Any] = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "channels": "BGR"}

TRANSFORMS: Mapping[str, Transform] = MappingProxyType({
    "mobilevit_xs": Transform(**_RAW_BGR),
    "mobilevit_s": Transform(**_RAW_BGR),
    "mobilenet_v2": Transform(),
    "mobilenet_v3_small": Transform(**IMAGENET),
    "efficientnet_b0": Transform(**IMAGENET),
    "dinov2_small": Transform(height=252, width=126, **IMAGENET),
})  # fmt: skip
"""What pixels each encoder's published weights were trained with. Sizes are multiples of the encoder's stride: 32 (and
an even grid, or MobileViT interpolates), for DINOv2 14."""


@dataclass(frozen=True)
class StageConfig:
    """A model of the study: encoder, pooled; a projection to visual tokens; a decoder that writes.

    Attributes:
        name, version: what descriptions say produced them.
        decoder: ``cross`` (own decoder with self and cross attention) or ``gpt2`` (visual tokens as a prefix).
        vocabulary: entries of the tokenizer.
        encoder: a key of :data:`TRANSFORMS`.
        height, width: input in pixels.
        vision_dim: width of the pooled vector after its linear layer.
        projection_hidden, visual_tokens: the projection MLP.
        visual: ``pooled``: one vector becomes ``visual_tokens`` tokens; ``grid``: every cell of the encoder's grid
            becomes one, 32 at 256x128, and ``visual_tokens`` must be that number.
        dim, layers, heads, ffn: the decoder.
        positions: longest input of the decoder, prefix included where there is one.
        max_text: longest text in tokens, both ends included.
        dropout: of the decoder.
        frozen_through: the last block of the encoder, from the input upwards, that is not trained; ``""``: all are.
        frozen_layers: bottom layers of the decoder that are not trained, and with them its embeddings.
    """

    name: str
    decoder: str
    vocabulary: int
    vision_dim: int
    projection_hidden: int
    visual_tokens: int
    dim: int
    layers: int
    heads: int
    ffn: int
    positions: int
    frozen_through: str = ""
    frozen_layers: int = 0
    encoder: str = "mobilevit_xs"
    height: int = 256
    width: int = 128
    max_text: int = 256
    dropout: float = 0.1
    visual: str = "pooled"
    version: str = "1"
    kind: str = "stage"
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.encoder not in TRANSFORMS:
            raise InputError(f"encoder {self.encoder!r} is not offered; legal: {', '.join(TRANSFORMS)}")
        if self.decoder not in ("cross", "gpt2"):
            raise InputError(f"decoder {self.decoder!r} is not offered; legal: cross, gpt2")
        if self.visual not in ("pooled", "grid"):
            raise InputError(f"visual {self.visual!r} is not offered; legal: pooled, grid")
        if not 0 <= self.frozen_layers <= self.layers:
            raise InputError(f"{self.name}: {self.frozen_layers} of {self.layers} layers cannot be frozen")
        prefix = self.visual_tokens if self.decoder == "gpt2" else 0
        if self.dim % self.heads or prefix + self.max_text > self.positions:
            raise InputError(f"{self.name}: {self.dim} is not a multiple of {self.heads} heads, or {self.positions} "
                             f"positions do not hold {prefix} visual tokens and a text of {self.max_text}")  # fmt: skip

    @property
    def title(self) -> str:
        """Name and version, as descriptions carry it."""
        return f"{self.name}-{self.version}"

    @property
    def transform(self) -> Transform:
        """The encoder's own transform at this model's size."""
        return replace(TRANSFORMS[self.encoder], height=self.height, width=self.width)

    def save(self, directory: Path) -> None:
        """Write ``config.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> StageConfig:
        """Read ``config.json`` from ``directory``.

        Raises:
            InputError: the file is absent or does not describe a stage.
        """
        path = directory / FILE
        try:
            fields: dict[str, Any] = json.loads(path.read_text())
            if fields.get("kind") != "stage":
                raise ValueError("its kind is not 'stage'")
            return cls(**fields)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not the config of a stage ({error})") from error


_CROSS: dict[str, Any] = {"decoder": "cross", "vocabulary": 3_179, "positions": 256, "visual_tokens": 8, "heads": 8}
_GPT2: dict[str, Any] = {"decoder": "gpt2", "vocabulary": 50_257, "positions": 1_024, "vision_dim": 256,
                         "projection_hidden": 1_536, "dim": 768, "layers": 6, "heads": 12, "ffn": 3_072}  # fmt: skip

PRESETS: Mapping[str, StageConfig] = MappingProxyType({
    "stage1": StageConfig("stage1", vision_dim=256, projection_hidden=512, dim=256, layers=4, ffn=512,
                          frozen_through="encoder.layer.4.transformer.layer.1", **_CROSS),
    "stage2": StageConfig("stage2", vision_dim=512, projection_hidden=1_024, dim=512, layers=6, ffn=2_048,
                          frozen_through="encoder.layer.4.fusion", **_CROSS),
    "stage3": StageConfig("stage3", visual_tokens=8, frozen_layers=3,
                          frozen_through="encoder.layer.4.conv_1x1", **_GPT2),
    "stage4": StageConfig("stage4", visual_tokens=12,
                          frozen_through="encoder.layer.3.conv_projection", **_GPT2),
})  # fmt: skip
"""DESIGN.md section 5. The shares of frozen vision that the study names (90, 90, 80, 70 %) are of tensors in its own
listing; the blocks named here give its trainable counts."""


def preset(name: str) -> StageConfig:
    """The preset of a name.

    Raises:
        InputError: there is no such stage.
    """
    if name not in PRESETS:
        raise InputError(f"{name!r} is not a stage; legal: {', '.join(PRESETS)}")
    return PRESETS[name]
