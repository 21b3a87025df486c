"""2,000 cases of schemathesis, 1,000 hostile uploads, and what the server's memory does meanwhile. Run with ``-s``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.accept
sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

CASES, SEED = int(os.environ.get("SERVER_CASES", "2000")), int(os.environ.get("SERVER_SEED", "20260801"))
UPLOADS = int(os.environ.get("SERVER_UPLOADS", "1000"))


def test_schemathesis_at_length(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    from abuse import everything, schemathesis_cases

    with everything(tmp_path) as server:
        answered = schemathesis_cases(server, CASES, SEED)
    print(f"\n{sum(answered.values())} cases: {answered}")
    assert sum(answered.values()) >= CASES
    assert "5xx" not in answered


def resident(pid: int) -> float:
    """Resident memory in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_hostile_uploads_at_length() -> None:
    """Against ``personvlm serve`` with the real model, if it ships, in a process of its own."""
    from abuse import hostile
    from serving import jpeg

    command = [sys.executable, "-m", "personvlm", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            port = next(int(found[1]) for line in server.stderr
                        if (found := re.search(r"serving on http://127\.0\.0\.1:(\d+)", line)))  # fmt: skip
            drain = subprocess.Popen([sys.executable, "-c", "import sys\nfor line in sys.stdin.buffer: pass"],
                                     stdin=server.stderr)  # fmt: skip
            url = f"http://127.0.0.1:{port}/v1/describe"
            good = {"content": jpeg(), "headers": {"content-type": "image/jpeg"}}
            memory: list[float] = []
            with httpx.Client(timeout=60) as client:
                for row, (name, sent) in enumerate(hostile(UPLOADS, seed=7)):
                    answer = client.post(url, **sent)
                    if name == "huge_header" and answer.status_code == 200:
                        continue  # 8 million pixels are a legal picture under the usual limits
                    assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text[:300])
                    if row % max(1, UPLOADS // 20) == 0:
                        assert client.post(url, **good).status_code == 200
                        memory.append(resident(server.pid))
            print(f"\nresident MB while {UPLOADS} came: {[round(each) for each in memory]}")
            settled = memory[len(memory) // 4 :]
            assert max(settled[len(settled) // 2 :]) <= max(settled[: len(settled) // 2]) + 20
        finally:
            server.terminate()
            server.wait(60)
            drain.wait(10)
