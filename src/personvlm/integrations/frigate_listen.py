"""Frigate's messages, from a broker to a bridge, over cuts on either side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from personvlm.integrations.frigate import Bridge
from personvlm.integrations.frigate_events import parse
from personvlm.integrations.mqtt import Broker

_OVERLAP = 60.0
"""Seconds asked for again after a cut: clocks differ, and messages take their time."""


class Listener:
    """Follows ``TOPIC/events`` and ``TOPIC/available``.

    What was missed while the broker was away, and what became of people after Frigate itself was started again, is
    asked of Frigate.

    Args:
        broker: where Frigate publishes.
        bridge: gets the people.
        topic: Frigate's own prefix.
        since: how far back people without a description are asked for at the start, in seconds.
        report: told when the broker or Frigate goes and comes back.
    """

    def __init__(self, broker: Broker, bridge: Bridge, *, topic: str = "frigate", since: float = 0.0,
                 report: Callable[[str], None] = lambda note: None) -> None:  # fmt: skip
        self._broker, self._bridge, self._topic, self._report = broker, bridge, topic.strip("/"), report
        self._heard = time.time() - since
        self._problem = ""
        self._client = client = broker.client()
        client.on_connect = self._met
        client.on_connect_fail = lambda c, d: self._lost("cannot be reached")
        client.on_disconnect = lambda c, d, flags, reason, p: self._lost("gone")
        client.on_message = self._take
        broker.connect(client)

    def close(self) -> None:
        """Listen no more."""
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    def _met(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._lost(f"refused: {reason}")
            return
        if self._problem:
            self._report(f"{self._broker}: connected again")
            self._problem = ""
        client.subscribe([(f"{self._topic}/events", 1), (f"{self._topic}/available", 1)])
        self._bridge.catch_up(self._heard)

    def _lost(self, problem: str) -> None:
        if problem != self._problem:
            self._report(f"{self._broker}: {problem}; trying again")
        self._problem = problem

    def _take(self, client: Any, data: Any, message: Any) -> None:
        now = time.time()
        if message.topic.endswith("/available"):
            state = message.payload.decode("utf-8", "replace")
            if state == "online" and not message.retain:  # started again: it has forgotten whom it followed
                self._bridge.catch_up(self._heard)
            elif state != "online":
                self._report(f"Frigate is {state}")
            return
        self._heard = max(self._heard, now - _OVERLAP)
        try:
            update = parse(message.payload)
        except ValueError:
            self._bridge.counts.broken += 1
            return
        if update is None:
            self._bridge.counts.ignored += 1
            return
        try:
            self._bridge.put(update)
        except BaseException:
            client.disconnect()  # the bridge has ended, and says why to whoever runs it
