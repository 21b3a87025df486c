"""Issue 5, acceptance 4, with the shipped model: under load, alone, and with poison among the requests.

`make accept` runs it at full length; the small part that always runs describes with a tiny model.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform
from personvlm.runtime.batching_describer import Ask, BatchDescriber
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.bench import SEED, jpegs, to_json
from personvlm.runtime.bench_load import arrivals, offer, quantiles, saturate
from personvlm.runtime.describer import Describer
from personvlm.runtime.engine import available_cores
from personvlm.schema import PersonDescription

POISON = np.array([255, 0, 255], np.uint8)


class Fragile(Describer):
    """A describer that breaks on any batch that holds a picture of one pink."""

    def describe_images(self, images: list[NDArray[np.uint8]], **options: Any) -> list[PersonDescription]:
        if any((np.abs(image.astype(int) - POISON) < 9).all() for image in images):
            raise FloatingPointError("a pink picture")
        return super().describe_images(images, **options)


def fragile(path: Path | None) -> Describer:
    describer = copy.copy(Describer.load(path, threads=1))
    describer.__class__ = Fragile
    return describer


def pink(transform: Transform) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.broadcast_to(POISON, (transform.height, transform.width, 3))).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.accept)])
def test_one_percent_of_poison(count: int, folder: Path) -> None:
    describer = fragile(folder if count < 1_000 else None)
    good = jpegs(None, 25)
    expected = [describer.describe(jpeg)[0].text for jpeg in good]
    poison = [pink(describer.transform), b"no picture"]
    rng = np.random.default_rng(7)
    bad = set(rng.choice(count, count // 100, replace=False).tolist())
    asks = [Ask(poison[index % 2] if index in bad else good[index % len(good)]) for index in range(count)]
    with BatchDescriber([describer, describer], BatchSettings(batch=16)) as engine:
        outcomes = list(engine.outcomes(asks))
        snapshot = engine.snapshot()
    right = [index for index, outcome in enumerate(outcomes)
             if isinstance(outcome, PersonDescription) and outcome.text == expected[index % len(good)]]  # fmt: skip
    wrong = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Exception)}
    assert len(right) == count - count // 100
    assert set(wrong) == bad
    for index, error in wrong.items():
        assert isinstance(error, InputError if index % 2 else FloatingPointError)
        assert ("not a picture" if index % 2 else "pink") in str(error)
    assert (snapshot.ended["answered"], snapshot.ended["failed"]) == (len(right), len(wrong))


def shipped_engines(**settings: Any) -> Callable[[Callable[[Timing], None]], BatchDescriber]:
    describers = [Describer.load(threads=1)] * available_cores()
    return lambda observe: BatchDescriber(describers, BatchSettings(**settings), observe=observe)


@pytest.mark.accept
def test_at_80_percent_of_capacity_for_a_minute() -> None:
    make = shipped_engines(queue=1_000, when_full="refuse")
    asks = [Ask(jpeg) for jpeg in jpegs(None, 64)]
    capacity = saturate(make, asks, 10.0, finish=to_json)
    load = offer(make, asks, arrivals(0.8 * capacity["per_s"], 60.0, SEED), finish=to_json)
    assert load.answered == load.sent
    assert load.wait_ms["p99"] <= BatchSettings().window_ms + capacity["batch_ms"]


@pytest.mark.accept
def test_a_lone_request_waits_less_than_two_milliseconds() -> None:
    waits: list[Timing] = []
    asks = [Ask(jpeg) for jpeg in jpegs(None, 50)]
    with shipped_engines()(waits.append) as engine:
        for ask in asks:
            asked: Future[PersonDescription] = engine.submit(ask)
            assert asked.result(10).text
    assert quantiles([1000 * (each.started - each.submitted) for each in waits])["max"] < 2.0
