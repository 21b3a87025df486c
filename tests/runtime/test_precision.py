"""Thresholds for a stated precision: what labels cannot tell is not said; parents and sets, judged as they are said."""

from __future__ import annotations

import numpy as np
import pytest

from personvlm.runtime.precision import LEVELS, NEVER, PLAIN, STATED, Curve, lower_bound, precision_curves, threshold_at
from personvlm.schema import GROUP, Annotations, Known
from personvlm.schema.groups import column_slices

PEOPLE = 40


def curves(name: str, rows: list[dict[str, float]], facts: list[Known], rule=STATED) -> dict[str, Curve]:
    """Curves of people with given probabilities (the rest shares what is left, in sets: nothing) and labels."""
    group = GROUP[name]
    probability = np.zeros((len(rows), len(group.columns)))
    for row, given in zip(probability, rows, strict=True):
        if group.kind == "exclusive":
            row[:] = (1 - sum(given.values())) / (len(group.columns) - len(given))
        for value, share in given.items():
            row[group.columns.index(value)] = share
    where = column_slices()[name]
    arrays = [Annotations({name: fact}).arrays() for fact in facts]
    target, mask = (np.stack([pair[side][where] for pair in arrays]).astype(np.float64) for side in (0, 1))
    return precision_curves(group, group.values, probability, target, mask, np.ones(len(rows)), rule)


def known(*values: str) -> Known:
    return Known(frozenset(values))


def test_a_partial_label_confirms_none_of_its_values_and_refutes_the_others() -> None:
    bare_or_glasses = [known("none", "glasses")] * PEOPLE
    assert "glasses" not in curves("eyewear", [{"glasses": 0.9}] * PEOPLE, bare_or_glasses)
    right = curves("eyewear", [{"glasses": 0.9}] * PEOPLE, [known("glasses")] * PEOPLE)
    assert threshold_at(right["glasses"], 0.9) == 0.9
    mixed = [known("sunglasses")] * 12 + bare_or_glasses
    wrong = curves("eyewear", [{"sunglasses": 0.9}] * len(mixed), mixed)
    assert threshold_at(wrong["sunglasses"], 0.5) == NEVER


def test_a_parent_is_judged_by_labels_that_admit_its_leaves_and_where_no_leaf_is_said() -> None:
    adult = known(*GROUP["age"].leaves("adult"))
    found = curves("age", [{"thirties": 0.6, "young adult": 0.3}] * PEOPLE, [adult] * PEOPLE)
    assert "thirties" not in found
    assert threshold_at(found["adult"], 0.9) == pytest.approx(0.925, abs=0.011)
    sure = [{"thirties": 0.95, "young adult": 0.03}] * PEOPLE
    unsure = [{"thirties": 0.5, "young adult": 0.2, "elderly": 0.28}] * PEOPLE
    facts = [known("thirties")] * PEOPLE + [known("elderly")] * (PEOPLE // 2) + [known("young adult")] * (PEOPLE // 2)
    found = curves("age", sure + unsure, facts)
    assert threshold_at(found["thirties"], 0.9) == 0.95
    assert threshold_at(found["adult"], 0.9) == NEVER, "whoever is left over is an adult in half of the cases"


def test_in_a_set_the_bag_is_what_has_no_name_and_nothing_is_what_remains() -> None:
    def carried(value: str) -> Known:
        there = {value} | ({"bag"} if value == "backpack" else set())
        return Known(frozenset(there), frozenset(GROUP["carrying"].columns) - there)

    rows = [{"backpack": 0.95, "bag": 0.97}] * PEOPLE + [{"bag": 0.9}] * PEOPLE + [{"none": 0.9}] * PEOPLE
    facts = [carried("backpack")] * PEOPLE + [carried("none")] * PEOPLE + [carried("none")] * PEOPLE
    found = curves("carrying", rows, facts)
    assert threshold_at(found["backpack"], 0.9) == 0.95
    assert threshold_at(found["bag"], 0.6) == NEVER, "beside a backpack it is not said, and elsewhere it is wrong"
    assert threshold_at(found["none"], 0.9) == 0.9


def test_few_people_are_no_evidence_for_a_precision_but_do_not_silence_the_default() -> None:
    people = [known("male")] * 9
    assert curves("gender", [{"male": 0.9}] * 9, people) == {}
    assert threshold_at(curves("gender", [{"male": 0.9}] * 9, people, PLAIN)["male"], 0.8) == 0.9
    below = curves("gender", [{"male": 0.7}] * 2, [known("female"), known("male")], PLAIN)
    assert threshold_at(below["male"], 0.8) == 0.8, "beyond what was seen the probability speaks"
    wrong = curves("gender", [{"male": 0.9}] * 6, [known("female")] * 5 + [known("male")], PLAIN)
    assert threshold_at(wrong["male"], 0.8) == NEVER


def test_more_precision_never_says_more_and_the_bound_keeps_its_distance() -> None:
    rng = np.random.default_rng(0)
    share = rng.uniform(0.5, 1.0, 400)
    facts = [known("male" if held else "female") for held in rng.random(400) < share]
    curve = curves("gender", [{"male": p} for p in share], facts)["male"]
    assert list(curve) == sorted(curve)
    for level in (0.7, 0.8, 0.9):
        assert share[share >= threshold_at(curve, level)].mean() > level
    assert curves("gender", [{"male": p} for p in share], facts, PLAIN)["male"][30] < curve[30]


def test_levels_are_rounded_up() -> None:
    curve = tuple(level / 2 for level in LEVELS)
    assert threshold_at(curve, 0.9) == 0.45
    assert threshold_at(curve, 0.901) == threshold_at(curve, 0.91) == 0.455
    assert threshold_at(curve[:10], 0.6) == NEVER


def test_wilson_by_hand() -> None:
    assert lower_bound(np.array([0.9]), np.array([100.0]), 1.96)[0] == pytest.approx(0.8256, abs=1e-4)
    assert lower_bound(np.array([0.9]), np.array([100.0]), 0.0)[0] == pytest.approx(0.9)
