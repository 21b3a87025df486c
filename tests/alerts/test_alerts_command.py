"""``personvlm alerts`` over a real store, from a rule to its delivery."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from alert_people import NIGHT, described

from personvlm.alerts.engine import Alerts
from personvlm.cli import main
from personvlm.store import Store


class Run:
    def __init__(self, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.store, self.capsys = store, capsys

    def __call__(self, *arguments: str, status: int = 0) -> Any:
        with pytest.raises(SystemExit) as ended:
            main(["alerts", *arguments, "--store", str(self.store)])
        self.out, self.err = self.capsys.readouterr()
        assert (ended.value.code or 0) == status, self.out + self.err
        return json.loads(self.out) if "--json" in arguments and status == 0 else self.out


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path / "store.db", capsys)


RED = 'upper.color == "red" && confidence >= 0.8, in 1 of 5 crops'


def test_from_a_rule_to_its_delivery(run: Run) -> None:
    taken: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    run("channel", "hook", url, status=1)
    assert "--private" in run.err
    made = run("channel", "hook", url, "--private", "--json")
    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in run("channels")
    run("add", "red", RED, "--channel", "hook", "-q")
    assert run("rules", "--json") == [
        {"name": "red", "rule": RED, "timezone": None, "words": None, "channels": ["hook"],
         "enabled": True}]  # fmt: skip
    with Store.open(run.store) as store:
        people = [described(1), described(2, red=0.7, time=NIGHT + 5), described(3, red=0.95, time=NIGHT + 9)]
        store.add(people)
        assert len(Alerts(store).observe(people)) == 2
    found = run("list", "--json")
    assert [alert["text"] for alert in found] == ["Person 3, revision 1.", "Person 1, revision 1."]
    assert "Person 3" in run("list")
    sent = run("deliver", "--once", "--json")
    assert sent == {"delivered": 2, "failed": 0, "dead": 0, "waiting": 0, "given_up": 0}
    assert {message["alert"]["id"] for message in taken} == {alert["id"] for alert in found}
    server.shutdown()
    server.server_close()
    assert run("ack", found[0]["id"][:8], "--by", "eve", "--json")["acknowledged_by"] == "eve"
    assert run("close", found[1]["id"], "--json")["state"] == "closed"
    run("close", found[1]["id"], status=1)
    assert [alert["state"] for alert in run("list", "--rule", "red", "--json")] == ["acknowledged", "closed"]
    run("deliver", "--once", status=1)  # nobody is there any more
    assert "not taken" in run.err
    run("pause", "red")
    run("resume", "red")
    run("remove", "red")
    assert run("rules").startswith("No rules")
    run("remove", "red", status=1)
    run("remove-channel", "hook")
    run("add", "gat", 'upper.color == "red" && camera in ["gate", "gat"]')
    assert run.err == "personvlm: warning: no camera is called 'gat' so far; there are gate\n"


def test_a_dry_run_tells_what_would_have_been(run: Run) -> None:
    with Store.open(run.store) as store:
        store.add([described(track, red=red, time=NIGHT + 1800 * track)
                   for track, red in enumerate((0.9, 0.85, 0.3, 0.95, 0.1))])  # fmt: skip
    told = run("dry-run", RED, "--json")
    assert (told["count"], told["people"], told["rule"]) == (3, 5, RED)
    assert told["expected_precision"] == pytest.approx(0.9, abs=0.02)  # stored probabilities are rounded
    assert told["missed"] == pytest.approx(0.4, abs=0.05)
    assert told["per_day"] == pytest.approx(36)
    assert told["interval"][0] < 0.9 < told["interval"][1]
    assert "3 alerts about 5 people; 90% of them are expected to be right" in run("dry-run", RED)
    assert run("dry-run", RED, "--since", "2024-01-01T23:45+00:00", "--json")["count"] == 1
    assert run("dry-run", RED, "--camera", "hall", "--json")["count"] == 0
    assert run("dry-run", "somebody in a red top at the gate, 80 % sure", "--plain", "--json")["count"] == 0
    assert 'understood as: upper.color == "red" && confidence >= 0.8 && camera == "gate"' in run.err
    assert "3 descriptions fit, but nobody on enough evidence (in 3 of 5 crops)" in run(
        "dry-run", 'upper.color == "red" && confidence >= 0.8')
    run("dry-run", RED, "--since", "yesterday", status=1)
    assert "no time" in run.err
    assert run("rules", "--json") == []


def test_a_sentence_is_seen_before_it_is_saved(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "tell me when somebody in a red jacket with a strange look is at the gate"
    run("add", "red", words, "--plain", status=1)
    assert "understood as" in run.err
    assert "strange" in run.err
    assert "--yes" in run.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    run("add", "red", words, "--plain", status=1)
    assert run("rules", "--json") == []
    run("add", "red", words, "--plain", "--yes")
    (saved,) = run("rules", "--json")
    assert saved["words"] == words
    assert saved["rule"] == 'upper.color == "red" && upper.garment == "jacket" && camera == "gate"'


def test_what_is_wrong_is_said(run: Run) -> None:
    run("add", "red", 'uper.color == "red"', status=1)
    assert "did you mean 'upper.color'" in run.err
    assert "--plain" not in run.err
    run("add", "jeans", "somebody in blue jeans", status=1)
    assert "for a sentence give --plain" in run.err
    run("add", "Red!", RED, status=1)
    assert "no name" in run.err
    run("add", "phone", '"smoking" in activity')
    assert "not taught 'smoking'" in run.err
    run("add", "gate", 'upper.color == "red" && camera == "gate"')
    assert not run.err, "rules may come before people"
    run("ack", "nonsense", status=1)
    assert "no id" in run.err
    run("dry-run", RED, "--timezone", "Mars/Olympus", status=1)
    assert "Europe/Berlin" in run.err
    run("add", "red", RED)
    run("list", "--limit", "9" * 20, status=2)
    assert "--limit" in run.err
