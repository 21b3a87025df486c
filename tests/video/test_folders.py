from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.video.folders import ImageFolder, read_mot
from personvlm.video.sources import open_sources


def pictures(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for level, name in enumerate(names):
        Image.fromarray(np.full((40, 60, 3), 10 * level, np.uint8)).save(folder / name)


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    pictures(tmp_path / "f", ["img1.png", "img10.png", "img2.png"])
    frames = list(open_sources(str(tmp_path / "f"), "c", rate=4.0, start=100.0)[0].frames())
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 20, 10]
    assert [frame.time for frame in frames] == [100.0, 100.25, 100.5]
    assert frames[0].given is None


def test_a_picture_that_cannot_be_read_is_left_out_and_reported(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.png", "c.png"])
    (tmp_path / "b.png").write_bytes(b"no picture")
    notes: list[str] = []
    frames = list(ImageFolder(tmp_path, "c", report=notes.append).frames())
    assert [frame.index for frame in frames] == [0, 2]
    assert len(notes) == 1
    assert "b.png" in notes[0]


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        ImageFolder(tmp_path, "c")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="none of its 1 pictures can be read"):
        list(ImageFolder(tmp_path, "c").frames())
    with pytest.raises(InputError, match="frames per second"):
        ImageFolder(tmp_path, "c", rate=0)


def test_mot_sequence_brings_its_boxes(tmp_path: Path) -> None:
    pictures(tmp_path / "img1", ["000001.png", "000002.png", "000003.png"])
    (tmp_path / "det").mkdir()
    (tmp_path / "det" / "det.txt").write_text("1,-1,11,6,20,30,0.9,-1,-1,-1\n3,-1,1,1,5,5,57.2\n\n1,-1,2,2,5,9,-1\n")
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=a\nframeRate=25\nimDir=img1\n")
    frames = list(open_sources(str(tmp_path), "c", start=0.0)[0].frames())
    assert [frame.time for frame in frames] == [0.0, 0.04, 0.08]
    assert [len(frame.given or ()) for frame in frames] == [2, 0, 1]
    assert frames[0].given is not None
    assert frames[1].given == ()
    assert frames[0].given[0].box == (10, 5, 30, 35)
    assert [item.confidence for item in frames[0].given] == [0.9, 0.0]


def test_boxes_can_be_laid_over_any_source(tmp_path: Path, make_video) -> None:
    (tmp_path / "boxes.txt").write_text("2,1,1,1,10,20,1\n")
    source = open_sources(str(make_video(frames=3)), "c", detections=tmp_path / "boxes.txt")[0]
    assert [len(frame.given or ()) for frame in source.frames()] == [0, 1, 0]
    assert source.rate == 10
    assert not source.live


@pytest.mark.parametrize("line", ["1,-1,2,2,0,9,1", "0,-1,2,2,5,9,1", "a,b", "1,1,2,2,5", "1,-1,nan,2,5,9,1"])
def test_lines_of_another_form_are_refused_by_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(f"1,-1,2,2,5,9,1\n{line}\n")
    with pytest.raises(InputError, match=r"det\.txt:2: not"):
        read_mot(path)
