"""Issue 6, line 4: how many file cameras of 480p at 10 frames a second this machine keeps up with, words included.

Prints the figures; run with ``-s`` on a machine that has nothing else to do. By hand:
``personvlm run CLIP.mp4 --capacity 20``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av
import cv2
import pytest

from personvlm.runtime.describer import Describer, shipped

pytestmark = [pytest.mark.accept,
              pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")]  # fmt: skip

SECONDS = 40.0


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """People who walk through a room, 854x480, 10 frames a second, 46 s."""
    from personvlm.pipeline.run_cameras import Camera

    assets = Path(os.environ.get("PERSONVLM_ASSETS") or "nowhere")
    source = assets / "data" / "videos" / "one-by-one-person-detection.mp4"
    if not source.is_file():
        pytest.skip("PERSONVLM_ASSETS has no data/videos")
    path = tmp_path_factory.mktemp("clips") / "room.mp4"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        every = round(float(given.streams.video[0].average_rate or 30) / 10)
        stream = made.add_stream("libx264", rate=10, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 854, 480, "yuv420p"
        for index, frame in enumerate(given.decode(video=0)):
            if index % every == 0:
                image = cv2.resize(frame.to_ndarray(format="rgb24"), (854, 480))
                made.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        made.mux(stream.encode())
    return {"room": Camera(source=str(path))}


def test_four_cameras_are_kept_up_with(clips: dict[str, Any]) -> None:
    from personvlm.pipeline.run_capacity import attempt
    from personvlm.video.describing import TrackDescriber

    trial = attempt(clips, TrackDescriber(Describer.load()), 4, SECONDS)
    print(f"\n{trial}")
    assert trial.keeps_up
    assert trial.fps > 9.5
    assert trial.people >= 4
    assert trial.undescribed == 0


def test_where_it_stops_keeping_up(clips: dict[str, Any]) -> None:
    from personvlm.pipeline.run_capacity import capacity
    from personvlm.video.describing import TrackDescriber

    describer = TrackDescriber(Describer.load())
    found: Any = capacity(clips, describer, seconds=20.0, tried=lambda trial: print(f"\n{trial}"))
    print(f"\n{found['cameras']} cameras; {found['fails_at']} are too many")
    assert found["cameras"] >= 4
    assert found["fails_at"] is not None
    assert all(trial["undescribed"] == 0 for trial in found["tried"])
    too_many = [trial for trial in found["tried"] if not trial["keeps_up"]]
    assert all(trial["dropped"] > 0 for trial in too_many)
