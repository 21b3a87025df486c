"""``personvlm serve`` and ``personvlm token`` as commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from serving import free_port, jpeg

from personvlm.cli import main
from personvlm.runtime.describer import shipped

needs_model = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("place", ["--file", "--store"])
def test_a_token_is_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    where = [place, str(tmp_path / "kept")]
    assert run("token", "create", "frigate", "--scope", "ingest", "--scope", "read", *where) == 0
    out, err = capsys.readouterr()
    secret = out.strip()
    assert re.fullmatch(r"pv_[0-9a-f]{12}_[\w-]{43}", secret)
    assert "ingest, read" in err
    assert run("token", "create", "guest", "--scope", "read", "--days", "1", "--json", *where) == 0
    guest = json.loads(capsys.readouterr().out)
    assert guest["expires"] > guest["created"]
    assert run("token", "list", "--json", *where) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["scopes"], each["state"]) for each in listed] == [
        ("frigate", ["ingest", "read"], "good"), ("guest", ["read"], "good")]  # fmt: skip
    assert secret not in json.dumps(listed)
    assert run("token", "revoke", listed[0]["id"], *where) == 0
    capsys.readouterr()
    assert run("token", "list", *where) == 0
    assert re.search(r"frigate\s+ingest read\s+revoked", capsys.readouterr().out)
    assert run("token", "revoke", "unknown", *where) == 1


@pytest.mark.parametrize("arguments", [
    ["token", "list"], ["token", "list", "--file", "a", "--store", "b"],
    ["token", "create", "a", "--scope", "x", "--file", "f"],
    ["serve", "--host", "0.0.0.0"], ["serve", "--model", "nowhere"], ["serve", "--port", "70000"],
    ["serve", "--tls-key", "key.pem"], ["serve", "--store", "mysql://localhost/people"],
])  # fmt: skip
def test_what_cannot_be(arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path,
                        monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) in (1, 2)
    assert capsys.readouterr().err


@needs_model
def test_it_serves_and_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "personvlm", "serve", "--port", "0", "--store", str(tmp_path / "people.db")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        first = server.stderr.readline()
        url = re.fullmatch(r"http://127\.0\.0\.1:\d+", json.loads(first)["url"])
        assert url, first
        asked = {"content": jpeg(64, 128), "headers": {"content-type": "image/jpeg"}, "params": {"say": "all"}}
        answer = httpx.post(f"{url[0]}/v1/describe", timeout=60, **asked)
        assert answer.json()["results"][0]["text"].startswith("The image shows")
        assert httpx.get(f"{url[0]}/readyz").json()["parts"] == {"describer": "ok", "store": "ok"}
        httpx.get(f"{url[0]}/v1/people", params={"q": "woman in red", "token": "pv_0123456789ab_" + 43 * "x"})
        server.send_signal(signal.SIGINT)
        rest = server.stderr.read()
        assert server.wait(60) == 0, rest
    requests = [line for line in map(json.loads, rest.splitlines()) if line["logger"] == "personvlm.server.access"]
    assert (requests[0]["method"], requests[0]["path"], requests[0]["status"]) == ("POST", "/v1/describe", 200)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", requests[0]["time"])
    assert (requests[0]["level"], requests[0]["message"]) == ("info", "POST /v1/describe 200")
    assert requests[0]["request_id"] == answer.headers["x-request-id"]
    assert not re.search(r"Traceback|The image shows|woman|xxx", rest)


@needs_model
def test_its_log_can_be_for_people(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "personvlm", "serve", "--port", "0", "--log-format", "text"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        first = server.stderr.readline()
        url = re.fullmatch(r"personvlm: serving on (http://127\.0\.0\.1:\d+)\n", first)
        assert url, first
        assert httpx.get(f"{url[1]}/healthz").status_code == 200
        server.send_signal(signal.SIGINT)
        rest = server.stderr.read()
        assert server.wait(60) == 0, rest
    assert re.match(r'\S+Z info personvlm.server.access: GET /healthz 200 request_id="\w{16}"', rest)


@needs_model
def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert run("serve", "--port", str(port)) == 1
    assert str(port) in capsys.readouterr().err
