"""Grafana's dashboard asks for what a real worker and a real server report, and a real Prometheus understands it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from serving import Running, free_port, jpeg

from personvlm.events import open_queue
from personvlm.runtime.describer import shipped
from personvlm.schema.events import Crop, DescribeRequest

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "personvlm.json").read_text("utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
METRIC = re.compile(r"\b(?:personvlm_\w+|up)\b")
pytestmark = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


class Site(NamedTuple):
    """Addresses of /metrics."""

    worker: str
    server: str


@pytest.fixture
def running(serve: Callable[..., Running], tmp_path: Path) -> Iterator[Site]:
    """A worker that has described one event and given up another, and a server that has answered."""
    place, port = str(tmp_path / "people.db"), free_port()
    queue = open_queue(place)
    queue.put([DescribeRequest.build("gate", track, "new_track", 1.0, Crop(data=data, time=1.0), first_seen=1.0)
               for track, data in enumerate((jpeg(), b"no picture"))])  # fmt: skip
    command = [sys.executable, "-m", "personvlm", "worker", "--queue", place, "--store", place, "--threads", "1", "-q",
               "--health-port", str(port)]  # fmt: skip
    worker = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 120
        while queue.stats().queued and time.monotonic() < end:
            assert worker.poll() is None
            time.sleep(0.1)
        server = serve(store=place)
        assert httpx.post(f"{server.url}/v1/describe", files={"image": jpeg()}).status_code == 200
        yield Site(f"http://127.0.0.1:{port}/metrics", f"{server.url}/metrics")
    finally:
        queue.close()
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)


def series(text: str) -> dict[str, set[str]]:
    """Metric -> labels that it is reported with."""
    found: dict[str, set[str]] = {"up": {"job", "instance"}}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        found.setdefault(name, {"job", "instance"}).update(re.findall(r'(\w+)="', labels))
    return found


def test_everything_asked_for_is_reported(running: Site) -> None:
    reported = series(httpx.get(running.worker).text + httpx.get(running.server).text)
    assert len(QUERIES) > 20
    for query in QUERIES:
        names = METRIC.findall(query)
        assert names, query
        assert all(name in reported for name in names), query
        known = set.intersection(*(reported[name] for name in names))
        asked = {label.strip() for labels in re.findall(r"by \(([\w, ]+)\)", query) for label in labels.split(",")}
        asked |= set(re.findall(r"(\w+)=~?\"", query))
        assert asked <= known, query


def test_panels_do_not_overlap_and_share_one_data_source() -> None:
    source = {"type": "prometheus", "uid": "personvlm"}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"] == panel["datasource"] == source
    assert f"uid: {source['uid']}," in (DEPLOY / "grafana" / "datasource.yml").read_text("utf-8")
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus here: apt install prometheus")
def test_a_real_prometheus_answers_every_query(running: Site, tmp_path: Path) -> None:
    port = free_port()
    jobs = [{"job_name": name, "static_configs": [{"targets": [address.split("/")[2]]}]}
            for name, address in zip(running._fields, running, strict=True)]  # fmt: skip
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}))  # JSON is YAML
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    prometheus = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        def ask(query: str) -> dict[str, Any]:
            answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=30)
            return dict(answer.json())

        def scraped() -> bool:
            try:
                found = ask('min(count_over_time(up[1m])) > 3 and min(up) == 1')["data"]["result"]
            except (httpx.TransportError, KeyError, ValueError):
                return False
            return bool(found)

        end = time.monotonic() + 60
        while not scraped():
            assert time.monotonic() < end, prometheus.poll()
            time.sleep(0.3)
        empty = []
        for query in QUERIES:
            answer = ask(query.replace("$__rate_interval", "10s"))
            assert answer["status"] == "success", (query, answer)
            if not answer["data"]["result"]:
                empty.append(query)
        assert empty == []
    finally:
        prometheus.terminate()
        prometheus.communicate(timeout=30)
