"""Describers behind a batch engine say what they say alone, to threads and coroutines, whoever shares the batch."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.runtime.batching_describer import Ask, BatchDescriber
from personvlm.runtime.batching_queue import BatchSettings, Priority
from personvlm.runtime.describer import Describer
from personvlm.runtime.generate import Sampling
from personvlm.schema import PersonDescription

People = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def describer(folder: Path) -> Describer:
    return Describer.load(folder, threads=1)


@pytest.fixture(scope="module")
def jpegs(people: People) -> list[bytes]:
    encoded = []
    for index, person in enumerate(people):
        image = Image.fromarray(person)
        stream = io.BytesIO()
        (image if index % 3 else image.resize((700, 1400))).save(stream, "JPEG", quality=92)
        encoded.append(stream.getvalue())
    return encoded


def same(found: PersonDescription, expected: PersonDescription) -> None:
    assert (found.text, found.model) == (expected.text, expected.model)
    assert found.attributes.keys() == expected.attributes.keys()
    for name, attribute in expected.attributes.items():
        assert found.attributes[name].value == attribute.value
        assert found.attributes[name].confidence == pytest.approx(attribute.confidence, abs=1e-4)
    assert found.embedding == pytest.approx(expected.embedding, abs=1e-4)


@pytest.mark.parametrize(("workers", "preparers"), [(1, 0), (2, 1)])
def test_the_answer_is_that_of_the_picture_alone(describer: Describer, folder: Path, jpegs: list[bytes], workers: int,
                                                 preparers: int) -> None:  # fmt: skip
    asks = [Ask(jpeg, say="all" if index % 2 else "confident", gender=index % 5 != 0, age=index % 4 != 0,
                sampling=Sampling(1.1, seed=index) if index == 3 else None, candidates=2 if index == 4 else 1)
            for index, jpeg in enumerate(jpegs)]  # fmt: skip
    with BatchDescriber.load(folder, BatchSettings(batch=4, preparers=preparers), workers=workers) as batched:
        answers = list(batched.map(asks))
        stages = batched.snapshot().stages
    for ask, answer in zip(asks, answers, strict=True):
        alone = describer.describe(ask.picture, say=ask.say, gender=ask.gender, age=ask.age, sampling=ask.sampling,
                                   candidates=ask.candidates)[0]  # fmt: skip
        same(answer, alone)
        assert [each.text for each in answer.candidates] == [each.text for each in alone.candidates]
    assert answers[4].candidates
    assert stages["queue"].count == stages["decode"].count == len(jpegs)
    assert stages["vision"].count == stages["words"].count == stages["batch"].count
    for stage in ("decode", "vision", "words"):
        assert stages[stage].total_ms > 0
    assert stages["vision"].total_ms + stages["words"].total_ms == pytest.approx(stages["batch"].total_ms, rel=0.2)


def test_a_bad_picture_costs_only_itself(describer: Describer, jpegs: list[bytes]) -> None:
    with BatchDescriber([describer], BatchSettings(batch=4)) as batched:
        outcomes = list(batched.outcomes([Ask(jpegs[0]), Ask(b"no picture"), Ask("absent.jpg"), Ask(jpegs[1])]))
    assert isinstance(outcomes[1], InputError)
    assert "absent.jpg: no such file" in str(outcomes[2])
    for outcome, jpeg in ((outcomes[0], jpegs[0]), (outcomes[3], jpegs[1])):
        assert isinstance(outcome, PersonDescription)
        same(outcome, describer.describe(jpeg)[0])
    assert "encode" not in vars(describer.engine), "the describer itself is left as it was"


def test_coroutines(describer: Describer, jpegs: list[bytes]) -> None:
    async def scene() -> list[PersonDescription | BaseException]:
        with BatchDescriber([describer]) as batched:
            asked = [batched.describe_async(jpeg, say="all", priority=Priority.REID_REQUEST, key="gate")
                     for jpeg in (*jpegs[:3], b"")]  # fmt: skip
            return await asyncio.gather(*asked, return_exceptions=True)

    *answers, error = asyncio.run(scene())
    for answer, jpeg in zip(answers, jpegs, strict=False):
        assert isinstance(answer, PersonDescription)
        same(answer, describer.describe(jpeg, say="all")[0])
    assert isinstance(error, InputError)


def test_no_workers(folder: Path) -> None:
    with pytest.raises(InputError, match="worker"):
        BatchDescriber.load(folder, workers=0)
    with pytest.raises(InputError, match="worker"):
        BatchDescriber([])
