"""What every table shows beside a model: texts that a model must beat, and the ceiling that the metrics allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import values_of_annotations
from personvlm.evaluation.truth import VALUES, Truth
from personvlm.language.realiser import realise
from personvlm.metrics.facts import ratio
from personvlm.schema import GROUPS, NONE, OTHER, PersonDescription, values_of
from personvlm.schema.groups import COLORS

CONSTANT = (
    "Here is a description of the image:\n\nThe image shows a low-resolution, blurry picture of a young adult male from"
    " the back. He has black hair and is wearing a dark-colored shirt, dark-colored trousers, and casual shoes. He is"
    " carrying a bag. The background is blurry and out of focus, but appears to be an indoor setting. The image quality"
    " is poor, making details difficult to discern. There is no visible text or unique identifiers in the image."
)
"""One sentence, whatever the picture: above the published study's best model on BLEU-4, ROUGE-L and attributes."""

BASELINES: Mapping[str, str] = MappingProxyType({
    "constant_sentence": "constant sentence", "majority_class": "majority class",
    "true_labels": "realised from the true labels (ceiling)",
    "predicted_heads": "realised from the predicted heads", "nearest_caption": "nearest training caption",
})  # fmt: skip
"""Rows that no table goes without, in their order, and what they are called there."""


@dataclass(frozen=True)
class Baselines:
    """Texts of the baseline rows.

    Attributes:
        texts: row -> one text per sample ``[N]``; None where the row cannot be made.
        notes: row -> what it is, or why it is not there.
    """

    texts: Mapping[str, Sequence[str] | None]
    notes: Mapping[str, str]

    def __post_init__(self) -> None:
        missing = [name for name in BASELINES if name not in self.texts or name not in self.notes]
        if missing:
            raise ValueError(f"baseline {missing[0]!r} is missing: no table goes without it")


@dataclass(frozen=True)
class Training:
    """Captions to take the nearest one from.

    Attributes:
        name: where they come from, for the report.
        samples: ``[T]`` pictures with labels.
        captions: ``[T]``.
        embeddings: ``[T, D]``, L2-normalised; None to search by labels.
        same: the scored samples are the first of them: a person's own pictures are left out.
    """

    name: str
    samples: Sequence[Sample]
    captions: Sequence[str]
    embeddings: NDArray[np.float32] | None = field(default=None, repr=False)
    same: bool = False


def make_baselines(
    samples: Sequence[Sample],
    training: Training,
    described: Sequence[PersonDescription] | None = None,
    *,
    constant: str = CONSTANT,
) -> Baselines:
    """The texts of every baseline row.

    Args:
        samples: what is scored, ``[N]``.
        training: where the nearest caption is looked for: by embedding where ``described`` and ``training`` have them,
            by labels otherwise.
        described: every sample described with ``say="all"``; None where there are no pictures.
        constant: the constant sentence.
    """
    heads = None if described is None else [realise(values_of(item.attributes)) for item in described]
    no_heads = "no pictures, so that no head predicts anything"
    majority_text = realise(majority_values(samples))
    seen = None if described is None or not all(item.embedding for item in described) else np.array(
        [item.embedding for item in described], np.float32
    )  # fmt: skip
    rows = nearest(samples, training, seen)
    by = "labels" if seen is None or training.embeddings is None else "embedding"
    found = None if rows is None else [training.captions[row] for row in rows.tolist()]
    return Baselines(
        texts={
            "constant_sentence": [constant] * len(samples), "majority_class": [majority_text] * len(samples),
            "true_labels": [realise(values_of_annotations(sample.annotations)) for sample in samples],
            "predicted_heads": heads, "nearest_caption": found,
        },
        notes={
            "constant_sentence": constant, "majority_class": majority_text,
            "true_labels": "the canonical sentence of the human labels",
            "predicted_heads": no_heads if described is None else f"the canonical sentence of what {described[0].model}"
            " decides under --say all",
            "nearest_caption": f"nearest by {by} among {training.name}" if found is not None
            else f"nobody else in {training.name}",
        },
    )  # fmt: skip


def majority_values(samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """The constant answer of every annotated group that is right for most people; absence is silence.

    Of an exclusive group and of colors the value that is right for most, of other sets every value that is right for
    more than half. Among equals (all bands of age, where the label is "adult") the first of the schema.
    """
    truth = Truth.of(samples)
    weight = truth.weights[:, None]
    right = ratio((weight * (truth.verdict > 0)).sum(0), (weight * (truth.verdict != 0)).sum(0))
    shares = {pair: float(share) for pair, share in zip(VALUES, right, strict=True) if not np.isnan(share)}
    result = {}
    for group in GROUPS:
        known = [value for value in group.columns if (group.name, value) in shares]
        if group.kind == "exclusive" or group.values == COLORS:
            best = sorted(known, key=lambda value: -shares[group.name, value])[:1]
        else:
            best = [value for value in known if shares[group.name, value] > 0.5]
        said = tuple(value for value in best if value not in (NONE, OTHER))[: group.max_said]
        if said:
            result[group.name] = said
    return result


def nearest(
    samples: Sequence[Sample], training: Training, embeddings: NDArray[np.float32] | None = None
) -> NDArray[np.int64] | None:
    """Row of the nearest training sample ``[N]``; None where there is nobody to take it from.

    By cosine of embeddings, or by labels: cells annotated on both sides that agree, minus those that differ. Among
    equals the first wins.
    """
    if embeddings is not None and training.embeddings is not None:
        similarity = embeddings @ training.embeddings.T
    else:
        similarity = _signs(samples) @ _signs(training.samples).T
    if training.same:
        index: dict[str | int, int] = {}
        people = np.array([index.setdefault(row if sample.identity is None else sample.identity, row)
                           for row, sample in enumerate(training.samples)], np.int64)  # fmt: skip
        similarity = np.where(people[: len(samples), None] == people[None], -np.inf, similarity)
    if not similarity.size or np.isneginf(similarity.max(1)).any():
        return None
    return np.asarray(similarity.argmax(1), np.int64)


def _signs(samples: Sequence[Sample]) -> NDArray[np.float32]:
    """Labels as +1 (there), -1 (not there) and 0 (not annotated), ``[N, columns]``."""
    arrays = [sample.annotations.arrays() for sample in samples]
    return np.array([known * (2 * target - 1) for target, known in arrays], np.float32)
