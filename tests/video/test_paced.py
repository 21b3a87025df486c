from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from personvlm.video.feed import Feed
from personvlm.video.frame import Frame
from personvlm.video.paced import Paced

pytestmark = pytest.mark.alone


class Recording:
    camera, live, rate = "c", False, 20.0

    def __init__(self, frames: int = 12) -> None:
        self.count, self.closed = frames, False

    def frames(self) -> Iterator[Frame]:
        for index in range(self.count):
            yield Frame("c", index, 1000.0 + index / self.rate, np.zeros((4, 4, 3), np.uint8))

    def close(self) -> None:
        self.closed = True


def test_frames_come_when_they_came() -> None:
    begun = time.monotonic()
    at = [(time.monotonic() - begun, frame.time) for frame in Paced(Recording(), late=0.2).frames()]
    assert [time for _, time in at] == [1000.0 + index / 20 for index in range(12)]
    assert all(seconds > 0.2 + time - 1000.0 - 0.02 for seconds, time in at)  # never ahead


def test_what_nobody_takes_in_time_is_dropped_and_counted() -> None:
    feed = Feed(Paced(Recording()))
    end = time.monotonic() + 60
    while feed.read < 12 and time.monotonic() < end:
        time.sleep(0.02)
    taken = feed.take()
    assert taken is not None
    assert taken.index == 11
    assert feed.dropped == 11
    assert feed.read == 12


def test_closing_ends_a_long_wait() -> None:
    recording = Recording()
    paced = Paced(recording, late=60.0)
    threading.Timer(0.2, paced.close).start()
    begun = time.monotonic()
    assert list(paced.frames()) == []
    assert time.monotonic() - begun < 30
    assert recording.closed
