"""Evaluate a describer on labelled pictures: the object that ``personvlm evaluate --json`` prints.

Every figure about facts is read back from generated text. Beside it stand what the heads alone would have said (the
realiser speaking for the predicted attributes), what the labels would have said (the ceiling), and the majority class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.evaluation.facts import consistent, score_said, score_text, values_of_annotations
from personvlm.evaluation.figures import number
from personvlm.evaluation.truth import left_open
from personvlm.language.parser import parse
from personvlm.language.quality import check, well_formed
from personvlm.language.realiser import realise
from personvlm.metrics.facts import instance_metrics, label_metrics, nanmean, ratio
from personvlm.metrics.intervals import bootstrap_interval, sums_per_identity
from personvlm.schema import GROUP, PersonDescription, Values, values_of
from personvlm.schema.groups import columns
from personvlm.schema.mappings import peta

Floats = NDArray[np.float64]


class Describes(Protocol):
    """What is evaluated: ``runtime.Describer``, or anything with its method."""

    def describe(
        self, inputs: Sequence[Path], /, *, say: Literal["all", "confident"], batch: int
    ) -> list[PersonDescription]:
        """One description per picture, in order."""


@runtime_checkable
class Likely(Protocol):
    """A describer that can also say how likely a text is, given a picture."""

    def score(self, inputs: Sequence[Path], texts: Sequence[str], /, *, batch: int) -> Floats:
        """Negative log-likelihood per character ``[N]``."""


def evaluate(
    describer: Describes,
    samples: Sequence[Sample],
    thresholds: Mapping[str, float] | None = None,
    *,
    batch: int = 16,
    resamples: int = 1000,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Describe every picture twice (all groups; only what is certain) and score it.

    Args:
        describer: describes a list of pictures.
        samples: labelled pictures. All read from PETA: heads are scored on its 35 labels per picture; otherwise on
            every annotated value.
        thresholds: label -> threshold of the 35 labels, as saved with the model; 0.5 where one is missing.
        batch: pictures per call of the model.
        resamples: of the bootstrap.
        progress: called with the name of each stage as it starts.

    Returns:
        ``n``, ``people``, ``text`` (:func:`~personvlm.evaluation.facts.score_text`), ``baselines`` (the same scoring
        of ``predicted_heads`` and ``true_labels``), ``heads``, ``said``, ``quality``, ``consistency``, and
        ``likelihood`` (:func:`score_likelihood`) where the describer can tell. It holds nothing that JSON cannot: a
        figure that is not defined is None.

    Raises:
        InputError: there are no samples.
    """
    if not samples:
        raise InputError("no samples to evaluate on: the data file has no line with a picture")
    images = [sample.image for sample in samples]
    progress("describing, all groups")
    everything = describer.describe(images, say="all", batch=batch)
    progress("describing, only what is certain")
    certain = describer.describe(images, say="confident", batch=batch)
    progress("scoring")
    read = [parse(description.text) for description in everything]
    read_certain = [parse(description.text) for description in certain]
    from_heads = [_reread(values_of(description.attributes)) for description in everything]
    from_labels = [_reread(values_of_annotations(sample.annotations)) for sample in samples]
    pairs = zip([*read, *read_certain], [*everything, *certain], strict=True)
    agreeing = [consistent(values, description.attributes) for values, description in pairs]
    identities = [sample.identity for sample in samples]
    return {
        "n": len(samples),
        "people": len({*identities} - {None}) + identities.count(None),
        "text": score_text(read, samples, resamples=resamples),
        "baselines": {
            "predicted_heads": score_text(from_heads, samples, resamples=resamples),
            "true_labels": score_text(from_labels, samples, resamples=resamples),
        },
        "heads": score_heads(everything, samples, thresholds or {}, resamples=resamples),
        "said": score_said(read_certain, samples),
        "quality": score_quality([description.text for description in [*everything, *certain]]),
        "consistency": float(np.mean(agreeing)),
        "likelihood": score_likelihood(describer, samples, batch) if isinstance(describer, Likely) else None,
    }


def score_likelihood(describer: Likely, samples: Sequence[Sample], batch: int = 16) -> dict[str, float]:
    """Whether the decoder looks: the likelihood of each picture's own reference, and of another's.

    The reference is the canonical sentence of the labels. ``shuffled`` gives every picture the reference of the next
    one in a fixed random order; a decoder that ignored its picture would find both equally likely.
    """
    images = [sample.image for sample in samples]
    texts = [realise(values_of_annotations(sample.annotations)) for sample in samples]
    order = np.random.default_rng(0).permutation(len(samples))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    own = float(describer.score(images, texts, batch=batch).mean())
    shuffled = float(describer.score(images, [texts[other[i]] for i in range(len(texts))], batch=batch).mean())
    return {"nll_per_character": own, "shuffled": shuffled, "rise": shuffled / own - 1.0}


def score_quality(texts: Sequence[str]) -> dict[str, Any]:
    """``pass_rate``: the share of texts that pass every check of form (the seven, and ``well_formed``, which also
    refuses repetition); ``checks``: the share that passes each."""
    results = [{**check(text), "well_formed": well_formed(text)} for text in texts]
    return {
        "pass_rate": float(np.mean([all(result.values()) for result in results])),
        "checks": {name: float(np.mean([result[name] for result in results])) for name in results[0]},
    }


def score_heads(
    descriptions: Sequence[PersonDescription],
    samples: Sequence[Sample],
    thresholds: Mapping[str, float],
    *,
    resamples: int = 1000,
) -> dict[str, Any]:
    """mA and instance F1 per picture, as the literature reports them, with intervals over people.

    PETA's pictures: the 35 labels of the usual benchmark, where a label that is not named counts as absent, read from
    calibrated scores and ``thresholds``. Others: every value of the schema that is annotated, read from the decided
    attributes, where a backpack is a bag as well. A partial label judges only the values that it rules out.
    """
    if all(sample.source == "peta" for sample in samples):
        names: Sequence[str] = peta.BENCHMARK
        cuts = np.array([thresholds.get(name, 0.5) for name in names], np.float64)
        targets = np.stack([peta.benchmark_targets(sample.labels) for sample in samples]) > 0
        scores = np.stack([peta.benchmark_scores(description.scores) for description in descriptions])
        predictions, known = scores.astype(np.float64) >= cuts, np.ones_like(targets)
    else:
        names = [f"{group}={value}" for group, value in columns()]
        arrays = [sample.annotations.arrays() for sample in samples]
        targets, known = (np.stack([pair[side] for pair in arrays]) > 0 for side in (0, 1))
        known &= ~(targets & left_open(samples))
        decided = [values_of(description.attributes) for description in descriptions]
        predictions = np.array([[any(GROUP[group].covers(value, said) for said in values.get(group, ()))
                                 for group, value in columns()] for values in decided], bool)  # fmt: skip
    labels = label_metrics(targets, predictions, known)
    instance = instance_metrics(targets, predictions, known)
    identities = [sample.identity for sample in samples]

    def interval(cells: Floats, statistic: Callable[[Floats], Floats]) -> list[float | None]:
        low, high = bootstrap_interval(sums_per_identity(identities, cells), statistic, resamples=resamples)
        return [number(low), number(high)]

    parts = [targets & predictions, targets, ~targets & ~predictions, ~targets]
    per_label = np.concatenate([part & known for part in parts], axis=1).astype(np.float64)
    return {
        "mA": number(nanmean(labels.balanced_accuracy)),
        "mA_interval": interval(per_label, _mean_accuracy_of_sums),
        "F1": number(instance.f1),
        "F1_interval": interval(_instance_cells(targets, predictions, known), _instance_f1_of_sums),
        "accuracy": number(instance.accuracy),
        "precision": number(instance.precision),
        "recall": number(instance.recall),
        "labels": {
            name: {"mA": number(labels.balanced_accuracy[i]), "F1": number(labels.f1[i]),
                   "precision": number(labels.precision[i]), "recall": number(labels.recall[i]),
                   "positives": int(labels.positives[i])}
            for i, name in enumerate(names) if labels.support[i] > 0
        },
    }  # fmt: skip


def _reread(values: Values) -> Values:
    """What a reader gets when the realiser speaks."""
    return parse(realise(values))


def _mean_accuracy_of_sums(totals: Floats) -> Floats:
    true_positive, positive, true_negative, negative = np.split(totals, 4, axis=-1)
    each = (ratio(true_positive, positive) + ratio(true_negative, negative)) / 2
    return np.array([nanmean(row) for row in each])


def _instance_cells(targets: NDArray[np.bool_], predictions: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats:
    hits = (targets & predictions & known).sum(1)
    precision = np.nan_to_num(ratio(hits, (predictions & known).sum(1)))
    recall = np.nan_to_num(ratio(hits, (targets & known).sum(1)))
    return np.stack([precision, recall, known.any(1).astype(np.float64)], axis=1)


def _instance_f1_of_sums(totals: Floats) -> Floats:
    precision, recall = ratio(totals[:, 0], totals[:, 2]), ratio(totals[:, 1], totals[:, 2])
    return ratio(2 * precision * recall, precision + recall)
