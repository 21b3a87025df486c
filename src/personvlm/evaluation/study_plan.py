"""What a study trains: which models, under which budgets, from which weights. Torch-free."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.data.readers import read_samples
from personvlm.data.sample import Sample
from personvlm.training.budget import Budget

STAGES = ("stage1", "stage2", "stage3", "stage4")
EDGE = "edge"
MODELS = (*STAGES, EDGE)


@dataclass(frozen=True)
class Entry:
    """One model to train under one budget.

    Attributes:
        model: ``stage1`` to ``stage4``, or ``edge``.
        budget: how long.
        variant: name of what was changed; ``""``: the model as it is.
        settings: changes of recipe and model by name.
        weights: False starts from random numbers even where there are weights.
    """

    model: str
    budget: Budget
    variant: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    weights: bool = True

    @property
    def key(self) -> str:
        """Name of its folder: ``stage1-10m``, ``stage1+grid-3m``."""
        return f"{self.model}{'+' if self.variant else ''}{self.variant}-{self.budget.name}"


def parse_models(text: str) -> list[str]:
    """``1,2,edge`` or ``stage1,stage2,edge`` to names.

    Raises:
        InputError: one is not a model of the study, or there is none.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    models = [f"stage{name}" if name.isdigit() else name for name in names]
    for name, model in zip(names, models, strict=True):
        if model not in MODELS:
            raise InputError(f"--stages {name}: no such model; legal: 1, 2, 3, 4, edge")
    if not models:
        raise InputError("--stages names no model; legal: 1, 2, 3, 4, edge")
    return list(dict.fromkeys(models))


def parse_settings(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """``stage1.learning_rate=0.001`` to model -> name -> value.

    Raises:
        InputError: it is not of this form, or names no model.
    """
    settings: dict[str, dict[str, str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        model, dot, setting = name.strip().partition(".")
        if not equals or not dot or not setting:
            raise InputError(f"--set {text}: give it as MODEL.KEY=VALUE, as in --set stage3.learning_rate=0.0003")
        if model not in MODELS:
            raise InputError(f"--set {text}: {model!r} is no model of the study; legal: {', '.join(MODELS)}")
        settings.setdefault(model, {})[setting] = value.strip()
    return settings


def held_out(data: Path, people: int = 0, limit: int = 0) -> list[Sample]:
    """The labelled pictures that every model is scored on: ``test.jsonl`` of prepared data, or that of ``peta/``.

    Args:
        data: the folder that is trained on.
        people: so many people, drawn once and for all, with all their pictures; 0: everybody.
        limit: so many pictures, spread over the people; 0: all.

    Raises:
        InputError: there is no such file, or nothing in it to make a reference from.
    """
    own, public = data / "test.jsonl", data / "peta" / "test.jsonl"
    if own.is_file():
        samples = read_samples(own, "personvlm")
    elif public.is_file():
        samples = read_samples(public, "peta")
    else:
        raise InputError(f"{data}: nothing to test on; it needs test.jsonl (made by `personvlm data prepare`), or the "
                         "folder peta/ with one")  # fmt: skip
    samples = [sample for sample in samples if sample.annotations.known]
    if not samples:
        raise InputError(f"{own if own.is_file() else public}: no picture has labels to score on")
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(sample.identity or f"#{index}", []).append(index)
    names = random.Random(0).sample(sorted(groups), len(groups))
    kept = [groups[name] for name in (names[:people] if people else names)]
    if limit:  # the first picture of everybody, then the second
        depth = max(map(len, kept))
        kept = [[rows[rank] for rank in range(depth) for rows in kept if rank < len(rows)][:limit]]
    return [samples[index] for index in sorted(index for rows in kept for index in rows)]
