"""A finished model calibrated anew: what changes, what is kept, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.runtime.calibration import FILE, Calibration
from personvlm.runtime.describer import Describer
from personvlm.runtime.release import recalibrate, summary
from personvlm.schema import Annotations

People = list[NDArray[np.uint8]]


@pytest.fixture
def model(folder: Path, tmp_path: Path) -> Path:
    (folder / "metrics.json").write_text("{}")
    shutil.copytree(folder, tmp_path / "model")
    (folder / "metrics.json").unlink()
    return tmp_path / "model"


@pytest.fixture
def samples(people: People, tmp_path: Path) -> list[Sample]:
    """Everybody is a man in red, in as many pictures as it takes for a dozen people."""
    known = Annotations.build({"gender": "male", "upper.color": "red"})
    found = []
    for row in range(12):
        path = tmp_path / f"{row}.png"
        Image.fromarray(people[row % len(people)]).save(path)
        found.append(Sample(path, known, identity=str(row)))
    return found


def test_labelled_groups_are_fitted_and_others_are_kept(model: Path, samples: list[Sample]) -> None:
    before = Calibration.load(model)
    seen = []
    fitted = recalibrate(model, samples, batch=5, progress=lambda steps, total: seen.append(total) or steps)
    assert seen == [3]
    assert Calibration.load(model) == fitted
    assert fitted.people == 12
    assert fitted.taught == before.taught
    assert fitted.confident["age"] == before.confident["age"]
    assert fitted.confident["gender"] != before.confident["gender"]
    assert fitted.precise["gender"].keys() == {"male"}, "twelve men, and no woman who could be judged"
    assert fitted.precise["age"] == {}
    assert set(fitted.at_precision(0.5).confident["age"].values()) == {1.01}
    told = summary(fitted)
    assert told["groups"].keys() == fitted.taught.keys()
    assert told["groups"]["age"]["said_at"] == {"0.8": [], "0.9": [], "0.95": []}


def test_a_copy_leaves_the_model_alone_and_takes_no_old_figures(
    model: Path, samples: list[Sample], tmp_path: Path
) -> None:
    old = (model / FILE).read_bytes()
    recalibrate(model, samples, out=tmp_path / "copy")
    assert (model / FILE).read_bytes() == old
    assert (tmp_path / "copy" / FILE).read_bytes() != old
    assert (model / "metrics.json").is_file()
    assert not (tmp_path / "copy" / "metrics.json").exists()
    assert Describer.load(tmp_path / "copy").describe([samples[0].image], min_precision=0.5)
    with pytest.raises(InputError, match="another --out"):
        recalibrate(model, samples, out=tmp_path / "copy")


def test_labels_that_say_nothing_are_refused(model: Path, samples: list[Sample], tmp_path: Path) -> None:
    old = (model / FILE).read_bytes()
    foreign = [Sample(samples[0].image, Annotations.build({"posture": "walking"}))]
    for nothing in (foreign, []):
        with pytest.raises(InputError, match="nothing to calibrate on"):
            recalibrate(model, nothing)
    assert (model / FILE).read_bytes() == old
    with pytest.raises(InputError, match=FILE):
        recalibrate(tmp_path, samples)
