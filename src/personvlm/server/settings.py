"""What a server is told when it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from personvlm.alerts.showing import Showing
from personvlm.base.errors import InputError
from personvlm.video.identity import Identity


@dataclass(frozen=True)
class ServerSettings:
    """Settings of one server.

    Attributes:
        host, port: where it listens. An address other than loopback is refused without tokens.
        store: database with people (``sqlite:///people.db``, ``postgresql://...``); None: only describing.
        queue: where events wait for workers; None: no ``/v1/queue`` and no accepting of events.
        blobs: folder or address where crops lie.
        cache: Redis with each camera's latest descriptions (``redis://host:port/number``); None: only the store.
        model: folder of a model; None: the one that ships.
        token_file: file with tokens (``personvlm token create --file``). With a store, its table counts too.
        gender, age: False: nobody can get it from this server, whatever they ask for.
        blur: cameras whose crops are blurred where the head usually is, before anybody sees them; ``*``: all.
        hide: cameras whose crops are never shown; ``*`` is every camera.
        fetch_urls: pictures may be named by public http(s) addresses.
        fetch_from: hosts (``nvr.local``, ``10.0.0.7:5000``) that pictures may be fetched from although they are not
            public.
        identity: how people are known again, ways between cameras included; None: nobody can ask who else it is.
        aliases: further names that the model is known by at the OpenAI- and Ollama-compatible endpoints.
        deliver_s: seconds between two rounds of sending what alerts have to tell; None leaves that to others
            (``personvlm alerts deliver``).
        sweep_s: seconds between two rounds of erasing who is older than their camera keeps; None leaves that to others.
        max_bytes, max_pixels: of one picture, encoded and decoded.
        max_images: pictures in one request.
        max_body: bytes of one request.
        body_s: seconds within which a request must have been sent, and then what it names by address fetched.
        answer_s: seconds within which a picture must have been described.
        waiting: most pictures that wait to be described; above it is 429.
        rate: requests a second of one token, twice that in a burst; None: any.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    store: str | None = None
    queue: str | None = None
    blobs: str | None = None
    cache: str | None = None
    model: Path | None = None
    token_file: Path | None = None
    gender: bool = True
    age: bool = True
    blur: tuple[str, ...] = ()
    hide: tuple[str, ...] = ()
    fetch_urls: bool = False
    fetch_from: tuple[str, ...] = ()
    identity: Identity | None = field(default_factory=Identity)
    aliases: tuple[str, ...] = ()
    deliver_s: float | None = 3.0
    sweep_s: float | None = 3600.0
    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 24_000_000
    max_images: int = 32
    max_body: int = 48 * 1024 * 1024
    body_s: float = 15.0
    answer_s: float = 30.0
    waiting: int = 256
    rate: float | None = 200.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InputError(f"port {self.port}: a port is a number up to 65535")
        if min(self.max_bytes, self.max_pixels, self.max_images, self.max_body, self.waiting) < 1:
            raise InputError("the limits of pictures, requests and the queue must be at least 1")
        if min(self.body_s, self.answer_s, 1.0 if self.rate is None else self.rate) <= 0:
            raise InputError("times and rates must be above 0")

    @property
    def loopback(self) -> bool:
        """Only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def showing(self) -> Showing:
        """What is shown of people, here and by the alerts that are sent from here."""
        return Showing(self.gender, self.age, self.blur, self.hide)
