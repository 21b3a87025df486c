"""A server beside a real RabbitMQ, whose queue is out of reach of what others erase at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stored import Site, described, filled

from services import rabbitmq_url, unique


def test_a_receipt_names_what_a_broker_keeps(serve: Callable[..., Any], tmp_path: Path) -> None:
    pytest.importorskip("aio_pika", reason="RabbitMQ needs the rabbitmq extra")
    from personvlm.events.rabbitmq import RabbitQueue

    url, people = filled(tmp_path)
    address = f"{rabbitmq_url()}?queue={unique()}"
    broker = RabbitQueue(address)
    try:
        site = Site(serve(store=url, queue=address), url, people)
        broker.put([described(row).request for row in (0, 1)])
        receipt = site.send("POST", "/v1/erase", {"people": [people[0].request.person]}).json()
        assert (receipt["counts"]["tracks"], receipt["counts"]["queue"]) == (1, 1)
        assert "RabbitMQ's own files, until the broker rewrites them" in receipt["remaining"]
        assert broker.stats().queued == 1
    finally:
        broker.drop()
        broker.close()
