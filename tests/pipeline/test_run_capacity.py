"""How many cameras are kept up with: the search, the pace, and what one trial counts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.pipeline import run_capacity
from personvlm.pipeline.run_cameras import Camera
from personvlm.pipeline.run_capacity import Trial, attempt, capacity
from personvlm.schema import PersonDescription
from personvlm.video.detectors import GivenDetector

pytestmark = pytest.mark.alone


class Slow:
    """Takes ``seconds`` for a description."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        time.sleep(self.seconds)
        return PersonDescription(text=f"A person in {len(crops)} crops.")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        time.sleep(self.seconds)
        return np.ones((len(images), 1), np.float32)


@pytest.fixture
def walk(tmp_path: Path) -> Camera:
    """Two seconds of somebody who walks, 20 frames a second."""
    (tmp_path / "img1").mkdir()
    (tmp_path / "det").mkdir()
    rng = np.random.default_rng(0)
    boxes = []
    for frame in range(1, 41):
        picture = np.full((120, 200, 3), 90, np.uint8)
        picture[30:90, 2 * frame : 2 * frame + 25] = rng.integers(0, 255, (60, 25, 3))
        Image.fromarray(picture).save(tmp_path / "img1" / f"{frame:06}.png")
        boxes.append(f"{frame},-1,{2 * frame + 1},31,25,60,0.9,-1,-1,-1")
    (tmp_path / "det" / "det.txt").write_text("\n".join(boxes))
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=20\n")
    return Camera(source=str(tmp_path))


@pytest.mark.parametrize("carried", [0, 1, 3, 8, 11])
def test_the_search_closes_in(carried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fake(cameras: Any, describer: Any, count: int, seconds: float) -> Trial:
        asked.append(count)
        return Trial(count, 1, 0, 1.0, 1, 0, 1, 0, 1.0, count <= carried)

    monkeypatch.setattr(run_capacity, "attempt", fake)
    found = capacity({}, Slow(), most=16)  # type: ignore[arg-type]
    assert found["cameras"] == carried
    assert found["fails_at"] == carried + 1
    assert [trial["cameras"] for trial in found["tried"]] == asked  # type: ignore[attr-defined]
    assert len(set(asked)) == len(asked) <= 8


def test_it_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_capacity, "attempt",
                        lambda cameras, describer, count, seconds: Trial(count, 1, 0, 1.0, 1, 0, 1, 0, 1.0, True))
    assert capacity({}, Slow(), most=4) == {  # type: ignore[arg-type]
        "cameras": 4, "fails_at": None, "tried": [run_capacity.asdict(Trial(count, 1, 0, 1.0, 1, 0, 1, 0, 1.0, True))
                                                  for count in (1, 2, 4)],
    }  # fmt: skip


def test_two_cameras_that_are_no_trouble(walk: Camera) -> None:
    start = time.monotonic()
    trial = attempt({"a": walk}, Slow(), 2, 4.0)  # type: ignore[arg-type]
    assert time.monotonic() - start > 1.9  # it plays at its own speed
    assert (trial.cameras, trial.people, trial.undescribed) == (2, 2, 0)
    assert trial.described >= 2
    assert trial.p95_ms is not None


def test_too_much_costs_frames_and_updates_but_nobody_new(walk: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that takes a fifth of a second, and words that take longer."""
    detect = GivenDetector.detect

    def slow(self: GivenDetector, frames: Any) -> Any:
        time.sleep(0.2)
        return detect(self, frames)

    monkeypatch.setattr(GivenDetector, "detect", slow)
    trial = attempt({"a": walk.model_copy(update={"every": 1})}, Slow(0.3), 3, 6.0)  # type: ignore[arg-type]
    assert trial.dropped > 5
    assert not trial.keeps_up
    assert trial.people >= 1
    assert trial.undescribed == 0


def test_a_camera_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        attempt({"a": Camera(source=str(tmp_path / "none.mp4"))}, Slow(), 1, 1.0)  # type: ignore[arg-type]
