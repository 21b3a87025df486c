"""PETA's labels: what silence means there, what stays open, and the benchmark's 35 labels."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from personvlm.schema import GROUP, NONE, OTHER, Annotations, Known
from personvlm.schema.mappings.peta import BENCHMARK, NAMED_BAGS, benchmark_scores, benchmark_targets, to_annotations

PETA = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data", "peta")
needs_peta = pytest.mark.skipif(not os.environ.get("PERSONVLM_ASSETS") or not (PETA / "test.jsonl").is_file(),
                                reason="PERSONVLM_ASSETS holds no data/peta")  # fmt: skip


def known(*labels: str) -> dict[str, Known]:
    return dict(to_annotations(labels).known)


def test_plain_labels_are_fully_known() -> None:
    facts = known("personalMale", "personalLess45", "hairShort", "upperBodyJacket", "upperBodyLongSleeve",
                  "upperBodyFormal", "lowerBodyJeans", "footwearSneakers")  # fmt: skip
    told = {"gender": "male", "age": "thirties", "hair.length": "short", "upper.garment": "jacket",
            "upper.sleeve": "long", "upper.style": "formal", "lower.garment": "jeans", "footwear.type": "sneakers"}
    for group, value in told.items():
        assert facts[group] == Known(frozenset({value}))


def test_silence_of_what_is_labelled_everywhere_is_none_and_of_all_else_is_nothing() -> None:
    facts = known("personalFemale")
    for group in ("headwear", "neckwear", "headphones"):
        assert facts[group].present == {NONE}
    assert facts["eyewear"].present == {NONE, "glasses"}, "clear glasses have no label"
    assert set(facts) == {"gender", "headwear", "eyewear", "neckwear", "headphones", "upper.pattern"}
    assert "view" not in known(*BENCHMARK)
    assert "gloves" not in known(*BENCHMARK)


def test_coarse_labels_leave_the_finer_values_open() -> None:
    assert known("accessoryHat")["headwear"].present == {"hat", "cap"}
    assert known("accessoryHat", "accessorySunglasses")["eyewear"].present == {"sunglasses"}
    assert known()["upper.pattern"].present == {"plain", "floral", "spotted"}, "those that PETA has no label for"
    assert known("upperBodyPlaid")["upper.pattern"].present == {"plaid"}
    assert known("hairPurple")["hair.color"].present == {OTHER}
    assert known("upperBodyRed", "upperBodyVNeck")["upper.neckline"].present == {"v-neck"}
    assert known("upperBodyRed")["upper.neckline"].present == {"round", "collar", OTHER}


def test_an_upper_garment_without_a_name_is_none_of_the_named() -> None:
    open_garment = known("upperBodyCasual", "upperBodyLongSleeve")["upper.garment"].present
    assert {"coat", "shirt", "dress", "hoodie"} <= open_garment
    assert not open_garment & {"suit", "jacket", "sweater", "t-shirt", OTHER}
    assert known("upperBodyOther")["upper.garment"].present == {OTHER}
    assert "upper.garment" not in known("personalMale")


def test_several_colors_hold_and_the_other_named_ones_do_not() -> None:
    fact = known("lowerBodyGrey", "lowerBodyBlack")["lower.color"]
    assert fact.present == {"gray", "black"}
    assert {"blue", "dark blue", "light blue", "red", "white"} <= fact.absent
    assert not (fact.present | fact.absent) & {"beige", "multicolored"}, "PETA has no label"
    some_blue = known("lowerBodyBlue")["lower.color"]
    assert not (some_blue.present | some_blue.absent) & {"dark blue", "light blue"}, "which blue stays open"
    assert known("hairBlack", "hairWhite")["hair.color"].present == {"black", "white"}
    assert "lower.color" not in known("lowerBodyJeans")


@pytest.mark.parametrize("label", NAMED_BAGS)
def test_a_named_bag_is_a_bag(label: str) -> None:
    fact = known(label, "carryingOther")["carrying"]
    assert "bag" in fact.present
    assert NONE in fact.absent
    assert not fact.present & fact.absent


def test_a_bag_may_hide_behind_other_and_is_absent_beside_what_is_none() -> None:
    for label in ("carryingOther", "carryingFolder"):
        fact = known(label)["carrying"]
        assert "bag" not in fact.present | fact.absent
        assert "backpack" in fact.absent
    for label, value in (("carryingUmbrella", "umbrella"), ("carryingNothing", NONE)):
        fact = known(label)["carrying"]
        assert fact.present == {value}
        assert {"bag", "backpack", "messenger bag"} <= fact.absent
    assert known("carryingNothing", "carryingBackpack")["carrying"].present == {"backpack", "bag"}, "the thing wins"
    assert "carrying" not in known("personalMale")


def test_targets_are_one_where_named() -> None:
    targets = benchmark_targets(["personalMale", "accessoryHat", "lowerBodyBlack"])
    assert (targets.shape, targets.dtype) == ((35,), np.float32)
    assert {name for name, there in zip(BENCHMARK, targets, strict=True) if there} == {"personalMale", "accessoryHat"}


def test_scores_add_what_a_label_covers() -> None:
    scores = {
        "gender": {"male": 0.75, "female": 0.25}, "headwear": {NONE: 0.5, "hat": 0.25, "cap": 0.125, "hood": 0.125},
        "neckwear": {NONE: 0.5, "scarf": 0.5}, "headphones": {NONE: 1.0}, "eyewear": {NONE: 0.5, "sunglasses": 0.5},
        "carrying": {"backpack": 0.875, NONE: 0.0625},
    }  # fmt: skip
    found = dict(zip(BENCHMARK, benchmark_scores(scores).tolist(), strict=True))
    told = {"personalMale": 0.75, "accessoryHat": 0.375, "accessoryMuffler": 0.5, "accessorySunglasses": 0.5,
            "accessoryNothing": 0.5 * 0.5 * 1.0 * 0.5, "carryingBackpack": 0.875, "carryingNothing": 0.0625}
    assert {name: score for name, score in found.items() if score} == told, "a group without scores counts as absent"


def certain(annotations: Annotations) -> dict[str, dict[str, float]]:
    """Scores that say just what is labelled; of a partial label nothing."""
    return {group: {value: float(value in fact.present) for value in GROUP[group].columns}
            for group, fact in annotations.known.items() if GROUP[group].kind == "set" or len(fact.present) == 1}


def rows() -> Iterator[list[str]]:
    for part in ("train", "val", "test"):
        for line in (PETA / f"{part}.jsonl").read_text().splitlines():
            yield json.loads(line)["labels"]


@needs_peta
def test_real_rows_are_legal_and_consistent() -> None:
    count = 0
    for labels in rows():
        count += 1
        for group, fact in to_annotations(labels).known.items():
            assert fact.present, (group, labels)
            assert fact.present | fact.absent <= set(GROUP[group].columns), (group, labels)
            assert not fact.present & fact.absent, (group, labels)
            for parent, leaves in GROUP[group].parents.items():
                assert parent not in fact.absent or not fact.present & set(leaves), (group, labels)
    assert count == 16_884


@needs_peta
def test_real_labels_come_back_from_scores_that_say_what_they_say() -> None:
    agree, total = np.zeros(len(BENCHMARK)), 0
    for labels in list(rows())[::20]:
        agree += (benchmark_scores(certain(to_annotations(labels))) > 0.5) == benchmark_targets(labels)
        total += 1
    share = dict(zip(BENCHMARK, agree / total, strict=True))
    # Hats may be caps and bare eyes may wear clear glasses: partial labels, of which `certain` says nothing.
    assert share["accessoryHat"] < 1.0
    for label in ("personalMale", "carryingBackpack", "carryingMessengerBag", "accessorySunglasses", "hairLong",
                  "lowerBodyJeans", "upperBodyPlaid", "personalLess30", "footwearSneakers"):  # fmt: skip
        assert share[label] >= 0.99, label
