"""The one transform from a picture to the model's input; it is saved with the model and travels with it.

Training adds augmentation on top (:mod:`personvlm.training.augment`), with the strengths that :class:`Augment` holds.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError

FILE = "transform.json"


@dataclass(frozen=True)
class Transform:
    """Person-shaped resize with padding, then ``(pixel / 255 - mean) / std``.

    Attributes:
        height, width: size of the model's input in pixels.
        mean, std: per channel, in the order of ``channels``.
        channels: ``RGB`` or ``BGR``, whichever the encoder's weights were trained with.
        fill: gray level (0..255) of the padding.

    Raises:
        ValueError: one of them fits no picture.
    """

    height: int = 256
    width: int = 128
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    channels: str = "RGB"
    fill: int = 127

    def __post_init__(self) -> None:
        whole = {"height": (1, 4096), "width": (1, 4096), "fill": (0, 255)}
        for name, (low, high) in whole.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}, not a whole number from {low} to {high}")
        for name, above in (("mean", -math.inf), ("std", 0.0)):
            value = getattr(self, name)
            if len(value) != 3 or not all(math.isfinite(each) and each > above for each in value):
                raise ValueError(f"{name} is {value!r}, not three numbers{' above 0' * (above == 0)}")
        if self.channels not in ("RGB", "BGR"):
            raise ValueError(f"channels is {self.channels!r}, neither RGB nor BGR")

    def fit(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize ``uint8 [H, W, 3]`` to ``[height, width, 3]``, aspect kept, centered, padded with ``fill``."""
        height, width = image.shape[:2]
        scale = min(self.height / height, self.width / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        resized = image
        if size != (width, height):
            resized = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        if size == (self.width, self.height):
            return resized
        canvas = np.full((self.height, self.width, 3), self.fill, np.uint8)
        top, left = (self.height - size[1]) // 2, (self.width - size[0]) // 2
        canvas[top : top + size[1], left : left + size[0]] = resized
        return canvas

    @property
    def constants(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """``scale`` and ``shift``, each ``float32 [3, 1, 1]`` in the order of ``channels``: the encoder's own terms are
        ``byte * scale - shift``, wherever that is computed."""
        mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (self.mean, self.std))
        scale: NDArray[np.float32] = np.divide(1.0, 255.0 * std, dtype=np.float32)
        shift: NDArray[np.float32] = np.divide(mean, std)
        return scale, shift

    def normalize(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``uint8 [N, height, width, 3]`` RGB to ``float32 [N, 3, height, width]`` in the encoder's own terms."""
        scale, shift = self.constants
        if self.channels == "BGR":
            images = images[..., ::-1]
        # Bytes are turned before they become floats: a quarter of the memory to walk through in strides.
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        scaled: NDArray[np.float32] = np.multiply(planes, scale, dtype=np.float32)
        scaled -= shift
        return scaled

    def __call__(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """RGB pictures of any size to one batch ``float32 [N, 3, height, width]``."""
        return self.normalize(np.stack([self.fit(image) for image in images]))

    def save(self, directory: Path) -> None:
        """Write ``transform.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Transform:
        """Read ``transform.json`` from ``directory``.

        Raises:
            InputError: the file is absent or does not describe a transform.
        """
        path = directory / FILE
        try:
            given: dict[str, Any] = json.loads(path.read_text("utf-8"))
            missing = [field.name for field in fields(cls) if field.name not in given]
            if missing:
                raise ValueError(f"no {', '.join(missing)}")
            given |= {name: tuple(v) for name, v in given.items() if isinstance(v, list)}
            return cls(**given)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a transform ({error}); take the file saved beside the weights") from error


@dataclass(frozen=True)
class Augment:
    """Strengths of the training augmentations. Hue is never touched: colors are targets."""

    flip: float = 0.5
    scale: float = 0.12
    shift: float = 0.06
    rotate: float = 4.0
    brightness: float = 0.25
    contrast: float = 0.2
    saturation: float = 0.1
    low_resolution: float = 0.15
    blur: float = 0.1
    noise: float = 0.03
    erase: float = 0.3
    cut: float = 0.06


def swap_sides(text: str) -> str:
    """The caption of the mirrored picture: left becomes right and right becomes left.

    Example:
        >>> swap_sides("He holds a bag in his left hand, on the right.")
        'He holds a bag in his right hand, on the left.'
    """
    return re.sub(r"\b(left|right)\b", lambda side: "right" if side[0] == "left" else "left", text)
