"""The appearance layer: it finds what tells people apart, hides what may be switched off, and survives its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.images import decode
from personvlm.data.rendered import rendered_samples
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.models.appearance import Appearance
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.runtime.describer import shipped
from personvlm.runtime.engine import OnnxEngine
from personvlm.runtime.export import export
from personvlm.schema import Annotations
from personvlm.schema.groups import column_slices
from personvlm.training.appearance import LEAST_PEOPLE, MOST_PICTURES, discriminant, fit_appearance, several

TINY = EdgeConfig(50, height=96, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2,
                  embedding_dim=16)  # fmt: skip


def first_is_right(vectors: NDArray[np.float64], people: NDArray[np.int64]) -> float:
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -2)
    return float(np.mean(people[alike.argmax(1)] == people))


def test_it_finds_what_tells_people_apart() -> None:
    """Ten dimensions say who it is, thirty loud ones change from picture to picture; the kinds differ in scale."""
    rng = np.random.default_rng(0)

    def pictures(count: int) -> tuple[list[NDArray[np.float64]], NDArray[np.int64]]:
        people = np.repeat(np.arange(count), 4)
        who = rng.normal(size=(count, 10))[people] + 0.2 * rng.normal(size=(4 * count, 10))
        return [who, 1000 * (3 + 5 * rng.normal(size=(4 * count, 30)))], people

    blocks, people = pictures(100)
    weight, bias = discriminant(blocks, people, people % 2, 10)
    assert weight.shape == (10, 40)
    others, strangers = pictures(50)
    rows = np.concatenate(others, 1)
    assert first_is_right(rows, strangers) < 0.3
    assert first_is_right(rows @ weight.T + bias, strangers) > 0.95


def test_who_counts(tmp_path: Path) -> None:
    def person(number: int, pictures: int, source: str = "own") -> list[Sample]:
        return [Sample(tmp_path / f"{number}-{i}.png", Annotations({}), identity=str(number), source=source)
                for i in range(pictures)]  # fmt: skip

    known = [sample for number in range(LEAST_PEOPLE) for sample in person(number, 2)]
    assert several(known) == known
    assert several(known[2:]) == []  # a person fewer
    rest = [*person(100, 1), *[sample for number in range(LEAST_PEOPLE) for sample in person(number, 3, "rendered")],
            *person(101, 5, "other"), replace(known[0], identity=None)]  # fmt: skip
    assert several([*known, *rest]) == known
    assert len(several([*known, *person(102, 50)])) == len(known) + MOST_PICTURES


def crops(folder: Path) -> list[Sample]:
    samples = []
    for index, (image, values) in enumerate(rendered_samples(2 * LEAST_PEOPLE, seed=3)):
        path = folder / f"{index}.png"
        Image.fromarray(image).save(path)
        samples.append(Sample(path, Annotations.build(values), identity=str(index // 2), source="own"))
    return samples


@pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")
def test_graphs_and_files_give_what_torch_gives(tmp_path: Path) -> None:
    model, transform = EdgeVLM.load(shipped()).with_appearance(None), Transform.load(shipped())
    samples = crops(tmp_path)
    pixels = torch.from_numpy(transform([decode(sample.image) for sample in samples[:4]]))
    with torch.inference_mode():
        bare = model.see(pixels)
        assert not fit_appearance(model, samples[2:], transform, quiet=True)
        assert model.appearance is None
        assert fit_appearance(model, samples, transform, quiet=True)
        fitted = model.see(pixels)
    assert not torch.allclose(bare.embedding, fitted.embedding, atol=0.05)
    assert torch.equal(bare.logits, fitted.logits)
    model.save(tmp_path)
    assert '"appearance": true' in (tmp_path / "config.json").read_text()
    export(tmp_path)
    with torch.inference_mode():
        loaded = EdgeVLM.load(tmp_path).see(pixels).embedding
    torch.testing.assert_close(loaded, fitted.embedding, atol=5e-3, rtol=0)
    assert loaded.norm(dim=1).tolist() == pytest.approx([1] * 4, abs=1e-5)
    np.testing.assert_allclose(OnnxEngine(tmp_path, 1).encode(pixels.numpy()).embedding, loaded, atol=1e-3)


def test_what_can_be_switched_off_has_no_part_in_it() -> None:
    layer = Appearance(TINY)
    embedding, tokens, logits = torch.rand(2, 16), torch.rand(2, 3, 48), torch.rand(2, len(layer.kept) + 9)
    slices = column_slices()
    noisy = logits.clone()
    for name in ("gender", "age"):
        noisy[:, slices[name]] = 100 * torch.randn_like(noisy[:, slices[name]])
    with torch.inference_mode():
        assert torch.equal(layer(embedding, tokens, logits), layer(embedding, tokens, noisy))
        noisy[:, slices["upper.color"]] += 5
        assert not torch.equal(layer(embedding, tokens, logits), layer(embedding, tokens, noisy))


def test_a_picture_of_two_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="three rows"):
        EdgeVLM(replace(TINY, height=64, appearance=True))
