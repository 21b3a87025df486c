"""Rules with a time zone, and alerts as a server shows and sends them where it does not say everything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from stored import Site, described, filled

from personvlm.alerts.engine import Alerts, Channel
from personvlm.store import Store

COAT = 'gender == "female" && upper.garment == "coat", in 1 of 1 crops'


def test_what_a_server_does_not_show_leaves_it_with_no_alert(serve: Callable[..., Any], tmp_path: Path) -> None:
    received: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    url, people = filled(tmp_path)
    new = described(30)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as hook:
        threading.Thread(target=hook.serve_forever, daemon=True).start()
        with Store.open(url) as store:
            alerts = Alerts(store)
            alerts.add_channel(Channel("phone", f"http://127.0.0.1:{hook.server_port}/", "s3cret", private=True))
            alerts.add_rule("coats", COAT, channels=["phone"])
            store.add([new])
            assert len(alerts.observe([new])) == 1
        site = Site(serve(store=url, deliver_s=0.2, gender=False), url, people)
        end = time.monotonic() + 60
        while not received and time.monotonic() < end:
            time.sleep(0.05)
        (shown,) = site.json("/v1/alerts")["alerts"]
        hook.shutdown()
    sent = received[0]["alert"]
    assert (sent["text"], sent["why"]) == (shown["text"], shown["why"]), "it sends what it shows"
    assert "red coat" in sent["text"]
    assert set(sent["why"]) == {'upper.garment == "coat"'}
    words = set(json.dumps(received).lower().replace(".", " ").replace('"', " ").split())
    assert not words & {"woman", "she", "her", "gender", "female"}


def test_a_rule_keeps_its_time_zone(site: Site) -> None:
    night = '"backpack" in carrying && time in 22:00-06:00'
    whole = f'{night}, timezone "Europe/Berlin"'
    words = "somebody with a backpack"
    made = site.send("POST", "/v1/rules/compile", {"words": f"{words} at night", "timezone": "Europe/Berlin"}).json()
    assert (made["rule"], made["timezone"]) == (whole, "Europe/Berlin")
    always = site.send("POST", "/v1/rules/compile", {"words": words, "timezone": "Europe/Berlin"}).json()
    assert (always["rule"], always["timezone"]) == ('"backpack" in carrying', None), "it asks for no time"
    strange = site.send("POST", "/v1/rules/compile", {"words": f"{words} at night", "timezone": "Etc/Unknown"})
    assert (strange.json()["rule"], strange.json()["timezone"]) == (night, None)
    assert "Etc/Unknown" in strange.json()["notes"][-1]
    put = site.send("PUT", "/v1/rules/night", {"rule": night, "timezone": "Europe/Berlin"}).json()
    assert (put["rule"], put["timezone"]) == (whole, "Europe/Berlin")
    (listed,) = site.json("/v1/rules")["rules"]
    rests = site.send("PUT", "/v1/rules/night", {"rule": listed["rule"], "enabled": False}).json()
    assert (rests["timezone"], rests["enabled"]) == ("Europe/Berlin", False), "who sends back the text sends the zone"
    assert site.send("PUT", "/v1/rules/night", {"rule": night, "timezone": "Mars/Olympus"}).status_code == 422
    dry = site.send("POST", "/v1/rules/dry-run", {"rule": night, "timezone": "Europe/Berlin", "since": 0}).json()
    assert dry["rule"] == whole
