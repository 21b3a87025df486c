"""Issue 7, acceptance 4: the receiver is down for a minute, and the sender is killed meanwhile; nothing is lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from personvlm.alerts import webhook
from personvlm.alerts.engine import Alerts, Channel
from personvlm.schema import Described, PersonDescription
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.store import Store

SECRET = webhook.new_secret()


def person(track: int) -> Described:
    request = DescribeRequest.build("gate", track, "new_track", 1.7e9 + track, Crop(data=b"jpeg"), first_seen=1.7e9)
    said = PersonDescription(text=f"Person {track}.", scores={"upper.color": {"red": 0.9}}, model="test")
    return Described(request=request, description=said, described_at=1.7e9 + track)


def receive(port: int, taken: dict[str, list[Any]]) -> ThreadingHTTPServer:
    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            id = webhook.verify(headers, body, SECRET, time.time())
            taken.setdefault(id, []).append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Hook)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def sender(store: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "personvlm", "alerts", "deliver", "--store", str(store), "-q"])


@pytest.mark.parametrize(("down", "people"), [(2.0, 20), pytest.param(60.0, 400, marks=pytest.mark.accept)])
def test_a_receiver_that_is_down(down: float, people: int, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path, taken = tmp_path / "store.db", dict[str, list[Any]]()
    with Store.open(path) as store:
        alerts = Alerts(store)
        alerts.add_channel(Channel("hook", f"http://127.0.0.1:{port}/", SECRET, private=True))
        alerts.add_rule("red", 'upper.color == "red", in 1 of 5 crops', channels=["hook"])
        server, sending = receive(port, taken), sender(path)
        try:
            raised = [alert.id for track in range(people // 2) for alert in alerts.observe([person(track)])]
            _until(lambda: len(taken) >= people // 4)
            server.shutdown()
            server.server_close()
            raised += [alert.id for track in range(people // 2, people) for alert in alerts.observe([person(track)])]
            time.sleep(down / 2)
            sending.kill()
            sending.wait()
            sending = sender(path)
            time.sleep(down / 2)
            server = receive(port, taken)
            _until(lambda: len(taken) >= people)
            time.sleep(1.0)
        finally:
            sending.terminate()
            assert sending.wait(60) == 0
            server.shutdown()
            server.server_close()
    told = [copies[0]["alert"]["id"] for copies in taken.values()]
    copies = sum(map(len, taken.values())) - people
    print(f"\n{people} alerts, receiver down for {down:g} s and sender killed: {len(told)} told, {copies} copies by id")
    assert len(raised) == people
    assert sorted(told) == sorted(raised)


def _until(so: Any, seconds: float = 400.0) -> None:
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
