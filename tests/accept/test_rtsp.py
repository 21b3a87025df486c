"""A real RTSP server (GStreamer) that goes away for ten seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.schema import PersonDescription

pytestmark = pytest.mark.accept

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
_HAS_IT = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


class FakeTracks:
    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        return PersonDescription(text="A person.")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.ones((len(images), 1), np.float32)


@pytest.fixture
def clip() -> Path:
    path = Path(os.environ.get("PERSONVLM_ASSETS", ".")) / "data" / "videos" / "one-by-one-person-detection.mp4"
    if not path.is_file():
        pytest.skip("PERSONVLM_ASSETS has no data/videos")
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", _HAS_IT], capture_output=True).returncode:
        pytest.skip("no RTSP server: apt install gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good")
    return path


@pytest.fixture
def serve(clip: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[str], str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple[subprocess.Popen[str], str]:
        server = subprocess.Popen([PYTHON, str(SERVER), str(clip), str(port)], stdout=subprocess.PIPE, text=True)
        started.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return server, f"rtsp://127.0.0.1:{port}/live"

    yield start
    for server in started:
        server.kill()
        server.wait()


def wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


def test_a_camera_that_is_cut_for_ten_seconds(serve: Callable[[], tuple[subprocess.Popen[str], str]]) -> None:
    from personvlm.pipeline.run import Run
    from personvlm.pipeline.run_cameras import Camera

    server, url = serve()
    events: list[dict[str, Any]] = []
    notes: list[str] = []
    running = Run({"gate": Camera(source=url)}, FakeTracks(), lambda event: events.append(event.record()),  # type: ignore[arg-type]
                  report=notes.append)  # fmt: skip
    thread = threading.Thread(target=running.go)
    thread.start()
    wait(lambda: any(event["event"] == "new" for event in events), 60)
    before = list(events)
    server.kill()
    server.wait()
    cut = time.time()
    time.sleep(10)
    frames = running.status.cameras["gate"].frames
    serve()
    wait(lambda: running.status.cameras["gate"].frames > frames, 60)
    back = time.time()
    wait(lambda: any(event["event"] == "new" and event["track"] > before[0]["track"] for event in events), 60)
    running.stop()
    thread.join(30)
    status = running.status.cameras["gate"]
    assert events[: len(before)] == before
    assert {event["camera"] for event in events} == {"gate"}
    assert any("connecting again" in note for note in notes)
    assert any("connected again" in note for note in notes)
    ends = {event["track"] for event in events if event["event"] == "end"}
    assert before[0]["track"] in ends  # whoever was there when it was cut has left
    assert status.error is None
    assert all(abs(event["time"] - time.time()) < 200 for event in events)
    print(f"\ncut {back - cut:.1f} s after which frames came again; {len(events)} events, {status.dropped} dropped")
