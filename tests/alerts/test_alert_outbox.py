"""Delivery: signed, retried until it is taken, nothing lost, nothing twice in effect, nothing into the own network."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alert_people import NIGHT, described

from personvlm.alerts import webhook
from personvlm.alerts.engine import Alerts, Channel
from personvlm.alerts.outbox import Outbox
from personvlm.base.errors import InputError
from personvlm.base.guarded import AddressError, addresses, post
from personvlm.store import Store, tables

SECRET = webhook.new_secret()


class Receiver:
    """A real HTTP server that remembers what it took, by id."""

    def __init__(self, port: int = 0) -> None:
        self.taken: dict[str, list[dict[str, Any]]] = {}
        self.headers: list[dict[str, str]] = []
        self.order: list[str] = []
        self.answers: list[int] = []  # statuses of the next requests; 0: take it, and break off without an answer
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.answers.pop(0) if receiver.answers else 204
                if status in (204, 0):
                    id = webhook.verify(headers, body, SECRET, time.time())
                    assert id == headers["idempotency-key"]
                    receiver.taken.setdefault(id, []).append(json.loads(body))
                    receiver.order.append(id)
                    receiver.headers.append(headers)
                if status == 0:
                    self.connection.close()
                    return
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    try:
        yield receiver
    finally:
        receiver.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    with Store.open(tmp_path / "store.db") as built:
        yield built


def hooked(store: Any, port: int) -> Alerts:
    alerts = Alerts(store)
    alerts.add_channel(Channel("hook", f"http://127.0.0.1:{port}/alerts?x=1", SECRET, private=True))
    alerts.add_rule("red", 'upper.color == "red", in 1 of 5 crops', channels=["hook"])
    return alerts


def test_an_alert_goes_out_with_sentence_and_crop(store: Any) -> None:
    with receiving() as receiver:
        alerts = hooked(store, receiver.port)
        person = described(crop=b"the jpeg")
        store.add([person])
        (alert,) = alerts.observe([person])
        assert Outbox(store).deliver().delivered == 1
        ((message,),) = receiver.taken.values()
        assert message["event"] == "alert.raised"
        assert base64.b64decode(message["picture"]) == b"the jpeg"
        assert message["alert"] == json.loads(json.dumps(alert.record()))
        assert message["alert"]["text"] == "Person 1, revision 1."
        alerts.observe([described(revision=2, first=NIGHT, time=NIGHT + 10, red=0.1)])
        alerts.acknowledge(alert.id, "eve")
        alerts.close(alert.id)
        assert Outbox(store).deliver().delivered == 1  # in order, one after the other
        assert Outbox(store).deliver().delivered == 1
        assert Outbox(store).deliver().delivered == 1
        assert Outbox(store).deliver().delivered == 0
        events = [receiver.taken[id][0]["event"] for id in receiver.order]
        assert events == ["alert.raised", "alert.updated", "alert.acknowledged", "alert.closed"]


def test_crops_come_from_the_blob_store_and_their_absence_stops_nothing(store: Any) -> None:
    with receiving() as receiver:
        alerts = hooked(store, receiver.port)
        people = [described(track, crop=b"bytes") for track in (1, 2)]
        store.add(people)
        there, gone = alerts.observe(people)
        store.blobs.delete(gone.crop)
        assert Outbox(store).deliver().delivered == 2
        found = {each["alert"]["crop"]: each["picture"] for (each,) in receiver.taken.values()}
        assert found == {there.crop: base64.b64encode(b"bytes").decode(), gone.crop: None}


def test_a_receiver_that_is_down_for_a_minute_loses_nothing(store: Any) -> None:
    """The clock is ours, so that a minute takes no minute; the sockets are real."""
    with receiving() as first:
        port = first.port
    alerts, outbox = hooked(store, port), Outbox(store, timeout=1.0)
    alerts.observe([described(track, time=NIGHT + track) for track in range(20)])
    clock = start = time.time()
    attempts = 0
    while clock < start + 60:
        sent = outbox.deliver(clock)
        attempts += sent.failed
        assert sent.delivered == sent.dead == 0
        clock += 1.0
    assert 3 <= attempts <= 8  # 1, 2, 4 ... seconds apart, give or take, for all of them together
    assert outbox.waiting(clock).waiting == 20
    with receiving(port) as receiver:
        while outbox.waiting(clock).waiting and clock < start + 400:
            outbox.deliver(clock)
            clock += 1.0
        assert len(receiver.taken) == 20
        assert all(len(copies) == 1 for copies in receiver.taken.values())
        assert clock < start + 160


def test_an_answer_that_got_lost_gives_a_copy_with_the_same_id(store: Any) -> None:
    with receiving() as receiver:
        hooked(store, receiver.port).observe([described()])
        receiver.answers = [0, 500, 302, 204]
        outbox, clock = Outbox(store, jitter=lambda: 0.5), time.time()
        results = [outbox.deliver(clock + step) for step in (0, 0.5, 2.1, 4, 6.2, 16)]
        assert [(each.failed, each.delivered) for each in results] == [(1, 0), (0, 0), (1, 0), (0, 0), (1, 0), (0, 1)]
        ((one, again),) = receiver.taken.values()
        assert {**one, "sent_at": 0} == {**again, "sent_at": 0}


def test_what_nobody_takes_is_dead_and_can_be_revived(store: Any) -> None:
    with receiving() as gone:
        port = gone.port
    alerts, outbox = hooked(store, port), Outbox(store, give_up=100.0, timeout=1.0)
    alerts.observe([described()])
    clock = time.time()
    assert outbox.deliver(clock).failed == 1
    assert outbox.deliver(clock + 101).dead == 1
    assert (outbox.waiting(clock + 101).waiting, outbox.waiting(clock + 101).dead) == (0, 1)
    with receiving(port) as receiver:
        assert outbox.revive(clock + 102) == 1
        assert outbox.deliver(clock + 102).delivered == 1
        assert len(receiver.taken) == 1


def test_two_senders_do_not_send_the_same(store: Any) -> None:
    with receiving() as receiver:
        hooked(store, receiver.port).observe([described(track, time=NIGHT + track) for track in range(30)])
        rounds: list[int] = []
        threads = [threading.Thread(target=lambda: rounds.append(Outbox(store).deliver().delivered)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(rounds) == len(receiver.taken) == 30
        assert all(len(copies) == 1 for copies in receiver.taken.values())


def test_a_sender_that_died_is_followed_by_another(store: Any) -> None:
    with receiving() as receiver:
        hooked(store, receiver.port).observe([described()])
        now = time.time()
        dying = Outbox(store, lease=30.0)
        (row,) = dying._due(now, 10)
        assert dying._claim(row, now)  # and the process ends here
        assert Outbox(store).deliver(now + 29).delivered == 0
        assert Outbox(store).deliver(now + 31).delivered == 1
        assert len(receiver.taken) == 1


def test_a_channel_that_is_gone_does_not_stop_the_others(store: Any) -> None:
    with receiving() as receiver:
        alerts = hooked(store, receiver.port)
        alerts.add_channel(Channel("other", "http://127.0.0.1:9/", private=True))
        alerts.add_rule("bag", '"backpack" in carrying, in 1 of 5 crops', channels=["other", "hook"])
        alerts.observe([described()])
        alerts.remove_channel("other")
        sent = Outbox(store).deliver()
        assert (sent.delivered, sent.failed) == (2, 0)
        with store.engine.begin() as connection:
            rows = tables.deliveries.c
            errors = connection.scalars(sa.select(rows.error).where(rows.channel == "other"))
            assert list(errors) == ["there is no channel 'other' any more"]


def test_apprise_takes_what_is_raised_and_nothing_else(store: Any) -> None:
    pytest.importorskip("apprise")
    seen: list[tuple[str, bytes]] = []

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    alerts = Alerts(store)
    alerts.add_channel(Channel("chat", f"json://127.0.0.1:{server.server_address[1]}/room"))
    alerts.add_rule("red", 'upper.color == "red", in 1 of 5 crops', channels=["chat"])
    person = described(crop=b"the jpeg")
    store.add([person])
    (alert,) = alerts.observe([person])
    alerts.close(alert.id)
    assert Outbox(store).deliver().delivered == 1
    assert Outbox(store).deliver().delivered == 0
    server.shutdown()
    server.server_close()
    ((path, body),) = seen
    message = json.loads(body)
    assert path == "/room"
    assert message["title"] == "red at gate"
    assert message["message"].startswith("Person 1, revision 1.\n2024-01-01 23:00:00 UTC, 90% sure")
    assert base64.b64decode(message["attachments"][0]["base64"]) == b"the jpeg"
    with pytest.raises(InputError, match="does not understand"):
        alerts.add_channel(Channel("bad", "nosuchservice://secret"))


def test_signatures_are_those_of_standard_webhooks() -> None:
    # The example of the specification's libraries (svix, standardwebhooks).
    secret, id, stamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    headers = webhook.signed(id, stamp, b'{"test": 2432232314}', secret)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert webhook.verify(headers, b'{"test": 2432232314}', secret, stamp + 10) == id
    changes = {"webhook-id": "msg_other", "webhook-timestamp": str(stamp + 1), "webhook-signature": "v1,AAAA"}
    for change in ({name: value} for name, value in changes.items()):
        with pytest.raises(InputError, match="signature is wrong"):
            webhook.verify({**headers, **change}, b'{"test": 2432232314}', secret, stamp + 10)
    with pytest.raises(InputError, match="signature is wrong"):
        webhook.verify(headers, b'{"test": 0}', secret, stamp + 10)
    with pytest.raises(InputError, match="too far"):
        webhook.verify(headers, b'{"test": 2432232314}', secret, stamp + 301)
    with pytest.raises(InputError, match="missing"):
        webhook.verify({}, b"", secret, stamp)


@pytest.mark.parametrize(
    ("url", "private", "why"),
    [
        ("http://127.0.0.1/", False, "private network"), ("http://localhost:6379/", False, "private network"),
        ("http://10.1.2.3/", False, "private network"), ("http://192.168.0.1/", False, "private network"),
        ("http://[::1]/", False, "private network"), ("http://[::ffff:10.0.0.1]/", False, "private network"),
        ("http://[fd00::1]/", False, "private network"), ("http://[64:ff9b::a00:1]/", False, "private network"),
        ("http://2130706433/", False, "private network"), ("http://0x7f.1/", False, "private network"),
        ("http://100.64.0.1/", False, "private network"), ("http://[2002:0a00:0001::]/", False, "private network"),
        ("http://169.254.169.254/latest/meta-data", False, "link-local"),
        ("http://169.254.169.254/latest/meta-data", True, "link-local"), ("http://[fe80::1]/", True, "link-local"),
        ("http://0.0.0.0/", True, "unspecified"), ("http://224.0.0.1/", True, "multicast"),
        ("file:///etc/passwd", True, "only http"), ("gopher://x/", True, "only http"), ("http:///x", True, "only http"),
        ("http://user:secret@example.org/", True, "password"), ("http://127.0.0.1:99999/", True, "http://127.0.0.1"),
    ],
)  # fmt: skip
def test_addresses_that_must_not_be_called(url: str, private: bool, why: str) -> None:
    with pytest.raises(AddressError, match=why) as caught:
        addresses(url, private=private)
    assert "secret" not in str(caught.value)


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is judged and private when it is called would get in."""
    import socket

    look_up, asked = socket.getaddrinfo, []

    def rebinding(host: str, port: Any, *args: Any, **options: Any) -> Any:
        if host != "rebinding.example":
            return look_up(host, port, *args, **options)
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    connected: list[Any] = []

    def refuse(place: Any, *_: Any) -> socket.socket:
        connected.append(place)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(AddressError):
        post("http://rebinding.example:80/", b"", {}, private=True)
    assert (asked, connected) == (["rebinding.example"], [("192.0.2.1", 80)])
