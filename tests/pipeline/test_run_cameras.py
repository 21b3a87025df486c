"""What camera files and options say about timing, classes and webcams, and that a run does what they say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.cli.run_screen import counts, summary
from personvlm.pipeline.run import run
from personvlm.pipeline.run_cameras import Camera, When, cameras, when
from personvlm.pipeline.run_events import PersonEvent
from personvlm.schema import PersonDescription
from personvlm.video.frame import Frame
from personvlm.video.triggers import Timing


class Describes:
    """Says something new every time."""

    def __init__(self) -> None:
        self.said = 0

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        self.said += 1
        return PersonDescription(text=f"A person, {self.said}.", model="fake")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[Any]) -> Any:
        return np.ones((len(images), 1), np.float32)


def file(folder: Path, text: str) -> str:
    (folder / "cameras.yaml").write_text(text)
    return str(folder / "cameras.yaml")


def test_timing_of_all_cameras_of_one_and_of_the_command_line(tmp_path: Path) -> None:
    text = ("timing: {deadline: 3, update: 20s}\ncameras:\n  gate: {source: a.mp4}\n"
            "  hall: {source: b.mp4, timing: {update: 300f, novelty: 0.2}}\n")  # fmt: skip
    found = cameras([file(tmp_path, text), "c.mp4"], timing=when("5"))
    assert found["gate"].timing == When(deadline=3, update="20s")
    assert found["hall"].timing == When(deadline=3, update="300f", novelty=0.2)
    assert found["c"].timing == When(update="5")
    other = cameras([file(tmp_path, "timing: {deadline: 3}\ncameras: {gate: {source: a.mp4}}")], timing=when("50f"))
    assert other["gate"].timing == When(deadline=3, update="50f")


def test_two_cameras_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("cameras:\n  gate: {source: a.mp4}\n  hall: {source: b.mp4}\n  gate: {source: c.mp4}\n")
    with pytest.raises(InputError, match=r"c\.yaml: .*'gate' stands there twice.*line 2"):
        cameras([str(path)])


def test_frames_are_converted_by_the_cameras_rate() -> None:
    assert When(update="300f").settings(Timing(), 25.0, "gate") == Timing(every=12.0)
    assert When(update="300f").settings(Timing(), 10.0, "gate") == Timing(every=30.0)
    assert When(update="2.5s", deadline=1, novelty=0.1).settings(Timing(keep=3), 0.0, "gate") == Timing(
        every=2.5, deadline=1.0, novel=0.1, keep=3)  # fmt: skip
    with pytest.raises(InputError, match=r"gate: an update every 300f.*give seconds"):
        When(update="300f").settings(Timing(), 0.0, "gate")


@pytest.mark.parametrize(("text", "message"), [
    ("timing: {update: 10m}", "'10m' is no time; give seconds, as in 10s, or frames, as in 300f"),
    ("timing: {update: 0}", "is no time"), ("timing: {deadline: -1}", "greater than or equal to 0"),
    ("timing: {novelty: 2}", "less than or equal to 1"), ("timing: {evry: 2}", "timing.evry"),
])
def test_timing_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cameras([file(tmp_path, f"{text}\ncameras: {{gate: {{source: a.mp4}}}}")])
    with pytest.raises(InputError, match=r"--update-every: .*'soon' is no time"):
        when("soon")


def stander(folder: Path) -> str:
    """Somebody who stands in one place for eight seconds at 5 frames/s and changes clothes every second."""
    (folder / "img1").mkdir(parents=True)
    (folder / "det").mkdir()
    rng = np.random.default_rng(0)
    for frame in range(1, 41):
        picture = np.full((240, 160, 3), 90, np.uint8)
        color = np.array([40, 230, 80, 160][frame // 5 % 4], np.uint8)
        picture[20:220, 40:120] = color
        picture[20:220:4, 40:120] = rng.integers(0, 255, (50, 80, 3))
        Image.fromarray(picture).save(folder / "img1" / f"{frame:06}.png")
    boxes = "\n".join(f"{frame},-1,41,21,80,200,0.9,-1,-1,-1" for frame in range(1, 41))
    (folder / "det" / "det.txt").write_text(boxes)
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=5\n")
    return str(folder)


def updates(source: str, folder: Path, timing: str) -> tuple[int, list[float]]:
    """How many updates there were to tell, and the times of those that no later one came before the words for."""
    told: list[PersonEvent] = []
    chosen = cameras([file(folder, f"cameras: {{c: {{source: {source}, every: 1, timing: {timing}}}}}")])
    status = run(chosen, Describes(), told.append)  # type: ignore[arg-type]
    times = [event.occasion.time for event in told if event.occasion.kind == "update"]
    return len(times) + status.superseded, times


def test_a_run_describes_again_as_often_as_is_asked_for(tmp_path: Path) -> None:
    source = stander(tmp_path / "stander")
    often, frames, seldom = (updates(source, tmp_path, timing) for timing in (
        "{update: 1s, novelty: 0}", "{update: 10f, novelty: 0}", "{update: 60s}"))  # fmt: skip
    assert often[0] > frames[0] > 0
    assert all(later - earlier >= 1.99 for earlier, later in pairwise(frames[1]))  # 10 of 5 a second
    assert seldom == (0, [])


def test_the_class_of_a_detector_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []

    class Detects:
        def __init__(self, path: Path, *, person: int = 0, threads: int | None = None) -> None:
            made.append((path.name, person))

        def detect(self, frames: Any) -> Any:
            import supervision as sv

            return [sv.Detections.empty() for _ in frames]

    monkeypatch.setattr("personvlm.pipeline.run_detectors.OnnxDetector", Detects)
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "a.png")
    text = ("cameras:\n  gate: {source: ., detector: own.onnx, person_class: 3}\n"
            "  hall: {source: ., detector: own.onnx}\n"
            "  yard: {source: ., detector: own.onnx, person_class: 3}\n"
            "  shed: {source: .}\n")  # fmt: skip
    chosen = cameras([file(tmp_path, text)], detector="other.onnx", person_class=7)
    assert {name: camera.person_class for name, camera in chosen.items()} == {
        "gate": 3, "hall": None, "yard": 3, "shed": 7}  # fmt: skip
    run(chosen, Describes(), lambda event: None)  # type: ignore[arg-type]
    assert sorted(made) == [("other.onnx", 7), ("own.onnx", 0), ("own.onnx", 3)]


@pytest.mark.parametrize("detector", ["auto", "yolox", "motion", "given"])
def test_other_detectors_have_no_classes_to_choose(tmp_path: Path, detector: str) -> None:
    with pytest.raises(InputError, match="a detector of your own"):
        cameras(["a.mp4"], detector=detector, person_class=1)
    with pytest.raises(InputError, match=r"gate: .*a detector of your own"):
        cameras([file(tmp_path, f"cameras: {{gate: {{source: a.mp4, detector: {detector}, person_class: 1}}}}")])


def test_a_number_as_source_is_a_webcam(tmp_path: Path) -> None:
    found = cameras([file(tmp_path, "cameras: {desk: {source: 0}}"), "webcam:1"])
    assert found == {"desk": Camera(source="0"), "webcam-1": Camera(source="webcam:1")}
    status = run({"desk": Camera(source="webcam:88")}, Describes(), lambda event: None)  # type: ignore[arg-type]
    assert "there is no /dev/video88" in str(status.cameras["desk"].error)


class Gappy:
    """Thirty frames a second of which every fourth is left; each comes when the one before was taken."""

    rate = 30.0

    def __init__(self, live: bool) -> None:
        self.camera, self.live = "gate", live
        self.taken = threading.Semaphore()

    def frames(self) -> Iterator[Frame]:
        for index in range(0, 1200, 4):
            assert self.taken.acquire(timeout=60)
            yield Frame("gate", index, index / 30, np.zeros((24, 32, 3), np.uint8), ())

    def close(self) -> None:
        pass


@pytest.mark.parametrize("live", [True, False])
def test_a_live_camera_that_falls_behind_is_looked_at_less_often_and_that_is_counted(
    live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Gappy(live)
    monkeypatch.setattr("personvlm.pipeline.run.sources", lambda name, camera, report: [source])
    status = run({"gate": Camera(source="gate")}, Describes(), lambda event: None,  # type: ignore[arg-type]
                 seen=lambda frame, watched: source.taken.release())  # fmt: skip
    gate = status.cameras["gate"]
    assert gate.frames == 300
    assert (gate.every, gate.slowed) == ((8, 2) if live else (3, 0))
    assert ("detection slowed 2x" in summary(status)) == live
    assert counts(status)["gate"]["slowed"] == gate.slowed
