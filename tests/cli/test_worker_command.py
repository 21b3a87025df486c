from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

import services
from personvlm.cli import main
from personvlm.data.rendered import render
from personvlm.events import Queue, open_queue
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.tracks import TrackModel
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.store import Blobs, Store
from personvlm.store.tables import descriptions

real_model = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


def jpeg(seed: int, size: tuple[int, int] = (64, 128)) -> bytes:
    file = BytesIO()
    Image.fromarray(render({"upper.color": ("red",)}, seed=seed, size=size)).save(file, "JPEG")
    return file.getvalue()


def request(track: int, *pictures: bytes) -> DescribeRequest:
    best, *others = (Crop(data=data, time=1.0, score=0.9 - 0.2 * number) for number, data in enumerate(pictures))
    return DescribeRequest.build("gate", track, "new_track", 1.0, best, others=tuple(others), first_seen=1.0)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "people.db")


@pytest.fixture
def queue(place: str) -> Iterator[Queue]:
    opened = open_queue(place)
    yield opened
    opened.close()


def worker(place: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "personvlm", "worker", "--queue", place, "--store", place, "--threads", "1", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip


@real_model
def test_two_workers_on_one_device_describe_everything_once_and_as_the_model_says(place: str, queue: Queue) -> None:
    asked = [request(track, jpeg(track), *([jpeg(100 + track)] if track % 2 else [])) for track in range(12)]
    queue.put([*asked, request(90, b"no picture"), request(91, b"no picture", jpeg(91))])
    workers = [worker(place, "--until-empty", "--json", "--batch", "2") for _ in range(2)]
    answers = [one.communicate(timeout=100) for one in workers]
    assert [one.returncode for one in workers] == [0, 0], answers
    counts = [json.loads(out) for out, _ in answers]
    assert sum(each["described"] for each in counts) == 13
    assert sum(each["dead"] for each in counts) == 1
    assert [letter.event_id for letter in queue.dead()] == [request(90, b"no picture").event_id]
    assert "no picture can be read" in queue.dead()[0].reason
    model = TrackModel(Describer.load(threads=1))
    with Store.open(place) as store:
        for each in asked:
            pictures = [(model.describer._read(crop.data or b""), crop.score) for crop in each.crops]
            found = store.latest(each.person)
            assert found is not None
            [expected] = model.describe_all([pictures])
            assert (found.description.text, found.description.attributes.keys()) == (
                expected.text, expected.attributes.keys())  # fmt: skip
        assert store.latest(request(91, b"x").person) is not None  # the picture that could be read sufficed


@real_model
def test_a_worker_keeps_the_latest_of_a_camera_in_redis(place: str, queue: Queue, tmp_path: Path) -> None:
    from personvlm.store.hot import HotCache

    redis = services.OwnRedis(tmp_path / "redis")
    try:
        queue.put([request(1, jpeg(1))])
        one = worker(place, "--until-empty", "--cache", redis.url)
        _, problems = one.communicate(timeout=300)
        assert one.returncode == 0, problems
        with Store.open(place) as store:
            [held] = store.people().items
        cache = HotCache(redis.url)
        assert cache.forget([held.request.person]) == 1
    finally:
        redis.stop()


@real_model
def test_a_worker_serves_its_health_and_ends_in_order(place: str, queue: Queue) -> None:
    port = services.free_port()
    one = worker(place, "--health-port", str(port))
    try:
        end = time.monotonic() + 60
        while not services.listening(port) and time.monotonic() < end:
            time.sleep(0.1)
        queue.put([request(1, jpeg(1))])
        while queue.stats().queued and time.monotonic() < end:
            time.sleep(0.1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert 'personvlm_worker_events_total{outcome="described"} 1.0' in answer.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            assert json.load(answer)["ok"] is True
    finally:
        one.send_signal(signal.SIGTERM)
    _, problems = one.communicate(timeout=60)
    assert one.returncode == 0, problems
    assert queue.stats().acked == 1


@pytest.mark.accept
@real_model
def test_what_killed_workers_held_is_described_by_others(place: str) -> None:
    queue = open_queue(f"{place}?lease_s=4")
    queue.put([request(track, jpeg(track)) for track in range(120)])
    address = f"{place}?lease_s=4"
    for _ in range(3):
        one = worker(place, "--queue", address, "--batch", "4")
        before, end = queue.stats().acked, time.monotonic() + 60
        while queue.stats().acked < before + 5 and time.monotonic() < end:
            time.sleep(0.05)
        one.kill()
        one.communicate()
        assert queue.stats().leased > 0
    last = worker(place, "--queue", address, "--until-empty", "--json")
    out, problems = last.communicate(timeout=120)
    assert last.returncode == 0, problems
    stats = queue.stats()
    assert (stats.acked, stats.dead, stats.queued, stats.missing) == (120, 0, 0, 0)
    assert json.loads(out)["described"] > 0
    with Store.open(place) as store, store.read() as connection:
        stored = list(connection.scalars(sa.select(descriptions.c.event_id)))
    assert sorted(stored) == sorted(request(track, b"").event_id for track in range(120))
    queue.close()


@real_model
def test_pictures_too_large_for_a_message_come_by_reference(place: str, tmp_path: Path) -> None:
    blobs = Blobs.open(tmp_path / "blobs")
    queue = open_queue(f"{place}?inline=100", blobs=blobs)
    queue.put([request(1, jpeg(1))])
    assert len(list(blobs.references())) == 1
    with pytest.raises(SystemExit) as ended:
        main(["worker", "--queue", place, "--store", place, "--blobs", str(tmp_path / "blobs"), "--until-empty", "-q",
              "--threads", "1"])  # fmt: skip
    assert ended.value.code in (0, None)
    assert (queue.stats().acked, queue.stats().dead) == (1, 0)
    queue.close()
    with Store.open(place) as store:
        found = store.latest(request(1, jpeg(1)).person)
        assert found is not None
        assert found.request.crop.reference is not None
        assert store.blobs is not None
        assert store.blobs.get(found.request.crop.reference) == jpeg(1)  # in its own place, where nothing expires


def test_a_gpu_that_is_not_there_is_said_to_be_missing(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    if any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/dxg")):
        pytest.skip("there is one")
    with pytest.raises(SystemExit) as ended:
        main(["worker", "--queue", place, "--store", place, "--gpu", "0"])
    assert ended.value.code == 1
    assert "--gpu 0: onnx" in capsys.readouterr().err


def test_the_queue_command_shows_and_replays(place: str, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    queue.put([request(1, b"x"), request(2, b"y"), request(3, b"z")])
    queue.nack(queue.claim(2), "no\x1b[31m luck", dead=True)

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["queue", place, *arguments])
        assert ended.value.code in (0, None)
        return capsys.readouterr().out

    shown = json.loads(run("--json", "--dead", "--payload"))
    assert (shown["waiting"]["new_track"], shown["dead"], shown["accepted"]) == (1, 2, 3)
    assert {letter["event_id"] for letter in shown["letters"]} == {request(1, b"x").event_id, request(2, b"y").event_id}
    assert "\x1b" not in run("--dead")
    assert json.loads(run("--json", "--replay", request(1, b"x").event_id))["replayed"] == 1
    assert "1 dead letters wait again" in run("--replay-all")
    assert queue.stats().waiting["new_track"] == 3


def test_the_queue_command_drops_dead_letters(place: str, queue: Queue, capsys: pytest.CaptureFixture[str]) -> None:
    queue.put([request(track, b"x") for track in range(3)])
    queue.nack(queue.claim(3), "no luck", dead=True)

    def run(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["queue", place, *arguments])
        assert (ended.value.code or 0) == status
        return capsys.readouterr().out

    assert "0 dead letters are gone" in run("--drop-older", "7d")
    assert json.loads(run("--json", "--drop", request(1, b"x").event_id, "--drop", "unknown"))["dropped"] == 1
    run("--drop-older", "soon", status=1)
    run("--drop-older", "2999-01-01", status=2)
    run("--drop", "a", "--drop-older", "7d", status=2)
    assert queue.stats().dead == 2
    assert json.loads(run("--json", "--drop-older", "0s")) | {"dropped": 2, "dead": 0, "erased": 3} == json.loads(
        run("--json")) | {"dropped": 2}  # fmt: skip
