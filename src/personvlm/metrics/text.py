"""Text against references: BLEU, ROUGE-L, CIDEr, CIDEr-D; and what a set of texts is like by itself.

Candidates are lists of tokens ``[N]``, references a list of such lists per candidate ``[N][at least 1]``; who cuts the
tokens is the caller's affair, and changes every figure. All scores are fractions, CIDEr up to 10. One constant
sentence scores well on BLEU and ROUGE-L in this domain: never quote either without baselines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from personvlm.metrics.facts import ratio

Floats = NDArray[np.float64]
Tokens = Sequence[str]
Grams = Counter[tuple[str, ...]]

ORDERS = 4
_BETA = 1.2
_SIGMA = 6.0


@dataclass(frozen=True)
class DocumentFrequencies:
    """In how many images' references an n-gram occurs, of how many images."""

    counts: Grams
    images: int

    @classmethod
    def of(cls, references: Sequence[Sequence[Tokens]]) -> DocumentFrequencies:
        """From the references of a set of images, usually those of the test set itself."""
        counts: Grams = Counter()
        for several in references:
            counts.update({gram for one in several for gram in grams(one)})
        return cls(counts, len(references))

    def idf(self, gram: tuple[str, ...]) -> float:
        """``log(images / max(1, images that have the n-gram))``."""
        return float(np.log(self.images) - np.log(max(1, self.counts[gram])))


class References:
    """References of a set of images, with what CIDEr needs of them worked out once for any number of candidates."""

    def __init__(self, tokens: Sequence[Sequence[Tokens]], frequencies: DocumentFrequencies | None = None) -> None:
        """``tokens [N][at least 1]``; ``frequencies`` come from them unless given."""
        self.tokens = tokens
        self.frequencies = DocumentFrequencies.of(tokens) if frequencies is None else frequencies

    @cached_property
    def vectors(self) -> list[list[_Vector]]:
        """tf-idf of every reference, ``[N][at least 1]``."""
        return [[_vector(one, self.frequencies) for one in several] for several in self.tokens]


def bleu(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[float, float, float, float]:
    """Corpus BLEU-1 to BLEU-4, clipped counts, brevity penalty against the closest reference length (ties: shorter).

    Source: Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002. Without
    smoothing: 0 where no n-gram of an order matches (pycocoevalcap adds 1e-15 there).
    """
    first, second, third, fourth = bleu_of_counts(bleu_counts(candidates, references).sum(0))
    return float(first), float(second), float(third), float(fourth)


def bleu_counts(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Floats:
    """What BLEU sums, per sample: ``[N, 10]`` = length, reference length, four matches, four totals.

    Summed per person they go into :func:`~personvlm.metrics.intervals.bootstrap_interval`.
    """
    _check(candidates, references)
    rows = []
    for candidate, several in zip(candidates, references, strict=True):
        length = len(candidate)
        closest = min((abs(len(one) - length), len(one)) for one in several)[1]
        highest: Grams = Counter()
        for one in several:
            highest |= grams(one)
        matches = [0] * ORDERS
        for gram, count in (grams(candidate) & highest).items():
            matches[len(gram) - 1] += count
        rows.append([length, closest, *matches, *(max(0, length - order) for order in range(ORDERS))])
    return np.array(rows, np.float64)


def bleu_of_counts(totals: Floats) -> Floats:
    """Sums ``[..., 10]`` to BLEU-1..4 ``[..., 4]``."""
    length, closest = totals[..., 0], totals[..., 1]
    precision = np.nan_to_num(ratio(totals[..., 2 : 2 + ORDERS], totals[..., 2 + ORDERS :]))
    geometric = np.cumprod(precision, -1) ** (1.0 / np.arange(1, ORDERS + 1))
    with np.errstate(divide="ignore", over="ignore"):
        brevity = np.where(length < closest, np.exp(1.0 - closest / np.maximum(length, 1e-9)), 1.0)
    return np.asarray(geometric * brevity[..., None], np.float64)


def rouge_l(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Floats:
    """ROUGE-L per sample ``[N]``; its mean is what tables hold.

    Source: Lin, "ROUGE: a package for automatic evaluation of summaries", 2004, with what the captioning literature
    made of it (pycocoevalcap): the best precision and the best recall over the references, beta = 1.2.
    """
    _check(candidates, references)
    scores = []
    for candidate, several in zip(candidates, references, strict=True):
        common = [longest_common_subsequence(candidate, one) for one in several]
        precision = max(common) / len(candidate) if candidate else 0.0
        recall = max(shared / len(one) if one else 0.0 for shared, one in zip(common, several, strict=True))
        below = recall + _BETA**2 * precision
        scores.append((1 + _BETA**2) * precision * recall / below if below > 0 else 0.0)
    return np.array(scores, np.float64)


def cider(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    frequencies: DocumentFrequencies | None = None,
) -> Floats:
    """CIDEr per sample ``[N]``: ten times the mean over orders 1 to 4 of the tf-idf cosine, mean over references.

    Source: Vedantam et al., "CIDEr: consensus-based image description evaluation", CVPR 2015, equations 1 to 3, scaled
    by ten as its authors' code does. ``frequencies`` come from ``references`` unless given.
    """
    return consensus(candidates, References(references, frequencies))[:, 0]


def cider_d(
    candidates: Sequence[Tokens],
    references: Sequence[Sequence[Tokens]],
    frequencies: DocumentFrequencies | None = None,
) -> Floats:
    """CIDEr-D per sample ``[N]``: counts clipped to the reference's, and a Gaussian penalty (sigma 6) on length.

    Source: Vedantam et al. 2015, section 5. It is what pycocoevalcap calls ``Cider``; like there, the length is the
    number of bigrams, which matters only for texts of no tokens.
    """
    return consensus(candidates, References(references, frequencies))[:, 1]


def consensus(candidates: Sequence[Tokens], references: References) -> Floats:
    """CIDEr and CIDEr-D per sample, ``[N, 2]``: :func:`cider` and :func:`cider_d` in one pass."""
    _check(candidates, references.tokens)
    scores = []
    for candidate, several, vectors in zip(candidates, references.tokens, references.vectors, strict=True):
        hypothesis = _vector(candidate, references.frequencies)
        totals = np.zeros(2)
        for one, vector in zip(several, vectors, strict=True):
            delta = max(0, len(candidate) - 1) - max(0, len(one) - 1)
            penalty = float(np.exp(-(delta**2) / (2 * _SIGMA**2)))
            totals += _cosine(hypothesis, vector) * (1.0, penalty)
        scores.append(10.0 * totals / len(several))
    return np.array(scores, np.float64).reshape(-1, 2)


def longest_common_subsequence(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence, by bit vectors: one addition per token of ``second``.

    Source: Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    where: dict[str, int] = {}
    for position, token in enumerate(first):
        where[token] = where.get(token, 0) | (1 << position)
    full = (1 << len(first)) - 1
    row = full
    for token in second:
        hit = row & where.get(token, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(first) - bin(row).count("1")


def distinct_n(texts: Sequence[Tokens], order: int) -> float:
    """Different n-grams over all n-grams of a set of texts; NaN where there are none.

    Source: Li et al., "A diversity-promoting objective function for neural conversation models", NAACL 2016. It falls
    with the number of texts: compare sets of one size.
    """
    grams = [tuple(text[i : i + order]) for text in texts for i in range(len(text) - order + 1)]
    return float(ratio(len(set(grams)), len(grams)))


def nll_per_character(nll: ArrayLike, texts: Sequence[str]) -> float:
    """Negative log-likelihood in nats per character: comparable across vocabularies, which loss per token is not.

    Args:
        nll: ``[N]``, each text's summed negative log-likelihood, end token included, without label smoothing.
        texts: what was scored, ``[N]``.
    """
    sums = np.asarray(nll, np.float64)
    if sums.shape != (len(texts),):
        raise ValueError(f"nll must be [{len(texts)}], one sum per text, but has shape {sums.shape}")
    return float(ratio(sums.sum(), sum(len(text) for text in texts)))


_Vector = tuple[dict[tuple[str, ...], float], Floats]


def _vector(tokens: Tokens, frequencies: DocumentFrequencies) -> _Vector:
    """tf-idf per n-gram, and the norm of each order's part ``[4]``."""
    weights = {gram: count * frequencies.idf(gram) for gram, count in grams(tokens).items()}
    squares = np.zeros(ORDERS)
    for gram, weight in weights.items():
        squares[len(gram) - 1] += weight * weight
    return weights, np.sqrt(squares)


def _cosine(hypothesis: _Vector, reference: _Vector) -> Floats:
    """Mean cosine over the orders, plain and with the hypothesis clipped to the reference: ``[2]``."""
    plain, clipped = [0.0] * ORDERS, [0.0] * ORDERS
    for gram, weight in hypothesis[0].items():
        other = reference[0].get(gram)
        if other is not None:
            order = len(gram) - 1
            plain[order] += weight * other
            clipped[order] += min(weight, other) * other
    norms = hypothesis[1] * reference[1]
    return np.asarray(np.nan_to_num(ratio([plain, clipped], np.stack([norms, norms]))).mean(1), np.float64)


def grams(tokens: Tokens) -> Grams:
    """Counts of all n-grams of orders 1 to 4."""
    return Counter(tuple(tokens[i : i + order]) for order in range(1, ORDERS + 1)
                   for i in range(len(tokens) - order + 1))  # fmt: skip


def _check(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> None:
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates, but references for {len(references)}")
    if any(isinstance(candidate, str) for candidate in candidates):
        raise TypeError("candidates must be lists of tokens, not strings: split them first")
    without = [row for row, several in enumerate(references) if not several]
    if without:
        raise ValueError(f"no reference for candidate {without[0]}: each needs at least one")
