"""What a study trains: which models, under which budgets, with what changed. Torch-free."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from personvlm.base.errors import InputError
from personvlm.data.readers import read_orientation, read_samples
from personvlm.data.sample import Sample
from personvlm.training.budget import Budget

STAGES = ("stage1", "stage2", "stage3", "stage4")
EDGE = "edge"
MODELS = (*STAGES, EDGE)

ALIKE: Mapping[str, str] = MappingProxyType({"precision": "bf16"})
"""Every stage computes in edge's precision, or equal minutes would not be equal: on a CPU with bfloat16 a step takes
half as long as in float32, on one without it all compute in float32."""


@dataclass(frozen=True)
class Entry:
    """One model to train under one budget.

    Attributes:
        model: ``stage1`` to ``stage4``, or ``edge``.
        budget: how long.
        variant: name of what was changed; ``""``: the model as it is.
        settings: changes of recipe and model by name.
        weights: False starts from random numbers even where there are weights.
        tokenizer: where it comes from, as ``train`` takes it; ``""``: as found.
        needs: ``decoder`` or ``encoder``: not trained at all where there are no weights for it.
        ablation: whether it belongs to the ablations.
    """

    model: str
    budget: Budget
    variant: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    weights: bool = True
    tokenizer: str = ""
    needs: str = ""
    ablation: bool = False

    @property
    def key(self) -> str:
        """Name of its folder: ``stage1-10m``, ``ablations/stage1+grid-3m``."""
        folder = "ablations/" if self.ablation else ""
        return f"{folder}{self.model}{'+' if self.variant else ''}{self.variant}-{self.budget.name}"


def planned(models: Sequence[str], budgets: Sequence[Budget], settings: Mapping[str, Mapping[str, str]] | None = None,
            encoders: Sequence[str] = ()) -> list[Entry]:  # fmt: skip
    """Every model under every budget.

    Args:
        settings: changes of the recipes: model -> name -> value.
        encoders: the stages are also trained with each of these in place of their own.
    """
    given = settings or {}
    entries = []
    for budget in budgets:
        for model in models:
            own = {**(ALIKE if model != EDGE else {}), **given.get(model, {})}
            entries.append(Entry(model, budget, settings=own))
            if model != EDGE:
                entries += [Entry(model, budget, encoder, {**own, "encoder": encoder}) for encoder in encoders]
    return entries


def announced(entries: Sequence[Entry], estimates: Mapping[str, float]) -> str:
    """What training will take, as far as it can be told beforehand.

    Args:
        estimates: entry -> seconds, of those whose budget is in epochs.
    """
    minutes = sum(entry.budget.amount for entry in entries if entry.budget.unit == "minutes")
    epochs = [entry for entry in entries if entry.budget.unit == "epochs"]
    parts = []
    if minutes:
        parts.append(f"{len(entries) - len(epochs)} models in {minutes:g} minutes of training")
    if epochs:
        total = sum(estimates.get(entry.key, 0.0) for entry in epochs) / 60
        each = ", ".join(f"{entry.key} {estimates.get(entry.key, 0.0) / 60:.0f}" for entry in epochs)
        parts.append(f"{len(epochs)} by epochs in about {total:.0f} minutes, judged by a step of each ({each})")
    return (f"{' and '.join(parts)}; decoding, validation and describing the test people come on top. A study that is "
            "stopped goes on where it was.")  # fmt: skip


def parse_models(text: str) -> list[str]:
    """``1,2,edge`` or ``stage1,stage2,edge`` to names; ``none`` to no model, where only ablations are asked for.

    Raises:
        InputError: one is not a model of the study, or nothing is said.
    """
    if text.strip() == "none":
        return []
    names = [part.strip() for part in text.split(",") if part.strip()]
    models = [f"stage{name}" if name.isdigit() else name for name in names]
    for name, model in zip(names, models, strict=True):
        if model not in MODELS:
            raise InputError(f"--stages {name}: no such model; legal: 1, 2, 3, 4, edge; or none")
    if not models:
        raise InputError("--stages names no model; legal: 1, 2, 3, 4, edge; or none")
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
    return spread(samples, people, limit)


def with_views(data: Path, limit: int = 148) -> list[Sample]:
    """Pictures of people whom nobody trained on, with the side that they are seen from: of ``orientation/``, four of
    each of its 37 test people. Empty where there is no such folder."""
    listing = data / "orientation" / "all.jsonl"
    return spread(read_orientation(listing, split="test"), 0, limit) if listing.is_file() else []


def spread(samples: Sequence[Sample], people: int, limit: int) -> list[Sample]:
    """At most so many people and pictures (0: all), the same every time: everybody's first, then the second."""
    groups: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        groups.setdefault(sample.identity or f"#{index}", []).append(index)
    names = random.Random(0).sample(sorted(groups), len(groups))
    kept = [groups[name] for name in (names[:people] if people else names)]
    if limit:
        depth = max(map(len, kept))
        kept = [[rows[rank] for rank in range(depth) for rows in kept if rank < len(rows)][:limit]]
    return [samples[index] for index in sorted(index for rows in kept for index in rows)]
