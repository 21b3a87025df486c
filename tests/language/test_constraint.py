"""Constrained decoding: the realiser's texts pass, and no path through it contradicts the decided values."""

import random

import numpy as np
import pytest

from personvlm.language.constraint import Constraint
from personvlm.language.lexicon import lexicon
from personvlm.language.parser import parse
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.tokens import join, split
from personvlm.language.words import PRONOUNS
from personvlm.schema import Values

TRAPS = ("no", "not", "without", "another", "background", "young", "bicycle", "ear", "riding", "phone", "dark-red",
         "two", "or", "anything", "(", '"', ":")  # fmt: skip
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")


def vocabulary() -> tuple[str, ...]:
    rng = random.Random(2)
    words = {word for seed in range(4000) for word in split(realise(random_values(rng), seed=seed))}
    return (*SPECIAL, *sorted(words | set(TRAPS)))


def everything() -> tuple[str, ...]:
    """Every word that the parser gives a meaning to."""
    return (*SPECIAL, *sorted(set(vocabulary()[4:]) | {word for words in lexicon() for word in words}))


WORDS = vocabulary()
INDEX = {word: place for place, word in enumerate(WORDS)}
MEANT = {word for words in lexicon() for word in words}


def allowed(constraint: Constraint, words: tuple[str, ...] = WORDS) -> set[str]:
    return {words[place] for place in np.flatnonzero(constraint.mask())}


def after(values: Values, text: str, **options: bool) -> set[str]:
    constraint = Constraint(WORDS, values, **options)
    for word in split(text):
        constraint.advance(INDEX[word])
    return allowed(constraint)


def walk(constraint: Constraint, words: tuple[str, ...], rng: np.random.Generator, adversarial: bool) -> list[str]:
    """A path through the constraint: any allowed word, or one that means something if there is one."""
    text: list[str] = []
    while len(text) < 300:
        places = np.flatnonzero(constraint.mask())
        assert len(places) > 0, join(text)
        liking = rng.random(len(places)) + (np.array([words[place] in MEANT for place in places]) if adversarial else 0)
        place = int(places[liking.argmax()])
        if words[place] == "<eos>":
            return text
        text.append(words[place])
        constraint.advance(place)
    raise AssertionError(f"does not end: {join(text)}")


def test_texts_of_the_realiser_are_accepted_word_by_word() -> None:
    rng = random.Random(3)
    for seed in range(500):
        values = random_values(rng)
        text = realise(values, seed=seed if seed % 5 else None)
        constraint = Constraint(WORDS, values)
        for word in (*split(text), "<eos>"):
            assert constraint.mask()[INDEX[word]], f"{word!r} in {text}"
            constraint.advance(INDEX[word])


@pytest.mark.parametrize("words", [WORDS, everything()], ids=["realiser", "parser"])
@pytest.mark.parametrize("adversarial", [False, True])
def test_no_path_contradicts(words: tuple[str, ...], adversarial: bool) -> None:
    rng, chance = random.Random(4), np.random.default_rng(4)
    complete = 0
    for turn in range(200):
        values = random_values(rng)
        text = join(walk(Constraint(words, values, complete=turn % 2 == 0), words, chance, adversarial))
        read = parse(text)
        for group, said in read.items():
            assert set(said) <= set(values.get(group, ())), f"{group}={said} in {text}"
        assert text.startswith("The image shows ")
        assert text.endswith(".")
        if "gender" not in values:
            assert not set(PRONOUNS) & set(split(text))
        complete += turn % 2 == 0 and all(set(read.get(group, ())) == set(values[group]) for group in values)
    assert complete >= 97  # of 100; noise may put a word where the parser passes over it


def test_only_what_was_decided_may_be_said() -> None:
    values = {"gender": ("male",), "upper.garment": ("jacket",), "upper.color": ("black", "white"),
              "lower.garment": ("jeans",), "carrying": ("backpack",)}  # fmt: skip
    start = after(values, "the image shows a")
    assert {"male", "man"} <= start
    assert not start & {"female", "person", "child", "hat", "not", "no", "another", "<unk>", "<pad>", "<bos>", "<eos>"}
    wearing = after(values, "the image shows a male. he is wearing a")
    assert wearing == {"black", "white", "jeans", "denim"}  # the jacket waits for its colors, a backpack is not worn
    assert after(values, "the image shows a male. he is wearing a black") == {"and"}
    assert after(values, "the image shows a male. he is wearing a black and") == {"white"}
    assert after(values, "the image shows a male. he is wearing a black and white") == {"jacket"}
    done = "the image shows a male. he is wearing a black and white jacket and jeans. he is carrying a backpack"
    assert after(values, done) == {"."}
    assert after(values, done + ".") == {"<eos>"}


def test_pending_adjectives_choose_the_noun() -> None:
    values = {"hair.length": ("short",), "hair.color": ("black",), "upper.color": ("black",), "lower.color": ("gray",)}
    black = after(values, "the image shows a person with short black")
    assert black == {"hair"}
    assert {"top"} == after(values, "the image shows a person. they are wearing a black")
    assert {"bottoms"} == after(values, "the image shows a person with gray")


def test_a_phrase_must_end_as_it_may() -> None:
    values = {"activity": ("making a phone call",), "lower.garment": ("suit trousers",)}
    assert after(values, "the image shows a person making a phone") == {"call"}
    assert after(values, "the image shows a person wearing suit") == {"trousers", "pants"}
    talking = {"activity": ("talking",), "carrying": ("phone",)}
    assert "phone" not in after(talking, "the image shows a person talking on the")  # that would be a call
    assert "phone" in after(talking, "the image shows a person talking with the")


def test_complete_or_not() -> None:
    values = {"gender": ("female",), "headwear": ("hat",)}
    assert "<eos>" not in after(values, "the image shows a woman.")
    assert "<eos>" in after(values, "the image shows a woman.", complete=False)


def test_a_forbidden_word_is_refused() -> None:
    constraint = Constraint(WORDS, {"gender": ("male",)})
    for word in ("the", "image", "shows", "a"):
        constraint.advance(INDEX[word])
    with pytest.raises(ValueError, match="'woman' contradicts"):
        constraint.advance(INDEX["woman"])


def test_a_limit_neither_refuses_what_the_realiser_says_nor_cuts_a_text_off() -> None:
    rng, chance = random.Random(7), np.random.default_rng(7)
    many = sorted((random_values(rng) for _ in range(400)), key=lambda values: -sum(map(len, values.values())))[:60]
    for seed, values in enumerate(many):
        constraint = Constraint(WORDS, values, limit=118)
        for word in (*split(realise(values, seed=seed)), "<eos>"):
            assert constraint.mask()[INDEX[word]], f"{word!r} in {realise(values, seed=seed)}"
            constraint.advance(INDEX[word])
    liking = chance.random(len(WORDS))  # a decoder that likes some words and goes on liking them
    for values in many:
        constraint, length = Constraint(WORDS, values, limit=118), 0
        while WORDS[place := int(np.where(constraint.mask(), liking, -1.0).argmax())] != "<eos>":
            constraint.advance(place)
            length += 1
            assert length < 128, values


def test_a_text_that_must_close_finishes_its_phrase() -> None:
    constraint = Constraint(WORDS, {"gender": ("male",), "age": ("thirties",)}, limit=12)
    for word in split("the image shows a man. his"):
        constraint.advance(INDEX[word])
    assert allowed(constraint) == {"thirties"}
