"""A small renderer of people: pictures with known truth for tests, the demo and machines that have no data.

It is no photograph, but a viewer names the clothes and the colors. :func:`render` gives a crop; scenes are composed
from :func:`person_layer` (a person on a transparent sheet), :func:`background`, :func:`put` and :func:`shoot`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from personvlm.data.rendered.camera import background, put, shoot
from personvlm.data.rendered.palette import stream
from personvlm.data.rendered.people import RENDERABLE, complete, random_person
from personvlm.data.rendered.person import person_layer
from personvlm.schema import Values

__all__ = ["RENDERABLE", "background", "person_layer", "put", "random_person", "render", "rendered_samples", "shoot"]


def render(values: Values, *, seed: int = 0, size: tuple[int, int] = (128, 256)) -> NDArray[np.uint8]:
    """Draw the crop of a person with these ``values``; what they leave open is drawn plausibly from ``seed``.

    Args:
        values: group -> values, of :data:`RENDERABLE`.
        seed: not negative. The same seed gives the same picture on every machine with the same Pillow and numpy.
        size: width and height in pixels, at least 16 by 32.

    Returns:
        RGB, ``uint8 [height, width, 3]``.

    Raises:
        ValueError: a value that does not exist or has no drawing, or a size too small.

    Example:
        >>> render({"upper.garment": ("t-shirt",), "upper.color": ("red",)}, seed=1).shape
        (256, 128, 3)
    """
    width, height = size
    if width < 16 or height < 32:
        raise ValueError(f"size must be at least 16 by 32 pixels, not {width} by {height}")
    rng = stream(seed, "scene")
    light = float(rng.uniform(0.3, 0.9) * rng.choice([-1.0, 1.0]))
    umbrella = "umbrella" in complete(values, seed)["carrying"]
    tall = min(height * float(rng.uniform(0.83, 0.91)), width * 1.85) * (0.82 if umbrella else 1.0)
    layer = person_layer(values, seed, max(24, round(tall)), float(rng.random()), light=light)
    scene = background(size, rng)
    center = width // 2 + int(rng.integers(-width // 24, width // 24 + 1))
    bottom = height - round((height - tall) * 0.2)
    put(scene, layer, center, bottom, light)
    return shoot(scene, rng)


def rendered_samples(n: int, seed: int) -> Iterator[tuple[NDArray[np.uint8], dict[str, tuple[str, ...]]]]:
    """``n`` pictures (``uint8 [256, 128, 3]``) of random people, each with what can be seen in it.

    Sample ``i`` does not depend on ``n``.
    """
    for index in range(n):
        rng = np.random.default_rng([seed, index])
        values = random_person(rng)
        yield render(values, seed=int(rng.integers(2**31))), values
