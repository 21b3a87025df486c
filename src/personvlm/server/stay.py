"""A server in this process until Ctrl-C: what a demo ends with when it is asked to stay."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from personvlm.server.app import create_app
from personvlm.server.settings import ServerSettings


def stay(store: str, *, queue: str | None = None, port: int = 8765, say: Callable[[str], None] = print,
         describers: Any = None, settings: ServerSettings | None = None) -> None:  # fmt: skip
    """Serve the page and the API over ``store`` to this machine only, and say where; returns after Ctrl-C.

    Args:
        store: address of the database, such as ``sqlite:///out/demo/people.db``.
        queue: address of the queue, if there is one.
        port: where; another free one if it is taken.
        say: is given the page's address once it answers.
        describers: as for :func:`personvlm.server.app.create_app`; None loads the model that ships.
        settings: further settings; host, port, store and queue are those above.
    """
    import uvicorn

    with _listening(port) as listening:
        chosen = listening.getsockname()[1]
        given = replace(settings or ServerSettings(), host="127.0.0.1", port=chosen, store=store, queue=queue)
        app = create_app(given, describers)

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[Any] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    say(f"The page is at http://127.0.0.1:{chosen}/  (Ctrl-C ends it)")

            async def shutdown(self, sockets: list[Any] | None = None) -> None:
                app.state.feed.close()  # an open page would be waited for
                await super().shutdown(sockets)

        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False,
                                timeout_graceful_shutdown=3)  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):
            Server(config).run([listening])


def _listening(port: int) -> socket.socket:
    """On loopback; at another free port where ``port`` is taken."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except OSError:
        made.bind(("127.0.0.1", 0))
    return made
