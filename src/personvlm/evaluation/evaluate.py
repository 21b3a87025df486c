"""Evaluate a describer, or texts that any model made, on a labelled set: what ``personvlm evaluate --json`` prints.

Every figure about facts is read back from generated text. Beside it stand what the heads alone would have said (the
realiser speaking for the predicted attributes), what the labels would have said (the ceiling), and constant answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.lines import missing_images
from personvlm.data.sample import Sample
from personvlm.evaluation.baselines import Training
from personvlm.evaluation.confidence import score_calibration, score_precision
from personvlm.evaluation.facts import consistent, score_said, score_text, values_of_annotations
from personvlm.evaluation.figures import number, with_intervals
from personvlm.evaluation.heads import score_heads, score_sayable
from personvlm.evaluation.inputs import one_per_person
from personvlm.evaluation.protocols.references import clean_references
from personvlm.evaluation.protocols.run import Name, captions_for, run_protocol, scored_rows
from personvlm.evaluation.retrieval import Likely, score_retrieval_by_likelihood
from personvlm.language.parser import parse
from personvlm.language.quality import check, well_formed
from personvlm.language.realiser import realise
from personvlm.metrics import tokens
from personvlm.metrics.intervals import bootstrap_interval, sums_per_identity
from personvlm.schema import PersonDescription, Values, values_of

TRAINING_PICTURES = 2000
"""Training pictures, one per person, that are looked at for the nearest caption by embedding."""

_AT_ONCE = 256


class Describes(Protocol):
    """What is evaluated: ``runtime.Describer``, or anything with its method."""

    def describe(
        self, inputs: Sequence[Path], /, *, say: Literal["all", "confident"], batch: int
    ) -> list[PersonDescription]:
        """One description per picture, in order."""


class Asked(Protocol):
    """A describer that can state only what holds at a precision."""

    def describe(
        self, inputs: Sequence[Path], /, *, min_precision: float | None, batch: int
    ) -> list[PersonDescription]:
        """One description per picture, in order."""


@runtime_checkable
class Embeds(Protocol):
    """A describer that gives appearance vectors without the cost of a text."""

    def embed(self, inputs: Sequence[Path], /, *, batch: int) -> NDArray[np.float32]:
        """``[N, E]``, L2-normalised."""


Track = Callable[[Sequence[int], int, str], Iterable[int]]
"""Passes on the places where chunks of pictures start, and may show how many are through: (items, how many, label)."""


def untracked(items: Sequence[int], total: int, label: str) -> Iterable[int]:
    """A :data:`Track` that shows nothing."""
    return items


def evaluate(
    describer: Describes | None,
    samples: Sequence[Sample],
    thresholds: Mapping[str, float] | None = None,
    *,
    predictions: Sequence[str] | None = None,
    protocol: Name | None = None,
    training: tuple[str, Sequence[Sample]] | None = None,
    likelihood_pools: int = 0,
    min_precision: float | None = None,
    look: Callable[[Sequence[PersonDescription], Sequence[Sample]], None] | None = None,
    batch: int = 16,
    resamples: int = 1000,
    progress: Callable[[str], None] = lambda stage: None,
    track: Track = untracked,
) -> dict[str, Any]:
    """Describe every picture twice (all groups; only what is certain), or take given texts, and score them.

    Args:
        describer: describes a list of pictures; None where there are no pictures.
        samples: labelled pictures. All read from PETA: heads are scored on its 35 labels per picture; otherwise on
            every annotated value.
        thresholds: label -> threshold of the 35 labels, as saved with the model; 0.5 where one is missing.
        predictions: texts of another model, one per sample, scored in place of the describer's; that only gives the
            row of predicted heads then.
        protocol: also score under it: ``protocol`` in the result. ``published`` looks at the first 500 samples only,
            in everything.
        training: name and samples of the set whose nearest caption is a baseline; by default the other people of
            ``samples``.
        likelihood_pools: pools of 100 people in which retrieval by likelihood is measured: 10,000 likelihoods each.
        min_precision: also describe with it, and score that: ``precision`` in the result.
        look: is shown what the describer says of every picture when it states all groups.
        batch: pictures per call of the model.
        resamples: of the bootstrap.
        progress: called with the name of each stage as it starts.
        track: passes on the places where chunks start, so that a bar can be shown.

    Returns:
        ``n``, ``people``, ``text`` (:func:`~personvlm.evaluation.facts.score_text`), ``baselines`` (the same scoring
        of ``predicted_heads`` and ``true_labels``), ``heads``, ``said``, ``quality``, ``consistency``,
        ``likelihood`` (:func:`score_likelihood`), ``calibration``
        (:func:`~personvlm.evaluation.confidence.score_calibration`), and where they are asked for ``precision``
        (:func:`~personvlm.evaluation.confidence.score_precision`), ``likelihood_retrieval`` and ``protocol``
        (:func:`~personvlm.evaluation.protocols.run.run_protocol`). What cannot be told is None: ``heads``,
        ``calibration``, ``consistency`` and ``likelihood`` of given texts, ``text``, ``said`` and ``quality`` without
        any. It holds nothing that JSON cannot.

    Raises:
        InputError: there are no samples.
    """
    if not samples:
        raise InputError("no samples to evaluate on: the data file has no line with a picture")
    if protocol == "published":
        tokens.require()  # before a model describes for minutes
    everybody, samples = samples, scored_rows(samples, protocol)
    images = [sample.image for sample in samples]
    everything = certain = texts = stated = None
    if describer is not None and predictions is None and min_precision is not None:
        progress(f"describing, only what holds with a precision of {min_precision:g}")
        stated = _described(describer, images, "confident", batch, track, min_precision)
    if describer is not None:
        progress("describing, all groups")
        everything = _described(describer, images, "all", batch, track)
    if describer is not None and predictions is None:
        progress("describing, only what is certain")
        certain = _described(describer, images, "confident", batch, track)
    if predictions is not None:
        texts = list(predictions[: len(samples)])
    elif everything is not None:
        texts = [description.text for description in everything]
    progress("scoring")
    read = None if texts is None else [parse(text) for text in texts]
    result: dict[str, Any] = {"n": len(samples), "people": people_of(samples)}
    result |= _score_facts(read, everything, samples, resamples)
    result |= _score_form(texts, read, everything, certain, samples, resamples)
    result |= {"heads": None, "calibration": None, "likelihood": None}
    if everything is not None and look is not None:
        look(everything, samples)
    if everything is not None and certain is not None:
        result["heads"] = score_heads(everything, samples, thresholds or {}, resamples=resamples)
        if read is not None and all(sample.source == "peta" for sample in samples):
            result["heads"]["sayable"] = score_sayable(read, everything, samples, thresholds or {},
                                                       resamples=resamples)  # fmt: skip
        result["calibration"] = score_calibration(everything, samples, resamples=min(resamples, 200))
    if stated is not None and min_precision is not None:
        result["precision"] = score_precision(stated, samples, min_precision, resamples=resamples)
    if predictions is None and isinstance(describer, Likely):
        progress("likelihood")
        result["likelihood"] = score_likelihood(describer, samples, batch, resamples)
        if likelihood_pools:
            progress(f"retrieval by likelihood, {likelihood_pools} pools")
            result["likelihood_retrieval"] = _likelihood_retrieval(describer, samples, likelihood_pools, batch,
                                                                   resamples)  # fmt: skip
    if protocol is not None:
        nearest = _training(describer, everybody, everything, training, protocol, batch, progress, track)
        heights = None if describer is None else [decode(image).shape[0] for image in images]
        result["protocol"] = run_protocol(protocol, samples, nearest, texts, everything, heights, resamples=resamples,
                                          progress=progress)  # fmt: skip
    return result


def people_of(samples: Sequence[Sample]) -> int:
    """How many people; a picture without identity is a person of its own."""
    identities = [sample.identity for sample in samples]
    return len({*identities} - {None}) + identities.count(None)


def score_likelihood(describer: Likely, samples: Sequence[Sample], batch: int = 16,
                     resamples: int = 1000) -> dict[str, Any]:  # fmt: skip
    """Whether the decoder looks: the likelihood of each picture's own reference, and of another's.

    The reference is the canonical sentence of the labels. ``shuffled`` gives every picture the reference of the next
    one in a fixed random order; a decoder that ignored its picture would find both equally likely.
    """
    images = [sample.image for sample in samples]
    texts = [realise(values_of_annotations(sample.annotations)) for sample in samples]
    order = np.random.default_rng(0).permutation(len(samples))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    own = describer.score(images, texts, batch=batch)
    shuffled = describer.score(images, [texts[other[i]] for i in range(len(texts))], batch=batch)
    sums = sums_per_identity([sample.identity for sample in samples],
                             np.stack([own, shuffled, np.ones_like(own)], axis=1))  # fmt: skip

    def figures(totals: NDArray[np.float64]) -> NDArray[np.float64]:
        mine, others, count = totals.T
        return np.stack([mine / count, others / count, others / mine - 1.0], axis=1)

    nll, other_nll, rise = with_intervals(("own", "shuffled", "rise"), sums, figures, resamples).values()
    return {
        "nll_per_character": nll["value"], "nll_interval": nll["interval"],
        "shuffled": other_nll["value"], "shuffled_interval": other_nll["interval"],
        "rise": rise["value"], "rise_interval": rise["interval"],
    }  # fmt: skip


def score_quality(texts: Sequence[str], identities: Sequence[str | None] | None = None, *,
                  resamples: int = 1000) -> dict[str, Any]:  # fmt: skip
    """``pass_rate``: the share of texts that pass every check of form (the seven, and ``well_formed``, which also
    refuses repetition), with ``interval`` over people; ``checks``: the share that passes each."""
    results = [{**check(text), "well_formed": well_formed(text)} for text in texts]
    passed = [all(result.values()) for result in results]
    return {
        "pass_rate": float(np.mean(passed)),
        "interval": _share_interval(passed, [None] * len(texts) if identities is None else identities, resamples),
        "checks": {name: float(np.mean([result[name] for result in results])) for name in results[0]},
    }


def _described(describer: Describes, images: Sequence[Path], say: Literal["all", "confident"], batch: int,
               track: Track, min_precision: float | None = None) -> list[PersonDescription]:  # fmt: skip
    result: list[PersonDescription] = []
    starts = range(0, len(images), _AT_ONCE)
    for start in track(starts, len(starts), f"describing ({say}), {_AT_ONCE} pictures at a time"):
        part = images[start : start + _AT_ONCE]
        if min_precision is None:
            result += describer.describe(part, say=say, batch=batch)
        else:
            result += cast(Asked, describer).describe(part, min_precision=min_precision, batch=batch)
    return result


def _score_facts(read: Sequence[Values] | None, everything: Sequence[PersonDescription] | None,
                 samples: Sequence[Sample], resamples: int) -> dict[str, Any]:  # fmt: skip
    """``text`` and ``baselines``."""
    from_heads = None if everything is None else [_reread(values_of(item.attributes)) for item in everything]
    rows = {
        "text": read, "predicted_heads": from_heads,
        "true_labels": [_reread(values_of_annotations(sample.annotations)) for sample in samples],
    }  # fmt: skip
    scored = {name: None if said is None else score_text(said, samples, resamples=resamples)
              for name, said in rows.items()}  # fmt: skip
    return {"text": scored.pop("text"), "baselines": scored}


def _score_form(texts: Sequence[str] | None, read: Sequence[Values] | None,
                everything: Sequence[PersonDescription] | None, certain: Sequence[PersonDescription] | None,
                samples: Sequence[Sample], resamples: int) -> dict[str, Any]:  # fmt: skip
    """``said``, ``quality`` and ``consistency``: of what is certain where the describer spoke, else of the texts."""
    if texts is None or read is None:
        return {"said": None, "quality": None, "consistency": None}
    people = [sample.identity for sample in samples]
    if everything is None or certain is None:
        said = score_said(read, samples)
        return {"said": said, "quality": score_quality(texts, people, resamples=resamples), "consistency": None}
    stated = [parse(description.text) for description in certain]
    both = [*everything, *certain]
    agreeing = [consistent(values, item.attributes)
                for values, item in zip([*read, *stated], both, strict=True)]  # fmt: skip
    people *= 2
    return {"said": score_said(stated, samples),
            "quality": score_quality([item.text for item in both], people, resamples=resamples),
            "consistency": float(np.mean(agreeing)),
            "consistency_interval": _share_interval(agreeing, people, resamples)}  # fmt: skip


def _share_interval(hits: Sequence[bool], identities: Sequence[str | None], resamples: int) -> list[float | None]:
    """95 % interval over people of the share of pictures that hit."""
    sums = sums_per_identity(identities, np.column_stack([hits, np.ones(len(hits))]))
    low, high = bootstrap_interval(sums, lambda totals: totals[:, 0] / totals[:, 1], resamples=resamples)
    return [number(low), number(high)]


def _likelihood_retrieval(describer: Likely, samples: Sequence[Sample], pools: int, batch: int,
                          resamples: int) -> dict[str, Any]:  # fmt: skip
    texts = [several[0] for several in clean_references(samples, paraphrases=0)]
    images, identities = [sample.image for sample in samples], [sample.identity for sample in samples]
    return score_retrieval_by_likelihood(describer, images, texts, identities, most=pools, batch=batch,
                                         resamples=resamples)  # fmt: skip


def _training(describer: Describes | None, everybody: Sequence[Sample],
              everything: Sequence[PersonDescription] | None, given: tuple[str, Sequence[Sample]] | None,
              protocol: Name, batch: int, progress: Callable[[str], None], track: Track) -> Training:  # fmt: skip
    """Where the nearest caption is looked for. By embedding where the describer gives them: among training pictures,
    or among the described ones; else (MSP60K's captions may come without pictures) by labels, among all that there
    are."""
    if given is None:
        pool = everybody if everything is None else everybody[: len(everything)]
        vectors = None if everything is None or not all(item.embedding for item in everything) else np.array(
            [item.embedding for item in everything], np.float32
        )  # fmt: skip
        return Training("the other people of the same file", pool, captions_for(pool, protocol), vectors, same=True)
    name, pool = given
    if not isinstance(describer, Embeds) or missing_images(sample.image for sample in pool):
        return Training(name, pool, captions_for(pool, protocol))
    pool = one_per_person(pool, TRAINING_PICTURES)
    progress(f"embedding {len(pool)} training pictures")
    starts = range(0, len(pool), _AT_ONCE)
    images = [sample.image for sample in pool]
    parts = [describer.embed(images[start : start + _AT_ONCE], batch=batch)
             for start in track(starts, len(starts), f"embedding, {_AT_ONCE} pictures at a time")]  # fmt: skip
    return Training(f"{name}, one picture of each of {len(pool)} people", pool, captions_for(pool, protocol),
                    np.concatenate(parts))  # fmt: skip


def _reread(values: Values) -> Values:
    """What a reader gets when the realiser speaks."""
    return parse(realise(values))
