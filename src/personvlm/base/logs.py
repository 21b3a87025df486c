"""Logs of what runs for long: one JSON object per line on stderr where a program reads it, text where somebody does.

Each line has ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message`` and what ``extra=`` of the call adds
(``event_id``, ``camera``, ``request``). Nothing about a person is in one: of an error that was caught only its class
and where it happened are told, since its message may quote what was stored; passwords in addresses and tokens are
masked wherever they come from.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, Literal

from personvlm.base.errors import PersonVLMError
from personvlm.schema.events import DescribeRequest

Format = Literal["json", "text"]

_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message"}
_SECRETS = (
    ("@", re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/?#\"']*@", re.IGNORECASE), r"\1***@"),
    ("pv_", re.compile(r"\bpv_([0-9a-f]{12})_[\w-]{43}"), r"pv_\1_***"),
    ("", re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 ***"),
    ("=", re.compile(r"(?i)([?&](?:[\w-]*(?:token|password|passwd|pwd|secret|key|sig|signature))=)[^&\s\"']+"),
     r"\1***"),
)  # fmt: skip


def masked(text: str) -> str:
    """``text`` without passwords of addresses (``rtsp://user:password@host``), tokens, and secrets in queries."""
    for sign, pattern, instead in _SECRETS:
        if sign in text:  # most lines hold none
            text = pattern.sub(instead, text)
    return text


def of(request: DescribeRequest, error: BaseException | None = None, **more: Any) -> dict[str, Any]:
    """What is told of an event, as ``extra`` of a call: which one it is, its trace if there is one, and ``more``.

    Args:
        error: why it failed. The message of an error of ours is told as ``reason``; of others, which may quote what was
            described, only the class is.
    """
    told = {"event_id": request.event_id, "camera": request.camera, "trigger": request.trigger, **more}
    if request.traceparent is not None:
        told["trace_id"] = request.traceparent[3:35]  # of 00-<32 digits>-…: what is logged must not fail
    if error is not None:
        told["error"] = type(error).__name__
        if isinstance(error, PersonVLMError):
            told["reason"] = str(error)
    return told


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """What is told beside the message: what was given as ``extra``, and of an error its class and where it was."""
    told = {name: _plain(value) for name, value in record.__dict__.items() if name not in _USUAL and value is not None}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        told["error"] = type(error).__name__
        told["traceback"] = [f"{frame.filename}:{frame.lineno} {frame.name}"
                             for frame in traceback.extract_tb(error.__traceback__)]  # fmt: skip
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {masked(str(name)): _plain(each) for name, each in value.items()}
    return masked(str(value))


class JsonFormatter(logging.Formatter):
    """A record as one JSON object in one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """See :meth:`logging.Formatter.format`."""
        line = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name,
                "message": masked(record.getMessage())}  # fmt: skip
        return json.dumps({**fields(record), **line}, default=str)


class TextFormatter(logging.Formatter):
    """A record as one line for people: time, level, logger, message, then ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """See :meth:`logging.Formatter.format`."""
        message = "".join(sign if sign.isprintable() else "\ufffd" for sign in masked(record.getMessage()))
        told = "".join(f" {name}={json.dumps(value)}" for name, value in fields(record).items())
        return f"{_time(record)} {record.levelname.lower()} {record.name}: {message}{told}"


def _time(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"


class _Stderr(logging.Handler):
    """Writes to what ``sys.stderr`` is at that time."""

    def __init__(self, form: Format) -> None:
        super().__init__()
        self.form = form
        self.setFormatter(JsonFormatter() if form == "json" else TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """See :meth:`logging.Handler.emit`."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # a log that cannot be written stops nothing
            self.handleError(record)


_handler: _Stderr | None = None
_before = logging.WARNING


def start(form: Format | None = None, *, quiet: bool = False) -> Format:
    """Log to stderr from now on, until :func:`stop`; returns the format.

    Args:
        form: None is text on a terminal and JSON elsewhere.
        quiet: only errors. Otherwise everything of ours from ``info`` on, and warnings of others.
    """
    global _handler, _before
    stop()
    chosen: Format = form or ("text" if sys.stderr.isatty() else "json")
    root = logging.getLogger()
    _handler, _before = _Stderr(chosen), root.level
    root.addHandler(_handler)
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    logging.getLogger("personvlm").setLevel(logging.ERROR if quiet else logging.INFO)
    return chosen


def stop() -> None:
    """Put things back as they were before :func:`start`."""
    global _handler
    if _handler is not None:
        logging.getLogger().removeHandler(_handler)
        logging.getLogger().setLevel(_before)
        logging.getLogger("personvlm").setLevel(logging.NOTSET)
    _handler = None


def failed(reason: str) -> None:
    """The last line of a command that could not go on, as the others were."""
    if _handler is not None and _handler.form == "json":
        logging.getLogger("personvlm").error(reason)
    else:
        print(f"personvlm: error: {reason}", file=sys.stderr)
