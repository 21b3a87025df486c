"""The protocol ``clean``: text against references without noise, facts against human labels, everything with intervals.

What is frozen: tokens are those of :func:`~personvlm.metrics.tokens.tokenize`; references those of
:func:`~personvlm.evaluation.protocols.references.clean_references`; BLEU, ROUGE-L, CIDEr and CIDEr-D count every
picture once, facts count every person once; document frequencies come from the references of the scored set; facts
are read from the text by :func:`~personvlm.language.parser.parse` and judged by labels, never by captions; 95 %
intervals resample people. :data:`VERSION` changes when any of it does.

Example:
    >>> from personvlm.evaluation.protocols import clean
    >>> scores = clean.score(texts, samples)  # doctest: +SKIP
    >>> scores["facts"]["groups"]["mean"]["accuracy"], scores["text"]["cider_d"]["value"]  # doctest: +SKIP
    (0.71, 1.42)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import score_text
from personvlm.evaluation.figures import number, with_intervals
from personvlm.evaluation.protocols.references import clean_references
from personvlm.evaluation.retrieval import score_retrieval
from personvlm.evaluation.statements import score_confusion, score_details, score_statements
from personvlm.evaluation.truth import Truth, stated
from personvlm.language.parser import parse
from personvlm.metrics import tokens
from personvlm.metrics.intervals import sums_per_identity
from personvlm.metrics.text import References, bleu_counts, bleu_of_counts, consensus, distinct_n, rouge_l

Floats = NDArray[np.float64]

VERSION = 1

TEXT = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "cider_d", "tokens", "characters")
"""Text figures, in the order of every table; those of length last."""


def score(
    predictions: Sequence[str],
    samples: Sequence[Sample],
    references: Sequence[Sequence[str]] | None = None,
    *,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Score generated texts of a labelled set: one text per sample, in order.

    Args:
        predictions: ``[N]``, as they were generated; nothing is cleaned before scoring.
        samples: ``[N]``, with labels; their pictures need not exist.
        references: ``[N][at least 1]`` texts; those of ``clean_references`` by default.
        resamples: of the bootstrap over people.

    Returns:
        ``n``, ``people``, ``text`` (:func:`score_against`; None where nltk is missing), ``facts``
        (:func:`~personvlm.evaluation.statements.score_statements`, and the six headline ``groups`` of
        :func:`~personvlm.evaluation.facts.score_text`), ``retrieval``
        (:func:`~personvlm.evaluation.retrieval.score_retrieval`), ``details`` and ``confusion``. It holds nothing that
        JSON cannot.

    Raises:
        ValueError: there are not as many texts as samples, or none.
    """
    return Scorer(samples, references, resamples=resamples).score(predictions, details=True)


class Scorer:
    """:func:`score` for several sets of texts: what depends on samples and references alone is made once."""

    def __init__(
        self, samples: Sequence[Sample], references: Sequence[Sequence[str]] | None = None, *, resamples: int = 1000
    ) -> None:
        if not samples:
            raise ValueError("no samples to score on")
        self.samples, self.resamples = samples, resamples
        self.references = clean_references(samples) if references is None else references
        if len(self.references) != len(samples):
            raise ValueError(f"references of {len(self.references)} pictures for {len(samples)} samples")
        self.truth = Truth.of(samples)
        self._tokens = None
        if tokens.available():
            self._tokens = References([[tokens.tokenize(text) for text in several] for several in self.references])

    def score(self, predictions: Sequence[str], *, details: bool = False) -> dict[str, Any]:
        """See :func:`score`; ``details`` and ``confusion`` only where they are asked for."""
        if len(predictions) != len(self.samples):
            raise ValueError(f"{len(predictions)} texts for {len(self.samples)} samples: give one text per sample")
        read = [parse(text) for text in predictions]
        statements = stated(read)
        identities = self.truth.identities
        result = {
            "n": len(self.samples),
            "people": len({*identities} - {None}) + identities.count(None),
            "text": None if self._tokens is None else score_against(
                predictions, self._tokens, identities, resamples=self.resamples
            ),
            "facts": {
                "groups": score_text(read, self.samples, resamples=self.resamples),
                **score_statements(statements, self.truth, resamples=self.resamples),
            },
            "retrieval": score_retrieval(statements, self.truth, resamples=self.resamples),
        }  # fmt: skip
        if details:
            result["details"] = score_details(statements, self.truth, resamples=self.resamples)
            result["confusion"] = score_confusion(read, self.samples)
        return result


def score_against(
    predictions: Sequence[str], references: References, identities: Sequence[str | None], *, resamples: int = 1000
) -> dict[str, Any]:
    """Text against references: every figure of :data:`TEXT` as ``{"value", "interval"}``.

    BLEU is of the corpus; ROUGE-L, CIDEr, CIDEr-D and the lengths are means over pictures. Beside them ``distinct_1``,
    ``distinct_2`` (without interval: a resample repeats people, and with them their n-grams) and ``length`` in tokens
    (least, median, most, standard deviation).
    """
    candidates = [tokens.tokenize(text) for text in predictions]
    counts = bleu_counts(candidates, references.tokens)
    lengths = np.array([len(one) for one in candidates], np.float64)
    per_picture = np.column_stack([
        rouge_l(candidates, references.tokens), consensus(candidates, references), lengths,
        [len(text) for text in predictions], np.ones(len(candidates)),
    ])  # fmt: skip
    per_person = sums_per_identity(identities, np.concatenate([counts, per_picture], axis=1))
    bleu_cells = counts.shape[1]

    def figures(totals: Floats) -> Floats:
        means = totals[:, bleu_cells:-1] / totals[:, -1:]
        return np.concatenate([bleu_of_counts(totals[:, :bleu_cells]), means], axis=1)

    result: dict[str, Any] = with_intervals(TEXT, per_person, figures, resamples)
    result["distinct_1"] = {"value": number(distinct_n(candidates, 1)), "interval": None}
    result["distinct_2"] = {"value": number(distinct_n(candidates, 2)), "interval": None}
    result["length"] = {"least": int(lengths.min()), "median": float(np.median(lengths)), "most": int(lengths.max()),
                        "standard_deviation": float(lengths.std())}  # fmt: skip
    return result
