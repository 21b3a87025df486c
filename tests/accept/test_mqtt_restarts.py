"""Acceptance: a broker that is restarted in the middle of a run loses no final description."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from mosquitto_server import Listener, Mosquitto
from personvlm.integrations.mqtt import Broker, Publisher
from personvlm.integrations.outbox import Outbox

FULL = pytest.mark.accept


def ends(listener: Listener) -> dict[str, str]:
    """What was said last about everybody who has left, by id."""
    found: dict[str, str] = {}
    for topic, payload, _ in list(listener.messages):
        if topic.endswith("/person"):
            event: dict[str, Any] = json.loads(payload)
            if event["event"] == "end":
                found[event["id"]] = event["text"]
    return found


@pytest.mark.parametrize("kill", [False, pytest.param(True, marks=FULL)], ids=["stopped", "killed"])
@pytest.mark.parametrize("scene", [
    "cameras=1,people=3,seconds=8,rate=5,width=320",
    pytest.param("cameras=4,people=40,seconds=60,rate=5,width=320", marks=FULL)], ids=["small", "full"])  # fmt: skip
def test_a_run_whose_broker_goes_and_comes_back(tmp_path: Path, scene: str, kill: bool) -> None:
    broker = Mosquitto(tmp_path)
    listener = Listener(broker.port, "personvlm/#")
    log = tmp_path / "events.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "personvlm", "run", f"rendered:seed=5,{scene}", "-q",
                                "--mqtt", broker.url, "--mqtt-outbox", str(tmp_path / "o.sqlite"),
                                "--jsonl", str(log)], env=os.environ | {"OMP_NUM_THREADS": "1"})  # fmt: skip
    restarts = 0
    try:
        while process.poll() is None:
            time.sleep(1.0 if restarts else 2.0)
            broker.stop(kill=kill)
            time.sleep(0.5)
            broker.start()
            restarts += 1
    finally:
        process.kill()
    assert process.returncode == 0
    told = {event["id"]: event["text"] for event in map(json.loads, log.read_text("utf-8").splitlines())
            if event["event"] == "end"}  # fmt: skip
    assert told
    arrived = listener.wait(lambda it: told.items() <= ends(it).items(), 15)
    print(f"{restarts} restarts, {len(told)} final descriptions, {len(ends(listener))} arrived")
    listener.close()
    broker.stop()
    assert restarts >= 1
    assert arrived
    assert ends(listener) == told


@pytest.mark.parametrize(("people", "restarts"), [(300, 2), pytest.param(20_000, 12, marks=FULL)])
def test_thousands_of_people_over_many_restarts(tmp_path: Path, people: int, restarts: int) -> None:
    broker = Mosquitto(tmp_path)
    listener = Listener(broker.port, "personvlm/#")
    stop = threading.Event()

    def restart() -> None:
        for _ in range(restarts):
            if stop.wait(0.7):
                return
            broker.stop()
            time.sleep(0.3)
            broker.start()

    restarting = threading.Thread(target=restart)
    began = time.monotonic()
    with Publisher(Broker.parse(broker.url), Outbox(tmp_path / "o.sqlite", most=100)) as publisher:
        restarting.start()
        for person in range(people):
            for revision, kind in enumerate(("new", "update", "end"), start=1):
                publisher.tell({"camera": "gate", "id": str(person), "revision": revision, "event": kind,
                                "text": f"The image shows person {person}."})  # fmt: skip
            time.sleep(restarts / people)
        assert publisher.wait(120)
        outbox = publisher.outbox
        print(f"{people} people in {time.monotonic() - began:.1f} s, {publisher.published} messages, "
              f"{outbox.superseded} superseded, {outbox.dropped} dropped")  # fmt: skip
    stop.set()
    restarting.join()
    assert listener.wait(lambda it: len(ends(it)) == people, 30)
    listener.close()
    broker.stop()
