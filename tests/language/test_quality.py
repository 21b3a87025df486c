"""The checks of form: each fails on the defect it is named after, and only there."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from personvlm.language.filler import without_filler
from personvlm.language.quality import CHECKS, check, no_repetition, well_formed
from personvlm.language.sentences import is_fragment, sentences, trim_open_end

CANONICAL = (
    "The image shows a young adult male with short black hair, seen from the back. He is wearing a dark blue "
    "long-sleeved jacket, gray jeans and black sneakers. He is carrying a backpack."
)
SEED_EXAMPLES = (  # what the seed shows as its output
    "The image shows a male adult with black hair walking. He is wearing short-sleeved clothing and trousers, along "
    "with casual shoes. The background appears to be an outdoor setting.",
    "The image shows a male adult with black hair wearing a dark blue jacket and gray pants. He is carrying a laptop "
    "bag and appears to be walking.",
    "The image shows a blurry, low-resolution photo of an adult male standing. He is wearing a dark-colored, "
    "long-sleeved, cotton-padded coat, dark trousers, and dark boots. He also has a hat on. The background is a plain, "
    "light-colored wall.",
)
QUOTED = 'The image shows a girl in a shirt that reads "HUMA" (partially visible). It is 3.5 cm, i.e. small.'
ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
MSP60K = Path(ASSETS) / "data" / "msp60k" / "captions.jsonl"


@pytest.mark.parametrize("text", [CANONICAL, QUOTED, *SEED_EXAMPLES])
def test_good_text_passes_everything(text: str) -> None:
    assert all(check(text).values()), check(text)
    assert well_formed(text)


def test_there_are_seven_checks() -> None:
    assert list(check(CANONICAL)) == list(CHECKS)
    assert len(CHECKS) == 7


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("proper_start", "A man is walking."),
        ("proper_start", "The image shows"),
        ("proper_start", ""),
        ("no_lowercase_start", "The image shows a man. he is walking."),
        ("no_lowercase_start", 'The image shows a man. "he" is walking.'),
        ("no_duplicate_sentence", "The image shows a man. He is standing. He is  standing!"),
        ("complete_ending", "The image shows a man. He is wearing a."),
        ("complete_ending", "The image shows a man. He is wearing a dark blue."),
        ("complete_ending", "The image shows a man. The image quality."),
        ("complete_ending", "The image shows a man wearing a hat and"),
        ("proper_punctuation", "The image shows a man"),
        ("proper_punctuation", "The image shows a man.."),
        ("proper_punctuation", "The image shows a man , standing."),
        ("proper_punctuation", "The image shows a man,, standing."),
        ("proper_punctuation", "The image shows a man,standing."),
        ("proper_punctuation", "The image shows a man.  He is standing."),
        ("proper_punctuation", "The image shows a man.He is standing."),
        ("no_filler", "Here is a description of the image: The image shows a man."),
        ("no_filler", "The image shows a man. There is no visible text or unique identifiers in the image."),
        ("no_filler", "The image shows a man. The image quality is poor."),
        ("no_filler", "The image shows a man. The view is from behind, and no text is visible."),
        ("no_filler", "The image shows a man. He is distant, making details difficult to discern."),
        ("balanced", 'The image shows a man in a shirt with "HUMA.'),
        ("balanced", "The image shows a man (partially visible."),
        ("balanced", "The image shows a man partially) visible."),
        ("balanced", 'The image shows a man in a shirt ("HUMA)".'),
    ],
)
def test_each_check_finds_its_defect(name: str, text: str) -> None:
    assert not CHECKS[name](text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("He is wearing a dark blue shirt, dark blue trousers and dark blue casual shoes.", True),
        ("He has black hair and is wearing black black shoes.", False),
        ("He is wearing a black coat, wearing a black coat.", False),
        ("He is wearing a hat and trousers and is wearing a hat.", False),
        ("He is walking in the walking in the street.", False),
    ],
)
def test_repetition_inside_a_sentence(text: str, good: bool) -> None:
    assert no_repetition(text) is good


def test_filler_leaves_sentences_about_a_person_alone() -> None:
    for sentence in ("He is wearing a shirt with some illegible text on it.", "His coat makes him look broad.",
                     "The image is blurry, but shows a man riding a bicycle.", "She has no hat on."):  # fmt: skip
        assert without_filler(sentence) == sentence


def test_sentences_are_told_apart() -> None:
    assert sentences('He (Mr. A. B. C.) reads "Go. Now." to her, e.g. aloud. she  smiles! Yes?') == [
        'He (Mr. A. B. C.) reads "Go. Now." to her, e.g. aloud.', "she  smiles!", "Yes?"]  # fmt: skip


def test_open_ends_are_trimmed_to_something_whole() -> None:
    assert trim_open_end("He is wearing a jacket over a") == "He is wearing a jacket"
    assert trim_open_end("Her hair is black and white.") == "Her hair is black and white."
    assert trim_open_end("She looks at the bag she is carrying.") == "She looks at the bag she is carrying."
    assert is_fragment(trim_open_end("She is wearing a long-sleeved, dark"))


@pytest.mark.skipif(not ASSETS or not MSP60K.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")
def test_real_captions_are_seldom_faulted_for_form() -> None:
    captions = [json.loads(line)["answer"] for line in MSP60K.read_text(encoding="utf-8").splitlines()]
    flat = [re.sub(r"\s+", " ", text.split("image:")[-1]).strip() for text in captions]
    for name in ("no_lowercase_start", "no_duplicate_sentence", "complete_ending", "proper_punctuation", "balanced"):
        assert sum(CHECKS[name](text) for text in flat) >= 0.99 * len(flat), name
    assert sum(map(no_repetition, flat)) >= 0.98 * len(flat)
