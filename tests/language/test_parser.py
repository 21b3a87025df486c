"""The parser: the realiser's inverse, and a careful reader of free captions."""

import json
import os
import random
from collections import Counter
from pathlib import Path

import pytest

from personvlm.evaluation.parser import SCORED
from personvlm.language.parser import parse
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.schema.groups import GROUPS
from personvlm.schema.mappings.msp60k import COLUMNS, columns_of

CAPTIONS = Path(os.environ.get("PERSONVLM_ASSETS", "/nonexistent")) / "data/msp60k/captions.jsonl"
needs_captions = pytest.mark.skipif(not CAPTIONS.exists(), reason="MSP60K captions are not under PERSONVLM_ASSETS")


def test_parse_is_the_inverse_of_realise() -> None:
    rng = random.Random(11)
    seen: Counter[tuple[str, str]] = Counter()
    groups = 0
    for seed in range(2500):
        values = random_values(rng, absent=seed % 3 == 0)
        groups += len(values)
        seen.update((group, value) for group, given in values.items() for value in given)
        text = realise(values, seed=seed if seed % 10 else None, say_absent=True)
        read = parse(text)
        for name in ("carrying", "activity"):  # the order of things does not matter, that of colors does
            if name in values:
                assert set(read[name]) == set(values[name]), text
                read[name] = values[name]
        assert read == values, text
    assert groups / 2500 >= 8
    assert min(seen[group.name, value] for group in GROUPS for value in group.sayable) >= 20


@pytest.mark.parametrize(("text", "values"), [
    ("A man in a dark-colored shirt, holding a bottle.",
     {"gender": ("male",), "upper.garment": ("shirt",), "upper.color": ("dark",), "carrying": ("bottle",)}),
    ("A black jacket over a white shirt and blue jeans.",
     {"upper.garment": ("jacket",), "upper.color": ("black",), "lower.garment": ("jeans",), "lower.color": ("blue",)}),
    ("He has no bag but carries an umbrella.", {"gender": ("male",), "carrying": ("umbrella",)}),
    ("She is not carrying anything. She has no glasses.",
     {"gender": ("female",), "eyewear": ("none",), "carrying": ("none",)}),
    ("A person without a hat, wearing a navy hoodie and khaki pants.",
     {"headwear": ("none",), "upper.garment": ("hoodie",), "upper.color": ("dark blue",),
      "lower.garment": ("trousers",), "lower.color": ("beige",)}),
    ("There is no visible text on the white t-shirt.", {"upper.garment": ("t-shirt",), "upper.color": ("white",)}),
    ("The background shows a person in red. He wears gray shorts.",
     {"gender": ("male",), "lower.garment": ("shorts",), "lower.color": ("gray",)}),
    ("A boy in trainers. Another individual's red coat is visible.",
     {"gender": ("male",), "age": ("child",), "footwear.type": ("sneakers",)}),
    ("A man walking with another person, a woman. She is wearing a brown dress.",
     {"gender": ("male",), "posture": ("walking",)}),
    ("A man walking with a woman in a red dress.", {"gender": ("male",), "posture": ("walking",)}),
    ("The person appears to be wearing a maroon sweatshirt and possibly spectacles.",
     {"eyewear": ("glasses",), "upper.garment": ("hoodie",), "upper.color": ("red",)}),
    ("The jacket is black. The hair is long and brown.",
     {"hair.length": ("long",), "hair.color": ("brown",), "upper.garment": ("jacket",), "upper.color": ("black",)}),
    ("A dark, long-sleeved, cotton-padded coat.",
     {"upper.garment": ("padded coat",), "upper.sleeve": ("long",), "upper.color": ("dark",)}),
    ("The jacket appears to be padded.", {"upper.garment": ("padded coat",)}),
    ("His hands are clasped behind his back.", {"gender": ("male",), "activity": ("hands behind back",)}),
    ("She holds a phone to her ear.", {"gender": ("female",), "activity": ("making a phone call",)}),
    ("He rides a red electric scooter.", {"gender": ("male",), "posture": ("riding a scooter",)}),
    ("He stands beside a scooter.", {"gender": ("male",), "posture": ("standing",)}),
    ("A young Asian man walking away from the camera.",
     {"gender": ("male",), "age": ("young adult",), "posture": ("walking",), "view": ("back",)}),
    ('A shirt that reads "COOL KID".', {"upper.garment": ("shirt",)}),
    ("A reddish-brown skirt with white stripes.", {"lower.garment": ("skirt",), "lower.color": ("brown",)}),
    ("A long black skirt.", {"lower.garment": ("long skirt",), "lower.color": ("black",)}),
    ("He has no hat and a backpack.", {"gender": ("male",), "headwear": ("none",), "carrying": ("backpack",)}),
    ("She has no hat and no bag.", {"gender": ("female",), "headwear": ("none",)}),
    ("It is unclear whether he is wearing a hat.", {}),
    ("One cannot tell if he wears a hat, but he carries a box.", {"gender": ("male",), "carrying": ("box",)}),
    ("A man in jeans; a woman with a red backpack walks next to him.",
     {"gender": ("male",), "lower.garment": ("jeans",)}),
    ("The image shows a man. A man in a red coat stands behind him. He wears gray shorts.",
     {"gender": ("male",), "lower.garment": ("shorts",), "lower.color": ("gray",)}),
    ("The image shows a person. A woman with her arms crossed.",
     {"gender": ("female",), "activity": ("arms crossed",)}),
    ("A white-and-blue striped shirt.",
     {"upper.garment": ("shirt",), "upper.pattern": ("striped",), "upper.color": ("white", "blue")}),
    ("The jacket is not red but blue.", {"upper.garment": ("jacket",), "upper.color": ("blue",)}),
    ("The jacket is not black, but red.", {"upper.garment": ("jacket",), "upper.color": ("red",)}),
    ("The jacket is not red.", {"upper.garment": ("jacket",)}),
    ("A man in a red shirt and a woman in a blue dress.",
     {"gender": ("male",), "upper.garment": ("shirt",), "upper.color": ("red",)}),
    ("A woman walking past a man in a hat.", {"gender": ("female",), "posture": ("walking",)}),
    ("A boy in shorts followed by a woman with a handbag.",
     {"gender": ("male",), "age": ("child",), "lower.garment": ("shorts",)}),
    ("A man in a pink shirt. Behind him, a woman in a yellow coat is walking.",
     {"gender": ("male",), "upper.garment": ("shirt",), "upper.color": ("pink",)}),
    ("She's with a man who carries a suitcase.", {"gender": ("female",)}),
    ("Male, no hat, black jacket, blue jeans.",
     {"gender": ("male",), "headwear": ("none",), "upper.garment": ("jacket",), "upper.color": ("black",),
      "lower.garment": ("jeans",), "lower.color": ("blue",)}),
    ("He wears no hat and black trousers.",
     {"gender": ("male",), "headwear": ("none",), "lower.garment": ("trousers",), "lower.color": ("black",)}),
    ("He wears no hat, glasses, or gloves and carries a bag.",
     {"gender": ("male",), "headwear": ("none",), "eyewear": ("none",), "gloves": ("none",), "carrying": ("bag",)}),
    ("A man not wearing a hat, in a red jacket.",
     {"gender": ("male",), "headwear": ("none",), "upper.garment": ("jacket",), "upper.color": ("red",)}),
    ("She wears no coat, only a red jumper.",
     {"gender": ("female",), "upper.garment": ("sweater",), "upper.color": ("red",)}),
    ("Instead of a jacket, he wears a hoodie.", {"gender": ("male",), "upper.garment": ("hoodie",)}),
    ("He has no hair under his cap.", {"gender": ("male",), "headwear": ("cap",)}),
    ("A man on a bench with a bike nearby.", {"gender": ("male",)}),
    ("A man standing on the pavement beside his bike.", {"gender": ("male",), "posture": ("standing",)}),
    ("A man leaning on a bicycle.", {"gender": ("male",)}),
    ("A man on a bicycle.", {"gender": ("male",), "posture": ("riding a bicycle",)}),
    ("A woman holding a child's hand.", {"gender": ("female",)}),
    ("A man pushing a child in a stroller.", {"gender": ("male",), "carrying": ("stroller",)}),
    ("A woman pushing a buggy with a toddler in it.", {"gender": ("female",), "carrying": ("stroller",)}),
    ("A woman with a walking stick, in walking boots.", {"gender": ("female",), "footwear.type": ("boots",)}),
    ("A man with his hood down, holding a helmet in his hand.", {"gender": ("male",)}),
    ("A woman with sunglasses in her hand.", {"gender": ("female",)}),
    ("A man carrying a jacket, wearing a white shirt.",
     {"gender": ("male",), "upper.garment": ("shirt",), "upper.color": ("white",)}),
    ("A woman with a jumper tied around her waist and a white T-shirt.",
     {"gender": ("female",), "upper.garment": ("t-shirt",), "upper.color": ("white",)}),
    ("A man talking on his mobile phone.", {"gender": ("male",), "activity": ("making a phone call",)}),
    ("A man wearing short trousers.", {"gender": ("male",), "lower.garment": ("shorts",)}),
    ("", {}),
    ("No, nothing!", {}),
])  # fmt: skip
def test_free_text(text: str, values: dict[str, tuple[str, ...]]) -> None:
    assert parse(text) == values


def f1_per_column(stated: list[set[str]], truth: list[set[str]]) -> dict[str, float]:
    scores = {}
    for name in SCORED:
        both = sum(name in said and name in true for said, true in zip(stated, truth, strict=True))
        total = sum((name in said) + (name in true) for said, true in zip(stated, truth, strict=True))
        if total:
            scores[name] = 2 * both / total
    return scores


@needs_captions
def test_msp60k_captions_against_their_labels_and_what_they_state() -> None:
    rows = [json.loads(line) for line in CAPTIONS.read_text().splitlines()]
    stated = [{name for name, value in columns_of(parse(row["answer"])).items() if value} for row in rows]
    labels = [{name for name, value in zip(COLUMNS, row["one_hot"], strict=True) if value} for row in rows]
    scores = f1_per_column(stated, labels)
    assert len(scores) == len(SCORED)
    assert sum(scores.values()) / len(scores) >= 0.95
    truth = json.loads((Path(__file__).parent / "msp60k_stated.json").read_text())["rows"]
    scores = f1_per_column([stated[int(row)] for row in truth], [set(columns) for columns in truth.values()])
    assert sum(scores.values()) / len(scores) >= 0.985
