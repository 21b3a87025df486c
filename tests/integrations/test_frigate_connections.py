from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from frigate_house import COLORS, House, until
from frigate_server import StandIn

from mosquitto_server import Listener as Ears
from mosquitto_server import Mosquitto
from personvlm.base.errors import InputError
from personvlm.integrations.frigate import Following
from personvlm.integrations.frigate_api import Address, AwayError, Frigate, FrigateError, GoneError
from personvlm.integrations.frigate_listen import Listener


@pytest.fixture
def house() -> Iterator[House]:
    one = House()
    yield one
    one.bridge.close()
    one.frigate.stop()


def test_frigate_that_is_started_again_gets_everything(house: House) -> None:
    house.frigate.stop()
    one, other = house.comes("1700000000.5-abc"), house.comes("1700000001.5-xyz", "green")
    house.send(one, "new", settle=False)
    house.send(other, "new", settle=False)
    house.send(other, "end", settle=False)
    time.sleep(0.3)
    house.frigate.failing = True
    house.frigate.start()
    time.sleep(0.3)
    house.frigate.failing = False
    assert house.bridge.settle(15)
    assert "red coat" in one.data["description"]
    assert "green coat" in other.data["description"]
    assert any("trying again" in note for note in house.notes)
    assert len(house.notes) <= 3  # said, not repeated


def test_what_frigate_never_takes_is_given_up_and_counted() -> None:
    house = House(Following(patience=0.5))
    house.frigate.failing = True
    house.send(house.comes(), "new")
    assert house.bridge.counts.failed == 1
    assert any("given up" in note for note in house.notes)
    house.bridge.close()


def test_catching_up_finds_who_was_missed(house: House) -> None:
    here, gone, done = (house.comes(f"170000000{row}.5-a", color) for row, color in enumerate(COLORS))
    gone.end = done.end = time.time()
    done.data["description"] = "as it was"
    house.bridge.catch_up(time.time() - 100)
    assert house.bridge.settle(10)
    assert here.data["description"]
    assert gone.data["description"]
    assert done.data["description"] == "as it was"
    assert sorted(house.kinds) == ["end", "new"]
    here.end = time.time()  # Frigate was started again and sent no end
    house.bridge.catch_up(time.time())
    assert house.bridge.settle(10)
    assert house.kinds[-1] == "end"


def test_a_login_is_done_and_repeated_when_the_token_expires() -> None:
    house = House(frigate=StandIn(login=("me", "pa ss")))
    one = house.comes()
    house.send(one, "new")
    assert one.data["description"]
    house.frigate.tokens.clear()
    one.score, one.time = 0.99, 2.0
    house.paint(one, "blue")
    house.send(one, "end")
    assert "blue" in one.data["description"]
    assert house.frigate.count("POST", "/api/login") == 2
    house.bridge.close()
    wrong = Frigate(Address.parse(house.frigate.url.replace("//", "//me:wrong@")))
    with pytest.raises(FrigateError, match="401") as refused:
        wrong.version()
    assert "wrong" not in str(refused.value)


def test_errors_of_the_interface(house: House) -> None:
    api = Frigate(Address.parse(house.frigate.url))
    assert api.version() == "0.18.0-stand-in"
    assert api.sizes() == {"gate": (1280, 720)}
    with pytest.raises(GoneError):
        api.event("nobody")
    house.frigate.failing = True
    with pytest.raises(AwayError, match="503"):
        api.version()


def test_frigate_that_goes_away_while_it_says_why_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 300\r\n\r\nst")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(AwayError):
            Frigate(Address.parse(f"http://127.0.0.1:{server.getsockname()[1]}")).version()
        thread.join()


@pytest.mark.parametrize("url", ["host:5000", "mqtt://host", "http://", "http://h:x", "https://me@host"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError):
        Address.parse(url)


def test_over_a_real_broker_that_is_restarted(house: House, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    frigate = Ears(broker.port, "personvlm/#", name="frigate")
    from personvlm.integrations.mqtt import Broker

    listener = Listener(Broker.parse(broker.url), house.bridge, report=house.notes.append)
    first = house.comes("1700000000.5-a")
    assert until(lambda: house.frigate.count("GET", "/api/events") > 0)  # it listens, and asked what was before
    frigate.publish("frigate/events", json.dumps(first.message("new")))
    frigate.publish("frigate/events", b"not json")
    assert until(lambda: first.data.get("description"))
    broker.stop()
    missed = house.comes("1700000001.5-b", "green")  # comes and goes while nobody can say so
    first.end = missed.end = time.time()
    broker.start()
    assert until(lambda: missed.data.get("description") and house.kinds.count("end") == 2, 15)
    assert until(lambda: house.bridge.counts.broken == 1)
    frigate.publish("frigate/available", "offline")
    late = house.comes("1700000002.5-c", "blue")
    frigate.publish("frigate/available", "online")
    assert until(lambda: late.data.get("description"))
    listener.close()
    frigate.close()
    broker.stop()
