"""Tracks of a run as MOTChallenge results: read back by ourselves and by the library that scores them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.cli import main
from personvlm.pipeline.run import Run
from personvlm.pipeline.run_cameras import cameras
from personvlm.pipeline.run_mot import MotWriter, all_seen
from personvlm.pipeline.run_truth import Referee
from personvlm.schema import PersonDescription
from personvlm.video.folders import read_mot
from personvlm.video.frame import Frame
from personvlm.video.watch import Watched

SCENE = "rendered:seed=5,cameras=2,people=2,seconds=8,rate=5,width=320,occlusion=0"


class Silent:
    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        return PersonDescription(text="The image shows a person.")

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.ones((len(images), 1), np.float32)


def test_every_frame_of_every_camera_is_read_back_as_it_was_seen(tmp_path: Path) -> None:
    writer, referee = MotWriter(tmp_path / "mot"), Referee()
    there: dict[str, dict[int, list[tuple[float, ...]]]] = {}
    tracks: dict[str, set[int]] = {}

    class Spy:
        def seen(self, frame: Frame, watched: Watched) -> None:
            boxes = [tuple(box) for box in watched.people.xyxy.tolist()]
            if boxes:
                there.setdefault(frame.camera, {})[frame.index] = boxes
                assert watched.people.tracker_id is not None
                tracks.setdefault(frame.camera, set()).update(watched.people.tracker_id.tolist())

    describer: Any = Silent()
    Run(cameras([SCENE]), describer, referee.told, seen=all_seen(writer, None, Spy(), referee)).go()
    writer.close()
    files = sorted((tmp_path / "mot").iterdir())
    assert len(files) == 2
    assert referee.report([])["tracking"]["recall"] > 0.5, "others who watch see as much"
    scored = pytest.importorskip("trackers.io.mot")
    for file in files:
        camera = next(name for name in there if re.sub(r"[^\w.-]", "_", name) == file.stem)
        found = read_mot(file)
        assert found.keys() == there[camera].keys()
        for index, people in found.items():
            np.testing.assert_allclose([one.box for one in people], there[camera][index], atol=0.011)
            assert all(0 < one.confidence <= 1 for one in people)
        assert all(line.count(",") == 9 and line.endswith(",-1,-1,-1") for line in file.read_text().splitlines())
        loaded = scored.load_mot_file(file)
        assert {int(number) for frame in loaded.values() for number in frame.ids} == tracks[camera]
        assert min(loaded) >= 1


def test_nobody_watches_where_nobody_wants_to() -> None:
    assert all_seen(None, None) is None


def test_cameras_whose_names_look_the_same_as_files_have_one_each(tmp_path: Path) -> None:
    import supervision as sv

    writer = MotWriter(tmp_path)
    for camera in ("a/b", "a:b"):
        frame = Frame(camera, 0, 0.0, np.zeros((9, 9, 3), np.uint8))
        people = sv.Detections(xyxy=np.array([[1, 2, 4, 8]], np.float32), tracker_id=np.array([3]))
        writer.seen(frame, Watched(people, []))
    writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_b-1.txt", "a_b.txt"]
    assert (tmp_path / "a_b.txt").read_text() == "1,3,2.00,3.00,3.00,6.00,1.0000,-1,-1,-1\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="name another --mot"):
        MotWriter(tmp_path / "file")


def test_the_command_writes_who_is_where(
    fake_describer: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("personvlm.video.describing.TrackDescriber", lambda *_, **__: Silent())
    with pytest.raises(SystemExit) as left:
        main(["run", SCENE.replace("cameras=2", "cameras=1"), "--mot", str(tmp_path / "mot"), "--frames", "20"])
    assert not left.value.code
    (file,) = (tmp_path / "mot").iterdir()
    found = read_mot(file)
    assert found
    assert max(found) < 20
