"""Words one after the other, under constraint: a word that contradicts what was decided cannot come."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.language.constraint import Constraint, masks
from personvlm.language.quality import well_formed
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import Tokenizer
from personvlm.models.prefix import encode_values
from personvlm.runtime.draft import Drafter, Lookup, accepted
from personvlm.runtime.engine import Engine, Floats, Integers
from personvlm.schema import Values

_CLOSING = 10
"""Words kept back for the end of a sentence, so that no text is cut off inside one."""

_WHOLE = 128
"""Where a text may have so many words, the constraint allows every canonical one as a whole, whatever was decided, and
its form is good (``tests/runtime/test_generate.py``). While the decoder follows it, which is nearly always, neither is
asked: they took half of what Python does for a description."""


@dataclass(frozen=True)
class Sampling:
    """How to choose a word. Temperature 0 is greedy; otherwise top-k, then nucleus (Holtzman et al., ICLR 2020).

    Raises:
        InputError: a number with which no word can be chosen.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.92
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.top_k >= 1 and 0 < self.top_p <= 1 and self.seed >= 0):
            raise InputError(f"{self}: temperature must be a number, top_k at least 1, top_p above 0 and at most 1, "
                             "seed not negative")  # fmt: skip


VARIED = Sampling(temperature=1.2, top_p=0.95)
"""How candidates are drawn where nothing else is asked for. At 0.8 most texts have no second; at 1.5 they stammer."""


@dataclass(frozen=True)
class Written:
    """A text, and how likely the decoder finds it: the mean logarithm of its words' probabilities, no word masked (0
    where nobody asked)."""

    text: str
    likelihood: float


def canonical_draft(values: Values, tokenizer: Tokenizer) -> Drafter:
    """Drafts what the training texts would say of ``values``; most descriptions then take one run of the decoder."""
    return Lookup(tuple(tokenizer.encode(realise(values), ends=True)))


def generate(engine: Engine, tokens: Floats, values: Sequence[Values], tokenizer: Tokenizer, max_words: int,
             sampling: Sampling | None = None, *,
             drafts: Callable[[Values, Tokenizer], Drafter] | None = canonical_draft) -> list[str]:  # fmt: skip
    """One text per row.

    Args:
        tokens: visual tokens ``float32 [N, K, D]``.
        values: what each text states: its prefix, and what no word may contradict.
        max_words: upper bound of a text in words; a row that reaches it ends there.
        drafts: makes the drafter of a row; None reads word by word. The words do not depend on it.

    Every decided value has to be said before a text may end. Where the decoder has no sentence for one and strays, the
    row is written again without that duty: it then leaves the value to the JSON.
    """
    draw = _draws(sampling or Sampling(), max_words)
    found = _written(engine, tokens, values, tokenizer, max_words, [draw] * len(values), drafts)
    return [item.text for item in found]


def candidates(engine: Engine, tokens: Floats, values: Values, tokenizer: Tokenizer, max_words: int, count: int,
               sampling: Sampling) -> list[Written]:  # fmt: skip
    """Up to ``count`` different texts for one crop (``tokens`` ``[1, K, D]``), the likeliest first.

    The greedy text is among them, and so is what ``sampling`` by itself gives; the others are sampled, ``4 * count``
    times at most.
    """
    found: dict[str, Written] = {}
    draws = [_draws(Sampling(), max_words), _draws(sampling, max_words)]
    draws += [_draws(sampling, max_words, number) for number in range(4 * count)]
    while draws and len(found) < count:
        now, draws = draws[:count], draws[count:]
        rows = np.repeat(tokens, len(now), 0)
        for item in _written(engine, rows, [values] * len(now), tokenizer, max_words, now, canonical_draft, weigh=True):
            if len(found) < count:
                found.setdefault(item.text, item)
    return sorted(found.values(), key=lambda item: -item.likelihood)


Choose = Callable[[Floats, int], Integers]
"""Words from masked logits ``[T, V]`` of T places in a row, the first of which is the given one."""


def _draws(sampling: Sampling, max_words: int, number: int | None = None) -> Choose | None:
    """How one text chooses its words: one draw for each place, the same for every row, so that no place in a batch
    matters; ``number`` tells several texts for one crop apart. None takes the likeliest."""
    if sampling.temperature <= 0:
        return None
    seed = sampling.seed if number is None else (sampling.seed, number)
    draws = np.random.default_rng(seed).random(max_words)

    def choose_at(logits: Floats, place: int) -> Integers:
        return choose(logits, sampling, draws[place : place + len(logits)])

    return choose_at


def _written(engine: Engine, tokens: Floats, values: Sequence[Values], tokenizer: Tokenizer, max_words: int,
             draws: Sequence[Choose | None], drafts: Callable[[Values, Tokenizer], Drafter] | None, *,
             weigh: bool = False) -> list[Written]:  # fmt: skip
    """As :func:`generate`, with each row's own way to choose words; ``weigh`` asks for likelihoods."""

    def texts(rows: Sequence[int], *, complete: bool) -> list[_Text]:
        canonical = complete and drafts is canonical_draft and max_words >= _WHOLE
        return [_Text(tokenizer, values[row], max_words, draws[row], drafts and drafts(values[row], tokenizer),
                      canonical=canonical, complete=complete, weigh=weigh) for row in rows]  # fmt: skip

    first = texts(range(len(values)), complete=True)
    written = _write(engine, tokens, values, first)
    astray = [row for row, text in enumerate(written) if not first[row].canonical and not well_formed(text.text)]
    if astray:
        again = _write(engine, tokens[astray], [values[row] for row in astray], texts(astray, complete=False))
        for row, text in zip(astray, again, strict=True):
            written[row] = text
    return written


def _write(engine: Engine, tokens: Floats, values: Sequence[Values], texts: list[_Text]) -> list[Written]:
    """Run the decoder until every text has ended. One that has takes no further part: it is taken out of the batch, so
    that a long sentence does not make its neighbors pay, and no row sees another."""
    if not texts:
        return []
    cache = engine.begin(tokens, np.stack([encode_values(item) for item in values]))
    alive = texts
    while alive:
        asked = [text.propose() for text in alive]
        longest = max(len(words) for words in asked)
        words = np.array([row + row[-1:] * (longest - len(row)) for row in asked], np.int64)
        logits = engine.extend(cache, words, [text.read for text in alive])
        likeliest = logits.argmax(2).tolist()
        ended = [text.take(logits[row, : len(asked[row])], likeliest[row]) for row, text in enumerate(alive)]
        if any(ended):
            going = [row for row, over in enumerate(ended) if not over]
            alive = [alive[row] for row in going]
            cache.take(np.array(going, np.int64))
    return [text.written() for text in texts]


class _Text:
    """One text under way.

    Attributes:
        read: how many words the decoder has read and may keep.
        canonical: nothing but the canonical text has come so far.
    """

    def __init__(self, tokenizer: Tokenizer, values: Values, max_words: int, draw: Choose | None,
                 drafter: Drafter | None, *, canonical: bool, complete: bool, weigh: bool) -> None:  # fmt: skip
        self._tokenizer, self._values, self._complete = tokenizer, values, complete
        self._most, self._choose, self._drafter, self._weigh = max_words, draw, drafter, weigh
        self._words, self._chance = [tokenizer.bos_id], 0.0
        self.canonical = canonical and draw is None
        self.read = 0

    @cached_property
    def _constraint(self) -> Constraint:
        return Constraint(self._tokenizer.words, self._values, complete=self._complete, limit=self._most - _CLOSING)

    def propose(self) -> list[int]:
        """Words for the decoder to read: the last one, and what may follow it by the draft and the constraint."""
        room, end = self._most - len(self._words), self._tokenizer.eos_id  # one more is chosen after the last
        drafted = self._drafter.draft(self._words, room) if self._drafter is not None and room > 0 else []
        self.canonical &= drafted[-1:] == [end] and self._tokenizer.unk_id not in drafted
        if self.canonical:
            self._draft = drafted[:-1]
        else:
            self._follow(drafted)
        return [self._words[-1], *self._draft]

    def _follow(self, drafted: Sequence[int]) -> None:
        """Take of a draft what the constraint allows, and keep what it allows at each place."""
        constraint = self._constraint
        self._places, self._allowed = [constraint.place], [constraint.allowed()]
        for word in drafted:
            if word == self._tokenizer.eos_id or not self._allowed[-1] >> word & 1:
                break
            constraint.advance(word)
            self._places.append(constraint.place)
            self._allowed.append(constraint.allowed())
        self._draft = list(drafted[: len(self._places) - 1])

    def take(self, logits: Floats, likeliest: list[int]) -> bool:
        """Choose from ``[T, V]`` after what :meth:`propose` gave, as far as the draft was right and one word further.
        Returns whether the text has ended.

        Args:
            likeliest: of each place the word with the highest logit, allowed or not.
        """
        whole = [*self._draft, self._tokenizer.eos_id]
        if self.canonical and whole != likeliest[: len(whole)]:
            self.canonical = False
            self._follow(self._draft)
        if self.canonical:
            new = whole
        else:
            new = self._likeliest(logits, likeliest) if self._choose is None else self._drawn(logits, self._choose)
        count = len(new)
        if self._weigh:
            read = logits[:count].astype(np.float64)
            self._chance += float((read[np.arange(count), new] - np.log(np.exp(read).sum(1))).sum())
        self.read, self._words = self.read + count, self._words + new
        if not self.canonical:
            self._constraint.place = self._places[count - 1]
            self._constraint.advance(new[-1])
        return new[-1] == self._tokenizer.eos_id or len(self._words) > self._most

    def _likeliest(self, logits: Floats, likeliest: Sequence[int]) -> list[int]:
        new: list[int] = []
        for place, (allowed, word) in enumerate(zip(self._allowed, likeliest, strict=False)):
            if not allowed >> word & 1:  # else no allowed word is likelier
                word = int(np.where(masks([allowed], logits.shape[1])[0], logits[place], -np.inf).argmax())
            new.append(word)
            if [word] != self._draft[place : place + 1]:
                break
        return new

    def _drawn(self, logits: Floats, draw: Choose) -> list[int]:
        allowed = masks(self._allowed, logits.shape[1])
        chosen: list[int] = draw(np.where(allowed, logits, -np.inf), len(self._words) - 1).tolist()
        return chosen[: accepted(self._draft, chosen) + 1]

    def written(self) -> Written:
        """The text as it stands."""
        return Written(self._tokenizer.decode(self._words[1:]), self._chance / max(1, len(self._words) - 1))


def choose(logits: Floats, sampling: Sampling, draw: float | NDArray[np.float64]) -> Integers:
    """The next word of each row ``[N]`` from masked logits ``[N, V]``; ``draw`` in 0..1, one for all rows or ``[N]``,
    decides where one samples."""
    if sampling.temperature <= 0:
        greedy: Integers = logits.argmax(1)
        return greedy
    ordered = np.argsort(-logits, axis=1, kind="stable")[:, : sampling.top_k]
    scaled = np.take_along_axis(logits, ordered, 1) / sampling.temperature
    p = np.exp(scaled - scaled[:, :1])
    p /= p.sum(1, keepdims=True)
    p[np.cumsum(p, 1) - p >= sampling.top_p] = 0.0  # the word that crosses top_p stays
    p /= p.sum(1, keepdims=True)
    picked = (np.cumsum(p, 1) < np.reshape(draw, (-1, 1))).sum(1).clip(max=p.shape[1] - 1)
    words: Integers = np.take_along_axis(ordered, picked[:, None], 1)[:, 0]
    return words


def score(engine: Engine, tokens: Floats, values: Sequence[Values], texts: Sequence[str], tokenizer: Tokenizer,
          max_words: int | None = None) -> NDArray[np.float64]:  # fmt: skip
    """Negative log-likelihood per character ``[N]`` of given texts: nats, no smoothing, no constraint.

    Args:
        max_words: of a longer text its beginning is scored, so many words of it: the decoder has no places for more.
    """
    cache = engine.begin(tokens, np.stack([encode_values(item) for item in values]))
    whole = [tokenizer.encode(text, ends=True) for text in texts]
    rows = [row if max_words is None else row[: max_words + 1] for row in whole]
    characters = [len(text if len(row) == len(full) else tokenizer.decode(row))
                  for text, row, full in zip(texts, rows, whole, strict=True)]  # fmt: skip
    length = max(len(row) for row in rows)
    words = np.array([row + [tokenizer.pad_id] * (length - len(row)) for row in rows], np.int64)
    logits = engine.extend(cache, words[:, :-1], [0] * len(rows)).astype(np.float64)
    peak = logits.max(2, keepdims=True)
    normaliser = peak[..., 0] + np.log(np.exp(logits - peak).sum(2))
    chance = np.take_along_axis(logits, words[:, 1:, None], 2)[..., 0] - normaliser
    given = np.arange(1, length) < np.array([len(row) for row in rows])[:, None]
    result: NDArray[np.float64] = -np.where(given, chance, 0.0).sum(1) / [max(1, count) for count in characters]
    return result
