"""Probabilities of conditions, and when they are enough."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from alert_people import DAY, NIGHT, described

from personvlm.alerts.grammar import parse_rule
from personvlm.alerts.judge import judge, reasons
from personvlm.schema import Attribute, Described, PersonDescription

UTC = ZoneInfo("UTC")


def verdict(text: str, person: Described) -> Any:
    return judge(parse_rule(text).condition, person, UTC)


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ('upper.color == "red"', 0.8),
        ('upper.color != "red"', 0.2),
        ('upper.color == "red" && "backpack" in carrying', 0.8 * 0.7),
        ('upper.color == "red" || "backpack" in carrying', 1 - 0.2 * 0.3),
        ('"bag" in carrying', 0.7),  # a backpack is a bag
        ('headwear == "hat" || headwear == "cap"', 0.9),  # one of them: added, not multiplied
        ('any of ["hat", "cap"] in headwear', 0.9),
        ('headwear != "hat" && headwear != "cap"', 0.1),
        ('!(headwear == "hat" || headwear == "cap")', 0.1),
        ('age == "adult"', 0.6),  # the sum of its leaves
        ('camera == "gate"', 1.0),
        ('upper.color == "red" && camera == "hall"', 0.0),
        ('upper.color == "red" && (camera == "hall" || time in 22:00-06:00)', 0.8),
    ],
)
def test_probabilities_are_put_together(text: str, probability: float) -> None:
    more = {"headwear": {"none": 0.1, "hat": 0.5, "cap": 0.4},
            "age": {"young adult": 0.4, "thirties": 0.2, "child": 0.4}}  # fmt: skip
    found = verdict(text, described(red=0.8, backpack=0.7, more=more))
    assert found.low == pytest.approx(probability)
    assert found.high == pytest.approx(probability)
    assert found.holds == (probability >= 0.5)


def test_confidence_is_about_what_it_is_joined_to() -> None:
    person = described(red=0.8, backpack=0.3)
    assert not verdict('upper.color == "red" && confidence >= 0.81', person).holds
    assert verdict('upper.color == "red" && confidence >= 0.79', person).holds
    assert verdict('"backpack" in carrying && confidence >= 0.25', person).holds
    # Each branch has its own; the outer default of one half does not count for them.
    either = '(upper.color == "red" && confidence >= {}) || ("backpack" in carrying && confidence >= {})'
    assert verdict(either.format(0.9, 0.2), person).holds
    assert not verdict(either.format(0.9, 0.4), person).holds
    # A branch that is decided by itself takes nothing away from what stands beside it.
    assert verdict(f'({either.format(0.9, 0.2)}) && upper.color == "red" && confidence >= 0.7', person).holds
    assert not verdict(f'({either.format(0.9, 0.4)}) && upper.color == "red" && confidence >= 0.7', person).holds
    # Sure of nothing is not sure: where the camera is another one no threshold is low enough.
    assert not verdict('upper.color == "red" && camera == "hall" && confidence >= 0', person).holds


def test_what_is_not_known_is_neither_so_nor_not_so() -> None:
    person = described()
    for text in ('gender == "male"', 'gender != "male"'):
        found = verdict(text, person)
        assert (found.holds, found.low, found.high) == (False, 0.0, 1.0)
    assert verdict('gender == "male" || upper.color == "red"', person).holds
    assert reasons(parse_rule('gender == "male" || upper.color == "red"').condition, person.description) == {
        'upper.color == "red"': 0.9}  # fmt: skip


def test_decisions_count_where_there_are_no_scores() -> None:
    said = PersonDescription(text="A man.", attributes={
        "gender": Attribute(value="male", confidence=0.9), "carrying": Attribute(value=("backpack",), confidence=0.8),
        "age": Attribute(value="adult", confidence=0.95)})  # fmt: skip
    person = described().model_copy(update={"description": said})
    for text, low, high in (('gender == "male"', 0.9, 0.9), ('gender == "female"', 0.0, 0.1),
                            ('"bag" in carrying', 0.8, 0.8), ('"umbrella" in carrying', 0.0, 1.0),
                            ('age == "thirties"', 0.0, 1.0),
                            ('age == "child"', 0.0, 0.05), ('headwear == "hat"', 0.0, 1.0)):  # fmt: skip
        found = verdict(text, person)
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high)), text


@pytest.mark.parametrize(
    ("text", "night", "day"),
    [("time in 22:00-06:00", True, False), ("time in 06:00-22:00", False, True), ("time in 23:00-23:01", True, False),
     ("time in 11:00-23:00", False, True), ("day in [mon]", True, True), ("day in tue-sun", False, False),
     ("seen >= 30s", True, False), ("quality >= 0.5", True, True)],
)  # fmt: skip
def test_circumstances(text: str, night: bool, day: bool) -> None:
    assert verdict(text, described(time=NIGHT, first=NIGHT - 30)).holds is night
    assert verdict(text, described(time=DAY)).holds is day


def test_times_of_day_are_those_of_the_cameras() -> None:
    rule = parse_rule("time in 00:00-01:00").condition
    assert judge(rule, described(time=NIGHT), ZoneInfo("Europe/Berlin")).holds
    assert not judge(rule, described(time=NIGHT), UTC).holds
