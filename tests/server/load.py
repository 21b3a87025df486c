"""Clients that each send a picture, wait for the answer, and send the next: over HTTP, and to the engine itself.

As a program: ``python load.py PORT CLIENTS SECONDS PICTURE...`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

WARM_S = 1.0


async def _clients(ask: Callable[[int], Awaitable[str]], clients: int, seconds: float) -> dict[str, Any]:
    """``ask(row)`` answers one request with its outcome. What begins in the first second does not count."""
    times: list[float] = []
    outcomes: Counter[str] = Counter()
    start = time.perf_counter() + WARM_S
    end = start + seconds

    async def client(row: int) -> None:
        while (began := time.perf_counter()) < end:
            outcome = await ask(row)
            row += clients
            if began >= start:
                outcomes[outcome] += 1
                if outcome == "200":
                    times.append(time.perf_counter() - began)
            if outcome == "429":
                await asyncio.sleep(1.0)  # as Retry-After says

    await asyncio.gather(*(client(row) for row in range(clients)))
    took = time.perf_counter() - start
    times.sort()
    quantile = {name: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)
                for name, share in (("p50", 0.5), ("p99", 0.99))} if times else {}  # fmt: skip
    return {"per_s": round(len(times) / took, 2), "outcomes": dict(outcomes), "ms": quantile}


def over_http(port: int, pictures: Sequence[bytes], clients: int, seconds: float) -> dict[str, Any]:
    """``clients`` connections that are kept open. Anything but an answer of HTTP is the outcome ``broken``."""
    requests = [
        (f"POST /v1/describe HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: image/jpeg\r\n"
         f"Content-Length: {len(data)}\r\n\r\n").encode() + data for data in pictures
    ]  # fmt: skip

    async def run() -> dict[str, Any]:
        connections: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

        async def ask(row: int) -> str:
            client = row % clients
            try:
                if client not in connections:
                    connections[client] = await asyncio.open_connection("127.0.0.1", port)
                reader, writer = connections[client]
                writer.write(requests[row % len(requests)])
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
                await reader.readexactly(length)
                return head[9:12].decode()
            except (OSError, asyncio.IncompleteReadError, StopIteration):
                connections.pop(client, None)
                return "broken"

        return await _clients(ask, clients, seconds)

    return asyncio.run(run())


def to_engine(describers: Sequence[Any], pictures: Sequence[bytes], clients: int, seconds: float) -> dict[str, Any]:
    """The same load on a batch engine of the same settings as a server's, without HTTP."""
    from personvlm.runtime.batching_describer import Ask
    from personvlm.server.describing import PeopleDescriber
    from personvlm.server.settings import ServerSettings

    async def run() -> dict[str, Any]:
        with PeopleDescriber(describers, ServerSettings()) as engine:

            async def ask(row: int) -> str:
                await engine.submit_async(Ask(pictures[row % len(pictures)]))
                return "200"

            return await _clients(ask, clients, seconds)

    return asyncio.run(run())


if __name__ == "__main__":
    port, clients, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(over_http(port, [Path(each).read_bytes() for each in sys.argv[4:]], clients, seconds)))
