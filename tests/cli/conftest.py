"""Commands as a shell calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from personvlm.cli import main


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call with arguments; exit status, what was printed, and what went to stderr."""
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as done:
            main([str(each) for each in arguments])
        out, err = capfd.readouterr()
        return int(done.value.code or 0), out, err

    return call
