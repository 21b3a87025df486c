from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.pipeline.run import Run, run
from personvlm.pipeline.run_cameras import Camera, cameras
from personvlm.pipeline.run_events import PersonEvent
from personvlm.pipeline.run_status import Status
from personvlm.schema import PersonDescription
from personvlm.video.crops import Crop

SCENE = "rendered:seed=5,cameras=1,people=3,seconds=20,rate=5,width=320,occlusion=0"


class FakeTrackDescriber:
    """Says how many crops it was given; takes ``seconds`` for it."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.asked: list[int] = []

    def describe(self, crops: tuple[Crop, ...], posture: Any = None) -> PersonDescription:
        time.sleep(self.seconds)
        self.asked.append(len(crops))
        return PersonDescription(text=f"A person in {len(crops)} crops.", model="fake")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The mean color around gray."""
        vectors = np.array([image.reshape(-1, 3).mean(0) - 100 for image in images], np.float32) + 1e-3
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def go(texts: list[str], describer: Any = None, **options: Any) -> tuple[Status, list[PersonEvent]]:
    events: list[PersonEvent] = []
    chosen = cameras(texts, **options.pop("defaults", {}))
    status = run(chosen, describer or FakeTrackDescriber(), events.append, **options)
    return status, events


def by_person(events: list[PersonEvent]) -> dict[str, list[PersonEvent]]:
    people: dict[str, list[PersonEvent]] = {}
    for event in events:
        people.setdefault(event.id, []).append(event)
    return people


def test_a_scene_becomes_people_with_a_beginning_and_an_end() -> None:
    status, events = go([SCENE])
    camera = status.cameras["rendered"]
    assert (camera.state, camera.frames, camera.dropped, camera.error) == ("ended", 100, 0, None)
    people = by_person(events)
    assert len(people) >= 3
    for story in people.values():
        assert [event.revision for event in story] == list(range(1, len(story) + 1))
        kinds = [event.occasion.kind for event in story]
        assert kinds[-1] == "end"
        assert kinds.count("end") == 1
        assert kinds[0] == "new" or len(kinds) == 1
        assert len({event.occasion.event_id for event in story}) == len(story)
    assert status.described == camera.events == len(events)
    assert camera.people == len(people) + camera.fleeting


def test_the_same_footage_gives_the_same_events() -> None:
    first, second = (sorted((event.id, event.revision, event.occasion.event_id) for event in go([SCENE])[1])
                     for _ in range(2))  # fmt: skip
    assert first == second


def test_records_are_json_and_complete() -> None:
    _, events = go([SCENE], frames=60)
    for event in events:
        record = json.loads(json.dumps(event.record(), allow_nan=False))
        assert set(record) == {"id", "revision", "event", "event_id", "camera", "track", "time", "first_seen",
                               "last_seen", "crops", "box", "crop_time", "same_as", "text", "attributes", "quality",
                               "model", "latency_ms"}  # fmt: skip
        assert record["first_seen"] <= record["crop_time"] <= record["last_seen"]
        assert record["text"] == f"A person in {record['crops']} crops."
        assert len(record["box"]) == 4


def test_one_bad_source_stops_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    broken = tmp_path / "pictures"
    broken.mkdir()
    (broken / "a.png").write_bytes(b"nothing")
    status, events = go([str(tmp_path / "text.mp4"), SCENE, str(broken), str(tmp_path / "missing.mp4")])
    assert {name: camera.state for name, camera in status.cameras.items()} == {
        "text": "failed", "rendered": "ended", "pictures": "failed", "missing": "failed",
    }  # fmt: skip
    assert len(by_person(events)) >= 3
    assert len(status.errors) == 3
    assert any("not a video" in error for error in status.errors)


def test_a_detector_that_cannot_work_fails_its_camera_only(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((120, 160, 3), np.uint8)).save(tmp_path / "a.png")
    chosen = {"plain": Camera(source=str(tmp_path), detector="given"), "none": Camera(source=str(tmp_path),
              detector="no.onnx"), **cameras([SCENE])}  # fmt: skip
    status = run(chosen, FakeTrackDescriber(), lambda event: None, frames=30)  # type: ignore[arg-type]
    assert "no boxes come with this source" in str(status.cameras["plain"].error)
    assert "no such file" in str(status.cameras["none"].error)
    assert status.cameras["rendered"].error is None
    assert status.cameras["rendered"].frames == 30


def test_a_slow_describer_loses_no_new_person() -> None:
    quick, slow = (by_person(go([SCENE], FakeTrackDescriber(seconds))[1]) for seconds in (0.0, 0.15))
    assert set(quick) == set(slow)


def test_a_crop_that_cannot_be_described_costs_only_itself() -> None:
    class Poisoned(FakeTrackDescriber):
        def describe(self, crops: tuple[Crop, ...], posture: Any = None) -> PersonDescription:
            if not self.asked:
                self.asked.append(0)
                raise RuntimeError("poison")
            return super().describe(crops)

    status, events = go([SCENE], Poisoned())
    assert status.failed == 1
    assert events[0].record()["error"] == "RuntimeError: poison"
    assert all(event.description is not None for event in events[1:])
    assert len(by_person(events)) >= 3


def test_what_tell_raises_ends_the_run() -> None:
    def full(event: PersonEvent) -> None:
        raise OSError(28, "No space left on device")

    before = threading.active_count()
    with pytest.raises(OSError, match="No space left"):
        run(cameras([SCENE]), FakeTrackDescriber(), full)  # type: ignore[arg-type]
    time.sleep(0.3)
    assert threading.active_count() <= before


def test_stopping_describes_whoever_is_there() -> None:
    events: list[PersonEvent] = []

    def tell(event: PersonEvent) -> None:
        events.append(event)
        running.stop()

    running = Run(cameras([SCENE]), FakeTrackDescriber(), tell)  # type: ignore[arg-type]
    status = running.go()
    assert status.cameras["rendered"].frames < 100
    assert events[-1].occasion.kind == "end"


def test_the_annotated_clip_has_every_frame_and_shows_the_boxes(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    go([SCENE], annotate=path, frames=60)
    from personvlm.video.scenes import rendered_cameras

    plain = {frame.index: frame for frame in rendered_cameras(SCENE, "c")[0].frames()}
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 60
    assert frames[10].time == pytest.approx(2.0, abs=0.01)
    assert (frames[0].width, frames[0].height) == (720 + 360, 540)
    drawn, told = 0, 0
    for index, frame in enumerate(frames):
        sheet = frame.to_ndarray(format="rgb24").astype(int)
        source = np.asarray(plain[index].image).astype(int)
        drawn += (np.abs(sheet[::9, :720:9] - source[::4, ::4]).max(2) > 90).sum() > 20
        told += (sheet[:, 720:] > 150).sum() > 500
    assert 5 < drawn < 60
    assert 5 < told < 60


def test_several_cameras_have_a_clip_each(tmp_path: Path) -> None:
    go([SCENE.replace("cameras=1", "cameras=2")], annotate=tmp_path / "out.mp4", frames=10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-rendered-1.mp4", "out-rendered-2.mp4"]


def test_a_camera_file(tmp_path: Path) -> None:
    (tmp_path / "boxes.txt").write_text("1,-1,1,1,9,9,1\n")
    path = tmp_path / "cameras.yaml"
    path.write_text("cameras:\n  gate: {source: a.mp4, every: 2, detections: boxes.txt}\n"
                    "  hall:\n    source: rtsp://10.0.0.7/live\n    tracker: ocsort\n")
    (tmp_path / "a.mp4").touch()
    found = cameras([str(path), "b/lobby.mp4"], tracker="botsort", every=5)
    assert found["gate"] == Camera(source=str(tmp_path / "a.mp4"), every=2, detections=tmp_path / "boxes.txt",
                                   tracker="botsort")  # fmt: skip
    assert (found["hall"].source, found["hall"].tracker, found["hall"].every) == ("rtsp://10.0.0.7/live", "ocsort", 5)
    assert found["lobby"].source == "b/lobby.mp4"


@pytest.mark.parametrize(("text", "message"), [
    ("cameras: {gate: {sauce: a.mp4}}", "cameras.gate.source"), ("cameras: {}", "cameras"), ("- a", "valid dict"),
    ("cameras: {gate: {source: a.mp4, every: 0}}", "greater than or equal to 1"), ("a: [", "cannot be read as YAML"),
    ("cameras: {gate: {source: a.mp4, tracker: magic}}", "bytetrack"),
    ("cameras: {b: {source: a.mp4}}", "a second camera called b"),
    ("cameras: {gate: {source: a.mp4, start: 1700000000000}}", "give seconds, not milliseconds"),
    ("cameras: {gate: {source: a.mp4, start: .nan}}", "start"), ("cameras: {gate: {source: 2024-02-30}}", "day is out"),
    ("cameras: {gate: {source: a.mp4, live: true, late: .inf}}", "finite number"),
])
def test_camera_files_that_are_wrong_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        cameras([str(path), "b.mp4"])
    with pytest.raises(InputError, match="no such file"):
        cameras([str(tmp_path / "none.yaml")])


def test_the_people_of_a_camera_that_has_ended_have_left(tmp_path: Path) -> None:
    """Not only when the others have ended too, which may be in days; and its clip is whole."""
    long, short = SCENE, SCENE.replace("seconds=20", "seconds=6")
    frames: dict[str, int] = {}
    ends: list[tuple[str, int]] = []

    def watch(status: Status) -> None:
        frames.update({name: camera.frames for name, camera in status.cameras.items()})

    def tell(event: PersonEvent) -> None:
        if event.occasion.kind == "end":
            ends.append((event.occasion.track.camera, frames["long"]))

    chosen = {"long": Camera(source=long), "short": Camera(source=short)}
    status = run(chosen, FakeTrackDescriber(), tell, watch=watch, annotate=tmp_path / "o.mp4")  # type: ignore[arg-type]
    assert status.cameras["short"].present == 0
    left = [at for camera, at in ends if camera == "short"]
    assert left
    assert max(left) < 80
    for name, count in (("long", 100), ("short", 30)):
        with av.open(str(tmp_path / f"o-{name}.mp4")) as container:
            assert len(list(container.decode(video=0))) == count


def test_a_detector_that_fails_on_the_way_fails_its_cameras_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from personvlm.video.detectors import MotionDetector

    def detect(self: Any, frames: Any) -> Any:
        raise InputError("my.onnx: it cannot run")

    monkeypatch.setattr(MotionDetector, "detect", detect)
    chosen = {"bad": Camera(source=SCENE, detector="motion"), "good": Camera(source=SCENE)}
    status = run(chosen, FakeTrackDescriber(), lambda event: None, frames=30)  # type: ignore[arg-type]
    assert (status.cameras["bad"].state, status.cameras["bad"].error) == ("failed", "my.onnx: it cannot run")
    assert status.cameras["good"].frames == 30
    assert status.cameras["good"].error is None


def test_two_cameras_of_one_name_are_refused_and_two_clips_never_share_a_file(tmp_path: Path) -> None:
    two = SCENE.replace("cameras=1", "cameras=2")
    with pytest.raises(InputError, match="two cameras are called rendered-2"):
        go([two, SCENE])
    chosen = {name: Camera(source=SCENE) for name in ("a/b", "a b")}
    run(chosen, FakeTrackDescriber(), lambda event: None, frames=3, annotate=tmp_path / "o.mp4")  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o-a_b-1.mp4", "o-a_b.mp4"]


def test_a_clip_of_a_camera_that_was_away_for_a_day_goes_on(tmp_path: Path) -> None:
    import supervision as sv

    from personvlm.pipeline.run_annotate import Annotator
    from personvlm.video.frame import Frame

    clip = Annotator(tmp_path / "o.mp4")
    for index, at in enumerate((0.0, 0.1, 86_400.0, 86_400.1)):
        clip.add(Frame("c", index, at, np.zeros((120, 160, 3), np.uint8)), sv.Detections.empty(), {})
    clip.close()
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert [round(float(frame.time or 0), 1) for frame in container.decode(video=0)] == [0.0, 0.1, 60.1, 60.2]
