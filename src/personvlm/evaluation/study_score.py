"""What a model of the study said, kept as JSON Lines, and its scores. Torch-free."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from personvlm.data.lines import read_lines, to_json
from personvlm.data.sample import Sample
from personvlm.evaluation.facts import values_of_annotations
from personvlm.evaluation.protocols import clean
from personvlm.language.realiser import realise
from personvlm.metrics.text import nll_per_character


@dataclass(frozen=True)
class Said:
    """What was said of one picture.

    Attributes:
        image: its path.
        text: what was generated, after the clean-up that the model's texts get.
        raw: what was generated.
        nll: negative log-likelihood of the reference in nats, its end included, without label smoothing.
        characters: of the reference.
        heads: edge only: the canonical sentence of what its heads decide.
        nearest: edge only: the caption of the training picture that looks most alike to it.
    """

    image: str
    text: str
    raw: str
    nll: float
    characters: int
    heads: str = ""
    nearest: str = ""


def reference_of(sample: Sample) -> str:
    """The canonical sentence of a picture's labels: the text whose likelihood is measured."""
    return realise(values_of_annotations(sample.annotations))


def read_said(path: Path) -> list[Said]:
    """The lines of a file; none where it is not there."""
    return [Said(**row) for _, row in read_lines(path, ())] if path.is_file() else []


def write_said(said: Sequence[Said], path: Path) -> None:
    """All lines or none."""
    part = path.with_suffix(".part")
    part.write_text("".join(to_json(asdict(one)) + "\n" for one in said), "utf-8")
    os.replace(part, path)


def score_said_texts(said: Sequence[Said], samples: Sequence[Sample], resamples: int = 1000) -> dict[str, Any]:
    """The protocol ``clean``, and ``nll_per_character``."""
    scores = clean.score([one.text for one in said], samples, resamples=resamples)
    references = ["." * one.characters for one in said]
    return {**scores, "nll_per_character": nll_per_character([one.nll for one in said], references)}


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all; NaN is refused."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", "utf-8")
    os.replace(part, path)

