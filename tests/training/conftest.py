"""A small training folder of rendered people, in our own format."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the train extra")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from personvlm.data.own import write_personvlm
    from personvlm.data.rendered import rendered_samples
    from personvlm.data.sample import Sample
    from personvlm.schema import Annotations

    root = tmp_path_factory.mktemp("people")
    samples = []
    for index, (image, values) in enumerate(rendered_samples(48, seed=5)):
        path = root / f"{index}.png"
        Image.fromarray(image).save(path)
        samples.append(Sample(path, Annotations.build(values), identity=str(index // 2)))
    write_personvlm(samples[:36], root / "train.jsonl", root)
    write_personvlm(samples[36:], root / "val.jsonl", root)
    return root
