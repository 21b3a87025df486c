"""``make demo STAY=1``: the demo's people are on the page whose address it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from page_shop import until


@pytest.mark.accept
def test_the_page_shows_the_people_of_the_demo(page: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "personvlm", "demo", "--stay", "--out", str(tmp_path)]
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unbuffered) as process:
        try:
            assert process.stdout is not None
            lines = []
            address = None
            for line in process.stdout:
                lines.append(line)
                address = re.search(r"http://127\.0\.0\.1:\d+/", line)
                if address:
                    break
            assert address is not None, "".join(lines)
            described = re.search(r"Described (\d+) p", "".join(lines))
            assert described is not None, "".join(lines)
            page.goto(address[0])
            page.locator(".card").first.wait_for()
            assert page.locator(".card").count() == min(24, int(described[1]))
            until(page, "document.querySelector('.card img')?.naturalWidth > 0")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
