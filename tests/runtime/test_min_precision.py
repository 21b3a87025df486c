"""``min_precision``: thresholds that the calibration holds for it decide text and attributes, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.language.parser import parse
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.describer import Describer
from personvlm.schema import values_of

People = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def describer(folder: Path) -> Describer:
    """At 0.7 whatever is most probable is known to hold: men, women and adults; at 0.9 adults alone; above, nothing."""
    describer = Describer.load(folder)
    always, until_80 = (0.0,) * 41, (0.0,) * 31
    precise = {"gender": {"male": until_80, "female": until_80}, "age": {"adult": always}, "upper.color": {}}
    describer.calibration = replace(describer.calibration, precise=precise)
    return describer


@pytest.mark.parametrize(("precision", "groups"), [(0.7, {"gender", "age"}), (0.9, {"age"}), (0.95, set())])
def test_only_what_holds_is_said(describer: Describer, people: People, precision: float, groups: set[str]) -> None:
    seen: set[str] = set()
    for person in describer.describe(people, min_precision=precision):
        decided = values_of(person.attributes)
        assert set(decided) <= groups
        assert decided.get("age", ("adult",)) == ("adult",), "the parent is known to hold, its leaves are not"
        for name, values in parse(person.text).items():
            assert set(values) <= set(decided[name]), person.text
        seen |= set(decided)
    assert seen == groups
    assert person.scores == describer.describe(people[-1:])[0].scores


def test_it_is_the_same_alone_and_in_a_batch(describer: Describer, people: People) -> None:
    alone = [describer.describe(person, min_precision=0.7)[0].text for person in people]
    assert [person.text for person in describer.describe(people, min_precision=0.7, batch=4)] == alone
    assert [person.text for person in describer.describe_images(people, min_precision=0.7)] == alone


def test_everything_cannot_be_said_at_a_precision(describer: Describer, people: People) -> None:
    with pytest.raises(InputError, match="choose one"):
        describer.describe(people, say="all", min_precision=0.9)
    with pytest.raises(InputError, match=r"0\.5 to 0\.99"):
        describer.describe(people, min_precision=0.3)


def test_a_model_without_such_thresholds_says_how_to_get_them(folder: Path, people: People) -> None:
    assert not Calibration.load(folder).precise
    with pytest.raises(InputError, match="personvlm calibrate"):
        Describer.load(folder).describe(people, min_precision=0.9)
