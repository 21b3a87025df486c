"""Memory over a long run that is played fast: people come and go, and what is known of them must not pile up."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.pipeline.run import Run
from personvlm.pipeline.run_cameras import Camera
from personvlm.schema import Detection, PersonDescription
from personvlm.schema.groups import GROUP
from personvlm.video.files import VideoFile
from personvlm.video.frame import Frame

RATE = 5.0
EVERY = 4.0
"""Seconds between two people on a camera."""


class Passers:
    """Somebody in another color walks through every few seconds, for ``minutes``."""

    live, rate = False, RATE

    def __init__(self, camera: str, minutes: float) -> None:
        self.camera, self.minutes = camera, minutes
        self._stopped = False

    def frames(self) -> Iterator[Frame]:
        floor = np.full((96, 160, 3), 120, np.uint8)
        for index in range(int(self.minutes * 60 * RATE)):
            if self._stopped:
                return
            time, image, people = index / RATE, floor.copy(), []
            for number in (int(time / EVERY), int(time / EVERY) - 1):
                at = 20 * (time - number * EVERY) - 15  # eight seconds for the whole way
                if number >= 0 and 0 <= at <= 140:
                    left, color = int(at), np.random.default_rng([number, len(self.camera)]).integers(0, 255, (4, 3))
                    image[20:84, left : left + 20] = np.repeat(color, 16, 0)[:, None]
                    people.append(Detection(box=(left, 20, left + 20, 84), confidence=1.0))
            yield Frame(self.camera, index, 1.7e9 + time, image, tuple(people))

    def close(self) -> None:
        self._stopped = True


class Quick:
    """Looks at colors, and makes descriptions as large as real ones."""

    def __init__(self) -> None:
        self._scores = {name: dict.fromkeys(group.values, 0.1) for name, group in GROUP.items()}

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        vector = np.repeat(self.embed([crops[0].image])[0], 8)
        looks = tuple((vector / np.linalg.norm(vector)).tolist())
        return PersonDescription(text=f"A person {crops[0].time}.", embedding=looks, scores=self._scores)

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = np.stack([np.resize(image.mean(1) - 120.0, (16, 3)).reshape(-1) for image in images]) + 1e-3
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class Looped:
    """A clip again and again for ``minutes`` of its own time, with ten seconds of nothing in between, in which
    everybody leaves: the same people come back as others, as often as they like.
    """

    live = False

    def __init__(self, path: Path, camera: str, minutes: float) -> None:
        self.path, self.camera = path, camera
        self.start = 1.7e9
        self.end = self.start + 60 * minutes
        self.rate = VideoFile(path, camera).rate
        self._stopped = False

    def frames(self) -> Iterator[Frame]:
        index, begin = 0, self.start
        while True:
            for frame in VideoFile(self.path, self.camera, start=begin).frames():
                if self._stopped or frame.time >= self.end:
                    return
                yield replace(frame, index=index)
                index, begin = index + 1, frame.time
            begin += 10.0

    def close(self) -> None:
        self._stopped = True


def resident() -> float:
    """Megabytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("minutes", [6.0, pytest.param(60.0, marks=pytest.mark.accept)])
def test_memory_stays_flat(minutes: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a third of the run on; before that galleries and caches fill."""
    opened = {name: Passers(name, minutes) for name in ("gate", "yard 2")}
    monkeypatch.setattr("personvlm.pipeline.run.sources", lambda name, camera, report: [opened[name]])
    sizes: list[tuple[int, float]] = []
    kinds: list[str] = []

    def seen(frame: Frame, watched: Any) -> None:
        if frame.camera == "gate" and frame.index % int(minutes * 60 * RATE / 12) == 0:
            sizes.append((frame.index, resident()))

    running = Run({name: Camera(source=name) for name in opened}, Quick(),  # type: ignore[arg-type]
                  lambda event: kinds.append(event.occasion.kind), seen=seen)  # fmt: skip
    status = running.go()
    people = 2 * minutes * 60 / EVERY
    assert kinds.count("end") > 0.8 * people
    assert status.errors == []
    early, late = sizes[4][1], max(size for _, size in sizes[-3:])
    print(f"\n{minutes:g} min, {kinds.count('end')} people, {len(running.links())} links: {early:.0f} MB after a third,"
          f" {late:.0f} MB at the end, {late / early - 1:+.1%}; {[round(size) for _, size in sizes]}")  # fmt: skip
    assert late <= 1.05 * early


@pytest.mark.accept
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_flat_with_everything_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real clip, the detector that is found, the shipped model and a store, as fast as this machine can.

    ``PERSONVLM_MEMORY_MINUTES`` of the clip's time, 60 by default; what is compared begins after a third. In a few
    minutes galleries and caches still fill: too short a run may fail.
    """
    pytest.importorskip("sqlalchemy", reason="needs the service extra")
    from personvlm.pipeline.run_sinks import storing
    from personvlm.runtime.describer import Describer, shipped
    from personvlm.store import Store
    from personvlm.video.describing import TrackDescriber

    clip = Path(os.environ.get("PERSONVLM_ASSETS", "")) / "data" / "videos" / "one-by-one-person-detection.mp4"
    if not clip.is_file() or not shipped().is_dir():
        pytest.skip("needs a clip of PERSONVLM_ASSETS and the shipped weights")
    minutes = float(os.environ.get("PERSONVLM_MEMORY_MINUTES", "60"))
    source = Looped(clip, "door", minutes)
    monkeypatch.setattr("personvlm.pipeline.run.sources", lambda name, camera, report: [source])
    sizes: list[float] = []
    notes: list[str] = []
    ends = 0

    def seen(frame: Frame, watched: Any) -> None:
        if frame.time >= source.start + len(sizes) * 5.0 * minutes:  # twelve times
            sizes.append(resident())

    with storing(str(tmp_path / "people.db"), report=notes.append) as store:

        def tell(event: Any) -> None:
            nonlocal ends
            store(event)
            ends += event.occasion.kind == "end"

        status = Run({"door": Camera(source=str(clip))}, TrackDescriber(Describer.load()), tell, seen=seen,
                     report=notes.append).go()  # fmt: skip
    assert status.errors == []
    assert status.failed == 0
    with Store.open(tmp_path / "people.db") as people:
        stored = sum(1 for _ in people.history())
    assert 0 < ends <= stored
    early, late = sizes[4], max(sizes[-3:])
    print(f"\n{minutes:g} min in {status.seconds / 60:.1f}, {ends} people, {stored} descriptions stored: {early:.0f} "
          f"MB after a third, {late:.0f} MB at the end, {late / early - 1:+.1%}; {[round(size) for size in sizes]}")
    print(*notes, sep="\n")
    assert late <= 1.05 * early
