"""One protocol on one labelled set: a model's texts, if there are any, and every baseline, scored in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from personvlm.data.sample import Sample
from personvlm.evaluation.baselines import BASELINES, CONSTANT, Baselines, Training, make_baselines
from personvlm.evaluation.protocols import clean, published
from personvlm.evaluation.protocols.references import clean_references, origin, raw_references
from personvlm.evaluation.slices import score_slices
from personvlm.language.normalise import normalise
from personvlm.language.parser import parse
from personvlm.metrics import tokens
from personvlm.schema import PersonDescription

Name = Literal["clean", "published"]

PREDICTIONS = "predictions"
"""The row of what is evaluated."""


def scored_rows(samples: Sequence[Sample], protocol: Name | None) -> Sequence[Sample]:
    """The samples that a protocol looks at: all, or the first 500."""
    return samples[: published.ROWS] if protocol == "published" else samples


def captions_for(samples: Sequence[Sample], protocol: Name) -> list[str]:
    """One caption per training sample ``[T]``, in the form that the protocol compares with."""
    if protocol == "published":
        return raw_references(samples)
    return [several[0] for several in clean_references(samples, paraphrases=0)]


def run_protocol(
    protocol: Name,
    samples: Sequence[Sample],
    training: Training,
    predictions: Sequence[str] | None = None,
    described: Sequence[PersonDescription] | None = None,
    heights: Sequence[int] | None = None,
    *,
    resamples: int = 1000,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Score texts and baselines under a protocol.

    Args:
        protocol: its name.
        samples: what :func:`scored_rows` gave, ``[N]``.
        training: where the nearest caption is looked for.
        predictions: ``[N]`` texts to evaluate; None to score the baselines alone.
        described: every sample described with ``say="all"``, for the row of predicted heads; None without pictures.
        heights: of the crops in pixels, ``[N]``, for the slices of ``clean``.
        resamples: of the bootstrap over people.
        progress: called with the name of each row as its scoring starts.

    Returns:
        ``name``, ``version``, ``n``, ``references`` (where they come from), ``rows`` (``predictions`` and every
        baseline: what the protocol's ``score`` returns, or None), ``notes`` (what each row is, or why it is not
        there). ``clean`` adds ``details``, ``confusion`` and ``slices`` of the predictions.

    Raises:
        InputError: ``published`` without nltk.
    """
    # The protocol's references hold no preamble and no filler, so the constant sentence must not lose by having them.
    constant = CONSTANT if protocol == "published" else normalise(CONSTANT)
    baselines = make_baselines(samples, training, described, constant=constant)
    texts = {PREDICTIONS: predictions, **{name: baselines.texts[name] for name in BASELINES}}
    result: dict[str, Any] = {"name": protocol, "n": len(samples), "references": origin(samples, protocol)}
    if protocol == "published":
        raw, people = raw_references(samples), [sample.identity for sample in samples]
        result |= {"version": published.VERSION, "rows": {}, "notes": dict(baselines.notes)}
        for name, given in texts.items():
            result["rows"][name] = None
            if given is not None:
                progress(f"published: {name.replace('_', ' ')}")
                result["rows"][name] = published.score(given, raw, people, resamples=resamples)
        return result
    scorer = clean.Scorer(samples, resamples=resamples)
    result |= {"version": clean.VERSION, "rows": {}, "notes": _notes(baselines)}
    for name, given in texts.items():
        result["rows"][name] = None
        if given is not None:
            progress(f"clean: {name.replace('_', ' ')}")
            result["rows"][name] = scorer.score(given, details=name == PREDICTIONS)
    if predictions is not None:
        main = result["rows"][PREDICTIONS]
        result |= {"details": main.pop("details"), "confusion": main.pop("confusion")}
        progress("clean: slices")
        read = [parse(text) for text in predictions]
        result["slices"] = score_slices(read, samples, heights, resamples=resamples)
    return result


def _notes(baselines: Baselines) -> dict[str, str]:
    return dict(baselines.notes) | ({} if tokens.available() else {"text": tokens.NEEDS})
