"""A training folder: one's own prepared data, or the public sets side by side, or both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.data.readers import read_orientation, read_samples
from personvlm.data.sample import Sample

_WHOLE = (("ccp", "all.jsonl"), ("clothing_attribute", "all.jsonl"))


def read_training(directory: Path) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples of a folder.

    It holds ``train.jsonl`` and ``val.jsonl`` as ``personvlm data prepare`` writes them, or folders named after the
    public sets: ``peta/`` (train and val), ``ccp/`` and ``clothing_attribute/`` (all of it to train on) and
    ``orientation/`` (its training people). What is there is used.

    Raises:
        InputError: the folder holds none of these, nothing to validate on, or somebody in both parts.
    """
    train: list[Sample] = []
    val: list[Sample] = []
    if (directory / "train.jsonl").is_file():
        train += read_samples(directory / "train.jsonl", "personvlm")
        val += read_samples(directory / "val.jsonl", "personvlm")
    if (directory / "peta" / "train.jsonl").is_file():
        train += read_samples(directory / "peta" / "train.jsonl", "peta")
        val += read_samples(directory / "peta" / "val.jsonl", "peta")
    for name, file in _WHOLE:
        if (directory / name / file).is_file():
            train += read_samples(directory / name / file, name)
    if (directory / "orientation" / "all.jsonl").is_file():
        train += read_orientation(directory / "orientation" / "all.jsonl", split="train")
    for name, part in (("train", train), ("val", val)):
        if not part and (directory / f"{name}.jsonl").is_file():
            raise InputError(f"{directory}: {name}.jsonl holds no samples: too few people for the split; prepare it "
                             "again with more people, or with other shares as in --fractions 0.6 0.2 0.2")  # fmt: skip
    if not train or not val:
        raise InputError(f"{directory}: no training data; it needs train.jsonl and val.jsonl (made by `personvlm data "
                         "prepare`), or the folder peta/ with both")  # fmt: skip
    check_apart(directory, train, val)
    return train, val


def check_apart(directory: Path, train: Sequence[Sample], val: Sequence[Sample]) -> None:
    """Refuse people, or tracks, who are trained on and validated on.

    Raises:
        InputError: names the first of them.
    """
    people = [{(sample.source, sample.identity) for sample in part if sample.identity} for part in (train, val)]
    if shared := sorted(str(identity) for _, identity in people[0] & people[1]):
        raise InputError(f"{directory}: {len(shared)} people or tracks are in both train.jsonl and val.jsonl, as "
                         f"{', '.join(shared[:3])}; validation would only test memory. Put both into one file: "
                         "`personvlm data prepare` splits it by person")  # fmt: skip
