"""Many clients at once, for a few seconds. Figures are for tests/accept/test_server_load.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from load import over_http
from serving import StandIn, jpeg

pytestmark = pytest.mark.alone

Serve = Callable[..., Any]
PICTURES = [jpeg(seed=seed) for seed in range(8)]


def test_two_hundred_clients(serve: Serve) -> None:
    server = serve([StandIn(0.05)])  # batches of 16: at most 320 a second
    found = over_http(server.port, PICTURES, 200, 3.0)
    assert set(found["outcomes"]) == {"200"}
    assert found["per_s"] > 20, "on a machine that does other things as well"


def test_more_than_can_wait_is_429_and_nothing_else(serve: Serve) -> None:
    server = serve([StandIn(0.2)], waiting=32)
    found = over_http(server.port, PICTURES, 100, 2.0)
    assert set(found["outcomes"]) == {"200", "429"}
    assert found["per_s"] > 5
