"""How many cameras this machine keeps up with, from pictures to words, found by trying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from personvlm.base.errors import InputError
from personvlm.pipeline.run import Run
from personvlm.pipeline.run_cameras import Camera
from personvlm.pipeline.run_events import PersonEvent
from personvlm.pipeline.run_status import Status
from personvlm.runtime.bench_load import largest
from personvlm.video.describing import TrackDescriber

WARM_UP = 3.0
"""Seconds at the start that do not count: detectors load."""

MOST_DROPPED = 0.01
"""Share of frames that may be dropped by somebody who keeps up."""

LATEST = 2000.0
"""Milliseconds from an occasion to its words, 95 of 100, of somebody who keeps up."""


@dataclass(frozen=True)
class Trial:
    """What became of a number of live cameras.

    Attributes:
        cameras: how many.
        frames: of all cameras together, looked at or passed over between two detections; ``dropped`` were neither.
        fps: frames per second and camera.
        people: tracks that were long enough to be described; ``undescribed`` were not.
        described, updates_lost: revisions told; updates that were superseded or shed.
        p95_ms: from the occasion to the words; None without any.
        keeps_up: at most :data:`MOST_DROPPED` of the frames dropped, no camera looked at less often than it should be
            since the warm-up, and at most :data:`LATEST` to the words.
    """

    cameras: int
    frames: int
    dropped: int
    fps: float
    people: int
    undescribed: int
    described: int
    updates_lost: int
    p95_ms: float | None
    keeps_up: bool


def attempt(cameras: Mapping[str, Camera], describer: TrackDescriber, count: int, seconds: float) -> Trial:
    """Watch ``count`` cameras at once, copies of ``cameras`` by turns, for so many seconds (or to their end).

    Raises:
        InputError: a camera failed.
    """
    kinds = list(cameras.values())
    copies = {f"camera-{number + 1}": kinds[number % len(kinds)].model_copy(update={
        "live": True, "late": 0.37 * number % 1.0}) for number in range(count)}  # fmt: skip
    told: list[tuple[str, float]] = []
    before: list[tuple[float, int, int, int]] = []
    begun = time.monotonic()

    def watch(status: Status) -> None:
        if not before and time.monotonic() - begun >= min(WARM_UP, seconds / 3):
            before.append((time.monotonic(), *_frames(status)))

    def tell(event: PersonEvent) -> None:
        told.append((event.id, event.latency_ms))

    running = Run(copies, describer, tell, watch=watch)
    timer = threading.Timer(seconds, running.stop)
    timer.start()
    try:
        status = running.go()
    finally:
        timer.cancel()
    for problem in status.errors:
        raise InputError(problem)
    start, frames, dropped, slowed = before[0] if before else (begun, 0, 0, 0)
    lasted = max(0.1, min(time.monotonic(), begun + seconds) - start)
    frames, dropped, slowed = (now - then for now, then in zip(_frames(status), (frames, dropped, slowed), strict=True))
    people = sum(camera.people - camera.fleeting for camera in status.cameras.values())
    late = float(np.quantile([latency for _, latency in told], 0.95)) if told else None
    good = dropped <= MOST_DROPPED * (frames + dropped) and not slowed and (late is None or late <= LATEST)
    undescribed = people - len({key for key, _ in told})
    return Trial(count, frames, dropped, round(frames / lasted / count, 2), people, undescribed, status.described,
                 status.superseded + status.shed, None if late is None else round(late, 1), good)


def _frames(status: Status) -> tuple[int, int, int]:
    return (sum(camera.frames for camera in status.cameras.values()),
            sum(camera.dropped for camera in status.cameras.values()),
            sum(camera.slowed for camera in status.cameras.values()))  # fmt: skip


def capacity(cameras: Mapping[str, Camera], describer: TrackDescriber, *, seconds: float = 20.0, most: int = 64,
             tried: Callable[[Trial], None] = lambda trial: None) -> dict[str, object]:  # fmt: skip
    """The largest number of cameras that is kept up with: doubled until one is too many, then closed in on.

    Args:
        cameras: what they show; files and scenes are played at the speed at which they were taken.
        seconds: of each trial.
        most: try no more.
        tried: gets every trial.

    Returns:
        ``{"cameras": the largest number kept up with, "fails_at": the smallest that was not, or None, "tried": [...]}``
    """
    trials: list[Trial] = []

    def fits(count: int) -> bool:
        trials.append(attempt(cameras, describer, count, seconds))
        tried(trials[-1])
        return trials[-1].keeps_up

    good = largest(fits, 1, fraction=0.0, most=most)
    bad = min((trial.cameras for trial in trials if not trial.keeps_up), default=None)
    return {"cameras": good, "fails_at": bad, "tried": [asdict(trial) for trial in trials]}
