"""One event is one trace, from the request that brought it to the alert that it raised, and nobody is in it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from serving import SAID, Running, StandIn, jpeg

pytest.importorskip("opentelemetry.sdk", reason="needs the otel extra")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from personvlm.alerts.engine import Alerts, Channel
from personvlm.base import tracing
from personvlm.events import QueueSettings, open_queue
from personvlm.events.describing import EventEngine
from personvlm.events.memory import MemoryQueue
from personvlm.events.worker import Worker, WorkerSettings
from personvlm.runtime.describer import shipped
from personvlm.schema import Crop, DescribeRequest, PersonDescription
from personvlm.store import Store

Tree = dict[str, tuple[str | None, SpanKind]]
CAME_FROM = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BODY = {"camera": "secret yard", "track_id": 7, "frame_time": 1_750_000_000.0, "first_seen": 1_749_999_990.0,
        "images": [base64.b64encode(jpeg()).decode()]}  # fmt: skip


class Model:
    """Stands where a ``TrackModel`` does."""

    def __init__(self, fails: bool = False) -> None:
        self.describer, self._fails = StandIn(), fails

    def describe_all(self, people: Sequence[Any]) -> list[PersonDescription]:
        if self._fails:
            raise ValueError("a man in a red coat cannot be described")
        return [SAID for _ in people]


class Collector:
    """Where spans are sent to, over HTTP: what arrived, as it came and decoded."""

    def __init__(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        self.raw, self.paths, self.messages = b"", list[str](), list[Any]()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.raw += body
                collector.paths.append(self.path)
                collector.messages.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def services(self) -> set[str]:
        resources = [part.resource for message in self.messages for part in message.resource_spans]
        return {each.value.string_value for one in resources for each in one.attributes if each.key == "service.name"}

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for message in self.messages for part in message.resource_spans
                for scope in part.scope_spans for span in scope.spans}  # fmt: skip


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@pytest.fixture
def spans() -> Iterator[Callable[[], tuple[ReadableSpan, ...]]]:
    """What has ended so far, in this process."""
    provider, kept = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracing.use(provider)
    yield kept.get_finished_spans
    tracing.use(None)


def work(url: str, queue: Any, model: Model | None = None) -> None:
    """Everything that is queued, into the store of ``url``."""
    with Store.open(url) as store:
        engine = EventEngine(model or Model(), store.blobs)  # type: ignore[arg-type]
        settings = WorkerSettings(wait_s=0.02)
        Worker(queue, store, engine, settings, observe=Alerts(store).observe).run(until_empty=True)


def tree(spans: Sequence[ReadableSpan]) -> Tree:
    """Name -> name of its parent, and its kind."""
    names = {span.context.span_id: span.name for span in spans if span.context}
    return {span.name: (None if span.parent is None else names.get(span.parent.span_id, "elsewhere"), span.kind)
            for span in spans}  # fmt: skip


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def test_one_event_is_one_trace_from_its_request_to_its_alert(
    serve: Callable[..., Running], tmp_path: Path, spans: Callable[[], tuple[ReadableSpan, ...]], collector: Collector
) -> None:
    url, queue_url = str(tmp_path / "people.db"), f"sqlite:///{tmp_path / 'queue.db'}"
    with Store.open(url) as store:
        alerts = Alerts(store)
        alerts.add_channel(Channel("hook", f"{collector.url}/alert", private=True))
        alerts.add_rule("red", 'upper.color == "red", in 1 of 5 crops', channels=["hook"])
    server = serve(store=url, queue=queue_url, deliver_s=0.05)
    answer = httpx.post(f"{server.url}/v1/events", json=BODY, headers={"traceparent": CAME_FROM})
    assert answer.status_code == 202
    queue = open_queue(queue_url)
    work(url, queue)
    queue.close()
    wanted: Tree = {
        "POST /v1/events": ("elsewhere", SpanKind.SERVER), "put": ("POST /v1/events", SpanKind.PRODUCER),
        "claim": ("put", SpanKind.CONSUMER), "describe": ("claim", SpanKind.INTERNAL),
        "store": ("claim", SpanKind.INTERNAL), "alert": ("store", SpanKind.INTERNAL),
        "deliver": ("alert", SpanKind.CLIENT),
    }  # fmt: skip
    assert until(lambda: len(spans()) >= len(wanted))
    assert tree(spans()) == wanted
    assert {f"{span.context.trace_id:032x}" for span in spans() if span.context} == {CAME_FROM.split("-")[1]}
    told = json.loads(collector.raw)
    assert "traceparent" not in told
    of_event = {span.name for span in spans() if (span.attributes or {}).get("personvlm.event_id")}
    assert of_event == wanted.keys() - {"POST /v1/events"}
    assert {(span.attributes or {})["personvlm.event_id"] for span in spans() if span.name in of_event} == {
        answer.json()["event_id"]
    }
    everything = "".join(span.to_json() for span in spans())
    assert '"http.response.status_code": 202' in everything
    assert '"personvlm.outcome": "accepted"' in everything
    for private in ("secret yard", "red", SAID.text, "coat", answer.json()["person"], "127.0.0.1"):
        assert private not in everything, private


def test_events_that_are_described_together_stay_in_their_own_traces(
    tmp_path: Path, spans: Callable[[], tuple[ReadableSpan, ...]]
) -> None:
    queue = MemoryQueue()
    asked = [DescribeRequest.build("gate", track, "new_track", 1.0, Crop(data=jpeg())) for track in range(4)]
    queue.put(asked)
    work(str(tmp_path / "people.db"), queue)
    traces: dict[int, list[ReadableSpan]] = {}
    for span in spans():
        assert span.context is not None
        traces.setdefault(span.context.trace_id, []).append(span)
    assert len(traces) == 4
    ids = set()
    for one in traces.values():
        assert sorted(span.name for span in one) == ["claim", "describe", "put", "store"]
        (event,) = {(span.attributes or {})["personvlm.event_id"] for span in one}
        ids.add(event)
    assert ids == {each.event_id for each in asked}


def test_what_fails_is_seen_and_nothing_is_said_of_whom(
    tmp_path: Path, spans: Callable[[], tuple[ReadableSpan, ...]]
) -> None:
    queue = MemoryQueue(QueueSettings(attempts=1))
    queue.put([DescribeRequest.build("gate", 1, "new_track", 1.0, Crop(data=jpeg()))])
    work(str(tmp_path / "people.db"), queue, Model(fails=True))
    failed = {span.name: span for span in spans() if not span.status.is_ok and span.status.is_unset is False}
    assert failed.keys() == {"describe", "claim"}
    assert {(span.attributes or {})["error.type"] for span in failed.values()} == {"ValueError"}
    assert not any(span.events or span.status.description for span in spans())


def test_a_request_that_is_no_part_of_a_trace_begins_one_and_says_no_more_than_its_route(
    serve: Callable[..., Running], tmp_path: Path, spans: Callable[[], tuple[ReadableSpan, ...]]
) -> None:
    server = serve(store=str(tmp_path / "people.db"))
    with pytest.MonkeyPatch.context() as patch:  # as if somebody had made spans the business of all libraries
        provider, kept = TracerProvider(), InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(kept))
        patch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
        httpx.get(f"{server.url}/v1/search", params={"q": "woman in a red coat"}, headers={"traceparent": "nonsense"})
        httpx.get(f"{server.url}/v1/people/{'a' * 32}")
        httpx.get(f"{server.url}/nowhere/anna")
    assert until(lambda: len(spans()) == 3)
    assert {span.name for span in spans()} == {"GET /v1/search", "GET /v1/people/{id}", "other"}
    assert all(span.parent is None for span in spans())
    everything = "".join(span.to_json() for span in (*spans(), *kept.get_finished_spans()))
    assert not any(private in everything for private in ("red", "a" * 32, "anna", "127.0.0.1"))


@pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")
def test_a_worker_sends_its_spans_to_where_the_environment_says(tmp_path: Path, collector: Collector) -> None:
    place = str(tmp_path / "people.db")
    queue = open_queue(place)
    event = DescribeRequest.build("secret yard", 7, "new_track", 1.0, Crop(data=jpeg()), first_seen=0.5,
                                  traceparent=CAME_FROM)  # fmt: skip
    queue.put([event])
    queue.close()
    command = [sys.executable, "-m", "personvlm", "worker", "--queue", place, "--store", place, "--until-empty", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False,
                          env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert set(collector.paths) == {"/v1/traces"}
    assert collector.services == {"personvlm-worker"}
    got = collector.spans
    assert got.keys() == {"claim", "describe", "store"}
    assert {span.trace_id.hex() for span in got.values()} == {CAME_FROM.split("-")[1]}
    assert got["claim"].parent_span_id.hex() == CAME_FROM.split("-")[2]
    assert {got[name].parent_span_id for name in ("describe", "store")} == {got["claim"].span_id}
    assert event.event_id.encode() in collector.raw
    for private in (b"secret yard", b"wearing", b"sneakers", event.person.encode()):
        assert private not in collector.raw


def python(code: str, **environment: str) -> SimpleNamespace:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(out=done.stdout.strip(), err=done.stderr.strip())


HANDLE = """
from personvlm.base import tracing
from personvlm.events import open_queue
from personvlm.events.describing import EventEngine
from personvlm.schema import Crop, DescribeRequest
print(tracing.start("test"))
queue = open_queue("memory:")
queue.put([DescribeRequest.build("gate", 1, "new_track", 1.0, Crop(data=b"x"))])
print(queue.claim(1)[0].request.traceparent, tracing.traceparent())
print([name for name in sys.modules if name.startswith(("opentelemetry", "requests"))])
"""


def test_where_nobody_asks_for_traces_nothing_of_them_is_even_imported() -> None:
    environment = dict.fromkeys(tracing.ENDPOINTS, "")
    assert python(f"import sys{HANDLE}", **environment).out.splitlines() == ["False", "None None", "[]"]


def test_without_the_extra_it_is_said_and_everything_else_works() -> None:
    absent = "import sys; sys.modules['opentelemetry'] = sys.modules['opentelemetry.sdk'] = None"
    done = python(f"{absent}{HANDLE}", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert done.out.splitlines()[:2] == ["False", "None None"]
    assert "pip install 'personvlm[otel]'" in done.err
