"""Words by draft and verification are the words of decoding one by one, whatever is drafted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.language.constraint import Constraint
from personvlm.language.quality import well_formed
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import Tokenizer, load_tokenizer
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.draft import Drafter
from personvlm.runtime.engine import Cache, Floats, Integers, OnnxEngine, Seen
from personvlm.runtime.generate import _WHOLE, Sampling, canonical_draft, choose, generate
from personvlm.schema import Values

People = list[NDArray[np.uint8]]
Drafts = Callable[[Values, Tokenizer], Drafter]
COUNT = 12
WORDS = 90


@pytest.fixture(scope="module")
def describer(folder: Path) -> Describer:
    return Describer.load(folder, threads=1)


@pytest.fixture(scope="module")
def values() -> list[Values]:
    rng = random.Random(5)
    return [random_values(rng) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def tokens(describer: Describer, people: People) -> Floats:
    seen = describer.engine.encode(describer.transform(people)).tokens
    return np.concatenate([seen, seen])[:COUNT]


class Chance:
    """Drafts anything: words, nonsense, too much, nothing."""

    def __init__(self, vocabulary: int, most_wanted: int) -> None:
        self.rng, self.vocabulary, self.most_wanted = random.Random(8), vocabulary, most_wanted

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        count = self.rng.randrange(min(most, self.most_wanted) + 1)
        return [self.rng.randrange(self.vocabulary) for _ in range(count)]


class Half:
    """The canonical draft with every third word replaced."""

    def __init__(self, values: Values, tokenizer: Tokenizer) -> None:
        self.drafter = canonical_draft(values, tokenizer)

    def draft(self, words: Sequence[int], most: int) -> list[int]:
        return [word if place % 3 else 9 for place, word in enumerate(self.drafter.draft(words, most))]


class Counting:
    """An engine that counts its runs."""

    workers = 0

    def __init__(self, engine: OnnxEngine) -> None:
        self.engine, self.runs, self.single = engine, 0, self
        self.encode, self.begin = engine.encode, engine.begin

    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        self.runs += 1
        return self.engine.extend(cache, words, kept)


class Noise:
    """An engine whose logits depend on the place alone: the likeliest of all words is seldom one that may come."""

    workers = 0

    def __init__(self, vocabulary: int, seed: int) -> None:
        self.single = self
        self.logits = np.random.default_rng(seed).normal(size=(2 * WORDS, vocabulary)).astype(np.float32)

    def encode(self, pixels: Floats) -> Seen:
        raise NotImplementedError

    def begin(self, tokens: Floats, prefix: Integers) -> Cache:
        return self

    def take(self, rows: Integers) -> None: ...

    def extend(self, cache: Cache, words: Integers, kept: Sequence[int]) -> Floats:
        return np.stack([self.logits[place : place + words.shape[1]] for place in kept])


def test_of_the_words_that_may_come_the_likeliest_is_chosen(values: list[Values]) -> None:
    tokenizer = load_tokenizer(shipped())

    def expected(engine: Noise, item: Values, complete: bool) -> str:
        constraint, words = Constraint(tokenizer.words, item, complete=complete, limit=WORDS - 10), [tokenizer.bos_id]
        while len(words) <= WORDS and words[-1] != tokenizer.eos_id:
            words.append(int(np.where(constraint.mask(), engine.logits[len(words) - 1], -np.inf).argmax()))
            constraint.advance(words[-1])
        return tokenizer.decode(words[1:])

    for seed, item in enumerate(values):
        engine = Noise(len(tokenizer), seed)
        text = generate(engine, np.zeros((1, 1, 1), np.float32), [item], tokenizer, WORDS)[0]
        complete = expected(engine, item, True)
        assert text == (complete if well_formed(complete) else expected(engine, item, False))


@pytest.mark.parametrize("sampling", [None, Sampling(temperature=1.3, seed=3)], ids=["greedy", "sampled"])
def test_a_draft_decides_nothing(describer: Describer, tokens: Floats, values: list[Values],
                                 sampling: Sampling | None) -> None:  # fmt: skip
    def texts(drafts: Drafts | None) -> list[str]:
        return generate(describer.engine, tokens, values, describer.tokenizer, WORDS, sampling, drafts=drafts)

    word_by_word = texts(None)
    assert len(set(word_by_word)) > COUNT // 2
    for drafts in (canonical_draft, Half, lambda _, tokenizer: Chance(len(tokenizer), 200)):
        assert texts(drafts) == word_by_word


class Follows(Noise):
    """An engine that says the canonical text, with one word of ten replaced where it ``strays``."""

    def __init__(self, tokenizer: Tokenizer, values: Values, seed: int, strays: bool) -> None:
        super().__init__(len(tokenizer), seed)
        rng, self.logits = np.random.default_rng(seed), np.resize(self.logits, (400, len(tokenizer)))
        for place, word in enumerate(tokenizer.encode(realise(values), ends=True)[1:]):
            if not strays or rng.random() > 0.1:
                self.logits[place, word] = 9.0


@pytest.fixture(scope="module")
def many() -> list[Values]:
    rng = random.Random(11)
    shares = [None] * 160 + [0.03, 0.95, 1.0] * 20
    return [random_values(rng, share=share, absent=rng.random() < 0.3) for share in shares]


def test_every_canonical_text_is_allowed_and_well_formed(many: list[Values]) -> None:
    tokenizer = load_tokenizer(shipped())
    for values in many:
        text = realise(values)
        constraint = Constraint(tokenizer.words, values, limit=_WHOLE - 10)
        for word in tokenizer.encode(text, ends=True)[1:]:
            assert constraint.allowed() >> word & 1, text
            constraint.advance(word)
        assert well_formed(text), text


@pytest.mark.parametrize("strays", [False, True])
def test_where_the_canonical_text_is_followed_nothing_is_asked_and_nothing_changes(
    many: list[Values], strays: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, tokens, asked = load_tokenizer(shipped()), np.zeros((1, 1, 1), np.float32), []

    def counted(*arguments: Any, **options: Any) -> Constraint:
        asked.append(arguments)
        return Constraint(*arguments, **options)

    for seed, values in enumerate(many[::4]):
        engine = Follows(tokenizer, values, seed, strays)
        slow = generate(engine, tokens, [values], tokenizer, _WHOLE, drafts=None)
        with monkeypatch.context() as patch:
            patch.setattr("personvlm.runtime.generate.Constraint", counted)
            assert generate(engine, tokens, [values], tokenizer, _WHOLE) == slow
        assert strays or slow == [realise(values)]
    assert bool(asked) == strays


def test_a_right_draft_takes_one_run(describer: Describer, tokens: Floats, values: list[Values]) -> None:
    class Told:
        def __init__(self, text: str) -> None:
            self.ids = describer.tokenizer.encode(text, ends=True)

        def draft(self, words: Sequence[int], most: int) -> list[int]:
            return self.ids[len(words) :][:most]

    assert isinstance(describer.engine, OnnxEngine)
    for row in range(4):
        arguments = (tokens[row : row + 1], values[row : row + 1], describer.tokenizer, WORDS)
        slow, fast = Counting(describer.engine), Counting(describer.engine)
        text = generate(slow, *arguments, drafts=None)[0]
        told = Told(text)
        assert generate(fast, *arguments, drafts=lambda _values, _tokenizer, told=told: told) == [text]  # type: ignore[misc]
        # One that strays is written twice, the second time without the duty to say everything.
        assert fast.runs < slow.runs
        if slow.runs == len(told.ids) - 1:
            assert fast.runs == 1


def test_alone_or_beside_others_the_words_are_the_same(describer: Describer, tokens: Floats,
                                                       values: list[Values]) -> None:  # fmt: skip
    together = generate(describer.engine, tokens, values, describer.tokenizer, WORDS)
    alone = [generate(describer.engine, tokens[row : row + 1], values[row : row + 1], describer.tokenizer, WORDS)[0]
             for row in range(COUNT)]  # fmt: skip
    assert together == alone


def test_no_text_is_longer_than_asked(describer: Describer, tokens: Floats, values: list[Values]) -> None:
    for most in (1, 2, 7, 25):
        for text in generate(describer.engine, tokens, values, describer.tokenizer, most):
            assert len(describer.tokenizer.encode(text)) <= most


def test_one_draw_for_all_rows_or_one_for_each() -> None:
    logits = np.random.default_rng(1).normal(size=(5, 9)).astype(np.float32)
    sampling = Sampling(temperature=1.0)
    draws = np.array([0.1, 0.9, 0.5, 0.3, 0.7])
    each = [int(choose(logits[row : row + 1], sampling, draw)[0]) for row, draw in enumerate(draws)]
    assert choose(logits, sampling, draws).tolist() == each
    assert choose(logits, sampling, 0.4).tolist() == choose(logits, sampling, np.full(5, 0.4)).tolist()
