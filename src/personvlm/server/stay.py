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

    from personvlm.server.running import OrderlyServer

    with _listening(port) as listening:
        host, chosen = listening.getsockname()[:2]
        given = replace(settings or ServerSettings(), host=host, port=chosen, store=store, queue=queue)
        app = create_app(given, describers)
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False,
                                timeout_graceful_shutdown=3)  # fmt: skip
        server = OrderlyServer(config, lambda url: say(f"The page is at {url}/  (Ctrl-C ends it)"))
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listening])


def _listening(port: int) -> socket.socket:
    """On loopback; at another free port where ``port`` is taken."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(("127.0.0.1", port))
    except OSError:
        made.bind(("127.0.0.1", 0))
    return made
