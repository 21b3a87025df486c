from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from discovery_rules import problems, state

from mosquitto_server import Listener, Mosquitto, free_port
from personvlm.base.errors import InputError
from personvlm.integrations.mqtt import Broker, Publisher, publishing
from personvlm.integrations.outbox import Outbox


def record(person: str, revision: int = 1, kind: str = "new", camera: str = "gate") -> dict[str, Any]:
    return {"id": person, "revision": revision, "event": kind, "event_id": f"{person}{revision}", "camera": camera,
            "text": f"The image shows {person}.", "attributes": {}, "quality": 0.5, "model": "fake 1"}  # fmt: skip


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    one = Listener(broker.port, "personvlm/#", "homeassistant/#")
    yield one
    one.close()


def events(listener: Listener) -> list[dict[str, Any]]:
    return [json.loads(payload) for topic, payload, _ in listener.messages if topic.endswith("/person")]


def test_events_availability_and_discovery_arrive(broker: Mosquitto, listener: Listener) -> None:
    with Publisher(Broker.parse(broker.url), cameras=["gate"]) as publisher:
        publisher.tell(record("a"))
        publisher.tell(record("a", 2, "end"))
        publisher.tell(record("b", camera="back/yard"))
        assert publisher.wait(10)
        assert publisher.published == 3
    assert listener.wait(lambda it: it.messages[-1][:2] == ("personvlm/available", b"offline"))
    assert [(event["id"], event["event"]) for event in events(listener)] == [("a", "new"), ("a", "end"), ("b", "new")]
    said = [payload for topic, payload, _ in listener.messages if topic == "personvlm/available"]
    assert said == [b"online", b"offline"]
    configs = {topic: json.loads(payload) for topic, payload, _ in listener.messages if topic.endswith("/config")}
    assert len(configs) == 2
    for topic, config in configs.items():
        assert problems(topic, config) == []
    topics = {topic for topic, _, _ in listener.messages}
    assert {config["state_topic"] for config in configs.values()} <= topics
    assert state(configs["homeassistant/sensor/personvlm/gate/config"], events(listener)[0]) == "The image shows a."


@pytest.mark.parametrize("odd", ["gate\0", "gate\n", "\x7f", "\ufffe"])
def test_a_camera_with_an_odd_name_keeps_no_other_from_the_broker(broker: Mosquitto, listener: Listener,
                                                                  odd: str) -> None:  # fmt: skip
    with Publisher(Broker.parse(broker.url)) as publisher:
        publisher.tell(record("a", camera=odd))
        publisher.tell(record("b"))
        assert publisher.wait(10)
    assert listener.wait(lambda it: len(events(it)) == 2)
    assert [event["camera"] for event in events(listener)] == [odd, "gate"]


def test_who_comes_later_gets_the_state_and_the_discovery_but_no_people(broker: Mosquitto) -> None:
    with Publisher(Broker.parse(broker.url)) as publisher:
        publisher.tell(record("a"))
        assert publisher.wait(10)
        late = Listener(broker.port, "personvlm/#", "homeassistant/#", name="late")
        assert late.wait(lambda it: len(it.messages) == 2)
        time.sleep(0.1)
        late.close()
    assert {(topic, retained) for topic, _, retained in late.messages} == {
        ("personvlm/available", True), ("homeassistant/sensor/personvlm/gate/config", True)}  # fmt: skip


def test_the_last_will_says_that_we_died(broker: Mosquitto, listener: Listener) -> None:
    code = f"""
import sys, time
from personvlm.integrations.mqtt import Broker, Publisher, publishing
publisher = Publisher(Broker.parse({broker.url!r}))
publisher._up.wait(10)
time.sleep(0.2)
print("up", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    assert listener.wait(lambda it: ("personvlm/available", b"online") in [m[:2] for m in it.messages])
    process.kill()
    process.wait()
    assert listener.wait(lambda it: it.messages[-1][:2] == ("personvlm/available", b"offline"))


def test_a_broker_restarted_in_the_middle_loses_nobody(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    notes: list[str] = []
    with Publisher(Broker.parse(broker.url), Outbox(tmp_path / "o.sqlite"), report=notes.append) as publisher:
        for person in range(40):
            publisher.tell(record(str(person), 1, "new"))
            publisher.tell(record(str(person), 2, "end"))
            if person == 10:
                broker.stop()
            if person == 25:
                broker.start()
        assert publisher.wait(20)
    assert listener.wait(lambda it: len({event["id"] for event in events(it) if event["event"] == "end"}) == 40, 15)
    assert any("messages wait" in note for note in notes)
    assert any("connected again" in note for note in notes)


def test_a_broker_that_is_away_from_the_start_gets_what_waited(tmp_path: Path, broker: Mosquitto,
                                                               listener: Listener) -> None:
    nowhere = Broker(host="127.0.0.1", port=free_port())
    publisher = Publisher(nowhere, Outbox(tmp_path / "o.sqlite"))
    publisher.tell(record("a", 1, "end"))
    assert publisher.close(0.3) == 1
    with Publisher(Broker.parse(broker.url), Outbox(tmp_path / "o.sqlite")) as again:
        assert again.wait(10)
    assert listener.wait(lambda it: [event["id"] for event in events(it)] == ["a"])


def test_what_waits_at_the_end_is_said_and_sent_by_the_next_run(
    tmp_path: Path, broker: Mosquitto, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    broker.stop()
    close = Publisher.close
    monkeypatch.setattr(Publisher, "close", lambda self: close(self, 0.2))
    with publishing(broker.url, tmp_path / "o.sqlite", name="run", report=notes.append) as tell:
        tell(record("a", 1, "end"))
    monkeypatch.undo()
    assert any("1 messages wait in" in note for note in notes)
    broker.start()
    with publishing(broker.url, tmp_path / "o.sqlite", name="run"):
        pass
    assert listener.wait(lambda it: [event["id"] for event in events(it)] == ["a"], 15)


def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("")
    server = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path / 'passwords'}")
    notes: list[str] = []
    publisher = Publisher(Broker.parse(server.url.replace("//", "//me:secret@")), report=notes.append)
    deadline = time.monotonic() + 10
    while not any("refused" in note for note in notes) and time.monotonic() < deadline:
        time.sleep(0.02)
    publisher.close(0)
    server.stop()
    assert any("refused: Not authorized" in note for note in notes)
    assert not any("secret" in note for note in notes)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host", Broker("host")),
        ("mqtt://u:p%40@host:99/my/house", Broker("host", 99, "u", "p@", prefix="my/house")),
        ("mqtts://[::1]/", Broker("::1", 8883, tls=True)),
    ],
)
def test_addresses(url: str, expected: Broker) -> None:
    assert Broker.parse(url) == expected
    assert "p@" not in repr(expected) + str(expected)


@pytest.mark.parametrize("url", ["host", "http://host", "mqtt://", "mqtt://host:x", "mqtt://h/a+b", "mqtt://h?x=1",
                                 "mqtts://h?ca=/nowhere", "mqtt://u:secret@:99999", "mqtt://u:secret@[/x"])  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InputError) as refused:
        Broker.parse(url)
    assert "secret" not in str(refused.value)


def test_without_paho_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("paho", "paho.mqtt", "paho.mqtt.client", "paho.mqtt.enums"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pip install 'personvlm\[mqtt\]'"):
        Broker("host").client()


def test_a_run_that_is_killed_leaves_its_messages_to_the_next(tmp_path: Path, broker: Mosquitto,
                                                              listener: Listener) -> None:  # fmt: skip
    broker.stop()
    code = f"""
import time
from pathlib import Path
from personvlm.integrations.mqtt import Broker, Publisher
from personvlm.integrations.outbox import Outbox
publisher = Publisher(Broker.parse({broker.url!r}), Outbox(Path({str(tmp_path / "o.sqlite")!r})))
for person in range(5):
    publisher.tell({{"camera": "gate", "id": str(person), "revision": 2, "event": "end", "text": "A person."}})
print("told", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"told\n"
    process.kill()
    process.wait()
    broker.start()
    with publishing(broker.url, tmp_path / "o.sqlite", name="run"):
        pass
    assert listener.wait(lambda it: [event["id"] for event in events(it)] == list("01234"), 15)
