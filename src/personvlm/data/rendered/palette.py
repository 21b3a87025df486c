"""Paint of the renderer: what each color word looks like, and how it varies from person to person."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from zlib import crc32

import numpy as np

RGB = tuple[int, int, int]

CLOTH: Mapping[str, RGB] = MappingProxyType({
    "black": (27, 27, 30), "white": (236, 236, 233), "gray": (128, 129, 132), "blue": (38, 88, 190),
    "red": (192, 30, 38), "green": (42, 128, 60), "brown": (108, 68, 40), "yellow": (236, 204, 48),
    "orange": (238, 122, 30), "purple": (112, 54, 146), "pink": (238, 140, 174), "beige": (208, 188, 150),
    "dark blue": (26, 36, 86), "light blue": (140, 188, 230), "dark": (50, 44, 44), "light": (218, 212, 206),
    "multicolored": (170, 120, 110),
})
"""Color word -> its typical paint, before a person's own variation. RGB, 0..255."""

HAIR: Mapping[str, RGB] = MappingProxyType({
    "black": (26, 22, 21), "brown": (92, 58, 34), "blond": (214, 178, 104), "gray": (140, 140, 142),
    "white": (226, 226, 224), "red": (164, 68, 28),
})

SKIN: tuple[RGB, ...] = (
    (244, 210, 186), (232, 190, 160), (218, 170, 136), (198, 146, 110), (164, 112, 80), (126, 84, 60), (92, 60, 44),
)
"""Skin tones, drawn at random for every person. They are not an attribute and never a label."""

LIVELY: tuple[RGB, ...] = ((204, 44, 52), (44, 96, 196), (240, 204, 60), (56, 150, 84), (232, 130, 50), (230, 230, 226),
                           (130, 70, 160))
"""Patches and flowers of multicolored cloth, and emblems."""


def stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one trait, independent of every other trait, so that stating one value changes no other."""
    return np.random.default_rng([seed, crc32(name.encode())])


def vary(color: RGB, rng: np.random.Generator, amount: float = 7.0) -> RGB:
    """The same color word in another dye: duller, brighter or darker, with a slight tint; ``amount`` is of 100."""
    gray = sum(color) / 3.0
    dull = rng.uniform(0.0, 2.5 * amount) / 100.0
    gain = 1.0 + rng.uniform(-amount, amount) / 100.0
    tint = rng.uniform(-amount, amount, 3) * 0.6
    dyed = [(value + (gray - value) * dull) * gain + shift for value, shift in zip(color, tint, strict=True)]
    red, green, blue = (int(min(max(value, 8), 250)) for value in dyed)
    return red, green, blue


def shade(color: RGB, factor: float) -> RGB:
    """Darker (below 1) or lighter (above 1, toward white for dark paint)."""
    lift = max(factor - 1.0, 0.0) * 40.0
    red, green, blue = (int(min(max(value * factor + lift, 0), 255)) for value in color)
    return red, green, blue


def contrast(color: RGB) -> RGB:
    """White on dark paint, near black on light paint."""
    return (235, 235, 232) if sum(color) < 380 else (36, 36, 40)
