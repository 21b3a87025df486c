"""What a model is made of, as one frozen dataclass that is saved beside its weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from personvlm.base.errors import InputError

FILE = "config.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class EdgeConfig:
    """The model we ship: spatial tokens, attribute heads, and a small decoder over a visual and attribute prefix.

    Attributes:
        vocabulary: number of words of the decoder.
        name, version: what descriptions say produced them.
        height, width: input in pixels that it was trained for; the grid of tokens is 1/32 of it. The transform says
            which size is looked at: what the encoder makes of another one is brought to this grid.
        head_dim, head_heads: width and heads of the attention by which every group looks for its evidence.
        embedding_dim: length of the appearance vector.
        dim, layers, heads, ffn: the decoder.
        max_text: longest text in words; positions cover prefix and text.
        appearance: the appearance vector is worked out from all that is seen, by a layer fitted after training.
    """

    vocabulary: int
    name: str = "edge"
    version: str = "1"
    encoder: str = "mobilenet_v2"
    height: int = 256
    width: int = 128
    head_dim: int = 256
    head_heads: int = 8
    embedding_dim: int = 128
    dim: int = 192
    layers: int = 4
    heads: int = 4
    ffn: int = 768
    max_text: int = 128
    appearance: bool = False
    schema_version: int = SCHEMA_VERSION

    @property
    def title(self) -> str:
        """Name and version, as descriptions carry it."""
        return f"{self.name}-{self.version}"

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of spatial tokens."""
        return self.height // 32, self.width // 32

    def told_apart(self, *differs: bytes) -> EdgeConfig:
        """The same under a version of its own, as in ``2+3f9a12bc``: a store compares appearance vectors of one title
        only, and those of another model, or of one that looks otherwise, cannot be compared.

        Args:
            differs: what the model differs in from its namesakes; weights, for example.
        """
        digest = hashlib.sha256(self.version.encode())
        for part in differs:
            digest.update(part)
        return replace(self, version=f"{self.version.split('+')[0]}+{digest.hexdigest()[:8]}")

    def save(self, directory: Path) -> None:
        """Write ``config.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> EdgeConfig:
        """Read ``config.json`` from ``directory``.

        Raises:
            InputError: the file is absent or does not describe an edge model.
        """
        path = directory / FILE
        try:
            config = cls(**json.loads(path.read_text()))
            for field in fields(cls):
                value = getattr(config, field.name)
                if type(value).__name__ != field.type or (type(value) is int and value < 1):
                    raise ValueError(f"{field.name} is {value!r}")
            return config
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: not the config of an edge model ({error})") from error
