"""Thresholds from labels: what a label leaves open does not count as right."""

import numpy as np

from personvlm.runtime.calibrate import UNMEASURED, _confident
from personvlm.schema import GROUP, Annotations, Known
from personvlm.schema.groups import column_slices

PEOPLE = 40


def thresholds(name: str, best: str, known: Known) -> dict[str, float]:
    """Of people who all carry one label, where the model always answers ``best`` with probability 0.6."""
    columns = GROUP[name].columns
    row = [0.6 if value == best else 0.4 / (len(columns) - 1) for value in columns]
    target, mask = (np.tile(part[column_slices()[name]], (PEOPLE, 1)).astype(np.float64)
                    for part in Annotations({name: known}).arrays())  # fmt: skip
    return _confident(name, np.tile(row, (PEOPLE, 1)), target, mask, np.ones(PEOPLE))


def test_a_label_that_may_mean_nothing_confirms_nothing() -> None:
    open_label = Known(frozenset({"none", "glasses"}))
    assert thresholds("eyewear", "glasses", open_label)["glasses"] == UNMEASURED
    assert thresholds("eyewear", "glasses", Known(frozenset({"glasses"})))["glasses"] == 0.6
    assert thresholds("eyewear", "none", open_label)["none"] == 0.6
    assert thresholds("eyewear", "sunglasses", open_label)["sunglasses"] > 1.0, "ruled out, so always wrong"


def test_a_choice_between_kinds_of_the_same_thing_confirms_each() -> None:
    assert thresholds("headwear", "hat", Known(frozenset({"hat", "cap"})))["hat"] == 0.6
