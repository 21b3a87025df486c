"""Real people, the shipped model: three promises of the engine on every test crop (everyday runs take a sixtieth).

1. A drafted and verified text is the text of decoding word by word.
2. Torch in float32, the reference, says the same words with the same confidences.
3. Alone, beside others, on one core or on several, the description is the same to the last digit.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer, _worth_saying, shipped
from personvlm.runtime.generate import generate

PEOPLE = Path(os.environ.get("PERSONVLM_ASSETS") or "absent") / "data" / "peta" / "test.jsonl"
SHARES = [pytest.param(60, id="some"), pytest.param(1, id="all", marks=pytest.mark.accept)]


def crops(every: int) -> list[Path]:
    if not PEOPLE.is_file():
        pytest.skip("PETA is not there: set PERSONVLM_ASSETS to a folder with data/peta/test.jsonl")
    from personvlm.data.readers import read_peta

    return [Path(sample.image) for sample in read_peta(PEOPLE)][::every]


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer.load(backend="onnx")


@pytest.mark.parametrize("every", SHARES)
@pytest.mark.parametrize("say", ["confident", "all"])
def test_drafts_change_no_word(describer: Describer, every: int, say: Say) -> None:
    engine, calibration = describer.engine.single, describer.calibration
    for picture in crops(every):
        seen = engine.encode(describer.transform([describer._read(picture)]))
        scores = calibration.scores(calibration.probabilities(seen.logits)[0])
        values = [_worth_saying(calibration.decide(scores, say))]
        drafted, slow = (generate(engine, seen.tokens, values, describer.tokenizer, describer.max_words, **options)
                         for options in ({}, {"drafts": None}))  # fmt: skip
        assert drafted == slow, picture


@pytest.mark.parametrize("every", SHARES)
@pytest.mark.parametrize("say", ["confident", "all"])
def test_the_reference_says_the_same(describer: Describer, every: int, say: Say) -> None:
    pytest.importorskip("torch", reason="the reference needs torch")
    from personvlm.runtime.torch_engine import TorchEngine

    torch = Describer(TorchEngine(shipped()), describer.transform, describer.tokenizer, describer.calibration,
                      describer.name, describer.max_words)  # fmt: skip
    pictures = crops(every)
    for picture, ours, reference in zip(pictures, describer.describe(pictures, say=say),
                                        torch.describe(pictures, say=say), strict=True):  # fmt: skip
        assert ours.text == reference.text, picture
        assert list(ours.attributes) == list(reference.attributes)
        for name, attribute in reference.attributes.items():
            assert ours.attributes[name].value == attribute.value
            assert abs(ours.attributes[name].confidence - attribute.confidence) <= 0.02, (picture, name)


@pytest.mark.parametrize("every", SHARES)
def test_alone_or_in_a_batch_to_the_last_digit(every: int) -> None:
    both, one = Describer.load(threads=2, backend="onnx"), Describer.load(threads=1, backend="onnx")
    pictures = crops(every)
    together = both.describe(pictures, batch=16)
    for picture, person in zip(pictures, together, strict=True):
        assert both.describe(picture)[0] == person, picture
    assert one.describe(pictures, batch=5) == together


def test_pictures_of_any_size_share_a_batch(describer: Describer) -> None:
    rng = np.random.default_rng(1)
    sizes = ((40, 20), (256, 128), (90, 300), (600, 200))
    pictures: list[NDArray[np.uint8]] = [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
    assert describer.describe(pictures) == [describer.describe(picture)[0] for picture in pictures]
