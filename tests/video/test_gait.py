from __future__ import annotations

import numpy as np
import pytest

from personvlm.video.gait import Gait

SIZE = (480, 640, 3)


def gait(speed: tuple[float, float], *, grows: float = 0.0, trembles: float = 0.01, seconds: float = 2.5,
         wide: float = 60.0, start: tuple[float, float] = (200.0, 300.0)) -> dict[str, float] | None:  # fmt: skip
    """Somebody 180 pixels tall; speeds in body heights per second, trembling in body heights."""
    rng, found = np.random.default_rng(0), Gait()
    for index in range(int(seconds * 10)):
        time = index / 10
        tall = 180 * (1 + grows * time)
        x, y = start[0] + 180 * speed[0] * time, start[1] + 180 * speed[1] * time
        box = np.array([x, y - tall, x + wide, y]) + rng.normal(0, 180 * trembles, 4)
        found.add(time, box.astype(np.float32), SIZE)
    return found.posture()


@pytest.mark.parametrize(("found", "value"), [
    (gait((0.0, 0.0)), "standing"), (gait((0.5, 0.0)), "walking"), (gait((-0.7, 0.1)), "walking"),
    (gait((0.0, 0.15), grows=0.1), "walking"),  # straight on
    (gait((-1.9, 0.0), start=(560.0, 300.0), seconds=1.6), "walking or running"),
    (gait((2.8, 0.0), start=(20.0, 300.0), seconds=1.2), "running"),
])
def test_how_somebody_moves(found: dict[str, float] | None, value: str) -> None:
    assert found is not None
    assert sum(found.values()) == pytest.approx(1)
    if value == "walking or running":
        assert found["standing"] < 0.1
        assert max(found.values()) < 0.9
    else:
        assert found[value] > 0.75


def test_between_standing_and_walking_nothing_is_sure() -> None:
    found = gait((0.085, 0.0))
    assert found is not None
    assert max(found.values()) < 0.75


def test_boxes_that_tremble_more_make_it_less_sure() -> None:
    calm, wild = gait((0.2, 0.0), trembles=0.005), gait((0.2, 0.0), trembles=0.15)
    assert calm is not None
    assert wild is not None
    assert wild["walking"] < calm["walking"]


def test_too_little_says_nothing() -> None:
    assert gait((0.5, 0.0), seconds=0.5) is None
    assert gait((0.0, 0.0), wide=140.0) is None  # who sits does not move either
    cut = Gait()
    for index in range(25):  # the frame's edge holds the box while the person goes on
        cut.add(index / 10, np.array([0, 120, 60, 300], np.float32), SIZE)
    assert cut.posture() is None


def test_only_the_last_moments_count() -> None:
    found = Gait()
    for index in range(60):
        x = 100.0 + 9 * min(index, 30)
        found.add(index / 10, np.array([x, 120, x + 60, 300], np.float32), SIZE)
    posture = found.posture()
    assert posture is not None
    assert posture["standing"] > 0.8


def test_people_of_a_scene_walk() -> None:
    """Nobody in it stands; speeds are 0.7 to 2 m/s."""
    from personvlm.video.detectors import GivenDetector
    from personvlm.video.scenes import rendered_cameras
    from personvlm.video.watch import CameraWatch

    (camera,) = rendered_cameras("rendered:seed=12,cameras=1,people=4,seconds=25,rate=5,width=320,occlusion=0", "c")
    watch, detector, said = CameraWatch("c", 5.0), GivenDetector(), []
    for frame in camera.frames():
        said += [one.posture for one in watch.step(frame, detector.detect([frame])[0]).occasions]
    said += [one.posture for one in watch.finish()]
    known = [posture for posture in said if posture is not None]
    assert len(known) >= 3
    assert all(max(posture, key=posture.__getitem__) == "walking" for posture in known)
    assert sum(posture["walking"] >= 0.75 for posture in known) >= 0.8 * len(known)
