"""What real processes write to stderr, line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from personvlm.data.rendered import render
from personvlm.events import open_queue
from personvlm.runtime.describer import shipped
from personvlm.schema.events import Crop, DescribeRequest

real_model = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


def request(track: int, data: bytes) -> DescribeRequest:
    crop = Crop(data=data, time=1.0)
    return DescribeRequest.build("rtsp://me:hunter2@10.0.0.7/live", track, "new_track", 1.0, crop, first_seen=1.0)


def work(place: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "personvlm", "worker", "--queue", place, "--store", place, "--threads", "1",
               "--until-empty", *more]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip


@real_model
def test_a_worker_logs_what_became_of_each_event_in_json(tmp_path: Path) -> None:
    place, file = str(tmp_path / "people.db"), BytesIO()
    Image.fromarray(render({"upper.color": ("red",)}, seed=1, size=(64, 128))).save(file, "JPEG")
    good, bad = request(1, file.getvalue()), request(2, b"no picture")
    queue = open_queue(place)
    queue.put([good, bad])
    queue.close()
    done = work(place, "--health-port", "0")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    of = {line["event_id"]: line for line in lines if "event_id" in line}
    assert set(of) == {good.event_id, bad.event_id}
    stored, failed = of[good.event_id], of[bad.event_id]
    assert (stored["level"], stored["message"], stored["trigger"]) == ("info", "stored", "new_track")
    assert stored["delay_ms"] > 0
    assert (failed["level"], failed["attempt"], failed["error"]) == ("warning", 1, "InputError")
    assert "no picture can be read" in failed["reason"]
    assert any(line.get("port") for line in lines)
    assert "hunter2" not in done.stderr
    assert "red" not in done.stderr.replace("stored", "").replace("shared", "")
    assert "The image shows" not in done.stderr


@real_model
def test_the_end_of_a_worker_that_cannot_go_on_is_a_line_like_the_others(tmp_path: Path) -> None:
    done = work("redis://:hunter2@127.0.0.1:1/0")
    assert done.returncode == 1
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["level"] == "error"
    assert "hunter2" not in done.stderr
    text = work(str(tmp_path / "people.db"), "--log-format", "text")
    assert text.returncode == 0
    assert " info personvlm.cli.worker: " in text.stderr
    assert "{" not in text.stderr


def test_cameras_log_in_json_where_that_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("supervision")
    queue = str(tmp_path / "queue.db")
    command = [sys.executable, "-m", "personvlm", "run", "rendered:seed=5,cameras=1,people=1,seconds=2,rate=5",
               "--queue", queue, "--detector", "given", "--log-format", "json"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["message"] == "ended"
    assert lines[-1]["logger"] == "personvlm.cli.run"
    [camera] = lines[-1]["cameras"].values()
    assert camera["state"] == "ended"
