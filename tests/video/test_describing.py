from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.data.rendered import render
from personvlm.runtime.describer import Describer, shipped
from personvlm.schema import Attribute
from personvlm.video.crops import Crop, take
from personvlm.video.describing import TrackDescriber

pytestmark = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")

SIZE = (128, 256)


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer.load(threads=1)


@pytest.fixture
def counted(describer: Describer, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each run of the eyes looked at."""
    runs: list[int] = []
    encode = describer.engine.encode

    def counting(pixels: Any) -> Any:
        runs.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(describer.engine, "encode", counting)
    return runs


def crop(seed: int, color: str = "red", score: float = 0.8) -> Crop:
    picture = render({"upper.color": (color,), "view": ("front",)}, seed=seed, size=SIZE)
    taken = take(picture, np.array([[0, 0, *SIZE]], np.float32), 0, float(seed), score)
    assert taken.image.shape == (256, 128, 3)
    return taken


def test_one_crop_says_what_the_describer_says(describer: Describer) -> None:
    one = crop(3)
    alone = describer.describe(one.image)[0]
    track = TrackDescriber(describer).describe([one])
    assert (track.text, track.attributes, track.model) == (alone.text, alone.attributes, alone.model)
    np.testing.assert_allclose(track.embedding, alone.embedding, atol=1e-5)


def test_the_same_crop_twice_is_no_more_evidence_of_another_answer(describer: Describer) -> None:
    once, twice = (TrackDescriber(describer, say="all").describe([crop(3) for _ in range(n)]) for n in (1, 2))
    assert {name: item.value for name, item in once.attributes.items()} == {
        name: item.value for name, item in twice.attributes.items()
    }
    assert {item.source for item in once.attributes.values()} == {"head"}
    assert {item.source for item in twice.attributes.values()} == {"fused"}


def test_better_crops_count_more(describer: Describer) -> None:
    def red(*crops: Crop) -> float:
        return TrackDescriber(describer).describe(crops).scores["upper.color"]["red"]

    shown, hidden = crop(3, "red", 0.9), crop(3, "white", 0.9)
    mostly_red = red(shown, Crop(1.0, hidden.box, hidden.image, 0.1, hidden.thumbnail))
    mostly_white = red(Crop(1.0, shown.box, shown.image, 0.1, shown.thumbnail), hidden)
    assert red(hidden) < mostly_white < mostly_red < red(shown) + 0.05


def test_a_crop_is_looked_at_once(describer: Describer, counted: list[int]) -> None:
    track = TrackDescriber(describer)
    crops = [crop(3), crop(4), crop(5)]
    track.describe(crops[:1])
    track.describe(crops[:2])
    track.describe(crops)
    assert counted == [1, 1, 1]


def test_crops_are_ranked_by_what_the_model_sees_in_them(describer: Describer, counted: list[int]) -> None:
    """A picture of a wall counts as a person who is seen well, by its size and its sharpness; the model knows better.
    """
    person = crop(3, score=0.7)
    noise = np.random.default_rng(0).integers(60, 110, person.image.shape).astype(np.uint8)
    wall = Crop(4.0, person.box, noise, 0.8, person.thumbnail)
    track = TrackDescriber(describer)
    assert [one.time for one in track.ranked([wall, person])] == [3.0, 4.0]
    said = track.describe([wall, person])
    assert said.quality == track.describe([person]).quality
    assert counted == [2]
    far = Crop(5.0, person.box, person.image, 0.1, person.thumbnail)
    assert [one.time for one in track.ranked([far, person])] == [3.0, 5.0]  # of the same quality, a poor score


def test_a_stated_precision_holds_for_tracks(describer: Describer) -> None:
    """What is said at a precision is less than what is certain enough, and the same as of the pictures alone."""
    crops = [crop(3), crop(4)]
    usual, strict = (TrackDescriber(describer, min_precision=asked).describe(crops) for asked in (None, 0.99))
    assert len(strict.attributes) < len(usual.attributes)
    alone = describer.describe(crops[0].image, min_precision=0.99)[0]
    assert TrackDescriber(describer, min_precision=0.99).describe(crops[:1]).attributes == alone.attributes
    moving = {"standing": 0.1, "walking": 0.9, "running": 0.0}
    assert "posture" in TrackDescriber(describer, min_precision=0.8).describe(crops, moving).attributes
    assert "posture" not in TrackDescriber(describer, min_precision=0.95).describe(crops, moving).attributes
    with pytest.raises(InputError, match="choose one"):
        TrackDescriber(describer, say="all", min_precision=0.9)


def test_what_was_seen_is_forgotten_with_the_crop(describer: Describer) -> None:
    """Else pictures of people who left long ago would fill the memory."""
    track = TrackDescriber(describer)
    crops = [crop(3), crop(4)]
    track.describe(crops)
    gone = weakref.ref(crops.pop())
    assert gone() is None
    assert len(track._looks) == 1
    track.ranked(crops)
    crops.clear()
    assert not track._looks


def test_groups_can_be_switched_off(describer: Describer) -> None:
    said = TrackDescriber(describer, say="all", gender=False, age=False).describe([crop(3), crop(4)])
    assert not {"gender", "age"} & (set(said.attributes) | set(said.scores))
    assert {"gender", "age"} <= set(TrackDescriber(describer, say="all").describe([crop(3)]).attributes)


def test_embeddings_are_of_length_one(describer: Describer) -> None:
    track = TrackDescriber(describer)
    vectors = track.embed([crop(3).image, crop(4).image])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    fused = track.describe([crop(3), crop(4)]).embedding
    assert fused is not None
    assert np.linalg.norm(fused) == pytest.approx(1, abs=1e-4)


def test_no_crops_are_a_defect(describer: Describer) -> None:
    with pytest.raises(ValueError, match="no crops"):
        TrackDescriber(describer).describe([])


def test_how_somebody_moves_is_said(describer: Describer) -> None:
    track = TrackDescriber(describer)
    crops = [crop(3), crop(4)]
    said = track.describe(crops, {"standing": 0.05, "walking": 0.9, "running": 0.05})
    assert said.attributes["posture"] == Attribute(value="walking", confidence=0.9, source="track")
    assert said.scores["posture"] == {"standing": 0.05, "walking": 0.9, "running": 0.05}
    assert said.text.rstrip(".").endswith("walking")
    unsure = track.describe(crops, {"standing": 0.3, "walking": 0.6, "running": 0.1})
    assert "posture" not in unsure.attributes
    assert unsure.scores["posture"]["walking"] == 0.6
    assert unsure.text == track.describe(crops).text
