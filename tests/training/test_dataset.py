"""Which pictures show the same person."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.schema import Annotations
from personvlm.training.dataset import TrainingSet, cached_pixels


def test_any_name_is_an_identity_and_no_name_is_none(tmp_path: Path) -> None:
    names = ("#1", "#1", "gate#2", None, None)
    samples = []
    for index, name in enumerate(names):
        Image.new("RGB", (16, 32), (index, 0, 0)).save(tmp_path / f"{index}.png")
        samples.append(Sample(tmp_path / f"{index}.png", Annotations(), identity=name, source="personvlm"))
    identity = TrainingSet(samples, Transform(height=32, width=16), tmp_path / "cache", quiet=True).identity
    assert identity[0] == identity[1] >= 0
    assert identity[2] >= 0
    assert identity[2] != identity[0]
    assert np.array_equal(identity[3:], [-1, -1])


def test_names_that_are_no_text_and_a_cache_that_another_run_fills_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [Sample(tmp_path / name, Annotations()) for name in ("\udcff.png", "b.png")]
    for shade, sample in enumerate(samples, start=1):
        Image.new("RGB", (16, 32), (100 * shade, 0, 0)).save(sample.image)
    transform = Transform(height=32, width=16)

    def slow(path: Path) -> NDArray[np.uint8]:
        if path == samples[1].image:  # meanwhile another process begins, and is done first
            with monkeypatch.context() as other:
                other.setattr("personvlm.training.dataset.decode", decode)
                other.setattr("os.getpid", lambda: -1)
                cached_pixels(samples, transform, tmp_path / "cache", True)
        return decode(path)

    monkeypatch.setattr("personvlm.training.dataset.decode", slow)
    pixels = cached_pixels(samples, transform, tmp_path / "cache", True)
    assert pixels[:, 16, 8, 0].tolist() == [100, 200]
