"""Times and days in plain words, and what becomes of a "not" before a time, a place or a number."""

from __future__ import annotations

import pytest

from personvlm.alerts.grammar import parse_rule
from personvlm.alerts.plain import compile_words
from personvlm.base.errors import InputError

CAMERAS = ["gate", "yard"]
JACKET = 'upper.garment == "jacket"'


def conditions(sentence: str) -> str:
    """What a jacket is joined to."""
    rule = compile_words(sentence, CAMERAS).rule
    assert parse_rule(str(rule)) == rule
    assert str(rule).startswith(JACKET)
    return str(rule).removeprefix(JACKET).removeprefix(" && ")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("between 8 and 10 pm", "time in 20:00-22:00"),
        ("from 8 to 10 pm", "time in 20:00-22:00"),
        ("from 10 to 2 pm", "time in 10:00-14:00"),
        ("from 10 to 6 am", "time in 22:00-06:00"),
        ("from 9am to 5", "time in 09:00-17:00"),
        ("between 8 and 18", "time in 08:00-18:00"),
        ("from noon to midnight", "time in 12:00-00:00"),
        ("22:00-06:00", "time in 22:00-06:00"),
        ("outside of 8 to 18", "time in 18:00-08:00"),
        ("after 8 in the evening", "time in 20:00-00:00"),
        ("after 10 p.m.", "time in 22:00-00:00"),
        ("after ten at night", "time in 22:00-00:00"),
        ("after midnight", "time in 00:00-06:00"),
        ("before noon", "time in 00:00-12:00"),
        ("by 10 pm", "time in 00:00-22:00"),
        ("at 10 pm", "time in 22:00-23:00"),
        ("at midnight", "time in 00:00-01:00"),
        ("around 10 pm", "time in 21:30-22:30"),
        ("around ten pm", "time in 21:30-22:30"),
        ("at night or in the morning", "(time in 22:00-06:00 || time in 06:00-12:00)"),
        ("on monday", "day in [mon]"),
        ("every monday and tuesday", "day in [mon, tue]"),
        ("from monday to friday", "day in [mon, tue, wed, thu, fri]"),
        ("between saturday and monday", "day in [mon, sat, sun]"),
        ("on friday evenings", "day in [fri] && time in 18:00-22:00"),
        ("on saturday nights",
         "(day in [sat] && time in 22:00-00:00 || day in [sun] && time in 00:00-06:00)"),
        ("on fridays between 10 pm and 4 am",
         "(day in [fri] && time in 22:00-00:00 || day in [sat] && time in 00:00-04:00)"),
        ("at night on weekends",
         "(day in [sat, sun] && time in 22:00-00:00 || day in [mon, sun] && time in 00:00-06:00)"),
        ("at night or on weekends", "(time in 22:00-06:00 || day in [sat, sun])"),
        ("on fridays after 22:00", "time in 22:00-00:00 && day in [fri]"),
    ],
)  # fmt: skip
def test_clocks_and_days(words: str, rule: str) -> None:
    assert conditions(f"somebody in a jacket {words}") == rule
    assert compile_words(f"somebody in a jacket {words}").ignored == ()


def test_an_hour_that_was_a_moment_is_said() -> None:
    assert compile_words("a jacket at 10 pm").notes == ("read 'at 10 pm' as time in 22:00-23:00",)


@pytest.mark.parametrize(
    "sentence",
    ["a jacket after 5 minutes", "a jacket for 2 h", "a jacket from 15 to 20 years old", "a jacket between 40 and 50",
     "a jacket aged from 15 to 20", "a midnight blue jacket", "a jacket from 2 to 3 cameras"],
)  # fmt: skip
def test_numbers_that_are_no_times(sentence: str) -> None:
    assert not compile_words(sentence).rule.timed


def test_times_are_no_ages_and_ages_no_times() -> None:
    assert "age" not in str(compile_words("somebody in red around 10 pm").rule)
    assert 'age == "child"' in str(compile_words("child at the gate at about 10 pm", CAMERAS).rule)


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("not at night", "time in 06:00-22:00"),
        ("at the gate, except at night", 'camera == "gate" && time in 06:00-22:00'),
        ("at the gate, but not at night", 'camera == "gate" && time in 06:00-22:00'),
        ("at the gate unless it is at night", 'camera == "gate" && time in 06:00-22:00'),
        ("not at night, at the gate", 'camera == "gate" && time in 06:00-22:00'),
        ("but not at the gate", 'camera != "gate"'),
        ("anywhere but at the gate", 'camera != "gate"'),
        ("anywhere except at the gate", 'camera != "gate"'),
        ("who isn't at the gate", 'camera != "gate"'),
        ("who is not standing at the gate", 'camera != "gate"'),
        ("neither at the gate nor at the yard", '!(camera in ["gate", "yard"])'),
        ("at the yard but not at the gate", 'camera == "yard" && camera != "gate"'),
        ("never on sundays", "day in [mon, tue, wed, thu, fri, sat]"),
        ("except on sundays", "day in [mon, tue, wed, thu, fri, sat]"),
        ("not on mondays or fridays", "day in [tue, wed, thu, sat, sun]"),
        ("not at night or on weekends", "time in 06:00-22:00 && day in [mon, tue, wed, thu, fri]"),
        ("except at night and on weekends", "time in 06:00-22:00 && day in [mon, tue, wed, thu, fri]"),
        ("not on saturday nights",
         "!(day in [sat] && time in 22:00-00:00 || day in [sun] && time in 00:00-06:00)"),
        ("not after 10 pm", "time in 00:00-22:00"),
        ("not between 8 and 10 pm", "time in 22:00-20:00"),
    ],
)  # fmt: skip
def test_a_time_a_day_or_a_place_that_is_not_to_be(words: str, rule: str) -> None:
    assert conditions(f"somebody in a jacket {words}") == rule


def test_a_negation_of_something_else_is_none_of_the_place() -> None:
    assert str(compile_words("a man without a hat at the gate at night", CAMERAS).rule) == (
        'gender == "male" && headwear == "none" && camera == "gate" && time in 22:00-06:00')  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("a jacket, never at the gate on sundays", "not clear what 'never' is about"),
        ("a jacket not at night and on weekends", "not clear what 'not' is about"),
        ("a jacket at the gate or not at night", "not clear what 'not' is about"),
        ("a jacket not only at night", "leave out"),
        ("a jacket never on weekends or weekdays", "leave none"),
        ("less than 3 people in red", "at least three people"),
        ("fewer than three people in red", "at least three people"),
        ("at most two people in red", "at least three people"),
        ("no more than two people in red", "at least three people"),
        ("exactly two people in red", "at least three people"),
        ("two or fewer people in red", "at least three people"),
        ("between 2 and 4 people in red", "at least three people"),
        ("there aren't three people in red", "at least three people"),
        ("0 people in red", "at least three people"),
        ("nobody in red at the gate", "cannot tell that nobody is"),
        ("no one in red", "cannot tell that nobody is"),
        ("a jacket for no longer than 5 minutes", "at least so long"),
        ("a jacket for less than 5 minutes", "at least so long"),
        ("a jacket, not 80 % sure", "at least, for example: 80 % sure"),
    ],
)  # fmt: skip
def test_what_would_become_its_opposite_is_refused(sentence: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        compile_words(sentence, CAMERAS)


@pytest.mark.parametrize("words", ["at least 3 people", "not less than three people", "no fewer than 3 people",
                                   "more than two people"])  # fmt: skip
def test_a_number_at_least(words: str) -> None:
    assert str(compile_words(f"{words} in jackets").rule) == f"{JACKET} && count(10m) >= 3"


@pytest.mark.parametrize("words", ["80 % sure", "with at least 80 % certainty"])
def test_how_sure_it_must_be(words: str) -> None:
    assert str(compile_words(f"a jacket, {words}").rule) == f"{JACKET} && confidence >= 0.8"


@pytest.mark.parametrize("words", ["for longer than 2 minutes", ", for more than 2 minutes", ", at least 2 minutes",
                                   "for 2 minutes", "loitering for 2 minutes"])  # fmt: skip
def test_how_long_somebody_must_stay(words: str) -> None:
    assert conditions(f"a jacket{words if words.startswith(',') else f' {words}'}") == "seen >= 2m"
