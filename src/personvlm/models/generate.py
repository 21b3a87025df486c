"""Text from a stage, token by token with a cache; all choices are made for the whole batch at once.

Equal to ``transformers``' ``generate`` for the same settings and, when sampling, for the same random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from personvlm.language.tokenizer import Tokenizer
    from personvlm.models.person_vlm import PersonVLM


@dataclass(frozen=True)
class Generation:
    """How words are chosen. The defaults are the study's for sampling; :data:`GREEDY` is what evaluation uses.

    Attributes:
        max_length: longest text in tokens, the end included.
        temperature: divides the logits; 0 is greedy, and top-k and top-p then play no part.
        top_k: only the k most probable tokens (0: all).
        top_p: only the most probable tokens that together reach p (Holtzman et al., ICLR 2020; 1: all).
        repetition_penalty: what was written becomes less probable by this (Keskar et al., CTRL, 2019; 1: off).
        no_repeat_ngram: no n tokens in a row come twice (0: off).
        seed: of the random numbers.
    """

    max_length: int = 100
    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.92
    repetition_penalty: float = 1.2
    no_repeat_ngram: int = 3
    seed: int = 0


GREEDY = Generation(temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0, no_repeat_ngram=0)
"""The most probable token every time, without penalties."""


@torch.no_grad()
def write(model: PersonVLM, pixels: Tensor, tokenizer: Tokenizer, settings: Generation = GREEDY) -> list[str]:
    """One text per picture. ``pixels`` are ``float [N, 3, H, W]``, as the model's transform gives them."""
    longest = min(settings.max_length, model.config.max_text - 1)  # the beginning takes a place
    rows = generate(model, model.see(pixels), tokenizer.bos_id, tokenizer.eos_id, replace(settings, max_length=longest))
    return [tokenizer.decode(row) for row in rows.tolist()]


@torch.no_grad()
def generate(model: PersonVLM, visual: Tensor, bos: int, eos: int, settings: Generation = GREEDY,
             numbers: Tensor | None = None) -> Tensor:  # fmt: skip
    """Continue ``bos`` after visual tokens ``[N, K, D]`` until every row has ended.

    Args:
        numbers: uniform in [0, 1), ``[N, max_length]``, one for each token; row i is by default made from
            ``(settings.seed, i)`` alone, so that a row does not depend on how many stand beside it.

    Returns:
        ``int64 [N, T]``, T <= ``max_length``: the tokens after ``bos``; after its ``eos`` a row holds ``eos``.
    """
    count, device = len(visual), visual.device
    if numbers is None and settings.temperature > 0:
        numbers = random_numbers(count, settings)
    cache = model.begin(visual)
    words = torch.full((count, 1), bos, dtype=torch.int64, device=device)  # what the model reads next, [N, 1]
    written = words[:, :0]
    ended = torch.zeros(count, dtype=torch.bool, device=device)
    for step in range(settings.max_length):
        logits, cache = model.decode(words, cache)  # prefill: prefix and bos; then one word a step
        scores = processed(logits[:, -1].float(), written, settings)  # [N, V]
        if settings.temperature > 0:
            assert numbers is not None
            chosen = pick(scores.softmax(-1), numbers[:, step].to(device))
        else:
            chosen = scores.argmax(-1)
        chosen = torch.where(ended, eos, chosen)
        written = torch.cat([written, chosen[:, None]], dim=1)
        ended = ended | (chosen == eos)
        if bool(ended.all()):
            break
        words = chosen[:, None]
    return written


def random_numbers(count: int, settings: Generation) -> Tensor:
    """Uniform in [0, 1), float64 ``[count, max_length]``."""
    rows = [torch.rand(settings.max_length, dtype=torch.float64,
                       generator=torch.Generator().manual_seed(settings.seed * 1_000_003 + row))
            for row in range(count)]  # fmt: skip
    return torch.stack(rows) if rows else torch.zeros(0, settings.max_length, dtype=torch.float64)


def pick(probabilities: Tensor, numbers: Tensor) -> Tensor:
    """The token at which a row's cumulative probability passes the row's number: ``[N, V]``, ``[N]`` -> ``[N]``."""
    reached = probabilities.double().cumsum(-1)
    return torch.searchsorted(reached, (numbers.double() * reached[:, -1])[:, None], right=True)[:, 0]


def processed(logits: Tensor, written: Tensor, settings: Generation) -> Tensor:
    """Logits ``[N, V]`` after all settings, in the order of ``transformers``: penalty, n-grams, temperature, top-k,
    top-p. What is excluded is -inf."""
    if settings.repetition_penalty != 1.0 and written.shape[1]:
        logits = penalised(logits, written, settings.repetition_penalty)
    if settings.no_repeat_ngram:
        logits = logits.masked_fill(repeats(written, settings.no_repeat_ngram, logits.shape[1]), -torch.inf)
    if settings.temperature > 0:
        logits = logits / settings.temperature
        if 0 < settings.top_k < logits.shape[1]:
            logits = logits.masked_fill(logits < logits.topk(settings.top_k).values[:, -1:], -torch.inf)
        if settings.top_p < 1.0:
            logits = nucleus(logits, settings.top_p)
    return logits


def penalised(logits: Tensor, written: Tensor, penalty: float) -> Tensor:
    """Positive logits of the tokens in ``written [N, T]`` divided by the penalty, negative ones multiplied."""
    found = logits.gather(1, written)
    return logits.scatter(1, written, torch.where(found < 0, found * penalty, found / penalty))


def repeats(written: Tensor, size: int, vocabulary: int) -> Tensor:
    """True ``[N, V]`` where a token would complete an n-gram of ``size`` that ``written [N, T]`` already has."""
    count, length = written.shape
    banned = torch.zeros(count, vocabulary, dtype=torch.bool, device=written.device)
    if length < size:
        return banned
    grams = written.unfold(1, size, 1)  # [N, T-size+1, size]
    begun = written[:, length - size + 1 :]  # the last size-1 tokens
    same = (grams[:, :, :-1] == begun[:, None]).all(-1)
    rows = torch.arange(count, device=written.device)[:, None].expand_as(same)
    banned[rows[same], grams[:, :, -1][same]] = True
    return banned


def nucleus(logits: Tensor, share: float) -> Tensor:
    """The least probable tokens, which together hold no more than ``1 - share``, become -inf; the best one stays."""
    ascending, order = logits.sort(dim=-1)
    out = ascending.softmax(-1).cumsum(-1) <= 1.0 - share
    out[:, -1] = False
    return logits.masked_fill(torch.zeros_like(out).scatter(1, order, out), -torch.inf)
