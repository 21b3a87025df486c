"""Everything around a drawn person: background, ground shadow, and what a camera does to the picture."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Size = tuple[int, int]


def background(size: Size, rng: np.random.Generator) -> NDArray[np.float32]:
    """A blurred street or hall of ``size`` (width, height): ``float32 [H, W, 3]``, 0..255."""
    width, height = size
    columns, rows = max(4, width // 8), max(8, height // 8)  # small, then enlarged: the blur is free
    horizon = int(rows * rng.uniform(0.3, 0.7))
    base = rng.uniform(90, 200)
    picture = np.empty((rows, columns, 3), np.float32)
    picture[:horizon] = base + rng.uniform(-18, 18, 3)
    ground = rng.uniform(100, 190) + rng.uniform(-12, 12, 3)
    fall = np.linspace(0.85, 1.1, rows - horizon, dtype=np.float32)
    picture[horizon:] = ground * fall[:, None, None]
    for _ in range(int(rng.integers(2, 8))):  # doors, windows, cars, plants
        x, y = int(rng.integers(columns)), int(rng.integers(-1, horizon + rows // 10))
        w, h = int(rng.integers(1, columns // 2 + 2)), int(rng.integers(2, rows // 3 + 3))
        tone = rng.uniform(40, 225) + rng.uniform(-1, 1, 3) * rng.choice([6.0, 10.0, 20.0, 45.0])
        picture[max(y, 0) : y + h, x : x + w] = tone
    picture += rng.normal(0, 5, (rows, columns, 1))
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)


def put(scene: NDArray[np.float32], layer: NDArray[np.uint8], center: int, bottom: int, light: float) -> None:
    """Stand a person's layer on ``scene`` (changed in place): axis at column ``center``, soles at row ``bottom``.

    The layer may reach over any edge. A soft shadow falls away from the light.
    """
    rows, columns = layer.shape[:2]
    _shadow(scene, center - round(light * columns * 0.1), bottom - round(rows * 0.036), columns)
    top, left = bottom - rows, center - columns // 2
    y1, x1 = max(top, 0), max(left, 0)
    y2, x2 = min(bottom, scene.shape[0]), min(left + columns, scene.shape[1])
    if y2 <= y1 or x2 <= x1:
        return
    part = layer[y1 - top : y2 - top, x1 - left : x2 - left].astype(np.float32)
    alpha = part[..., 3:] / 255.0
    scene[y1:y2, x1:x2] = part[..., :3] * alpha + scene[y1:y2, x1:x2] * (1.0 - alpha)


def _shadow(scene: NDArray[np.float32], x: int, y: int, columns: int) -> None:
    half_x, half_y = columns * 0.3, columns * 0.055
    ys, xs = np.ogrid[: scene.shape[0], : scene.shape[1]]
    distance = ((xs - x) / half_x) ** 2 + ((ys - y) / half_y) ** 2
    scene *= (1.0 - 0.5 * np.exp(-1.2 * distance))[..., None].astype(np.float32)


def shoot(scene: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A cheap camera's picture of ``scene`` ``[H, W, 3]``: exposure, white balance, haze, blur, low resolution, noise,
    JPEG. The limits are chosen so that a color keeps its name.
    """
    height, width = scene.shape[:2]
    gain = rng.uniform(0.84, 1.14) * rng.uniform(0.965, 1.035, 3)
    haze = rng.uniform(0.0, 0.07)
    picture = scene * gain.astype(np.float32) * (1.0 - haze) + 190.0 * haze
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    scale = height / 256.0
    if rng.random() < 0.5:
        factor = rng.uniform(1.0, 2.2)
        small = (max(8, round(width / factor)), max(8, round(height / factor)))
        image = image.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BILINEAR)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.9) * scale))
    noise = rng.normal(0.0, rng.uniform(0.5, 4.0), (height, width, 1)) + rng.normal(0.0, 1.0, (height, width, 3))
    noisy = np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=int(rng.integers(55, 95)))
    return np.asarray(Image.open(buffer).convert("RGB"), np.uint8)
