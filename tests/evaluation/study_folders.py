"""What the tests of the study share: drawn people in three parts, and settings that make the models tiny."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

TINY = {"encoder": "mobilenet_v3_small", "dim": "32", "layers": "2", "heads": "4", "ffn": "64", "vision_dim": "32",
        "projection_hidden": "64", "height": "64", "width": "64", "batch_size": "8", "learning_rate": "0.005",
        "precision": "no"}  # fmt: skip
"""Settings of a stage."""


def write_people(folder: Path, train: int = 24, val: int = 8, test: int = 8) -> Path:
    """``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` of rendered people, two pictures each."""
    from personvlm.data.own import write_personvlm
    from personvlm.data.rendered import rendered_samples
    from personvlm.data.sample import Sample
    from personvlm.schema import Annotations

    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for index, (image, values) in enumerate(rendered_samples(train + val + test, seed=5)):
        path = folder / f"{index}.png"
        Image.fromarray(image).save(path)
        samples.append(Sample(path, Annotations.build(values), identity=str(index // 2)))
    write_personvlm(samples[:train], folder / "train.jsonl", folder)
    write_personvlm(samples[train : train + val], folder / "val.jsonl", folder)
    write_personvlm(samples[train + val :], folder / "test.jsonl", folder)
    return folder
