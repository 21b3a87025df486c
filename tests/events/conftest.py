"""The queues that the contract runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from queue_harness import ADAPTERS, Harness

import services


@pytest.fixture(params=ADAPTERS)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    adapter: str = request.param
    databases: list[str] = []
    name = services.unique()
    if adapter == "memory":
        url = "memory:"
    elif adapter == "sqlite":
        url = f"sqlite:///{tmp_path / 'queue.db'}"
    elif adapter == "postgresql":
        url = services.postgres_url(databases=databases)
    elif adapter == "redis":
        url = f"{services.redis_url()}?queue={name}"
    else:
        url = f"{services.rabbitmq_url()}?queue={name}"
    one = Harness(adapter, url)
    try:
        yield one
    finally:
        one.drop()
        one.close()
        for each in databases:
            services.drop_postgres(each)
