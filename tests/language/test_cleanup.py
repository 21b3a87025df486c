"""Clean-up: the seed's examples, true captions untouched, and every check passed whatever the damage."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personvlm.language.cleanup import (
    STEPS,
    balance_parentheses,
    balance_quotes,
    clean,
    fix_punctuation,
    remove_filler,
    remove_fragments,
    remove_repetition,
)
from personvlm.language.normalise import normalise
from personvlm.language.quality import check
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise

ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
MSP60K = Path(ASSETS) / "data" / "msp60k" / "captions.jsonl"

PEOPLE = ("a young adult male with short black hair", "an elderly woman, seen from the back",
          "the back of a child walking", "a side view of an adult female riding a scooter",
          "a middle-aged man wearing glasses and a face mask")
SECOND = (
    "He is wearing a dark blue long-sleeved jacket, gray jeans and black sneakers.",
    "She has long black hair, and is wearing a light-colored, cotton-padded coat over what looks like a dress.",
    'The child is wearing a red t-shirt that reads "HUMA" (partially visible), denim shorts, and sandals.',
    "They have on a white chef's uniform with a logo (possibly a brand's), trousers, and boots.",
)
THIRD = (
    "He is carrying a backpack.",
    "She appears to be looking at a phone she is holding.",
    "Her hands are behind her back.",
    "The background appears to be an outdoor setting.",
)
FILLERS = (
    "There is no visible text or unique identifiers in the image.",
    "No text or unique identifiers are visible.",
    "The image quality is poor, making details difficult to discern.",
    "The image is blurry and low-resolution.",
    "The overall quality of the image is somewhat grainy.",
)
PREAMBLES = ("Here is a description of the image:\n\n", "Here's a description of the image: ", "Sure! ",
             "Description: ", "Certainly! Here is a detailed description of the person in the image: ")  # fmt: skip
FRAGMENTS = ("The image quality.", "Casual shoes.", "With a.", "A dark blue", "Possibly outdoors.")


def captions(n: int, seed: int = 0) -> list[str]:
    dice = random.Random(seed)
    return [f"The image shows {dice.choice(PEOPLE)}. {dice.choice(SECOND)} {dice.choice(THIRD)}" for _ in range(n)]


def parts(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", text)


def truncate(text: str, dice: random.Random) -> str:
    return text[: dice.randrange(5, len(text))]


def repeat_sentence(text: str, dice: random.Random) -> str:
    pieces = parts(text)
    pieces.insert(dice.randrange(len(pieces) + 1), dice.choice(pieces))
    return " ".join(pieces)


def repeat_phrase(text: str, dice: random.Random) -> str:
    words = text.split()
    start, size = dice.randrange(len(words)), dice.randrange(1, 5)
    return " ".join(words[: start + size] + words[start : start + size] + words[start + size :])


def drop_stop(text: str, dice: random.Random) -> str:
    stops = [match.start() for match in re.finditer(r"\.", text)] or [0]
    at = dice.choice(stops)
    return text[:at] + text[at + 1 :]


def unbalance(text: str, dice: random.Random) -> str:
    marks = [match.start() for match in re.finditer(r'["()]', text)]
    if marks and dice.random() < 0.5:
        at = dice.choice(marks)
        return text[:at] + text[at + 1 :]
    words = text.split(" ")
    at, mark = dice.randrange(len(words)), dice.choice('"()')
    words[at] = mark + words[at] if mark == "(" or dice.random() < 0.5 else words[at] + mark
    return " ".join(words)


def lower_starts(text: str, dice: random.Random) -> str:
    return " ".join(piece[:1].lower() + piece[1:] if dice.random() < 0.7 else piece for piece in parts(text))


def add_preamble(text: str, dice: random.Random) -> str:
    return dice.choice(PREAMBLES) + text


def add_sentence(text: str, dice: random.Random) -> str:
    pieces = parts(text)
    pieces.insert(dice.randrange(len(pieces) + 1), dice.choice(FILLERS + FRAGMENTS))
    return " ".join(pieces)


def double_marks(text: str, dice: random.Random) -> str:
    marks = [match.start() for match in re.finditer(r"[.,; ]", text)] or [0]
    for at in sorted(dice.sample(marks, min(2, len(marks))), reverse=True):
        text = text[: at + 1] + text[at] * dice.randrange(1, 3) + text[at + 1 :]
    return text.replace(", ", " ,", 1) if dice.random() < 0.3 else text


DAMAGES: tuple[Callable[[str, random.Random], str], ...] = (
    truncate, repeat_sentence, repeat_phrase, drop_stop, unbalance, lower_starts, add_preamble, add_sentence,
    double_marks,
)  # fmt: skip


def corrupt(text: str, dice: random.Random) -> str:
    for damage in dice.sample(DAMAGES, dice.randrange(1, 5)):
        text = damage(text, dice) if text else text
    return text


def failed(text: str) -> list[str]:
    return [name for name, passed in check(text).items() if not passed]


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (remove_filler, "The image shows a man. There is no visible text...", "The image shows a man."),
        (remove_repetition, "The activity is standing. The activity is standing.", "The activity is standing."),
        (remove_fragments, "The image shows a man. The image quality.", "The image shows a man."),
        (fix_punctuation, "The image shows a man", "The image shows a man."),
        (balance_quotes, 'The image shows a shirt with "HUMA.', 'The image shows a shirt with "HUMA".'),
        (balance_parentheses, "The image shows a hat (torn.", "The image shows a hat (torn)."),
    ],
)
def test_the_seeds_table(step: Callable[[str], str], before: str, after: str) -> None:
    assert step(before) == after
    assert clean(before).endswith(after)
    assert not failed(clean(before))


def test_the_seeds_before_optimization() -> None:
    before = ("the image shows a man walking. There is no visible text or unique identifiers\nin the image. "
              "The activity depicted is simply standing. The image quality.")  # fmt: skip
    assert clean(before) == "The image shows a man walking. The activity depicted is simply standing."


def test_the_steps_are_the_seeds_in_its_order() -> None:
    assert [step.__name__ for step in STEPS] == ["remove_filler", "remove_repetition", "remove_fragments",
                                                 "fix_punctuation", "balance_quotes", "balance_parentheses"]


@pytest.mark.parametrize("text", sorted(set(captions(200))))
def test_a_good_caption_passes_every_step_unchanged(text: str) -> None:
    assert not failed(text)
    for step in STEPS:
        assert step(text) == text
    assert clean(text) == text


def test_what_the_realiser_says_passes_unchanged() -> None:
    dice = random.Random(3)
    texts = [realise(random_values(dice), seed=None if index % 2 else index) for index in range(1000)]
    assert not [(text, failed(text)) for text in texts if failed(text)]
    assert not [(text, clean(text)) for text in texts if clean(text) != text]
    assert not [(text, normalise(text)) for text in texts if normalise(text) != text]


@pytest.mark.parametrize("tail", ["a suit, suit trousers and boots.", "light and light blue trousers."])
def test_an_item_that_goes_on_differently_is_no_repetition(tail: str) -> None:
    text = "The image shows a person wearing " + tail
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("A man is walking. he wears a hat", "The image shows a man walking. He wears a hat."),
        ("The photo depicts a boy in red and a", "The image shows a boy in red."),
        ("It shows a man running.", "The image shows a man running."),
        ("He is wearing a hat.", "The image shows a person. He is wearing a hat."),
        ("The image is blurry, but shows a man riding a bicycle.", "The image shows a man riding a bicycle."),
        ("The image shows a man in a black coat, a black coat and a hat.",
         "The image shows a man in a black coat and a hat."),
        ("The image shows a man He is wearing a hat She is not",
         "The image shows a man. He is wearing a hat. She is not."),
        ("The image shows a man. He wears a hat and trousers, and wears a hat.",
         "The image shows a man. He wears a hat and trousers."),
        ('The image shows a man. His shirt reads "GO TEAM and he has black hair.',
         'The image shows a man. His shirt reads "GO TEAM" and he has black hair.'),
        ('The image shows a man in" black.', "The image shows a man in black."),
        ("He is walking. The image shows a man.", "The image shows a man. He is walking."),
        ("The image shows )the back of a man.", "The image shows the back of a man."),
        ("", "The image shows a person."),
    ],
)  # fmt: skip
def test_what_is_mended_says_what_was_said(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert not failed(cleaned)


def test_two_thousand_corrupted_captions_pass_every_check() -> None:
    dice = random.Random(1)
    damaged = [corrupt(text, dice) for text in captions(2000)]
    assert sum(bool(failed(text)) for text in damaged) > 1800  # the damage is real
    cleaned = [clean(text) for text in damaged]
    wrong = [(old, new, failed(new)) for old, new in zip(damaged, cleaned, strict=True) if failed(new)]
    assert not wrong, wrong[0]
    unstable = [text for text in cleaned if clean(text) != text]
    assert not unstable, unstable[0]


@pytest.mark.skipif(not ASSETS or not MSP60K.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")
def test_two_thousand_corrupted_real_captions_pass_every_check() -> None:
    dice = random.Random(2)
    lines = MSP60K.read_text(encoding="utf-8").splitlines()
    targets = [normalise(json.loads(line)["answer"]) for line in dice.sample(lines, 2000)]
    cleaned = [clean(corrupt(text, dice)) for text in targets]
    wrong = [(text, failed(text)) for text in cleaned if failed(text)]
    assert not wrong, wrong[0]
    # mending loses little: a corrupted caption still says most of what it said
    words = sum(len(text.split()) for text in cleaned) / sum(len(text.split()) for text in targets)
    assert 0.8 < words < 1.1


TOKENS = ("The image shows", "a man", "a black coat", "he", "He is wearing", "and", "wearing", "a", "dark", "text",
          "No", "image quality", "is", "(", ")", '"', "“", "”", "[", "]", ".", ",", ";", "...", "!", "-", "'s", "e.g.",
          "3.5", "é", "\n", "  ", "Here is a description of the image:", "walking", "the")  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=25), st.sampled_from(("", " ")))
@example(['"', "(", '"', ")"], " ")
def test_whatever_comes_passes_every_check(tokens: list[str], space: str) -> None:
    text = space.join(tokens)
    assert not failed(clean(text)), (text, clean(text))
    assert clean(clean(text)) == clean(text)
