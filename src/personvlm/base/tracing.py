"""OpenTelemetry traces, where they are asked for: one event is one trace, from its camera or request to its alert.

Nothing is traced, and nothing imported, until :func:`start` finds an address to send to and the extra ``otel``. A span
says what was done, when, how often and with which kind of error: ids of events, numbers and names of steps. Nothing
that was said or asked about a person, no picture, no path of a request, no message of an error is in one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from personvlm.schema.events import DescribeRequest

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables of the environment, one of which asks for traces. Others of OpenTelemetry's are obeyed too."""

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Facts = Mapping[str, "str | int"]

_tracer: Any = None
_log = logging.getLogger(__name__)


def start(service: str) -> bool:
    """Send spans to where the environment says, from now on and until the process ends; whether it says so.

    Args:
        service: what this process is called, unless ``OTEL_SERVICE_NAME`` says otherwise.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        _log.warning("traces are asked for, and not sent: they need %s: pip install 'personvlm[otel]'", error.name)
        return False
    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)
    return True


def use(provider: Any) -> None:
    """Give spans to a ``TracerProvider``; None ends tracing. It is not made that of all libraries: what those would
    tell of a request is more than this module does."""
    global _tracer
    _tracer = None if provider is None else provider.get_tracer("personvlm")


class Span:
    """A step that is being traced, or, where nothing is, nothing.

    Attributes:
        traceparent: of whatever follows from it (W3C trace context); what came before it where nothing is traced.
    """

    def __init__(self, span: Any, parent: str | None) -> None:
        self._span, self.traceparent = span, parent
        if span is not None:
            made = span.get_span_context()
            self.traceparent = f"00-{made.trace_id:032x}-{made.span_id:016x}-{made.trace_flags:02x}"

    def note(self, facts: Facts) -> None:
        """Attributes; see the head of this file for what may be one."""
        if self._span is not None:
            self._span.set_attributes(facts)

    def rename(self, name: str) -> None:
        """Call it something else."""
        if self._span is not None:
            self._span.update_name(name)

    def failed(self, error: BaseException | str) -> None:
        """It came to nothing. Of an error only its class is noted: its message may tell of people."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", error if isinstance(error, str) else type(error).__name__)

    def end(self) -> None:
        """It is over."""
        if self._span is not None:
            self._span.end()


Step = tuple[Span, DescribeRequest]
"""A span, and the event as it goes on from there: what follows from that is part of its trace."""


def begin(name: str, parent: str | None = None, *, kind: Kind = "internal", event_id: str | None = None,
          facts: Facts | None = None) -> Span:  # fmt: skip
    """A span that somebody will end.

    Args:
        name: of the step; there are few of them.
        parent: ``traceparent`` of what it follows from; where that can be none, it is the first of a trace. None: the
            :func:`span` that this happens in, if any.
    """
    if _tracer is None:
        return Span(None, parent)
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = None if parent is None else TraceContextTextMapPropagator().extract({"traceparent": parent})
    known = {} if event_id is None else {"personvlm.event_id": event_id}
    return Span(_tracer.start_span(name, context, trace.SpanKind[kind.upper()], {**known, **(facts or {})}), parent)


@contextmanager
def span(name: str, parent: str | None = None, **more: Any) -> Iterator[Span]:
    """A span around what is done here, and the parent of those that begin in it. For ``more`` see :func:`begin`."""
    made = begin(name, parent, **more)
    if made._span is None:
        yield made
        return
    from opentelemetry.trace import use_span

    try:
        with use_span(made._span, record_exception=False, set_status_on_exception=False):
            yield made
    except BaseException as error:
        made.failed(error)
        raise
    finally:
        made.end()


def step(name: str, request: DescribeRequest, *, kind: Kind = "internal",
         facts: Facts | None = None) -> Step:  # fmt: skip
    """A step of an event, which somebody will end."""
    made = begin(name, request.traceparent, kind=kind, event_id=request.event_id, facts=facts)
    if made.traceparent == request.traceparent:
        return made, request
    return made, request.model_copy(update={"traceparent": made.traceparent})


@contextmanager
def steps(name: str, requests: Sequence[DescribeRequest], *, kind: Kind = "internal",
          facts: Facts | None = None) -> Iterator[list[Step]]:  # fmt: skip
    """Something that is done to several events together: a step of each, which ends with it."""
    made = [step(name, request, kind=kind, facts=facts) for request in requests]
    try:
        yield made
    except BaseException as error:
        for one, _ in made:
            one.failed(error)
        raise
    finally:
        for one, _ in made:
            one.end()


def traceparent() -> str | None:
    """Of the :func:`span` that this happens in."""
    if _tracer is None:
        return None
    from opentelemetry import trace

    inside = trace.get_current_span()
    return Span(inside, None).traceparent if inside.get_span_context().is_valid else None
