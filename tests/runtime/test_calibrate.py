"""Thresholds from labels: what a label leaves open does not count as right."""

import numpy as np

from personvlm.runtime.calibrate import NEVER, UNMEASURED, _confident
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


def test_a_partial_label_confirms_none_of_its_values_and_refutes_the_others() -> None:
    bare_or_glasses = Known(frozenset({"none", "glasses"}))
    assert thresholds("eyewear", "glasses", bare_or_glasses)["glasses"] == UNMEASURED
    assert thresholds("eyewear", "glasses", Known(frozenset({"glasses"})))["glasses"] == 0.6
    assert thresholds("eyewear", "sunglasses", bare_or_glasses)["sunglasses"] == NEVER


def test_a_parent_is_confirmed_by_a_label_that_admits_its_leaves_only() -> None:
    adult = Known(GROUP["age"].leaves("adult"))
    found = thresholds("age", "thirties", adult)
    assert found["adult"] == 0.8, "0.6 and twice 0.1"
    assert found["thirties"] == UNMEASURED
