"""Which pictures show the same person."""

from pathlib import Path

import numpy as np
from PIL import Image

from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.schema import Annotations
from personvlm.training.dataset import TrainingSet


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
