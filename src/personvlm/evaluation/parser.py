"""How well the parser reads real captions: MSP60K's label columns against what is read from their sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from personvlm.base.errors import InputError
from personvlm.data.lines import read_lines
from personvlm.evaluation.figures import number
from personvlm.language.parser import parse
from personvlm.metrics.facts import label_metrics, nanmean
from personvlm.schema import Values
from personvlm.schema.mappings.msp60k import COLUMNS, columns_of

SCORED = (
    "Female", "Male", "Child", "Elderly", "Bald", "Long hair", "Black hair", "Hat", "Glasses", "Mask", "Helmet",
    "Gloves", "Back", "Short sleeves", "Long sleeves", "Cotton-padded coat", "Graduation gown", "Chef uniform",
    "Trousers", "Shorts", "Leather shoes", "Casual shoes", "Boots", "Sandals", "Backpack", "Plastic bag",
    "Making a phone call", "Hands behind back", "Arms crossed", "Walking", "Standing", "Riding a bicycle",
    "Riding an scooter",
)  # fmt: skip
"""The 33 columns whose labels and captions agree well enough to judge a parser by."""


def evaluate_parser(captions: Path, *, read: Callable[[str], Values] = parse) -> dict[str, Any]:
    """Precision, recall and F1 of each of the 33 columns, and their mean.

    Args:
        captions: JSON Lines with ``answer`` (the caption) and ``one_hot`` (58 labels), as MSP60K has them.
        read: the parser.

    Returns:
        ``{"n", "mean_f1", "columns": {name: {"precision", "recall", "f1", "positives"}}}``. A column that is neither
        labelled nor stated anywhere has None, and is left out of the mean.

    Raises:
        InputError: the file is missing, malformed or empty; names the line.
    """
    labels, stated = [], []
    for line, row in read_lines(captions, ("answer", "one_hot")):
        values = row["one_hot"]
        if not isinstance(values, list) or len(values) != len(COLUMNS) or not {*values} <= {0, 1}:
            raise InputError(f"{captions}, line {line}: 'one_hot' must be a list of {len(COLUMNS)} values of 0 and 1")
        if not isinstance(row["answer"], str):
            raise InputError(f"{captions}, line {line}: 'answer' must be the caption, a string")
        columns = columns_of(read(row["answer"]))
        labels.append([values[COLUMNS.index(name)] for name in SCORED])
        stated.append([columns[name] for name in SCORED])
    if not labels:
        raise InputError(f"{captions}: no captions in it; each line must have 'answer' and 'one_hot'")
    scored = label_metrics(np.array(labels), np.array(stated))
    return {
        "n": len(labels),
        "mean_f1": number(nanmean(scored.f1)),
        "columns": {
            name: {"precision": number(scored.precision[i]), "recall": number(scored.recall[i]),
                   "f1": number(scored.f1[i]), "positives": int(scored.positives[i])}
            for i, name in enumerate(SCORED)
        },
    }  # fmt: skip
