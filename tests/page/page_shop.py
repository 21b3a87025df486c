"""A server with people, and what tests ask it beside the page."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page_people import fill, kill
from serving import Running, StandIn, free_port

from personvlm.alerts.engine import Alerts
from personvlm.events import open_queue
from personvlm.schema import Described
from personvlm.server.settings import ServerSettings
from personvlm.store import Store


def until(page: Any, condition: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds. Playwright's own way of asking again would be against the page's policy."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def serious(page: Any, axe: str, *rules: str) -> list[str]:
    """What axe finds that hinders somebody: everything but what it calls minor; by these rules, or by all."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe)
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [f"{each['impact']} {each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for each in found["violations"] if each["impact"] != "minor" for node in each["nodes"]]  # fmt: skip


def somebody(like: Described, track: int, camera: str, *, at: float | None = None, **more: Any) -> Described:
    """A new person of now, or of ``at``, who looks like another."""
    request, now = like.request, time.time() if at is None else at
    made = type(request).build(camera, track, "new_track", now, request.crop, **more)
    return like.model_copy(update={"request": made, "described_at": now})


class Shop:
    """A server that runs over a store and a queue in ``folder``."""

    def __init__(self, folder: Path, described: list[tuple[int, Described]], dead: int,
                 settings: dict[str, Any]) -> None:  # fmt: skip
        self.store_url, self.queue_url = f"sqlite:///{folder}/people.db", f"sqlite:///{folder}/queue.db"
        with Store.open(self.store_url) as store:
            if described:
                fill(store, described)
        queue = open_queue(self.queue_url)
        if dead:
            kill(queue, dead)
        queue.close()
        given = {"store": self.store_url, "queue": self.queue_url, **settings}
        describers = given.pop("describers", None) or [StandIn()]
        self._start = lambda port: Running(ServerSettings(port=port, **given), describers)
        self.running = self._start(free_port())
        self.url = self.running.url

    def __enter__(self) -> Shop:
        self.running.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.running.app.state.feed.close()
        self.running.__exit__(*problem)

    def restart(self, meanwhile: Callable[[], None]) -> None:
        """End the server, and start another at the same address."""
        self.__exit__()
        meanwhile()
        self.running = self._start(self.running.port)
        self.running.__enter__()

    def cut(self) -> None:
        """End the live feeds that are open; their readers may come again."""
        feed = self.running.app.state.feed
        for queue in list(feed._listeners):
            feed._task.get_loop().call_soon_threadsafe(queue.put_nowait, None)

    def view(self, name: str) -> str:
        """Address of a view of the page."""
        return f"{self.url}/#/{name}"

    def get(self, path: str) -> Any:
        """What the API says."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def status(self, path: str) -> int:
        """How the API answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def add(self, described: list[Described], judged: bool = False) -> None:
        """As a worker does, in another connection; ``judged`` by the rules or not."""
        with Store.open(self.store_url) as store:
            store.add(described)
            if judged:
                Alerts(store).observe(described)

    def erase(self, people: list[str]) -> None:
        """As the command line does, in another connection."""
        with Store.open(self.store_url) as store:
            store.erase(people, actor="test", reason="asked to")
