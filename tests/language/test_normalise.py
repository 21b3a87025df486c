"""The normaliser: each kind of noise goes, each fact stays; measured on the real captions where they are at hand."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from personvlm.language.cleanup import clean
from personvlm.language.normalise import normalise, report
from personvlm.language.parser import parse
from personvlm.language.quality import CHECKS, well_formed

ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
MSP60K = Path(ASSETS) / "data" / "msp60k" / "captions.jsonl"
needs_msp60k = pytest.mark.skipif(not ASSETS or not MSP60K.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")
CANONICAL = (
    "The image shows a young adult male with short black hair, seen from the back. He is wearing a dark blue "
    "long-sleeved jacket, gray jeans and black sneakers. He is carrying a backpack."
)


@pytest.fixture(scope="module")
def captions() -> list[str]:
    return [json.loads(line)["answer"] for line in MSP60K.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def targets(captions: list[str]) -> list[str]:
    return [normalise(caption) for caption in captions]


def test_a_clean_target_stays_as_it_is() -> None:
    assert normalise(CANONICAL) == CANONICAL


@pytest.mark.parametrize(
    "preamble",
    ["Here is a description of the image:\n\n", "Here's a description of the image:\n\n",
     "Here is a description of the image.\n", "Sure! Here is a detailed description of the provided image: ",
     "Description: "],
)  # fmt: skip
def test_preambles_go(preamble: str) -> None:
    assert normalise(preamble + CANONICAL) == CANONICAL


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # white space and marks
        ("The image shows a man.\u00a0\n\n\nHe’s  walking.\n", "The image shows a man. He is walking."),
        # openings
        ("The photo shows a man.", "The image shows a man."),
        ("The image is a blurry, low-resolution shot of a person from behind.",
         "The image shows a person from behind."),
        ("The image is a grainy still from what appears to be security camera footage. It shows a woman walking.",
         "The image shows a woman walking."),
        ("The image shows a blurry, low-resolution photo of an adult male.", "The image shows an adult male."),
        ("The image shows a low-resolution, blurry side view of a child.", "The image shows a side view of a child."),
        ("The image shows a dark jacket.", "The image shows a dark jacket."),
        ("Close-up view of a girl, reading.", "The image shows a close-up view of a girl, reading."),
        ("He is walking.", "The image shows a person. He is walking."),
        # the picture's quality and absent things
        ("The image shows a man. The image quality is poor, making details difficult to discern.",
         "The image shows a man."),
        ("The image shows a man. No text or unique identifiers are visible.", "The image shows a man."),
        ("The image shows a man. The view is from the side, and no text is visible.",
         "The image shows a man. The view is from the side."),
        ("The image shows a man. His face is not visible.", "The image shows a man."),
        ("The image shows a man. There is no hat visible on his head.", "The image shows a man."),
        ("The image shows a man. His footwear is not clearly visible, but appears to be casual shoes.",
         "The image shows a man. His footwear is casual shoes."),
        ("The image shows a man. He holds a bag, although the details are unclear due to the image quality.",
         "The image shows a man. He holds a bag."),
        # notes that the annotators were given, guesses, ethnicity
        ("The image shows the back of a person, described as a female adult, standing.",
         "The image shows the back of a female adult standing."),
        ("The image shows a man. He makes a phone call, as indicated by the note provided.",
         "The image shows a man. He makes a phone call."),
        ("The image shows a man. His coat is thick, suggesting cold weather.",
         "The image shows a man. His coat is thick."),
        ("The image shows a young Asian boy.", "The image shows a young boy."),
        ("The image shows a boy. He appears to be of Asian descent, with short hair.",
         "The image shows a boy. He has short hair."),
        ("The image shows a dark-skinned adult male.", "The image shows an adult male."),
        # a cut end
        ("The image shows a man. He is wearing a coat. He is carr", "The image shows a man. He is wearing a coat."),
        ("The image shows a man in a coat and a", "The image shows a man in a coat."),
        # lists
        ("The image shows a boy.\n\n\nHe is wearing:\n\n* A tan coat. The coat has stripes.\n* Dark trousers."
         "\n* **Hat**.\n\nHe is standing.",
         "The image shows a boy. He is wearing a tan coat, dark trousers, and hat. The coat has stripes. "
         "He is standing."),
    ],
)  # fmt: skip
def test_each_kind_of_noise(before: str, after: str) -> None:
    assert normalise(before) == after


def test_the_scene_goes_unless_asked_for() -> None:
    person = "The image shows a woman. She is walking."
    scene = " The background is blurry. Part of another person's arm is visible to the left."
    assert normalise(person + scene) == person
    assert normalise(person + scene, scene=True) == person + scene


def test_what_other_people_wear_is_not_taken_for_the_subjects() -> None:
    text = ("The image shows a woman. She wears a hat. In the background, another person is visible. They are wearing "
            "a red coat. She is walking.")  # fmt: skip
    assert normalise(text) == "The image shows a woman. She wears a hat. She is walking."


def test_facts_beside_the_scene_stay() -> None:
    for sentence in ("The person in the foreground has black hair.",
                     "The girl is walking with her hands behind her back.",
                     "Her hair is black and the background is white, and she is wearing a coat."):
        assert normalise("The image shows a girl. " + sentence) == "The image shows a girl. " + sentence


def test_the_empty_caption() -> None:
    assert normalise("") == normalise("No text is visible.") == "The image shows a person."


def test_report_counts_both_sides() -> None:
    noisy = "Here is a description of the image:\n\nThe photo shows a man. No text is visible."
    both = report([noisy, CANONICAL, "A man is"])
    assert (both.before.captions, both.before.preamble, both.before.filler, both.before.truncated) == (3, 1, 1, 1)
    assert (both.after.preamble, both.after.filler, both.after.truncated, both.after.proper_start) == (0, 0, 0, 3)
    assert both.after.mean_words < both.before.mean_words
    assert len(both.examples) == 2
    assert "preamble" in str(both)
    assert "+ The image shows a man." in str(both)


@needs_msp60k
def test_real_captions_measured(captions: list[str]) -> None:
    both = report(captions)
    assert both.before.preamble > 1400
    assert both.before.filler > 2800
    assert both.after.preamble == both.after.filler == both.after.truncated == 0
    assert both.after.proper_start == len(captions)
    assert 40 < both.after.mean_words < 0.65 * both.before.mean_words
    assert len(both.examples) == 10


@needs_msp60k
def test_clean_up_leaves_real_targets_alone(targets: list[str]) -> None:
    changed = [(target, cleaned) for target in targets if (cleaned := clean(target)) != target]
    assert len(changed) <= 0.02 * len(targets)
    assert all(parse(cleaned) == parse(target) for target, cleaned in changed)
    assert sum(all(check(target) for check in CHECKS.values()) for target in targets) >= 0.998 * len(targets)
    assert sum(map(well_formed, targets)) >= 0.99 * len(targets)
    assert sum(normalise(target) == target for target in targets) >= 0.998 * len(targets)


@needs_msp60k
def test_no_target_speaks_of_ethnicity(targets: list[str]) -> None:
    pattern = re.compile(r"\b(?:descent|ethnic\w*|\w+-skinned|Asian (?:man|woman|boy|girl|male|female|adult))\b")
    assert not [target for target in targets if pattern.search(target)]


@needs_msp60k
def test_facts_survive(captions: list[str], targets: list[str]) -> None:
    """Gender, hair and clothes that the raw caption states are still stated; other people's clothes may go."""
    groups = ("gender", "hair.color", "headwear", "upper.garment", "lower.garment", "footwear.type", "posture")
    stated = kept = 0
    for caption, target in list(zip(captions, targets, strict=True))[::3]:
        before, after = parse(caption), parse(target)
        for group in groups:
            stated += len(before.get(group, ()))
            kept += len(set(before.get(group, ())) & set(after.get(group, ())))
    assert kept >= 0.99 * stated
