"""Issue 4, acceptance 3: confidence of the shipped model means something, on people whom it never saw."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from personvlm.data.sample import Sample
from personvlm.runtime.describer import Describer

pytestmark = pytest.mark.accept

TEST = Path(os.environ.get("PERSONVLM_ASSETS") or "absent") / "data" / "peta" / "test.jsonl"
PRECISION = 0.9


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer.load()


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    if not TEST.is_file():
        pytest.skip("PETA is not there: set PERSONVLM_ASSETS to a folder with data/peta/test.jsonl")
    from personvlm.data.readers import read_peta

    return read_peta(TEST)


@pytest.fixture(scope="module")
def calibration(describer: Describer, samples: list[Sample]) -> dict[str, Any]:
    from personvlm.evaluation.confidence import score_calibration

    return score_calibration(describer.describe([sample.image for sample in samples], say="all"), samples)


@pytest.fixture(scope="module")
def precision(describer: Describer, samples: list[Sample]) -> dict[str, Any]:
    from personvlm.evaluation.confidence import score_precision

    images = [sample.image for sample in samples]
    return score_precision(describer.describe(images, min_precision=PRECISION), samples, PRECISION)


def test_confidence_is_calibrated_and_better_than_the_prior(calibration: dict[str, Any]) -> None:
    assert calibration["ece"]["value"] <= 0.05
    assert calibration["brier_skill"]["value"] >= 0.25
    assert all(group["n"] > 1000 for group in calibration["groups"].values())


def test_what_is_said_at_a_precision_holds(precision: dict[str, Any]) -> None:
    assert precision["text"]["accuracy"] >= 0.88
    assert precision["attributes"]["accuracy"] >= 0.88
    assert precision["text"]["coverage"] >= 0.35
    assert precision["short"] == []
    assert sum(map(len, precision["values"].values())) >= 15
