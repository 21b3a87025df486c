"""Two models on the same pictures: differences with intervals, people drawn anew for both at once; and failure modes.

A paired bootstrap sees that both models found the same people hard: two intervals may overlap while their difference
is certain. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13, on sums per person
(:mod:`personvlm.metrics.intervals`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import HEADLINE, figure, judge
from personvlm.evaluation.figures import with_intervals
from personvlm.evaluation.protocols.references import clean_references
from personvlm.evaluation.statements import mean_accuracy_sums
from personvlm.evaluation.truth import VALUES, Bools, Truth, stated
from personvlm.language.parser import parse
from personvlm.metrics import tokens
from personvlm.metrics.facts import nanmean, ratio
from personvlm.metrics.intervals import sums_per_identity
from personvlm.metrics.text import References, consensus
from personvlm.schema import GROUPS, Values

Floats = NDArray[np.float64]

FIGURES = ("mA", "mean", "cider_d")
"""What decides: mA read from text, the mean of the six groups, CIDEr-D."""

FAILURES: Mapping[str, tuple[str, ...]] = {
    "color confusion": ("hair.color", "upper.color", "lower.color", "footwear.color"),
    "lower body": ("lower.garment", "lower.color", "footwear.type", "footwear.color"),
    "age": ("age",),
    "hallucination": tuple(group.name for group in GROUPS),
}
"""Failure modes of the study: the groups whose statements they are about. ``viewpoint`` is scored on its own set."""

VIEWPOINT = "viewpoint"


class Comparison:
    """What depends on the pictures alone, made once for any number of models."""

    def __init__(self, samples: Sequence[Sample], resamples: int = 1000) -> None:
        self.samples, self.resamples = samples, resamples
        self.identities = [sample.identity for sample in samples]
        self.truth = Truth.of(samples)
        self.references = None
        if tokens.available():
            references = clean_references(samples)
            self.references = References([[tokens.tokenize(text) for text in several] for several in references])

    def sums(self, texts: Sequence[str]) -> Floats:
        """What the figures of :data:`FIGURES` are made of, per person."""
        read = [parse(text) for text in texts]
        parts = [mean_accuracy_sums(stated(read), self.truth)[0]]
        parts += [judge(group, read, self.samples).sums(self.identities) for group in HEADLINE]
        scores = np.full(len(texts), np.nan)
        if self.references is not None:
            scores = consensus([tokens.tokenize(text) for text in texts], self.references)[:, 1]
        parts.append(sums_per_identity(self.identities, np.column_stack([scores, np.ones(len(texts))])))
        return np.concatenate(parts, axis=1)

    def figures(self) -> Callable[[Floats], Floats]:
        """Totals of :meth:`sums` ``[R, K]`` to the figures ``[R, 3]``."""
        nothing = stated([{} for _ in self.samples])
        cells, accuracy = mean_accuracy_sums(nothing, self.truth)
        widths = [cells.shape[1], *(2 * (2 if group == "bag" else 1) for group in HEADLINE), 2]
        edges = np.cumsum(widths)[:-1]

        def of(totals: Floats) -> Floats:
            first, *groups, last = np.split(totals, edges, axis=1)
            each = np.stack([figure(part) for part in groups], axis=1)
            mean = np.array([nanmean(row) for row in each])
            return np.stack([accuracy(first), mean, ratio(last[:, 0], last[:, 1])], axis=1)

        return of

    def difference(self, first: Sequence[str], second: Sequence[str]) -> dict[str, Any]:
        """``first`` minus ``second`` for each of :data:`FIGURES`: ``{"value", "interval"}``, 95 %."""
        mine, others = self.sums(first), self.sums(second)
        of, width = self.figures(), mine.shape[1]
        return with_intervals(FIGURES, np.concatenate([mine, others], axis=1),
                              lambda totals: of(totals[:, :width]) - of(totals[:, width:]), self.resamples)  # fmt: skip


def failures(texts: Sequence[str], samples: Sequence[Sample], resamples: int = 1000) -> dict[str, Any]:
    """Rates of :data:`FAILURES`, every person counted once: per mode ``wrong`` (of what is stated and can be judged,
    the share that labels deny) and ``missing`` (of what is labelled, the share that is not stated)."""
    return _rates(FAILURES, [parse(text) for text in texts], samples, resamples)


def viewpoint(texts: Sequence[str], samples: Sequence[Sample], resamples: int = 1000) -> dict[str, Any]:
    """The same of the side that a person is seen from."""
    rates = _rates({VIEWPOINT: ("view",)}, [parse(text) for text in texts], samples, resamples)
    result: dict[str, Any] = rates[VIEWPOINT]
    return result


def _rates(modes: Mapping[str, tuple[str, ...]], read: Sequence[Values], samples: Sequence[Sample],
           resamples: int) -> dict[str, Any]:  # fmt: skip
    truth, statements = Truth.of(samples), stated(read)
    cells: list[Floats] = []
    for groups in modes.values():
        inside: Bools = np.array([group in groups for group, _ in VALUES])
        said = statements & inside
        labelled = np.array([[any(truth.labelled[row, column] for column in _columns(group))
                              for group in groups] for row in range(len(samples))], bool)  # fmt: skip
        silent = np.array([[not values.get(group) for group in groups] for values in read], bool)
        cells += [(said & (truth.verdict < 0)).sum(1), (said & (truth.verdict != 0)).sum(1),
                  (labelled & silent).sum(1), labelled.sum(1)]  # fmt: skip
    per_person = sums_per_identity(truth.identities, np.stack(cells, axis=1) * truth.weights[:, None])
    names = [f"{mode}/{kind}" for mode in modes for kind in ("wrong", "missing")]
    found = with_intervals(names, per_person, lambda totals: ratio(totals[:, 0::2], totals[:, 1::2]), resamples)
    return {mode: {kind: found[f"{mode}/{kind}"] for kind in ("wrong", "missing")} for mode in modes}


def _columns(group: str) -> list[int]:
    return [index for index, (name, _) in enumerate(VALUES) if name == group]
