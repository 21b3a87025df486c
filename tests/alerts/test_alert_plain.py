"""Sentences become the rules that they mean, or are refused."""

from __future__ import annotations

import pytest

from personvlm.alerts.grammar import parse_rule
from personvlm.alerts.plain import compile_words
from personvlm.base.errors import InputError

JACKET = 'upper.color == "red" && upper.garment == "jacket"'


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("Tell me when somebody in a red jacket without a hat is at the gate at night.",
         f'{JACKET} && headwear == "none" && camera == "gate" && time in 22:00-06:00'),
        ("alert me if a man with a backpack and no glasses walks by",
         'gender == "male" && "backpack" in carrying && eyewear == "none"'),
        ("a person carrying a suitcase or a backpack", 'any of ["suitcase", "backpack"] in carrying'),
        ("woman in a red or orange coat",
         'gender == "female" && any of ["red", "orange"] in upper.color && upper.garment == "coat"'),
        ("somebody in a non-red coat", 'upper.color != "red" && upper.garment == "coat"'),
        ("someone not wearing a coat", 'upper.garment != "coat"'),
        ("somebody carrying no bag", '!("bag" in carrying)'),
        ("at least three people in black jackets within 5 minutes at the back door",
         'upper.color == "black" && upper.garment == "jacket" && camera == "back-door" && count(5m) >= 3'),
        ("more than two men with backpacks",
         '"backpack" in carrying && gender == "male" && count(10m) >= 3'),
        ("a red jacket, near the gate or the hall, between 10 pm and 6:30, once per person per 10 minutes",
         f'{JACKET} && camera in ["gate", "hall"] && time in 22:00-06:30, once per person per 10m'),
        ("a red jacket for longer than 2 minutes on weekends", f"{JACKET} && day in [sat, sun] && seen >= 2m"),
        ("a red jacket after 18:00 on mondays and fridays", f"{JACKET} && time in 18:00-00:00 && day in [mon, fri]"),
        ("a red jacket, 80 % sure, once a day", f"{JACKET} && confidence >= 0.8, once per person per 1d"),
    ],
)  # fmt: skip
def test_a_sentence_becomes_a_rule(sentence: str, rule: str) -> None:
    compiled = compile_words(sentence, ["gate", "hall", "back-door"])
    assert str(compiled.rule) == rule
    assert parse_rule(rule) == compiled.rule


def test_what_is_not_understood_is_named() -> None:
    compiled = compile_words("a suspicious man with a backpack")
    assert compiled.ignored == ("suspicious",)
    assert str(compiled.rule) == 'gender == "male" && "backpack" in carrying'


def test_cameras_that_exist_and_that_do_not() -> None:
    assert str(compile_words("a man at the gate").rule) == 'gender == "male" && camera == "gate"'
    assert str(compile_words("a man on camera yard-2").rule) == 'gender == "male" && camera == "yard-2"'
    with pytest.raises(InputError, match="no camera 'gate'; known: hall"):
        compile_words("a man at the gate", ["hall"])


@pytest.mark.parametrize("name", ["", "-", "_", ";", " ", "?!"])
def test_a_camera_whose_name_nobody_can_say_is_passed_over(name: str) -> None:
    rule = compile_words("a man near the gate", [name, "gate"]).rule
    assert str(rule) == 'gender == "male" && camera == "gate"'


def test_cameras_whose_names_have_more_signs_than_are_said() -> None:
    for name in ("back--door", "-back-door-"):
        rule = compile_words("a man at the back door", [name]).rule
        assert str(rule) == f'gender == "male" && camera == "{name}"'


@pytest.mark.parametrize(
    ("sentence", "rule"),
    [
        ("somebody with dark hair", 'any of ["black", "brown"] in hair.color'),
        ("woman with light hair", 'gender == "female" && hair.color == "blond"'),
        ("a dark jacket", 'upper.color == "dark" && upper.garment == "jacket"'),
    ],
)
def test_words_that_are_no_value_are_those_that_they_cover(sentence: str, rule: str) -> None:
    assert str(compile_words(sentence).rule) == rule


@pytest.mark.parametrize(
    "sentence", ["", "a suspicious zombie", "!", "x" * 2001, "90 % sure", "between 25:00 and 26:00"]
)
def test_what_says_nothing_is_refused(sentence: str) -> None:
    with pytest.raises(InputError):
        compile_words(sentence)
