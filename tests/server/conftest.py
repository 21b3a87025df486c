"""Servers for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the server needs the service extra")

from serving import Running, StandIn, free_port

from personvlm.server.settings import ServerSettings


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


@pytest.fixture
def serve(stand_in: StandIn) -> Iterator[Callable[..., Running]]:
    """Start a server with these settings; ``describers`` are the stand-in by default."""
    with ExitStack() as stack:

        def start(describers: Any = None, **settings: Any) -> Running:
            chosen = ServerSettings(port=free_port(), **settings)
            return stack.enter_context(Running(chosen, describers or [stand_in]))

        yield start
