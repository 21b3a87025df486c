"""A calibration from labelled people: what is fitted, what is left alone, and what survives a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.runtime.calibrate import PRECISION, Labelled, fit
from personvlm.runtime.calibration import FILE, Calibration
from personvlm.schema import GROUP, Annotations, Known
from personvlm.schema.groups import column_slices, columns

PEOPLE = 600
TAUGHT = {name: GROUP[name].values for name in ("gender", "age", "upper.color", "carrying", "view")}


def labelled(
    facts: Callable[[int], Annotations], logits: np.ndarray, identities: list[str] | None = None
) -> Labelled:
    people = identities or [str(row) for row in range(len(logits))]
    samples = [Sample(Path(f"{row}.jpg"), facts(row), identity=who) for row, who in enumerate(people)]
    return Labelled.of(logits.astype(np.float32), np.ones(len(logits), np.float32), samples)


def drawn(seed: int, temperature: float, shift: float) -> Labelled:
    """Men and women as often as the logits say, divided by ``temperature``; red clothes more often, by ``shift``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (PEOPLE, len(columns())))
    gender, colors = logits[:, column_slices()["gender"]], logits[:, column_slices()["upper.color"]]
    male = rng.random(PEOPLE) < 1 / (1 + np.exp((gender[:, 1] - gender[:, 0]) / temperature))
    there = rng.random(colors.shape) < 1 / (1 + np.exp(-colors - np.eye(len(GROUP["upper.color"].columns))[4] * shift))

    def facts(row: int) -> Annotations:
        values = frozenset(np.array(GROUP["upper.color"].columns)[there[row]].tolist())
        known = Known(values, frozenset(GROUP["upper.color"].columns) - values)
        return Annotations({"gender": Known(frozenset({"male" if male[row] else "female"})), "upper.color": known})

    return labelled(facts, logits)


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    return fit(drawn(1, temperature=2.0, shift=2.5), TAUGHT)


def test_scale_and_shift_are_found_where_labels_tell(fitted: Calibration) -> None:
    gender, colors, bags = (column_slices()[name] for name in ("gender", "upper.color", "carrying"))
    assert fitted.scale[gender] == pytest.approx([0.5] * 2, rel=0.2)
    assert GROUP["upper.color"].columns[4] == "red"
    assert 1.5 < fitted.shift[colors][4] < 2.8, "drawn with 2.5, and pulled towards 0"
    assert np.abs(np.delete(fitted.shift[colors], 4)).max() < 0.5
    assert (fitted.scale[bags], fitted.shift[bags]) == ((1.0,) * len(GROUP["carrying"].columns),
                                                        (0.0,) * len(GROUP["carrying"].columns))  # fmt: skip


def test_shifts_stay_away_where_they_do_not_help() -> None:
    assert not any(fit(drawn(2, temperature=2.0, shift=0.0), TAUGHT).shift)


def test_what_is_said_at_a_precision_holds_for_other_people(fitted: Calibration) -> None:
    other = drawn(3, temperature=2.0, shift=2.5)
    probabilities = fitted.probabilities(other.logits.astype(np.float32))
    coverage = []
    for precision in (0.6, 0.8, 0.9, 0.95):
        asked = fitted.at_precision(precision)
        said = [asked.decide(asked.scores(row), "confident").get("gender") for row in probabilities]
        male = other.target[:, column_slices()["gender"]][:, 0]
        right = [item.value == ("male" if there else "female") for item, there in zip(said, male, strict=True) if item]
        coverage.append(len(right))
        assert np.mean(right) >= precision - 0.02
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[-1] > 100


def test_what_nobody_labelled_is_said_by_default_and_never_at_a_precision(fitted: Calibration) -> None:
    scores = {"view": {"front": 0.97, "back": 0.02, "side": 0.01}}
    assert fitted.confident["view"]["front"] == PRECISION
    assert fitted.decide(scores, "confident")["view"].value == "front"
    assert fitted.at_precision(0.5).decide(scores, "confident") == {}


def test_precisions_out_of_reach_and_old_files_are_refused(fitted: Calibration) -> None:
    for wrong in (0.4, 0.999, 1.5, float("nan")):
        with pytest.raises(InputError, match=r"0\.5 to 0\.99"):
            fitted.at_precision(wrong)
    with pytest.raises(InputError, match="personvlm calibrate"):
        Calibration.plain(TAUGHT).at_precision(0.9)


@pytest.mark.parametrize("change", [
    {"shift": [0.0]}, {"scale": ["x"] * len(columns())}, {"scale": [float("nan")] * len(columns())},
    {"track": float("inf")}, {"taught": {"gender": ["other"]}}, {"confident": {}}, {"confident": None},
    {"confident": {"gender": {"male": 0.5}}}, {"likely": []}, {"benchmark": None},
])  # fmt: skip
def test_a_file_that_would_break_a_description_is_refused_by_name(fitted: Calibration, tmp_path: Path,
                                                                  change: dict[str, Any]) -> None:  # fmt: skip
    fitted.save(tmp_path)
    whole = json.loads((tmp_path / "calibration.json").read_text())
    (tmp_path / "calibration.json").write_text(json.dumps({**whole, **change}))
    with pytest.raises(InputError, match=r"calibration\.json: not a calibration"):
        Calibration.load(tmp_path)


def test_a_file_keeps_everything(fitted: Calibration, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    loaded = Calibration.load(tmp_path)
    logits = np.random.default_rng(5).normal(0, 3, (20, len(columns()))).astype(np.float32)
    for ours, theirs in ((fitted, loaded), (fitted.at_precision(0.9), loaded.at_precision(0.9)),
                         (fitted.for_tracks(), loaded.for_tracks())):  # fmt: skip
        np.testing.assert_array_equal(ours.probabilities(logits), theirs.probabilities(logits))
        for row in ours.probabilities(logits):
            assert ours.decide(ours.scores(row), "confident") == theirs.decide(theirs.scores(row), "confident")
    assert loaded.people == PEOPLE
    assert (tmp_path / FILE).stat().st_size < 100_000
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace('"track": 1.0', '"track": "x"'))
    with pytest.raises(InputError, match="not a calibration"):
        Calibration.load(tmp_path)


def test_tracks_are_more_certain_where_several_pictures_agree_better_than_one() -> None:
    rng = np.random.default_rng(6)
    people, pictures = 100, 4
    male = np.repeat(rng.random(people) < 0.5, pictures)
    logits = rng.normal(0, 0.1, (people * pictures, len(columns())))
    where = column_slices()["gender"]
    logits[:, where.start] += np.where(male, 1.0, -1.0) + rng.normal(0, 2.0, people * pictures)

    def facts(row: int) -> Annotations:
        return Annotations({"gender": Known(frozenset({"male" if male[row] else "female"}))})

    names = [str(row // pictures) for row in range(people * pictures)]
    calibration = fit(labelled(facts, logits, names), TAUGHT)
    assert calibration.people == people
    assert calibration.track > 1.5
    crop, track = (item.probabilities(logits[:1].astype(np.float32))[0, where].max()
                   for item in (calibration, calibration.for_tracks()))  # fmt: skip
    assert track > crop
    alone = fit(labelled(facts, logits), TAUGHT)
    assert alone.track == 1.0
