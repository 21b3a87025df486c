"""The texts that a description is compared with: given captions, or sentences realised from human labels."""

from __future__ import annotations

from collections.abc import Sequence

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import values_of_annotations
from personvlm.language.normalise import normalise
from personvlm.language.realiser import realise

PARAPHRASES = 4
"""Paraphrases beside the canonical sentence where references are realised from labels."""


def clean_references(samples: Sequence[Sample], paraphrases: int = PARAPHRASES) -> list[list[str]]:
    """References ``[N][at least 1]`` of the protocol ``clean``.

    A picture with captions has them, normalised. One without gets the canonical sentence of its labels and
    ``paraphrases`` others; the seed of each follows from its row, so that a set has the same references for ever.
    Where there is no label either, that sentence is "The image shows a person."
    """
    result = []
    for row, sample in enumerate(samples):
        texts = [text for caption in sample.captions if (text := normalise(caption))]
        if not texts:
            values = values_of_annotations(sample.annotations)
            seeds = (row * paraphrases + number for number in range(paraphrases))
            texts = [realise(values), *(realise(values, seed=seed) for seed in seeds)]
        result.append(texts)
    return result


def raw_references(samples: Sequence[Sample]) -> list[str]:
    """References ``[N]`` of the protocol ``published``: the first caption as it was written, noise and all.

    A picture without captions (PETA has none) gets the canonical sentence of its labels.
    """
    return [sample.captions[0] if sample.captions else realise(values_of_annotations(sample.annotations))
            for sample in samples]  # fmt: skip


def origin(samples: Sequence[Sample], protocol: str = "clean") -> str:
    """Where the references come from, in words, for reports."""
    given = sum(bool(sample.captions) for sample in samples)
    captions = "the first given caption, raw" if protocol == "published" else "given captions, normalised"
    labels = "realised from labels" + ("" if protocol == "published" else f" ({1 + PARAPHRASES} each)")
    if given == len(samples):
        return captions
    return labels if not given else f"{captions} ({given}), the others {labels}"
