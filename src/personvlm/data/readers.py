"""Readers of the public data sets that the project trains on. All of them give :class:`Sample`."""

from __future__ import annotations

from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.data.lines import check_images, read_lines
from personvlm.data.sample import Sample
from personvlm.schema.mappings import peta


def read_peta(jsonl: Path, root: Path | None = None) -> list[Sample]:
    """PETA as JSON Lines: ``{"image", "identity", "labels": [PETA's own names]}``.

    Args:
        jsonl: the file, for example ``peta/train.jsonl``.
        root: the folder that image paths start from; the file's own folder by default.

    Raises:
        InputError: a malformed line (named by file and number), or missing images (named).
    """
    root = jsonl.parent if root is None else root
    samples = []
    for number, row in read_lines(jsonl, ("image", "labels")):
        labels = row["labels"]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise InputError(f"{jsonl}, line {number}: 'labels' must be a list of PETA's label names")
        samples.append(Sample(root / row["image"], peta.to_annotations(labels), identity=row.get("identity"),
                              labels=tuple(labels), source="peta"))  # fmt: skip
    check_images((sample.image for sample in samples), jsonl)
    return samples
