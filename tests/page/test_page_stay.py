"""What a demo ends with when it is asked to stay: the page, until Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the page needs the service extra")
from page_people import fill

from personvlm.schema import Described
from personvlm.store import Store

CODE = """
import sys
sys.path.insert(0, sys.argv[3])
from serving import StandIn
from personvlm.server.stay import stay
stay(sys.argv[1], port=int(sys.argv[2]), say=lambda line: print(line, flush=True), describers=[StandIn()])
print("left", flush=True)
"""


def test_the_page_is_there_until_ctrl_c_even_where_the_port_is_taken(tmp_path: Path,
                                                                     walk: list[tuple[int, Described]]) -> None:
    url = f"sqlite:///{tmp_path}/people.db"
    with Store.open(url) as store:
        fill(store, walk)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", CODE, url, str(port), str(Path(__file__).parents[1] / "server")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                address = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
                assert address is not None, line
                assert int(address[1]) != port
                with urllib.request.urlopen(address[0], timeout=30) as answer:
                    assert b"<title>PersonVLM</title>" in answer.read()
                with urllib.request.urlopen(f"{address[0]}v1/people", timeout=30) as answer:
                    assert walk[-1][1].request.person in answer.read().decode()
                live = urllib.request.urlopen(f"{address[0]}v1/events/stream", timeout=30)
                assert live.status == 200
                process.send_signal(signal.SIGINT)
                assert process.stdout.readline() == "left\n"
                assert process.wait(20) == 0
            finally:
                process.kill()
