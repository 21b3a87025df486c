"""The progress bar: late, on a terminal only, and never in the way of the answers."""

from __future__ import annotations

import sys

import pytest

from personvlm.cli import progress as module
from personvlm.cli.progress import progress


class Terminal:
    """A stderr that says it is a terminal."""

    def __init__(self) -> None:
        self.written = ""
        self.encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        pass


def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put in place by the test itself: between a fixture and its test pytest puts its own stderr back."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    return stderr


def test_slow_work_is_shown_and_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    assert list(progress(iter("abc"), 3, "Describing")) == ["a", "b", "c"]
    assert "Describing" in terminal.written


def test_quick_work_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    assert list(progress(iter("abc"), 3, "Describing")) == ["a", "b", "c"]
    assert terminal.written == ""


def test_quiet_work_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    assert list(progress(iter("abc"), 3, "Describing", quiet=True)) == ["a", "b", "c"]
    assert terminal.written == ""


def test_no_terminal_no_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    assert list(progress(iter("abc"), 3, "Describing")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""
