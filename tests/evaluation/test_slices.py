"""Slices: who is in which, and what is scored there."""

from pathlib import Path

import pytest

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import score_text
from personvlm.evaluation.slices import score_slices, slices_of
from personvlm.schema import Annotations, Known

ADULT = Annotations({"age": Known(frozenset({"young adult", "thirties", "middle-aged"}))})


def sample(identity, image="x.jpg", source="peta", **groups):
    return Sample(Path(image), Annotations.build(groups), identity=identity, source=source)


def test_slices_by_camera_set_height_gender_and_age():
    samples = [
        sample("VIPeR/1", gender="male", age="elderly"),
        sample("GRID/1", gender="female"),
        sample("VIPeR/2", gender="male"),
        Sample(Path("part3_0001_002.jpg"), ADULT, identity="part3_0001", source="msp60k"),
        sample(None),
    ]
    assert slices_of(samples, [95, 96, 223, 224, 500]) == {
        "camera_set": {"GRID": [1], "VIPeR": [0, 2], "part3": [3]},
        "height": {"below 96 px": [0], "96-159 px": [1], "160-223 px": [2], "224 px and more": [3, 4]},
        "gender": {"female": [1], "male": [0, 2]},
        "age": {"adult": [3], "elderly": [0]},
    }
    assert "height" not in slices_of(samples)
    assert slices_of([sample(None)]) == {}


def test_a_slice_is_scored_like_a_set_of_its_own_and_unfairness_shows():
    samples = [sample(f"A/{i}", gender="male", carrying=["backpack"]) for i in range(40)]
    samples += [sample(f"B/{i}", gender="female", carrying=["none"]) for i in range(40)]
    said = [{"gender": ("male",)}] * 80  # takes everybody for a man and sees no bag
    scored = score_slices(said, samples, resamples=50)
    male, female = (scored["gender"]["slices"][name] for name in ("male", "female"))
    assert (male["gender"]["value"], female["gender"]["value"]) == (1.0, 0.0)
    assert (male["hallucination"]["value"], female["hallucination"]["value"]) == (0.0, 1.0)
    assert male["people"] == female["n"] == 40
    assert scored["gender"]["gap"] == 1.0
    assert scored["camera_set"]["slices"]["A"]["mean"] == male["mean"]
    alone = score_text(said[:40], samples[:40], resamples=50)
    assert male["mean"]["value"] == pytest.approx(alone["mean"]["accuracy"])
    assert male["mean"]["interval"] == alone["mean"]["interval"]
