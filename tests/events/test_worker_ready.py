"""A worker says that it is ready again, whatever the store's first answer is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from queue_harness import event, eventually
from sqlalchemy.exc import OperationalError
from test_worker import working

from personvlm.events import QueueSettings
from personvlm.events.memory import MemoryQueue
from personvlm.store import Store


def test_a_store_that_refuses_an_event_when_it_is_back_is_back(tmp_path: Path, monkeypatch: Any) -> None:
    store = Store.open(tmp_path / "people.db", keep_crops=False)
    answers: list[Exception] = [ValueError("not this one"), *[OperationalError("", {}, ConnectionError("gone"))] * 3]
    begin = store.begin

    def failing() -> Any:
        if answers:
            raise answers.pop()
        return begin()

    monkeypatch.setattr(store, "begin", failing)
    queue = MemoryQueue(QueueSettings(attempts=1))
    queue.put([event(1)])
    with working(queue, store) as worker:
        assert eventually(lambda: queue.stats().dead == 1)
        assert not answers
        assert eventually(lambda: worker.ready)
    store.close()
