"""Clean-up under damage that it was not written for: a second generator, with other operators than test_cleanup's."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from personvlm.language.cleanup import clean
from personvlm.language.normalise import normalise
from personvlm.language.quality import check
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise

ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
MSP60K = Path(ASSETS) / "data" / "msp60k" / "captions.jsonl"
FILLERS = (
    "I cannot see any text in this picture.", "Unfortunately, the photo is too blurry to make out more.",
    "Note: the picture is of low quality.", "There isn't any visible text.", "Visible text: None",
    "The image does not contain any text or unique identifiers.", "No logos, text or identifiers are present.",
    "Due to the low resolution, details are hard to make out.", "Overall, the image is pixelated.",
)  # fmt: skip
PREAMBLES = ("Sure, here is what you asked for:\n", "**Description:** ", "Answer: ", "- ", "> ",
             " \t\n", "In this image, we can see ", "The following is a caption: ", "1. ", "Caption - ")  # fmt: skip
ODD = ("<|endoftext|>", "<eos>", "[PAD]", "##", "\ufffd", "🙂", "\x00", "漢字", "<br>", "http://x.y", "**", "```", "—",
       "…", "''", "?!", "!!!", "::", "/", "#1", "(1)", "[1]", "3.5", "e.g.", "Mr.", "U.S.", "a.m.")  # fmt: skip
MARKS = ".,;:!?()[]\"'“”‘’-–—…*_`~ \n\t\u00a0\u200b"


def cut_start(text: str, dice: random.Random) -> str:
    return text[dice.randrange(max(1, len(text) // 2)) :]


def cut_end(text: str, dice: random.Random) -> str:
    return text[: dice.randrange(1, max(2, len(text)))]


def drop_words(text: str, dice: random.Random) -> str:
    return " ".join(word for word in text.split() if dice.random() > 0.12)


def stammer(text: str, dice: random.Random) -> str:
    return " ".join(" ".join([word] * (dice.randrange(2, 5) if dice.random() < 0.1 else 1)) for word in text.split())


def swap_words(text: str, dice: random.Random) -> str:
    words = text.split()
    for _ in range(3 if words else 0):
        a, b = dice.randrange(len(words)), dice.randrange(len(words))
        words[a], words[b] = words[b], words[a]
    return " ".join(words)


def change_case(text: str, dice: random.Random) -> str:
    return dice.choice((str.upper, str.lower, str.title, str.swapcase))(text)


def loop(text: str, dice: random.Random) -> str:
    tail = " ".join(text.split()[-dice.randrange(1, 6) :])
    return text.rstrip(".") + f" {tail}" * dice.randrange(2, 12)


def shuffle(text: str, dice: random.Random) -> str:
    pieces = re.split(r"(?<=[.!?]) ", text)
    dice.shuffle(pieces)
    return " ".join(pieces)


def add_preamble(text: str, dice: random.Random) -> str:
    return dice.choice(PREAMBLES) + text


def add_filler(text: str, dice: random.Random) -> str:
    pieces = re.split(r"(?<=[.!?]) ", text)
    pieces.insert(dice.randrange(len(pieces) + 1), dice.choice(FILLERS))
    return dice.choice((" ", "\n", "", "  ")).join(pieces)


def add_odd(text: str, dice: random.Random) -> str:
    words = text.split(" ")
    words.insert(dice.randrange(len(words) + 1), dice.choice(ODD))
    return " ".join(words)


def scatter_marks(text: str, dice: random.Random) -> str:
    letters = list(text)
    for _ in range(dice.randrange(1, 8)):
        letters.insert(dice.randrange(len(letters) + 1), dice.choice(MARKS))
    return "".join(letters)


def close_up(text: str, dice: random.Random) -> str:
    return text.replace(" ", "", dice.randrange(1, 6)) if dice.random() < 0.8 else text.replace(". ", ".")


def without_stops(text: str, dice: random.Random) -> str:
    return text.replace(".", "")


OPERATORS: tuple[Callable[[str, random.Random], str], ...] = (
    cut_start, cut_end, drop_words, stammer, swap_words, change_case, loop, shuffle, add_preamble, add_filler, add_odd,
    scatter_marks, close_up, without_stops,
)  # fmt: skip


def assert_cleaned(captions: list[str], seed: int) -> None:
    dice = random.Random(seed)
    damaged, wrong, unstable = 0, [], []
    for caption in captions:
        text = caption
        for operator in dice.sample(OPERATORS, dice.randrange(1, 6)):
            text = operator(text, dice) if text else text
        cleaned = clean(text)
        damaged += not all(check(text).values())
        wrong += [(text, cleaned)] if not all(check(cleaned).values()) else []
        unstable += [cleaned] if clean(cleaned) != cleaned else []
    assert damaged > 0.9 * len(captions)
    assert not wrong, wrong[0]
    assert not unstable, unstable[0]


def test_every_check_passes_on_realised_captions_damaged_in_other_ways() -> None:
    dice = random.Random(8)
    assert_cleaned([realise(random_values(dice), seed=index) for index in range(600)], seed=31)


@pytest.mark.skipif(not ASSETS or not MSP60K.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")
def test_every_check_passes_on_two_thousand_real_captions_damaged_in_other_ways() -> None:
    captions = [json.loads(line)["answer"] for line in MSP60K.read_text(encoding="utf-8").splitlines()[::3]]
    assert_cleaned([*captions, *map(normalise, captions)], seed=32)


@pytest.mark.parametrize("filler", [
    *FILLERS[2:8], "No distinguishing marks are visible.", "It is difficult to discern details.",
    "Note that the image is blurry.",
])  # fmt: skip
def test_what_says_nothing_about_the_person_goes(filler: str) -> None:
    filler = filler if filler.endswith(".") else filler + "."
    good = "The image shows a man. He is wearing a red coat."
    assert clean(f"The image shows a man. {filler} He is wearing a red coat.") == good
    assert normalise(f"{good} {filler}") == good


def test_what_is_hard_to_see_about_a_person_is_left_to_the_model() -> None:
    for sentence in ("It is hard to tell whether he is wearing gloves.", "Due to the dim light his coat looks black."):
        assert clean(f"The image shows a man. {sentence}") == f"The image shows a man. {sentence}"
