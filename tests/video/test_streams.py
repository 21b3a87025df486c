from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.video.feed import Feed
from personvlm.video.frame import Frame
from personvlm.video.sources import open_sources
from personvlm.video.streams import Patience, Stream, hidden

QUICK = Patience(silence=1.0, first_wait=0.05, longest_wait=0.2)


@pytest.fixture
def ts(make_video) -> bytes:
    return make_video("live.ts", frames=40).read_bytes()


def whole(data: bytes) -> Callable[..., None]:
    def serve(send: Callable[[bytes], object], over: threading.Event) -> None:
        send(data)

    return serve


def then_silent(data: bytes) -> Callable[..., None]:
    def serve(send: Callable[[bytes], object], over: threading.Event) -> None:
        send(data)
        over.wait(20)

    return serve


def collect(stream: Stream, enough: Callable[[list[Frame]], bool]) -> list[Frame]:
    frames: list[Frame] = []
    for frame in stream.frames():
        frames.append(frame)
        if enough(frames):
            stream.close()
    return frames


def test_a_cut_connection_is_opened_again_and_numbers_go_on(camera: Any, ts: bytes) -> None:
    served = camera([whole(ts), whole(ts), whole(ts)])
    notes: list[str] = []
    stream = Stream(served.url, "gate", patience=QUICK, report=notes.append)
    frames = collect(stream, lambda frames: len(frames) == 100)
    assert stream.connections == 3
    assert [frame.index for frame in frames] == list(range(100))
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))
    assert abs(frames[-1].time - time.time()) < 20
    assert sum("connecting again" in note for note in notes) == 2
    assert notes[-1] == "gate: connected again"
    assert stream.live


def test_a_silent_connection_counts_as_dead(camera: Any, ts: bytes) -> None:
    served = camera([then_silent(ts), whole(ts)])
    notes: list[str] = []
    stream = Stream(served.url, "gate", patience=QUICK, report=notes.append)
    frames = collect(stream, lambda frames: stream.connections == 2 and len(frames) > 50)
    assert len(frames) > 50
    assert "connecting again" in notes[0]


def test_refusal_at_first_contact_ends_it_later_it_does_not(camera: Any, ts: bytes) -> None:
    with pytest.raises(InputError, match=r"live\.ts: .*404.*check the address"):
        collect(Stream(camera([]).url, "gate", patience=QUICK), bool)
    served = camera([whole(ts)])  # refuses from the second connection on
    stream = Stream(served.url, "gate", patience=QUICK, report=lambda note: None)

    def close_at_last() -> None:
        until = time.monotonic() + 60
        while served.requests < 3 and time.monotonic() < until:
            time.sleep(0.01)
        stream.close()

    threading.Thread(target=close_at_last, daemon=True).start()
    frames = collect(stream, lambda frames: False)
    assert 30 < len(frames) <= 40
    assert served.requests >= 3


def test_waits_grow(camera: Any) -> None:
    notes: list[str] = []
    stream = Stream("http://127.0.0.1:9/a.ts", "gate", patience=QUICK, report=notes.append)
    threading.Timer(0.8, stream.close).start()
    assert collect(stream, bool) == []
    waits = [note.rpartition(" in ")[2] for note in notes]
    assert waits[:4] == ["0.05 s", "0.1 s", "0.2 s", "0.2 s"]


def test_a_file_that_breaks_off_is_not_read_again_from_its_beginning(camera: Any, make_video) -> None:
    data = make_video("file.mkv", frames=60).read_bytes()
    for sent in (len(data) * 2 // 3, len(data)):
        served = camera([whole(data[:sent])] * 3, kind="video/x-matroska", length=len(data))
        stream = Stream(served.url, "gate", patience=QUICK, report=lambda note: None)
        frames: list[Frame] = []
        if sent == len(data):
            frames = collect(stream, lambda frames: len(frames) > 60)
        else:
            with pytest.raises(InputError, match=r"breaks off after \d\d frames, .* of 6\.0 s; those were used"):
                frames = collect(stream, lambda frames: len(frames) > 60)
        assert served.requests == 1
        assert not stream.live
        assert len(frames) == (60 if sent == len(data) else 0)


def test_a_clock_that_is_set_back_stretches_and_crowds_no_time(camera: Any, ts: bytes) -> None:
    """Without it, an hour of frames would lie a millisecond apart, and nobody would ever leave."""
    times, notes = itertools.count(), list[str]()

    def clock() -> float:
        step = next(times)
        return 1e9 + step / 10 - (0 if step < 10 else 3600 if step < 20 else 0)

    stream = Stream(camera([whole(ts)]).url, "gate", patience=QUICK, report=notes.append, clock=clock)
    frames = collect(stream, lambda frames: len(frames) == 30)
    steps = [later.time - earlier.time for earlier, later in itertools.pairwise(frames)]
    assert sum(step < 0.05 for step in steps) < 5, steps
    assert max(steps) < 1
    assert [note for note in notes if "set back" in note] == [
        "gate: this machine's clock was set back by 3600 s; times go on from where they were until it is there again"]
    assert abs(frames[-1].time - (1e9 + 2.9)) < 0.5


def test_times_that_were_made_up_are_replaced_by_those_of_arrival(camera: Any, make_video) -> None:
    """FFmpeg says of Motion JPEG that it has 25 frames a second. This camera has ten."""
    import cv2

    picture = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
    part = b"--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(picture), picture)

    def serve(send: Callable[[bytes], object], over: threading.Event) -> None:
        while not over.wait(0.1):
            send(part)

    served = camera([serve], kind="multipart/x-mixed-replace; boundary=x")
    stream = Stream(served.url, "gate", patience=QUICK, report=lambda note: None)
    frames = collect(stream, lambda frames: len(frames) == 30)
    steps = sorted(later.time - earlier.time for earlier, later in itertools.pairwise(frames))
    assert 0.08 < steps[len(steps) // 2] < 0.2
    assert steps[-1] < 1.5
    assert stream.rate == 0


def test_passwords_are_not_shown() -> None:
    assert "secret" not in hidden("http://10.0.0.7/video.cgi?user=admin&password=secret")
    with pytest.raises(InputError, match="no camera answers to rstp") as refused:
        open_sources("rstp://admin:secret@10.0.0.7/live", "gate")
    assert "secret" not in str(refused.value)
    assert hidden("rtsp://user:s@cret@10.0.0.7/live@1") == "rtsp://10.0.0.7/live@1"
    stream = Stream("http://user:secret@127.0.0.1:9/a.ts", "gate", patience=QUICK, report=lambda note: None)
    with pytest.raises(InputError) as caught:
        collect(Stream("nonsense://user:secret@h/a", "gate", patience=QUICK), bool)
    assert "secret" not in str(caught.value)
    stream.close()


class Slow:
    """Gives frames at a pace of its own."""

    rate = 0.0

    def __init__(self, path: Path, live: bool) -> None:
        self.camera, self.live = "c", live
        self._inner = path

    def frames(self) -> Any:
        from personvlm.video.files import VideoFile

        for frame in VideoFile(self._inner, "c").frames():
            time.sleep(0.005)
            yield frame

    def close(self) -> None:
        pass


def drain(feed: Feed, pause: float) -> list[int]:
    taken = []
    deadline = time.monotonic() + 20
    while feed.state in ("waiting", "running") and time.monotonic() < deadline:
        frame = feed.take()
        if frame is not None:
            taken.append(frame.index)
            time.sleep(pause)
    return taken


def test_live_frames_drop_to_the_latest_and_are_counted(make_video) -> None:
    feed = Feed(Slow(make_video(frames=40), live=True))
    taken: list[int] = []
    while feed.state in ("waiting", "running"):
        frame = feed.take() if feed.read >= min(40, 3 * len(taken) + 3) else None  # as slow as a third of the camera
        taken += [] if frame is None else [frame.index]
        time.sleep(0.002)
    assert taken[-1] == 39
    assert len(taken) < 25
    assert feed.dropped == 40 - len(taken)


def test_a_file_waits_for_whoever_is_slow(make_video) -> None:
    feed = Feed(Slow(make_video(frames=20), live=False))
    assert drain(feed, 0.02) == list(range(20))
    assert (feed.dropped, feed.state) == (0, "ended")


def test_a_failure_is_kept_with_the_frames_before_it(make_video) -> None:
    from personvlm.video.files import VideoFile

    path = make_video("a.mkv", frames=60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    feed = Feed(VideoFile(path, "c"))
    taken = drain(feed, 0)
    assert len(taken) > 20
    assert feed.state == "failed"
    assert "breaks off" in str(feed.error)


def test_closing_frees_a_waiting_thread(make_video) -> None:
    feed = Feed(Slow(make_video(frames=20), live=False))
    while not feed.available:
        time.sleep(0.01)
    feed.close()
    assert feed.state == "ended"
    assert not any(thread.name == "feed c" and thread.is_alive() for thread in threading.enumerate())
