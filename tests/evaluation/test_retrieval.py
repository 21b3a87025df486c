"""Retrieval in pools of people: by facts and by likelihood."""

from pathlib import Path

import numpy as np
import pytest

from personvlm.data.sample import Sample
from personvlm.evaluation.retrieval import pools, score_retrieval, score_retrieval_by_likelihood
from personvlm.evaluation.truth import Truth, stated
from personvlm.schema import Annotations

COLORS = ("black", "white", "red", "green", "yellow", "orange")


def test_pools_hold_one_picture_per_person_and_no_incomplete_pool_is_left():
    names = [str(i // 2) for i in range(46)]  # 23 people
    made = pools(names, 10)
    assert [len(pool) for pool in made] == [10, 10]
    rows = np.concatenate(made).tolist()
    assert len({names[row] for row in rows}) == 20
    assert [pool.tolist() for pool in made] == [pool.tolist() for pool in pools(names, 10)]
    assert [len(pool) for pool in pools(names, 100)] == [23]
    assert [len(pool) for pool in pools([None] * 5, 3)] == [3]


def test_a_text_that_says_the_facts_finds_its_person():
    samples = [Sample(Path("x"), Annotations.build({"upper.color": [color]}), identity=color) for color in COLORS]
    truth = Truth.of(samples)
    right = [{"upper.color": (color,)} for color in COLORS]
    found = score_retrieval(stated(right), truth, resamples=20)
    assert found["pool"] == 6
    for direction in ("caption_to_image", "image_to_caption"):
        assert found[direction]["R@1"]["value"] == 1.0
    wrong = right[1:] + right[:1]
    assert score_retrieval(stated(wrong), truth, resamples=20)["caption_to_image"]["R@1"]["value"] == 0.0
    assert score_retrieval(stated([{}] * 6), truth, resamples=20)["image_to_caption"]["R@1"]["value"] == pytest.approx(
        1 / 6
    )


class Decoder:
    """Finds short texts likely whatever it sees, and its own picture's text a little likelier."""

    def __init__(self, looks=True):
        self.looks, self.asked = looks, 0

    def score(self, inputs, texts, *, batch):
        self.asked += len(inputs)
        own = np.array([path.stem == text.split()[-1] for path, text in zip(inputs, texts, strict=True)])
        return 0.1 * np.array([len(text) for text in texts]) - 0.01 * own * self.looks


def test_likelihood_finds_the_picture_although_short_texts_are_likely():
    names = [str(i) for i in range(8)]
    images, texts = [Path(f"{name}.jpg") for name in names], [f"{'very ' * i}{i}" for i in range(8)]
    decoder = Decoder()
    found = score_retrieval_by_likelihood(decoder, images, texts, names, size=4, most=2, resamples=20)
    assert decoder.asked == 2 * 16
    assert (found["pool"], found["pools"]) == (4, 2)
    assert found["caption_to_image"]["R@1"]["value"] == found["image_to_caption"]["R@1"]["value"] == 1.0
    blind = score_retrieval_by_likelihood(Decoder(looks=False), images, texts, names, size=4, resamples=20)
    assert blind["caption_to_image"]["R@1"]["value"] == pytest.approx(1 / 4)
