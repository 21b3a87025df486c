from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.cli import main
from personvlm.schema import Attribute, PersonDescription

SCENE = "rendered:seed=5,cameras=1,people=2,seconds=12,rate=5,width=320,occlusion=0"


_file = io.BytesIO()
Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(_file, "GIF")
GIF = _file.getvalue()


class FakeTracks:
    """In place of a ``TrackDescriber``."""

    def __init__(self, describer: Any, **options: Any) -> None:
        self.options = options

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        return PersonDescription(text="The image shows a man.", quality=0.5, model="fake 1",
                                 attributes={"gender": Attribute(value="male", confidence=0.9)})  # fmt: skip

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.ones((len(images), 1), np.float32)


@pytest.fixture
def fake(fake_describer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personvlm.video.describing.TrackDescriber", FakeTracks)


def personvlm(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["run", *arguments])
    return int(left.value.code or 0)


def test_lines_for_people_to_read(fake: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert personvlm(SCENE) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert any(" rendered #1 new: The image shows a man." in line for line in lines)
    assert any(" rendered #1 end: " in line for line in lines)
    assert "2 people on 1 camera: 60 frames" in err


def test_json_and_jsonl(fake: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert personvlm(SCENE, "--json", "--jsonl", str(tmp_path / "e.jsonl")) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert err == ""
    assert printed["cameras"] == {"rendered": {"state": "ended", "frames": 60, "dropped": 0, "slowed": 0,
                                               "people": 2, "fleeting": 0, "events": len(events)}}  # fmt: skip
    assert {person["event"] for person in printed["people"]} == {"end"}
    assert {person["id"] for person in printed["people"]} == {event["id"] for event in events}
    assert events[0]["event"] == "new"
    assert events[0]["attributes"] == {"gender": {"value": "male", "confidence": 0.9}}


def test_quiet_says_nothing(fake: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert personvlm(SCENE, "-q", "--jsonl", str(tmp_path / "e.jsonl")) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "e.jsonl").stat().st_size > 100


def test_with_the_truth_beside_it(fake: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert personvlm(SCENE, "--truth", "--json") == 0
    report = json.loads(capsys.readouterr().out)["truth"]
    assert report["tracking"]["idf1"] > 0.9
    assert report["described"]["people"] == 2
    assert report["crop_choice"]["n"] == 2
    assert personvlm(SCENE, "--truth") == 0
    out = capsys.readouterr().out.splitlines()
    assert any(line.startswith("tracks: hota ") for line in out)
    assert any(line == "links: not known of these sources" for line in out)
    assert personvlm(SCENE, "--truth", "-q") == 0  # the figures are the answer, and -q leaves notes out
    out, err = capsys.readouterr()
    assert (len(out.splitlines()), err) == (6, "")


@pytest.mark.parametrize(("arguments", "said"), [
    (["--blobs", "crops"], "--store or --queue"),
    (["--mqtt-outbox", "o.db"], "--mqtt: give it"),
    (["--capacity", "1", "--jsonl", "e.jsonl", "--truth"], "leave --jsonl and --truth out"),
    (["--capacity", "1", "--store", "people.db"], "leave --store out"),
    (["--min-precision", "0.9", "--say", "all"], "choose one"),
    (["--min-precision", "2"], "--min-precision"),
    (["--lang", "pt"], "there is en, es, de"),
])  # fmt: skip
def test_what_would_be_of_no_effect_is_not_understood(fake: None, capsys: pytest.CaptureFixture[str],
                                                      arguments: list[str], said: str) -> None:  # fmt: skip
    assert personvlm(SCENE, *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, said in " ".join(err.split())) == ("", True)


def test_how_many_cameras(fake: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personvlm.pipeline.run_capacity.capacity", lambda *_, **__: {"cameras": 1, "fails_at": 2})
    assert personvlm(SCENE, "--capacity", "1") == 0
    assert capsys.readouterr().out == "1 camera; 2 are too many\n"


def test_into_a_store_and_onto_a_queue(fake: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="needs the service extra")
    from personvlm.events import open_queue
    from personvlm.store import Store

    assert personvlm(SCENE, "-q", "--store", str(tmp_path / "people.db")) == 0
    with Store.open(tmp_path / "people.db") as store:
        assert {one.description.text for one in store.history()} == {"The image shows a man."}
    assert personvlm(SCENE, "--queue", str(tmp_path / "queue.db")) == 0
    out, err = capsys.readouterr()
    assert "events queued" in err
    assert any(line.endswith("#1 new: queued") for line in out.splitlines())
    queue = open_queue(str(tmp_path / "queue.db"))
    assert queue.stats().queued >= 2
    queue.close()
    assert personvlm(SCENE, "--queue", "x.db", "--store", "y.db") == 2
    assert "choose one" in capsys.readouterr().err
    for option in (["--no-gender"], ["--no-age"], ["--no-crops"], ["--say", "all"], ["--min-precision", "0.9"]):
        assert personvlm(SCENE, "--queue", "x.db", *option) == 2  # it would have been of no effect
        assert f"{option[0]} with --queue" in capsys.readouterr().err


def test_a_failing_source_costs_the_exit_status_only(fake: None, capsys: pytest.CaptureFixture[str],
                                                     tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    assert personvlm(str(tmp_path / "text.mp4"), SCENE, "--json") == 1
    out, err = capsys.readouterr()
    cameras = json.loads(out)["cameras"]
    assert cameras["rendered"]["people"] == 2
    assert cameras["text"]["state"] == "failed"
    assert "not a video" in cameras["text"]["error"]
    assert err.startswith("personvlm: error: ")
    assert len(err.splitlines()) == 1


def test_what_cannot_be_written_is_one_line(fake: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert personvlm(SCENE, "--jsonl", str(tmp_path / "no" / "e.jsonl")) == 1
    assert "No such file or directory" in capsys.readouterr().err
    assert personvlm(SCENE, "-q", "--annotate", str(tmp_path / "no" / "out.mp4")) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert personvlm(SCENE, "-q", "--annotate", str(tmp_path / "out.avi")) == 1
    assert "give a name that ends in .mp4" in capsys.readouterr().err
    assert not (tmp_path / "out.avi").exists()


@pytest.mark.parametrize("option", ["--annotate", "--jsonl"])
def test_a_source_is_not_written_over(fake: None, capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    (tmp_path / "clip.gif").write_bytes(GIF)
    monkeypatch.chdir(tmp_path)
    assert personvlm(str(tmp_path / "clip.gif"), option, "clip.gif") == 1
    assert "this is a source" in capsys.readouterr().err
    assert (tmp_path / "clip.gif").read_bytes() == GIF


def test_boxes_of_a_camera_are_not_written_over(fake: None, capsys: pytest.CaptureFixture[str],
                                                tmp_path: Path) -> None:
    (tmp_path / "yard.txt").write_text("1,-1,1,1,9,20,1\n")
    (tmp_path / "c.yaml").write_text(f"cameras: {{yard: {{source: '{SCENE}', detections: yard.txt}}}}")
    for option in (["--mot", str(tmp_path)], ["--jsonl", str(tmp_path / "yard.txt")]):
        assert personvlm(str(tmp_path / "c.yaml"), *option) == 1
        assert "this is a source" in capsys.readouterr().err
    assert (tmp_path / "yard.txt").read_text() == "1,-1,1,1,9,20,1\n"


def test_without_the_extra_it_says_what_to_install() -> None:
    code = f"""
import sys
sys.modules["supervision"] = None
from personvlm.cli import main
main(["run", {SCENE!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "personvlm: error: `personvlm run` needs supervision: pip install 'personvlm[video]'\n"


def test_the_other_commands_need_no_extra() -> None:
    code = """
import sys
for name in ("av", "cv2", "supervision", "trackers", "yaml"):
    sys.modules[name] = None
from personvlm.cli import main
main(["schema"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_order(tmp_path: Path, number: int) -> None:
    """Ctrl-C, and what Docker and systemd send to stop a service."""
    long = SCENE.replace("seconds=12", "seconds=400")
    process = subprocess.Popen([sys.executable, "-m", "personvlm", "run", long, "--json", "--jsonl",
                                str(tmp_path / "e.jsonl")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "e.jsonl").exists() or not (tmp_path / "e.jsonl").stat().st_size:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    printed = json.loads(out)
    assert printed["people"]
    assert printed["cameras"]["rendered"]["frames"] < 2000
