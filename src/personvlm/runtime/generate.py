"""Words one after the other, under constraint: a word that contradicts what was decided cannot come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.language.constraint import Constraint
from personvlm.language.quality import well_formed
from personvlm.language.tokenizer import Tokenizer
from personvlm.models.prefix import encode_values
from personvlm.runtime.engine import Cache, Engine, Floats
from personvlm.schema import Values

_CLOSING = 10
"""Words kept back for the end of a sentence, so that no text is cut off inside one."""


@dataclass(frozen=True)
class Sampling:
    """How to choose a word. Temperature 0 is greedy; otherwise top-k, then nucleus (Holtzman et al., ICLR 2020)."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.92
    seed: int = 0


def generate(engine: Engine, tokens: Floats, values: Sequence[Values], tokenizer: Tokenizer, max_words: int,
             sampling: Sampling | None = None) -> list[str]:  # fmt: skip
    """One text per row.

    Args:
        tokens: visual tokens ``float32 [N, K, D]``.
        values: what each text states: its prefix, and what no word may contradict.
        max_words: upper bound of a text in words; a row that reaches it ends there.

    Every decided value has to be said before a text may end. Where the decoder has no sentence for one and strays, the
    row is written again without that duty: it then leaves the value to the JSON.
    """
    sampling = sampling or Sampling()
    texts = _write(engine, tokens, values, tokenizer, max_words, sampling, complete=True)
    astray = [row for row, text in enumerate(texts) if not well_formed(text)]
    again = _write(engine, tokens[astray], [values[row] for row in astray], tokenizer, max_words, sampling,
                   complete=False)  # fmt: skip
    for row, text in zip(astray, again, strict=True):
        texts[row] = text
    return texts


def _write(engine: Engine, tokens: Floats, values: Sequence[Values], tokenizer: Tokenizer, max_words: int,
           sampling: Sampling, *, complete: bool) -> list[str]:  # fmt: skip
    """A row that has ended takes no further part: it is taken out of the batch, so that a long sentence does not make
    its neighbors pay, and no row sees another."""
    count = len(values)
    if count == 0:
        return []
    prefix = np.stack([encode_values(item) for item in values])
    constraints = [Constraint(tokenizer.words, item, complete=complete, limit=max_words - _CLOSING)
                   for item in values]  # fmt: skip
    texts: list[list[int]] = [[] for _ in range(count)]
    rng = np.random.default_rng(sampling.seed)  # one draw a word, the same for every row: no place in a batch matters
    alive = np.arange(count)
    logits, cache = engine.prefill(tokens, prefix, np.full((count, 1), tokenizer.bos_id, np.int64))
    for length in range(1, max_words + 1):
        allowed = np.stack([constraints[row].mask() for row in alive])
        chosen = choose(np.where(allowed, logits, -np.inf), sampling, rng.random())
        for row, word in zip(alive, chosen, strict=True):
            texts[row].append(int(word))
            constraints[row].advance(int(word))
        going = chosen != tokenizer.eos_id
        if not going.all():
            alive, chosen = alive[going], chosen[going]
            cache = (cache[0][:, going], cache[1][:, going])
        if len(alive) == 0 or length == max_words:  # there is no position after the last word
            break
        logits, cache = engine.decode(chosen, cache)
    return [tokenizer.decode(words) for words in texts]


def choose(logits: Floats, sampling: Sampling, draw: float) -> NDArray[np.int64]:
    """The next word of each row ``[N]`` from masked logits ``[N, V]``; ``draw`` in 0..1 decides where one samples."""
    if sampling.temperature <= 0:
        greedy: NDArray[np.int64] = logits.argmax(1)
        return greedy
    ordered = np.argsort(-logits, axis=1, kind="stable")[:, : sampling.top_k]
    scaled = np.take_along_axis(logits, ordered, 1) / sampling.temperature
    p = np.exp(scaled - scaled[:, :1])
    p /= p.sum(1, keepdims=True)
    p[np.cumsum(p, 1) - p >= sampling.top_p] = 0.0  # the word that crosses top_p stays
    p /= p.sum(1, keepdims=True)
    picked = (np.cumsum(p, 1) < draw).sum(1).clip(max=p.shape[1] - 1)
    words: NDArray[np.int64] = np.take_along_axis(ordered, picked[:, None], 1)[:, 0]
    return words


def score(engine: Engine, tokens: Floats, values: Sequence[Values], texts: Sequence[str],
          tokenizer: Tokenizer) -> NDArray[np.float64]:  # fmt: skip
    """Negative log-likelihood per character ``[N]`` of given texts: nats, no smoothing, no constraint."""
    result = np.zeros(len(texts))
    prefix = np.stack([encode_values(item) for item in values])
    rows = [tokenizer.encode(text, ends=True) for text in texts]
    length = max(len(row) for row in rows)
    words = np.array([row + [tokenizer.pad_id] * (length - len(row)) for row in rows], np.int64)
    cache: Cache
    logits, cache = engine.prefill(tokens, prefix, words[:, :1])
    for position in range(1, length):
        if position > 1:
            logits, cache = engine.decode(words[:, position - 1], cache)
        peak = logits.max(1)
        normaliser = peak + np.log(np.exp(logits - peak[:, None]).sum(1))
        chance = logits[np.arange(len(texts)), words[:, position]] - normaliser
        result -= np.where([position < len(row) for row in rows], chance, 0.0)
    result /= np.array([max(1, len(text)) for text in texts])
    return result
