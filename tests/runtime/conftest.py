"""A tiny model with random weights: its sentences are nonsense, and every promise must hold all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.schema import GROUP


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch", reason="exporting a model needs the train extra")
    from personvlm.data.transform import Transform
    from personvlm.models.config import EdgeConfig
    from personvlm.models.edge import EdgeVLM
    from personvlm.runtime.calibration import Calibration
    from personvlm.runtime.export import export
    from personvlm.training.run import domain_vocabulary

    directory = tmp_path_factory.mktemp("tiny")
    vocabulary = domain_vocabulary()
    torch.manual_seed(3)
    model = EdgeVLM(EdgeConfig(len(vocabulary), height=64, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32,
                               head_heads=2))  # fmt: skip
    model.save(directory)
    vocabulary.save(directory)
    Transform(height=64, width=32).save(directory)
    groups = ("gender", "age", "hair.color", "upper.garment", "upper.color", "lower.garment", "lower.color",
              "footwear.type", "carrying")  # fmt: skip
    Calibration.plain({name: GROUP[name].values for name in groups}, 0.3).save(directory)
    export(directory)
    return directory


@pytest.fixture(scope="session")
def people() -> list[NDArray[np.uint8]]:
    from personvlm.data.rendered import rendered_samples

    return [image for image, _ in rendered_samples(9, seed=2)]
