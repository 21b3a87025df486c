"""Issue 9, acceptance 6: a model that never saw VIPeR and GRID is adapted to them with 200 crops.

Trains such a model first, eyes and then words, half an hour on two free cores; ``PERSONVLM_ADAPT_FROM`` names one that
is there.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from personvlm.data.sample import Sample
from personvlm.schema import PersonDescription

pytestmark = pytest.mark.accept

ASSETS = Path(os.environ.get("PERSONVLM_ASSETS") or "absent")
PETA = ASSETS / "data" / "peta"
STEPS, WORDS = 900, 350
CROPS, REST = 200, 600
NEW = ("VIPeR", "GRID")

Rows = list[dict[str, Any]]


def rows_of(split: str, wanted: Callable[[str], bool]) -> Rows:
    """Lines of a split of PETA whose subset is wanted, with absolute paths."""
    rows = [json.loads(line) for line in (PETA / f"{split}.jsonl").read_text("utf-8").splitlines()]
    return [{**row, "image": str(PETA.resolve() / row["image"])} for row in rows
            if wanted(row["identity"].split("/")[0])]  # fmt: skip


def is_new(subset: str) -> bool:
    return subset in NEW


def is_old(subset: str) -> bool:
    return subset not in NEW


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def drawn(rows: Rows, crops: int) -> Rows:
    """Whole people, drawn at random, until there are ``crops``."""
    people = sorted({row["identity"] for row in rows})
    random.Random(0).shuffle(people)
    place = {person: index for index, person in enumerate(people)}
    return sorted(rows, key=lambda row: (place[row["identity"]], row["image"]))[:crops]


def personvlm(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "personvlm", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (PETA / "train.jsonl").is_file():
        pytest.skip("PETA is not there: set PERSONVLM_ASSETS to a folder with data/peta")
    return tmp_path_factory.mktemp("adapt")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    """A model that was trained without the two subsets."""
    given = os.environ.get("PERSONVLM_ADAPT_FROM")
    if given:
        return Path(given)
    for split in ("train", "val"):
        write(folder / "data" / "peta" / f"{split}.jsonl", rows_of(split, is_old))
    train = ("train", "edge", "--data", folder / "data", "--set", "rendered=0", "--set", "ema=0.99")
    personvlm(*train, "--out", folder / "eyes", "--encoder", ASSETS / "weights" / "mobilenet_v2",
              "--set", "encoder=mobilenet_v2", "--set", f"steps={STEPS}")  # fmt: skip
    personvlm(*train, "--out", folder / "source", "--from", folder / "eyes", "--set", "vision=false",
              "--set", f"phases={WORDS}x256x128+text", "--set", "lr=0.001", "--set", "decoder_lr=1")  # fmt: skip
    return folder / "source"


@pytest.fixture(scope="module")
def adapted(folder: Path, source: Path) -> Path:
    data = write(folder / "crops.jsonl", drawn(rows_of("train", is_new), CROPS))
    reference = write(folder / "reference.jsonl", rows_of("val", is_old))
    personvlm("adapt", "--from", source, "--data", data, "--format", "peta", "--reference", reference,
              "--reference-format", "peta", "--out", folder / "adapted")  # fmt: skip
    return folder / "adapted"


def said(model: Path, samples: Sequence[Sample]) -> list[PersonDescription]:
    from personvlm.runtime.describer import Describer

    return Describer.load(model).describe([sample.image for sample in samples], say="all")


def mean(texts: Sequence[PersonDescription], samples: Sequence[Sample]) -> float:
    from personvlm.evaluation.facts import score_text
    from personvlm.language.parser import parse

    return float(score_text([parse(each.text) for each in texts], samples)["mean"]["accuracy"])


def test_it_gains_there_and_keeps_elsewhere(folder: Path, source: Path, adapted: Path) -> None:
    from personvlm.data.readers import read_peta
    from personvlm.evaluation.facts import consistent
    from personvlm.language.parser import parse

    change = {}
    for name, wanted, most in (("new", is_new, 10_000), ("rest", is_old, REST)):
        samples = read_peta(write(folder / f"{name}.jsonl", drawn(rows_of("test", wanted), most)))
        before, after = said(source, samples), said(adapted, samples)
        assert all(consistent(parse(each.text), each.attributes) for each in after)
        change[name] = (mean(before, samples), mean(after, samples))
    print(change)
    assert change["new"][1] - change["new"][0] >= 0.04
    assert change["rest"][1] - change["rest"][0] >= -0.01


def test_rollback_restores_bit_for_bit(source: Path, adapted: Path) -> None:
    from personvlm.training.adapt_versions import model_files

    after = {path.name: path.read_bytes() for path in model_files(adapted)}
    personvlm("adapt", "--undo", adapted)
    assert {path.name: path.read_bytes() for path in model_files(adapted)} == {
        path.name: path.read_bytes() for path in model_files(source)
    }
    personvlm("adapt", "--redo", adapted)
    assert {path.name: path.read_bytes() for path in model_files(adapted)} == after
