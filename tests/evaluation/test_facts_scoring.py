"""Scoring of facts: hand-worked rows, and a literal transcription of the rules over PETA's own label names."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import (
    HEADLINE,
    consistent,
    figure,
    judge,
    majority,
    score_said,
    score_text,
    states_bag,
    values_of_annotations,
)
from personvlm.schema import Annotations, Attribute
from personvlm.schema.mappings import peta


def sample(identity="a", labels=(), **groups):
    if labels:
        return Sample(Path("x.jpg"), peta.to_annotations(labels), (), identity, tuple(labels), "peta")
    known = {name.replace("_", "."): value for name, value in groups.items()}
    return Sample(Path("x.jpg"), Annotations.build(known), identity=identity)


def accuracy(group, said, samples):
    return float(figure(judge(group, said, samples).sums([row.identity for row in samples]).sum(0)))


def test_a_person_counts_once_however_many_pictures_there_are():
    samples = [sample("a", gender="male")] * 3 + [sample("b", gender="female")]
    said = [{"gender": ("male",)}] * 4
    assert accuracy("gender", said, samples) == 0.5
    assert majority("gender", samples) == ("male", 0.5)


def test_silence_is_wrong_and_what_nobody_annotated_is_left_out():
    samples = [sample("a", gender="male"), sample("b", gender="male"), sample("c", age="child")]
    assert accuracy("gender", [{"gender": ("male",)}, {}, {"gender": ("female",)}], samples) == 0.5
    assert judge("gender", [{}] * 3, samples).counted.tolist() == [True, True, False]


def test_partial_age_is_left_out_and_the_parent_names_no_band():
    samples = [sample("a", age="adult"), sample("b", age="thirties")]
    judged = judge("age", [{"age": ("thirties",)}, {"age": ("adult",)}], samples)
    assert judged.counted.tolist() == [False, True]
    assert not judged.right[1]


def test_hair_with_two_labelled_colors_counts_and_hair_that_is_only_not_black_does_not():
    samples = [sample("a", hair_color=["black", "gray"]), sample("b", hair_color=["brown", "gray", "other"])]
    judged = judge("hair.color", [{"hair.color": ("gray",)}] * 2, samples)
    assert judged.counted.tolist() == [True, False]
    assert judged.right[0]


def test_first_color_must_be_among_the_labelled_ones_and_the_second_counts_apart():
    samples = [sample(str(row), upper_color=["black", "white"]) for row in range(4)]
    said = [{"upper.color": colors} for colors in [("white", "red"), ("red", "white"), ("black", "white"), ("dark",)]]
    scored = score_text(said, samples, resamples=20)["upper.color"]
    assert scored["accuracy"] == 0.5
    assert scored["second_color"] == {"precision": pytest.approx(2 / 3), "n": 3}


def test_shades_of_blue_count_as_blue():
    samples = [sample("a", lower_color=["blue"])]
    assert accuracy("lower.color", [{"lower.color": ("dark blue",)}], samples) == 1.0
    assert accuracy("lower.color", [{"lower.color": ("black",)}], samples) == 0.0


def test_bag_is_balanced_silence_means_none_and_unnamed_things_are_left_out():
    samples = [
        sample("a", labels=["carryingBackpack", "carryingOther"]),
        sample("b", labels=["carryingNothing"]),
        sample("c", labels=["carryingNothing"]),
        sample("d", labels=["carryingOther"]),
        sample("e", labels=["carryingFolder"]),
        sample("f", labels=["personalMale"]),
        sample("g", labels=["carryingUmbrella"]),
    ]
    said = [{"carrying": ("messenger bag",)}, {}, {"carrying": ("bag",)}, {}, {}, {}, {"carrying": ("umbrella",)}]
    judged = judge("bag", said, samples)
    assert judged.counted.tolist() == [True, True, True, False, False, False, True]
    assert accuracy("bag", said, samples) == pytest.approx((1.0 + 2 / 3) / 2)
    for constant in ({}, {"carrying": ("backpack",)}):
        assert accuracy("bag", [constant] * len(samples), samples) == 0.5
    assert not states_bag({"carrying": ("umbrella", "phone")})


def test_figures_without_rows_are_none_and_json_can_hold_them():
    scored = score_text([{"gender": ("male",)}], [sample("a", gender="male")], resamples=10)
    assert scored["gender"]["accuracy"] == 1.0
    assert scored["age"]["accuracy"] is None
    assert scored["bag"]["accuracy"] is None
    assert scored["mean"]["accuracy"] == 1.0
    json.dumps(scored, allow_nan=False)
    with pytest.raises(ValueError, match="1 texts for 2 samples"):
        score_text([{}], [sample("a", gender="male")] * 2)


def test_said_judges_only_what_labels_can_judge():
    rows = [sample("a", gender="male", headwear="none", carrying=["backpack"]), sample("b", upper_garment="coat")]
    said = [
        {"gender": ("male",), "headwear": ("hat",), "carrying": ("backpack", "umbrella"), "view": ("back",)},
        {"gender": ("female",)},
    ]
    scored = score_said(said, rows)
    assert scored["accuracy"] == pytest.approx(2 / 4)  # hat and umbrella are wrong; nobody annotated the view
    assert scored["coverage"] == pytest.approx(2 / 3)  # the absent hat is nothing to say; the coat was not said
    assert scored["groups"] == 2.5


def test_said_leaves_open_values_of_a_set_open():
    row = sample("a", labels=["carryingBackpack"])
    assert score_said([{"carrying": ("phone",)}], [row])["accuracy"] is None
    other = sample("a", labels=["carryingNothing"])
    assert score_said([{"carrying": ("shoulder bag",)}], [other])["accuracy"] == 0.0  # no bag means no shoulder bag


@pytest.mark.parametrize(("said", "decided", "expected"), [
    ({"upper.color": ("blue",)}, {"upper.color": ("dark blue",)}, True),
    ({"age": ("adult",)}, {"age": "thirties"}, True),
    ({"age": ("adult",)}, {"age": "elderly"}, False),
    ({"carrying": ("backpack",)}, {"carrying": ("backpack", "bag")}, True),
    ({"carrying": ("backpack",)}, {"carrying": ("none",)}, False),
    ({"view": ("back",)}, {}, False),
    ({"view": ("back",)}, {"view": "unknown"}, False),
    ({}, {"view": "back"}, True),
])
def test_a_text_states_nothing_that_the_attributes_do_not_hold(said, decided, expected):
    attributes = {name: Attribute(value=value, confidence=0.9) for name, value in decided.items()}
    assert consistent(said, attributes) is expected


def test_values_of_annotations_say_parents_only_where_they_fit():
    row = sample("a", age="adult", gender="male", headwear=["hat", "cap"], carrying=["backpack"], face="none")
    assert values_of_annotations(row.annotations) == {"age": ("adult",), "gender": ("male",), "carrying": ("backpack",)}


# --- PETA's test split, scored a second time from label names alone ---------------------------------------------

ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
PETA_TEST = Path(ASSETS) / "data" / "peta" / "test.jsonl"
needs_peta = pytest.mark.skipif(not ASSETS or not PETA_TEST.is_file(),
                                reason="PERSONVLM_ASSETS does not hold data/peta/test.jsonl")  # fmt: skip

NAMES = {"black": "Black", "blue": "Blue", "brown": "Brown", "gray": "Grey", "white": "White", "red": "Red",
         "green": "Green", "blond": "Yellow", "yellow": "Yellow"}  # fmt: skip
AGES = {"child": "Less15", "young adult": "Less30", "thirties": "Less45", "middle-aged": "Less60",
        "elderly": "Larger60"}  # fmt: skip
BAGS = {"carryingBackpack", "carryingMessengerBag", "carryingPlasticBags", "carryingLuggageCase", "carryingSuitcase"}


def literal(group, values, labels):
    """(class, right) of one row, or None where it is left out."""
    if group == "bag":
        carrying = {label for label in labels if label.startswith("carrying")}
        has = bool(carrying & BAGS)
        if not carrying or (not has and carrying & {"carryingOther", "carryingFolder"}):
            return None
        return has, bool(values.get("carrying")) == has
    value = values.get(group, (None,))[0]
    if group == "gender":
        return 0, {"male": "personalMale", "female": "personalFemale"}.get(value) in labels
    if group == "age":
        named = [age for age in AGES.values() if "personal" + age in labels]
        return (0, bool(named) and AGES.get(value) == named[0]) if named else None
    prefix = {"hair.color": "hair", "upper.color": "upperBody", "lower.color": "lowerBody"}[group]
    every = {*NAMES.values(), "Orange", "Purple", "Pink"}
    if not any(prefix + color in labels for color in every):
        return None
    return 0, prefix + NAMES.get(value, "?") in labels


@needs_peta
def test_agrees_with_a_literal_scorer_and_with_the_published_majority_classes():
    rows = [json.loads(line) for line in PETA_TEST.read_text().splitlines()]
    samples = [sample(row["identity"], labels=row["labels"]) for row in rows]
    rng = np.random.default_rng(0)
    choices = {"gender": ["male", "female"], "age": list(AGES), "hair.color": ["black", "brown", "gray", "blond"],
               "upper.color": ["black", "blue", "gray", "white"], "lower.color": ["black", "blue", "gray"],
               "carrying": ["backpack", "plastic bag"]}  # fmt: skip
    said = [{group: (str(rng.choice(values)),) for group, values in choices.items() if rng.random() < 0.8}
            for _ in samples]  # fmt: skip
    scored = score_text(said, samples, resamples=200)
    for group in HEADLINE:
        people = {}
        for values, row in zip(said, rows, strict=True):
            outcome = literal(group, values, set(row["labels"]))
            if outcome is not None:
                people.setdefault(row["identity"], []).append(outcome)
        totals = {}
        for outcomes in people.values():
            for kind, right in outcomes:
                hits, total = totals.get(kind, (0.0, 0.0))
                totals[kind] = hits + right / len(outcomes), total + 1 / len(outcomes)
        expected = np.mean([hits / total for hits, total in totals.values()])
        assert scored[group]["accuracy"] == pytest.approx(expected, abs=1e-9), group
        low, high = scored[group]["interval"]
        assert low < scored[group]["accuracy"] < high
    published = dict(zip(HEADLINE, (0.64, 0.69, 0.80, 0.41, 0.48, 0.50), strict=True))
    assert {group: round(scored[group]["majority"], 2) for group in HEADLINE} == published
