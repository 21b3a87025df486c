"""Servers for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the server needs the service extra")

from serving import Running, StandIn, free_port
from stored import Site, filled

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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """For tests that only look."""
    url, people = filled(tmp_path_factory.mktemp("shared"))
    with Running(ServerSettings(port=free_port(), store=url), [StandIn()]) as server:
        yield Site(server, url, people)


@pytest.fixture
def site(serve: Callable[..., Running], tmp_path: Path) -> Site:
    url, people = filled(tmp_path)
    return Site(serve(store=url, queue=f"sqlite:///{tmp_path / 'queue.db'}"), url, people)
