"""Lines of logs: what is in one, and what is not."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from personvlm.base import logs
from personvlm.base.errors import InputError
from personvlm.schema.events import Crop, DescribeRequest

SECRET = "pv_0123456789ab_" + 43 * "s"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Written:
    """What a test wrote to stderr, which is no terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    def clear(self) -> None:
        self.getvalue()
        self._text = ""


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    yield Written(capsys)
    logs.stop()


def lines(written: Written) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_one_object_with_time_level_logger_message_and_what_was_told(stderr: Written) -> None:
    assert logs.start() == "json"
    before = datetime.now(timezone.utc)
    logging.getLogger("personvlm.a").info("two\nlines, \u00fc, %d", 7, extra={"event_id": "e1", "many": [1, None],
                                                                               "no": None})  # fmt: skip
    (line,) = lines(stderr)
    at = datetime.fromisoformat(str(line.pop("time")).replace("Z", "+00:00"))
    assert abs((at - before).total_seconds()) < 5
    assert line == {"level": "info", "logger": "personvlm.a", "message": "two\nlines, \u00fc, 7", "event_id": "e1",
                    "many": [1, None]}  # fmt: skip


def test_text_on_a_terminal_and_json_elsewhere_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    try:
        assert logs.start() == "text"
        logging.getLogger("personvlm.a").warning("no\x1b[31m luck", extra={"event_id": "e1"})
        assert terminal.getvalue().endswith('Z warning personvlm.a: no\ufffd[31m luck event_id="e1"\n')
        assert logs.start("json") == "json"
        logging.getLogger("personvlm.a").warning("once")
        assert terminal.getvalue().count("once") == 1
    finally:
        logs.stop()


def test_levels(stderr: Written) -> None:
    def levels(quiet: bool) -> list[tuple[object, object]]:
        stderr.clear()
        logs.start("json", quiet=quiet)
        for name in ("personvlm.a", "uvicorn.error"):
            for level in ("debug", "info", "warning", "error"):
                getattr(logging.getLogger(name), level)("x")
        return [(line["logger"], line["level"]) for line in lines(stderr)]

    loud = levels(False)
    assert loud == [("personvlm.a", "info"), ("personvlm.a", "warning"), ("personvlm.a", "error"),
                    ("uvicorn.error", "warning"), ("uvicorn.error", "error")]  # fmt: skip
    assert levels(True) == [("personvlm.a", "error"), ("uvicorn.error", "error")]
    logs.stop()
    logging.getLogger("personvlm.a").error("after")
    assert "after" not in stderr.getvalue()


@pytest.mark.parametrize(("text", "told"), [
    ("rtsp://admin:pass@word@10.0.0.7/live is gone", "rtsp://***@10.0.0.7/live is gone"),
    ("postgresql+psycopg://me:secret@db/people", "postgresql+psycopg://***@db/people"),
    (f"with {SECRET}!", "with pv_0123456789ab_***!"),
    ("Authorization: Bearer abc.def-1", "Authorization: Bearer ***"),
    ("http://cam/live?user=a&password=b&x=1", "http://cam/live?user=a&password=***&x=1"),
    ("mail to me@example.org, see http://a/b@c", "mail to me@example.org, see http://a/b@c"),
])  # fmt: skip
def test_secrets_are_masked_in_messages_and_fields(stderr: Written, text: str, told: str) -> None:
    logs.start("json")
    logging.getLogger("personvlm.a").info("%s", text, extra={"camera": text, "all": [text], "error": ValueError(text)})
    (line,) = lines(stderr)
    assert (line["message"], line["camera"], line["all"], line["error"]) == (told, told, [told], told)


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_is_told_by_its_class_and_place_and_not_by_what_it_quotes(
    stderr: Written, form: logs.Format
) -> None:
    logs.start(form)
    try:
        raise ValueError("DETAIL: Key (text)=(A woman in a red coat)")
    except ValueError:
        logging.getLogger("personvlm.a").exception("could not be stored")
    assert "woman" not in stderr.getvalue()
    assert "ValueError" in stderr.getvalue()
    assert "test_logs.py" in stderr.getvalue()
    assert stderr.getvalue().count("\n") == 1


def test_an_event_is_named_with_its_trace_and_reasons_of_ours_only() -> None:
    crop = Crop(data=b"x", time=1.0)
    request = DescribeRequest.build("gate", 7, "new_track", 1.0, crop, first_seen=1.0)
    assert logs.of(request, delay_ms=3) == {"event_id": request.event_id, "camera": "gate", "trigger": "new_track",
                                            "delay_ms": 3}  # fmt: skip
    traced = request.model_copy(update={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    told = logs.of(traced, ValueError("a man in red"), attempt=2)
    assert (told["trace_id"], told["error"], told["attempt"], "reason" in told) == ("ab" * 16, "ValueError", 2, False)
    assert logs.of(request, InputError("no picture can be read"))["reason"] == "no picture can be read"


def test_the_last_line_of_a_command_is_like_the_others(stderr: Written) -> None:
    logs.failed("100 % wrong")
    logs.start("json")
    logs.failed("100 % wrong")
    first, second = stderr.getvalue().splitlines()
    assert first == "personvlm: error: 100 % wrong"
    assert json.loads(second)["message"] == "100 % wrong"
