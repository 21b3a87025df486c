"""What forms of a model are compared by: shares of equal words, restricted or not, likelihood, facts, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.evaluation.compress import Crops, Form, compare, labelled_crops, rendered_crops
from personvlm.language.tokenizer import GPT2Tokenizer, Tokenizer
from personvlm.schema import Annotations


@dataclass
class Said:
    ids: list[int]
    steps: int


@dataclass
class Scripted:
    """Says the same on every picture but where it may not."""

    tokenizer: Tokenizer
    rows: list[list[int]]
    instead: int | None = None

    def generate(self, pixels: NDArray[np.float32], *, allowed: NDArray[np.bool_] | None = None) -> list[Said]:
        row = self.rows[int(pixels[0, 0, 0, 0])]
        if allowed is not None and self.instead is not None:
            row = [index if allowed[index] else self.instead for index in row]
        return [Said(row, 2)]

    def score(self, pixels: NDArray[np.float32], texts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(texts), 0.25)


@pytest.fixture
def tokenizers(tmp_path: Path) -> tuple[GPT2Tokenizer, GPT2Tokenizer]:
    """Two byte-level ones; the second holds fewer pieces of the first."""
    from lively_stages import tiny_gpt2_tokenizer
    from personvlm.language.prune import pruned

    pytest.importorskip("torch", reason="the helper makes stages too")
    whole = tiny_gpt2_tokenizer(tmp_path)
    return whole, pruned(whole, ["a man"])


def test_shares_are_of_old_ids_and_restricted_to_the_kept(tokenizers: tuple[GPT2Tokenizer, GPT2Tokenizer]) -> None:
    whole, smaller = tokenizers
    assert smaller.kept is not None
    first, dropped = 10, next(index for index in range(256, len(whole)) if index not in smaller.kept)
    reference = Scripted(whole, [[first, first], [first, dropped], [first]], instead=first)
    other = Scripted(smaller, [[first, first], [first, first], [first + 1]])
    crops = Crops(np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1), ["a", "b", "c"])
    one, two = compare([Form("whole", reference, 100), Form("pruned", other, 10)], crops)
    assert (one["same"], one["same_restricted"]) == (1.0, 1.0)
    assert two["same"] == pytest.approx(1 / 3)
    assert two["same_restricted"] == pytest.approx(2 / 3), "the second picture, once the dropped piece is out of reach"
    assert (two["bytes"], two["vocabulary"], two["facts"]) == (10, len(smaller), None)
    assert two["words"] == pytest.approx(5 / 3)
    assert two["words_per_step"] == pytest.approx(5 / 6)
    assert two["nll_per_character"] == 0.25
    assert 0 <= two["ms"]["p50"] <= two["ms"]["p90"]


def test_facts_are_read_back_from_the_words(tokenizers: tuple[GPT2Tokenizer, GPT2Tokenizer]) -> None:
    whole, _ = tokenizers
    samples = [Sample(Path("a"), Annotations.build({"gender": ("male",)})),
               Sample(Path("b"), Annotations.build({"gender": ("female",)}))]  # fmt: skip
    says_man = Scripted(whole, [whole.encode("The image shows a man.")] * 2)
    crops = Crops(np.arange(2, dtype=np.float32).reshape(2, 1, 1, 1), ["a", "b"], samples)
    (row,) = compare([Form("one", says_man, 1)], crops)
    assert row["facts"] == pytest.approx(0.5)


def test_crops_are_the_same_every_time(tmp_path: Path) -> None:
    from PIL import Image

    transform = Transform(height=64, width=32)
    drawn = rendered_crops(transform, 3)
    assert drawn.pixels.shape == (3, 3, 64, 32)
    assert all(text.startswith("The image shows") for text in drawn.captions)
    np.testing.assert_array_equal(drawn.pixels, rendered_crops(transform, 3).pixels)
    samples = []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (20, 40), (40 * index, 0, 0)).save(path)
        captions = ("Here is a description of the image:\n\nThe image shows a child.",) if index == 5 else ()
        samples.append(Sample(path, Annotations.build({"gender": ("male",)}), captions))
    crops = labelled_crops(transform, samples, 4)
    assert len(crops.pixels) == len(crops.captions) == 4
    everyone = labelled_crops(transform, samples, 99)
    assert everyone.captions[5] == "The image shows a child."
    assert "male" in everyone.captions[0] or "man" in everyone.captions[0]
    with pytest.raises(InputError, match="no pictures to compare on"):
        labelled_crops(transform, [], 4)
