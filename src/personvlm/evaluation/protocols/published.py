"""The protocol ``published``: the seed's own computation, so that figures can stand beside its tables. It is frozen.

Rebuilt from the description of the published study and from the evaluation script of its public repository
(``rishi02102017/PersonVLM``, ``compute_metrics_pretrained.py`` for stages 3 and 4, ``compute_metrics_full.py`` for
stages 1 and 2). Known from there: the first 500 rows; one reference, the raw caption with its preamble; lower case;
corpus BLEU with smoothing method 1 of Chen and Cherry 2014 and weights (0.33, 0.33, 0.33) for BLEU-3; ROUGE-L as a
plain F1; a "CIDEr" of one vector for all orders together (term frequency per order, log(rows / document frequency),
cosine, times ten); attributes by keywords with their substring bugs, a group counted where the reference has a keyword,
right where the text yields the same value, and "overall" the plain mean of the six groups, although the study's table
calls it weighted.

Inferred: the study cuts tokens by nltk's ``word_tokenize``, whose trained sentence cutter must be downloaded; ours is
untrained (:mod:`personvlm.metrics.tokens`). On the first 500 rows of MSP60K's captions at hand the constant sentence
scores BLEU-4 25.27, ROUGE-L 43.39 and attributes 64.89, which are the figures known for the study's code, and the
numbers of hair colors (254) and ages (130) are those of its table. The other numbers of its table (gender 210, bag
116, upper 256, lower 255) do not come out of its script; the table must stem from another version of it.

Two computations are called attribute accuracy there. The table of stages 3 and 4 has the six groups above
(``attributes``); the 63.8 % of stages 1 and 2 is the share of a reference's color, clothing, action and gender words
that the text contains as well (``keyword_overlap``). They cannot be compared, and both are given.

The bugs belong to the protocol: a "dark-colored shirt" is a red shirt, whoever is "holding" something is old, and the
first color of a fixed list wins over the first in the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.evaluation.figures import with_intervals
from personvlm.metrics.facts import nanmean, ratio
from personvlm.metrics.intervals import sums_per_identity
from personvlm.metrics.text import DocumentFrequencies, Tokens, bleu_counts, grams, longest_common_subsequence
from personvlm.metrics.tokens import tokenize

Floats = NDArray[np.float64]

VERSION = 1

ROWS = 500
"""Rows from the start of a file that count."""

TEXT = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
GROUPS = ("gender", "age", "hair_color", "upper_color", "lower_color", "bag")

_EPSILON = 0.1  # method 1: in place of zero matches of an order
_WEIGHTS = ((1.0,), (0.5,) * 2, (0.33,) * 3, (0.25,) * 4)

_HAIR_COLORS = ("black", "brown", "blonde", "gray", "grey", "white", "red")
_COLORS = ("black", "white", "red", "blue", "green", "yellow", "orange", "purple", "pink", "brown", "gray", "grey",
           "navy", "beige")  # fmt: skip
_UPPER = ("shirt", "top", "jacket", "coat", "sweater", "blouse", "dress", "t-shirt")
_LOWER = ("pants", "jeans", "shorts", "skirt", "trousers")
# Group -> (value, keywords that give it), the first that is found wins.
_KEYWORDS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = MappingProxyType({
    "gender": (("female", ("woman", "female", "lady")), ("male", ("man", "male", "gentleman"))),
    "age": (("young", ("young",)), ("middle", ("middle-aged", "middle aged")), ("old", ("elderly", "old"))),
    "hair_color": tuple((color, (f"{color} hair", f"{color}-haired")) for color in _HAIR_COLORS),
    "upper_color": tuple((color, tuple(f"{color} {garment}" for garment in _UPPER)) for color in _COLORS),
    "lower_color": tuple((color, tuple(f"{color} {garment}" for garment in _LOWER)) for color in _COLORS),
    "bag": (("backpack", ("backpack",)), ("handbag", ("handbag", "purse")), ("bag", ("bag",))),
})  # fmt: skip
_OVERLAP: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "color": ("black", "white", "red", "blue", "green", "yellow", "gray", "grey", "brown", "pink", "orange", "purple",
              "navy", "beige", "dark", "light", "maroon"),
    "clothing": ("shirt", "t-shirt", "jacket", "coat", "pants", "trousers", "jeans", "shorts", "dress", "skirt",
                 "sweater", "hoodie", "vest", "top", "blouse"),
    "action": ("standing", "walking", "sitting", "running", "waiting", "looking", "carrying", "holding"),
    "gender": ("male", "female", "man", "woman", "boy", "girl"),
})  # fmt: skip


def score(
    predictions: Sequence[str],
    references: Sequence[str],
    identities: Sequence[str | None] | None = None,
    *,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Score the first :data:`ROWS` texts against one raw reference each.

    Args:
        predictions: ``[N]``.
        references: ``[N]``, captions as they were written.
        identities: ``[N]``, for the intervals; every row is a person of its own by default. The study gave none.
        resamples: of the bootstrap over people.

    Returns:
        ``n``; ``text``: BLEU-1 to 4, ROUGE-L and CIDEr; ``attributes``: the six groups and their ``mean``;
        ``keyword_overlap``: four kinds of words and their ``mean``; every figure as ``{"value", "interval"}``, those
        of attributes with ``n``.

    Raises:
        ValueError: there are not as many texts as references, or none.
        InputError: nltk is not installed.
    """
    if len(predictions) != len(references) or not predictions:
        raise ValueError(f"{len(predictions)} texts for {len(references)} references: give one text per reference")
    predictions, references = predictions[:ROWS], references[:ROWS]
    people = [None] * len(predictions) if identities is None else list(identities[:ROWS])
    result: dict[str, Any] = {"n": len(predictions), "text": _text(predictions, references, people, resamples)}
    result["attributes"] = _shares(GROUPS, _attributes(predictions, references), people, resamples)
    result["keyword_overlap"] = _shares(tuple(_OVERLAP), _overlap(predictions, references), people, resamples)
    return result


def attributes(text: str) -> dict[str, str]:
    """What the study's keywords find in a text; a group without a keyword is missing.

    Example:
        >>> attributes("A woman in a dark-colored shirt holding a bag.")
        {'gender': 'female', 'age': 'old', 'upper_color': 'red', 'bag': 'bag'}
    """
    text = text.lower()
    found = {}
    for group, values in _KEYWORDS.items():
        value = next((value for value, words in values if any(word in text for word in words)), None)
        if value is not None:
            found[group] = value
    return found


def single_vector_cider(candidates: Sequence[Tokens], references: Sequence[Tokens]) -> Floats:
    """The study's "CIDEr" per row ``[N]``: n-grams of all four orders in one tf-idf vector, one cosine, times ten."""
    frequencies = DocumentFrequencies.of([[one] for one in references])
    pairs = zip(candidates, references, strict=True)
    return np.array([10.0 * _cosine(_weighted(one, frequencies), _weighted(other, frequencies))
                     for one, other in pairs], np.float64)  # fmt: skip


def _text(predictions: Sequence[str], references: Sequence[str], people: Sequence[str | None],
          resamples: int) -> dict[str, Any]:  # fmt: skip
    candidates, others = [tokenize(text) for text in predictions], [tokenize(text) for text in references]
    counts = bleu_counts(candidates, [[one] for one in others])
    counts[:, 6:] = np.maximum(counts[:, 6:], 1.0)  # nltk counts one n-gram even in a text too short for any
    rouge = [_rouge(one, other) for one, other in zip(candidates, others, strict=True)]
    rows = np.column_stack([counts, rouge, single_vector_cider(candidates, others), np.ones(len(candidates))])

    def figures(totals: Floats) -> Floats:
        return np.concatenate([_bleu(totals[:, :10]), totals[:, 10:12] / totals[:, 12:]], axis=1)

    return with_intervals(TEXT, sums_per_identity(people, rows), figures, resamples)


def _bleu(totals: Floats) -> Floats:
    """Sums ``[R, 10]`` of ``bleu_counts`` to BLEU ``[R, 4]`` with smoothing method 1."""
    length, closest = totals[:, 0], totals[:, 1]
    matches = totals[:, 2:6]
    logs = np.log(np.where(matches == 0, _EPSILON, matches) / totals[:, 6:10])
    weights = np.array([(*given, *(0.0,) * (4 - len(given))) for given in _WEIGHTS])
    brevity = np.where(length > closest, 1.0, np.exp(1.0 - closest / np.maximum(length, 1e-9)))
    return np.asarray(np.exp(logs @ weights.T) * (brevity * (matches[:, 0] > 0))[:, None], np.float64)


def _rouge(candidate: Tokens, reference: Tokens) -> float:
    common = longest_common_subsequence(candidate, reference)
    return 2 * common / (len(candidate) + len(reference)) if common else 0.0


def _weighted(tokens: Tokens, frequencies: DocumentFrequencies) -> dict[tuple[str, ...], float]:
    return {gram: count / (len(tokens) - len(gram) + 1) * frequencies.idf(gram)
            for gram, count in grams(tokens).items()}  # fmt: skip


def _cosine(one: Mapping[tuple[str, ...], float], other: Mapping[tuple[str, ...], float]) -> float:
    product = sum(weight * other.get(gram, 0.0) for gram, weight in one.items())
    norms = [sum(weight * weight for weight in vector.values()) ** 0.5 for vector in (one, other)]
    return product / (norms[0] * norms[1]) if norms[0] * norms[1] > 0 else 0.0


def _attributes(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """Per row ``[N, groups, 2]``: right, counted."""
    pairs = [(attributes(text), attributes(reference)) for text, reference in zip(predictions, references, strict=True)]
    return np.array([[(group in true and found.get(group) == true[group], group in true) for group in GROUPS]
                     for found, true in pairs], np.float64)  # fmt: skip


def _overlap(predictions: Sequence[str], references: Sequence[str]) -> Floats:
    """Per row ``[N, kinds, 2]``: share of the reference's words that the text contains, counted."""
    rows = []
    for text, reference in zip(predictions, references, strict=True):
        text, reference = text.lower(), reference.lower()
        there = [[word for word in words if word in reference] for words in _OVERLAP.values()]
        rows.append([(sum(word in text for word in words) / max(1, len(words)), bool(words)) for words in there])
    return np.array(rows, np.float64)


def _shares(names: Sequence[str], rows: Floats, people: Sequence[str | None], resamples: int) -> dict[str, Any]:
    def figures(totals: Floats) -> Floats:
        each = ratio(totals[:, 0::2], totals[:, 1::2])
        return np.column_stack([each, [nanmean(row) for row in each]])

    result: dict[str, Any] = with_intervals(
        (*names, "mean"), sums_per_identity(people, rows.reshape(len(rows), -1)), figures, resamples
    )
    for name, count in zip(names, rows[..., 1].sum(0), strict=True):
        result[name]["n"] = int(count)
    return result
