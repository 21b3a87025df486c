from __future__ import annotations

import pytest

from personvlm.video.load import Load


def play(load: Load, seconds: float, step: int, start: int, rate: int = 10) -> int:
    """Frames from number ``start`` on of which all but every ``step``-th are lost; returns the next number."""
    index = start
    while index < start + seconds * rate:
        load.take(index, index / rate)
        index += step
    return index


def test_loading_at_the_start_does_not_count() -> None:
    load = Load(1, 10)
    index = play(load, 2.2, 5, 0)
    play(load, 20, 1, index)
    assert (load.every, load.raised) == (1, 0)


@pytest.mark.parametrize(("rate", "every", "most"), [(30, 3, 8), (10, 1, 2), (0, 1, 2), (25, 12, 12)])
def test_there_is_a_limit(rate: float, every: int, most: int) -> None:
    load = Load(every, rate)
    play(load, 60, 10, 0)
    assert load.every == most
    assert load.strained == (most > every)


def test_a_few_lost_frames_change_nothing() -> None:
    load, index = Load(2, 10), 0
    for _ in range(30):
        index = play(load, 1, 1, index) + 1  # one of eleven
    assert load.raised == 0


def test_who_tried_too_early_waits_longer() -> None:
    """The camera loses frames whenever it is looked at in each."""
    load, index = Load(1, 10), 0
    spans = []
    for _ in range(90):
        index = play(load, 2, 3 if load.every == 1 else 1, index)
        spans.append(load.every)
    assert load.raised >= 3
    assert spans[-45:].count(1) < spans[:45].count(1)
