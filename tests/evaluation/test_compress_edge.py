"""What forms of edge are compared by: words under both settings, probabilities, vectors, facts, consistency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation import compress_edge
from personvlm.evaluation.compress import Crops, Form
from personvlm.evaluation.compress_edge import BATCH, Speaker, compare_edge
from personvlm.runtime.calibration import Say
from personvlm.schema import Annotations, Attribute, PersonDescription

COUNT = BATCH + 4


@dataclass
class Scripted:
    """Says man or woman by the brightness of a picture's first pixel, and may be wrong about one when all is said."""

    male: float = 0.9
    wrong: int | None = None
    vector: tuple[float, float] = (1.0, 0.0)
    attribute: str | None = None
    asked: list[tuple[int, str]] = field(default_factory=list)

    def describe(
        self, inputs: Sequence[NDArray[np.uint8]], /, *, say: Say = "confident", batch: int = BATCH
    ) -> list[PersonDescription]:
        self.asked.append((len(inputs), say))
        return [self.one(int(picture[0, 0, 0]), say) for picture in inputs]

    def one(self, index: int, say: Say) -> PersonDescription:
        word = "woman" if say == "all" and index == self.wrong else "man"
        decided = self.attribute or {"man": "male", "woman": "female"}[word]
        return PersonDescription(
            text=f"The image shows a {word}.", embedding=self.vector,
            attributes={"gender": Attribute(value=decided, confidence=0.9)},
            scores={"gender": {"male": self.male, "female": 1.0 - self.male}})  # fmt: skip


@pytest.fixture
def crops() -> Crops:
    images = [np.full((4, 2, 3), index, np.uint8) for index in range(COUNT)]
    samples = [Sample(Path(str(index)), Annotations.build({"gender": ("male",)})) for index in range(COUNT)]
    return Crops(np.zeros((COUNT, 3, 4, 2), np.float32), [""] * COUNT, samples, images)


def forms(*speakers: Scripted) -> list[Form[Speaker]]:
    return [Form(str(index), speaker, 100 * index) for index, speaker in enumerate(speakers)]


def test_each_column_sees_its_own_difference(crops: Crops) -> None:
    reference, moved = Scripted(), Scripted(male=0.85, vector=(0.6, 0.8))
    wrong, contradicts = Scripted(wrong=BATCH + 1), Scripted(attribute="female")
    rows = compare_edge(forms(reference, moved, wrong, contradicts), crops)
    assert [row["bytes"] for row in rows] == [0, 100, 200, 300]
    assert [row["same"] for row in rows] == pytest.approx([1, 1, 1 - 1 / (2 * COUNT), 1])
    assert [row["apart"] for row in rows] == pytest.approx([0, 0.05, 0, 0])
    assert [row["vector"] for row in rows] == pytest.approx([1, 0.6, 1, 1])
    assert [row["facts"] for row in rows] == pytest.approx([1, 1, 1 - 1 / COUNT, 1])
    assert [row["consistency"] for row in rows] == pytest.approx([1, 1, 1, 0])
    assert [row["holds"] for row in rows] == [True, False, False, True]


@pytest.mark.parametrize(("male", "holds"), [(0.885, True), (0.879, False)])
def test_a_probability_may_move_by_a_fiftieth(crops: Crops, male: float, holds: bool) -> None:
    assert compare_edge(forms(Scripted(), Scripted(male=male)), crops)[1]["holds"] is holds


def test_every_picture_is_described_alone_in_a_batch_and_with_all_groups(
    crops: Crops, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker = Scripted()
    clock = SimpleNamespace(perf_counter=lambda: float(len(speaker.asked)))  # every call takes a second
    monkeypatch.setattr(compress_edge, "time", clock)
    (row,) = compare_edge(forms(speaker), crops)
    asked = speaker.asked[1:]  # the first call warms up
    assert asked.count((1, "confident")) == COUNT
    for size in (BATCH, COUNT - BATCH):
        assert asked.count((size, "confident")) == asked.count((size, "all")) == 1
    assert row["ms"] == {"alone": 1000.0, "batched": (1000.0 / BATCH + 1000.0 / (COUNT - BATCH)) / 2}


def test_without_labels_there_are_no_facts(crops: Crops) -> None:
    unlabelled = Crops(crops.pixels, crops.captions, None, crops.images)
    assert compare_edge(forms(Scripted()), unlabelled)[0]["facts"] is None
