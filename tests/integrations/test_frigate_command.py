from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frigate_server import StandIn, Tracked

import personvlm
from mosquitto_server import Listener, Mosquitto, free_port
from personvlm.cli import main
from personvlm.data.rendered import rendered_samples

SHIPPED = (Path(personvlm.__file__).parent / "weights" / "edge").is_dir()


@pytest.fixture
def frigate() -> Iterator[StandIn]:
    one = StandIn(login=("admin", "pa ss"))
    yield one
    one.stop()


def person(name: str, seed: int) -> Tracked:
    """A drawn person who stands in an empty yard."""
    image, _ = next(rendered_samples(1, seed))
    frame = np.full((720, 1280, 3), 110, np.uint8)
    frame[300 : 300 + image.shape[0], 500 : 500 + image.shape[1]] = image
    return Tracked(name, "gate", frame, (500, 300, 500 + image.shape[1], 300 + image.shape[0]), time=1.0)


def until(wanted: Callable[[], Any], process: subprocess.Popen[str], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(not SHIPPED, reason="this checkout has no shipped weights")
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_real_model_beside_a_broker_and_a_stand_in(frigate: StandIn, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    broker = Mosquitto(tmp_path)
    ears = Listener(broker.port, "personvlm/#", "homeassistant/#")
    monkeypatch.setenv("PERSONVLM_FRIGATE_PASSWORD", "pa ss")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one = person("1700000000.5-abc", 4)
    frigate.people[one.id] = one
    address = frigate.url.replace("//", "//admin@")
    process = subprocess.Popen(
        [sys.executable, "-m", "personvlm", "frigate", "--mqtt", broker.url, "--frigate", address, "--say", "all",
         "--jsonl", str(tmp_path / "e.jsonl"), "--store", str(tmp_path / "people.db")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        until(lambda: one.data.get("description"), process)  # who is there at the start is found
        one.end = time.time()
        ears.publish("frigate/events", json.dumps(one.message("end")))
        until(lambda: (tmp_path / "e.jsonl").read_text("utf-8").count("\n") == 2, process)
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text("utf-8").splitlines()]
    assert [event["event"] for event in events] == ["new", "end"]
    assert one.data["description"] == events[-1]["text"]
    assert one.data["description"].startswith("The image shows ")
    assert one.sub_label is not None
    assert len(one.sub_label[0]) <= 100
    assert ears.wait(lambda it: sum(topic == "personvlm/gate/person" for topic, _, _ in it.messages) == 2)
    assert out.splitlines()[0].startswith(f"gate {one.id} new: The image shows ")
    assert "1 people, 2 revisions" in err
    assert "pa ss" not in out + err
    from personvlm.store import Store

    store = Store.open(tmp_path / "people.db")
    assert len(store.known([event["event_id"] for event in events], events[0]["model"])) == 2
    ears.close()
    broker.stop()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--mqtt", "host", "--frigate", "http://h"], "no address of an MQTT broker"),
        (["--mqtt", "mqtt://h", "--frigate", "ftp://h"], "no address of Frigate"),
        (["--mqtt", "mqtt://h", "--frigate", "http://me@h"], "needs a password"),
        (["--mqtt", "mqtt://h", "--frigate", "http://h", "--since", "yesterday"], "--since yesterday"),
        (["--mqtt", "mqtt://h", "--frigate", "http://h", "--since", "-1h"], "zero or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: list[str], complaint: str, fake_describer: Any,
                                         capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.delenv("PERSONVLM_FRIGATE_PASSWORD", raising=False)
    with pytest.raises(SystemExit) as left:
        main(["frigate", *options])
    assert left.value.code == 1
    assert complaint in capsys.readouterr().err


def test_without_paho_it_says_what_to_install(capsys: pytest.CaptureFixture[str],
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    for name in ("paho", "paho.mqtt", "paho.mqtt.client", "paho.mqtt.enums"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit):
        main(["frigate", "--mqtt", f"mqtt://127.0.0.1:{free_port()}", "--frigate", "http://h"])
    assert "pip install 'personvlm[mqtt]'" in capsys.readouterr().err
