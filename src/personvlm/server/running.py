"""Running a server: it says where it listens, and ends in order."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn


class OrderlyServer(uvicorn.Server):
    """A server of :func:`personvlm.server.app.create_app`. Live feeds are ended first, since they would be waited for.

    Args:
        config: uvicorn's, with the app itself.
        announce: called with the address of each socket once it listens, also where the port was chosen by the system.
    """

    def __init__(self, config: uvicorn.Config, announce: Callable[[str], None] | None = None) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See :class:`uvicorn.Server`."""
        await super().startup(sockets)
        for each in (listening for server in self.servers for listening in server.sockets):
            host, port = each.getsockname()[:2]
            scheme = "https" if self.config.ssl_certfile else "http"
            if self._announce is not None:
                self._announce(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See :class:`uvicorn.Server`."""
        self.config.app.state.feed.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)
