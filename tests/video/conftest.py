"""Videos made on the spot, and a camera on loopback."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a clip in which frame ``i`` has the gray level ``4 i`` and a moving patch of noise."""

    def make(name: str = "clip.mp4", *, frames: int = 30, size: tuple[int, int] = (160, 120), codec: str = "libx264",
             options: dict[str, str] | None = None, metadata: dict[str, str] | None = None) -> Path:  # fmt: skip
        path = tmp_path / name
        rng = np.random.default_rng(0)
        with av.open(str(path), "w", options=options or {}) as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.gop_size = 10
            for index in range(frames):
                image = np.full((size[1], size[0], 3), (4 * index) % 250, np.uint8)
                left = index % (size[0] // 2)
                image[20:60, left : left + 30] = rng.integers(0, 255, (40, 30, 3))
                for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return make


Connection = Callable[[Callable[[bytes], object], threading.Event], None]
"""Serves one connection: gets a function that sends bytes, and an event that says the test is over."""


class Camera:
    """An HTTP server on loopback whose connections are served by ``plan``, one after the other, as ``kind``; then it
    refuses. ``length`` is what it announces, as servers of files do."""

    def __init__(self, plan: list[Connection], kind: str = "video/mp2t", length: int | None = None) -> None:
        self.requests = 0
        self.over = threading.Event()
        camera = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.requests += 1
                if camera.requests > len(plan):
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", kind)
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                with contextlib.suppress(OSError):  # the reader may leave
                    plan[camera.requests - 1](self.wfile.write, camera.over)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/live.ts"

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    made: list[Camera] = []

    def make(plan: list[Connection], **more: Any) -> Camera:
        made.append(Camera(plan, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def videos() -> Path:
    """The real clips, where this machine has them."""
    folder = Path(os.environ.get("PERSONVLM_ASSETS", "")) / "data" / "videos"
    if not os.environ.get("PERSONVLM_ASSETS") or not folder.is_dir():
        pytest.skip("PERSONVLM_ASSETS has no data/videos")
    return folder
