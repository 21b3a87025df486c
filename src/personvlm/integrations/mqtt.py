"""Described people on an MQTT broker: every event, whether we are there, and what Home Assistant wants to know."""

from __future__ import annotations

import contextlib
import json
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from personvlm.base.errors import InputError
from personvlm.integrations.home_assistant import discovery, slug
from personvlm.integrations.outbox import Outbox, default_path

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_WINDOW = 16
_KEEPALIVE = 20
_SLOWEST = 30
_WILD = frozenset("/+#")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Broker:
    """Where a broker is, and how we are called there.

    Attributes:
        prefix: first part of all our topics.
        ca: certificates to trust in place of the system's.
    """

    host: str
    port: int = 1883
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: Path | None = None
    prefix: str = "personvlm"

    @classmethod
    def parse(cls, url: str) -> Broker:
        """From ``mqtt[s]://[user:password@]host[:port][/prefix][?ca=FILE]``.

        Raises:
            InputError: not such an address; the message holds no password.
        """
        shape = "mqtt://[user:password@]host[:port][/prefix], or mqtts:// with encryption"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InputError(f"that address of a broker cannot be read; give {shape}") from None
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise InputError(f"{parts.scheme or 'this'}://… is no address of an MQTT broker; give {shape}")
        prefix = unquote(parts.path.strip("/")) or "personvlm"
        if not _legal(prefix.replace("/", "")):
            raise InputError(f"{prefix!r} cannot begin a topic: no +, # or control character in it; give {shape}")
        wanted = parse_qs(parts.query)
        if wanted.keys() - {"ca"}:
            raise InputError(f"{min(wanted.keys() - {'ca'})!r} is no setting of a broker; give {shape}")
        ca = Path(wanted["ca"][0]) if "ca" in wanted else None
        if ca is not None and not ca.is_file():
            raise InputError(f"{ca}: no such file; ?ca= names the certificates to trust")
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, port or (8883 if tls else 1883), unquote(parts.username) if parts.username else None,
                   unquote(parts.password) if parts.password else None, tls, ca, prefix)  # fmt: skip

    def __str__(self) -> str:
        """The address without the password."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}/{self.prefix}"

    @property
    def available(self) -> str:
        """Topic that says ``online`` or ``offline``, retained."""
        return f"{self.prefix}/available"

    def topic(self, camera: str, what: str = "person") -> str:
        """Topic of the events of ``camera``. What may not stand in a topic is replaced."""
        return f"{self.prefix}/{camera if _legal(camera) else slug(camera)}/{what}"

    def client(self) -> Client:
        """A client of paho that knows how to get there, and comes back when it is cut off; not yet connected.

        Raises:
            InputError: paho is not installed.
        """
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] != "paho":
                raise
            raise InputError("MQTT needs paho: pip install 'personvlm[mqtt]'") from None
        client = Client(CallbackAPIVersion.VERSION2)
        if self.user is not None:
            client.username_pw_set(self.user, self.password)
        if self.tls:
            client.tls_set(ca_certs=str(self.ca) if self.ca is not None else None)
        client.reconnect_delay_set(1, _SLOWEST)
        client.max_inflight_messages_set(0)  # who sends much sees to it itself
        return client

    def connect(self, client: Client) -> None:
        """Have ``client`` connect, in a thread of its own, as often as it takes."""
        client.connect_async(self.host, self.port, keepalive=_KEEPALIVE)
        client.loop_start()


def _legal(part: str) -> bool:
    """Whether it may be one level of a topic. For a control character a broker cuts the connection, each time anew, so
    that nothing of any camera would get through."""
    return not _WILD & set(part) and not any(unicodedata.category(char) in ("Cc", "Cn") for char in part)


_What = Literal["up", "down", "acknowledged", "camera", "wake", "stop"]


class Publisher:
    """Publishes what it is told, in a thread of its own; a broker that is away delays, and loses nothing that matters.

    Every event goes to ``PREFIX/CAMERA/person`` with QoS 1, at least once: a repetition has the same ``id`` and
    ``revision``. ``PREFIX/available`` is ``online`` while this object lives and ``offline`` otherwise (last will). For
    every camera Home Assistant is told once, retained. Events are not retained: a description of a person stays with
    nobody who did not listen.

    Attributes:
        published: messages that the broker has acknowledged.

    Args:
        broker: where to.
        outbox: keeps what is not acknowledged.
        cameras: those that are known from the start; others are met when they tell something.
        root: Home Assistant's discovery prefix; None does not tell it anything.
        report: told when the broker goes and comes back.
    """

    def __init__(self, broker: Broker, outbox: Outbox | None = None, *, cameras: Iterable[str] = (),
                 root: str | None = "homeassistant", report: Report = lambda note: None) -> None:  # fmt: skip
        self.published = 0
        self.broker, self.outbox = broker, Outbox() if outbox is None else outbox
        self._root, self._report = root, report
        self._cameras = dict.fromkeys(cameras)
        self._inbox: SimpleQueue[tuple[_What, Any]] = SimpleQueue()
        self._up = threading.Event()
        self._empty = threading.Condition()
        self._problem = ""
        self._client = client = broker.client()
        client.will_set(broker.available, "offline", qos=1, retain=True)
        # Callbacks only leave a note: paho holds locks while it calls them.
        client.on_connect = lambda c, d, flags, reason, p: self._inbox.put(
            ("down", f"refused: {reason}") if reason.is_failure else ("up", None))  # fmt: skip
        client.on_connect_fail = lambda c, d: self._inbox.put(("down", "cannot be reached"))
        client.on_disconnect = lambda c, d, flags, reason, p: self._inbox.put(("down", "gone"))
        client.on_publish = lambda c, d, mid, reason, p: self._inbox.put(("acknowledged", mid))
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()
        broker.connect(client)

    def tell(self, record: Mapping[str, Any]) -> None:
        """Have an event published: what :meth:`personvlm.pipeline.run_events.PersonEvent.record` gives.

        An answer to "who else is this" has no words, and goes to ``PREFIX/CAMERA/reid``.
        """
        camera, kind = str(record["camera"]), str(record["event"])
        topic = self.broker.topic(camera, "reid" if kind == "reid" else "person")
        self.outbox.put(topic, json.dumps(record, ensure_ascii=False, allow_nan=False), person=str(record["id"]),
                        kind=kind)  # fmt: skip
        if camera not in self._cameras:
            self._cameras[camera] = None
            self._inbox.put(("camera", camera))
        self._inbox.put(("wake", None))

    def wait(self, seconds: float) -> bool:
        """Return when everything was acknowledged, or after ``seconds``; whether it was."""
        with self._empty:
            return self._empty.wait_for(lambda: len(self.outbox) == 0, seconds)

    def close(self, seconds: float = 10.0) -> int:
        """Say good-bye once everything was acknowledged, or after ``seconds``; how many messages still wait."""
        self.wait(seconds)
        if self._up.is_set():
            farewell = self._client.publish(self.broker.available, "offline", qos=1, retain=True)
            farewell.wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()
        self._inbox.put(("stop", None))
        self._thread.join()
        left = len(self.outbox)
        self.outbox.close()
        return left

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        flying: dict[int, int] = {}  # paho's number of a message -> its row; paho itself repeats them after a cut
        while True:
            what, value = self._inbox.get()
            if what == "stop":
                return
            if what == "up":
                self._met()
            elif what == "down":
                self._lost(value)
            elif what == "acknowledged" and value in flying:
                self.outbox.done(flying.pop(value))
                self.published += 1
                with self._empty:
                    self._empty.notify_all()
            elif what == "camera" and self._up.is_set():
                self._announce(value)
            while self._up.is_set() and len(flying) < _WINDOW and (message := self.outbox.take()) is not None:
                flying[self._client.publish(message.topic, message.payload, qos=1).mid] = message.row

    def _met(self) -> None:
        self._up.set()
        if self._problem:
            self._report(f"{self.broker}: connected again")
            self._problem = ""
        self._client.publish(self.broker.available, "online", qos=1, retain=True)
        for camera in list(self._cameras):
            self._announce(camera)

    def _lost(self, problem: str) -> None:
        self._up.clear()
        if problem != self._problem:
            self._report(f"{self.broker}: {problem}; trying again, {len(self.outbox)} messages wait")
        self._problem = problem

    def _announce(self, camera: str) -> None:
        if self._root is not None:
            topic, payload = discovery(camera, prefix=self.broker.prefix, state_topic=self.broker.topic(camera),
                                       availability_topic=self.broker.available, root=self._root)  # fmt: skip
            self._client.publish(topic, json.dumps(payload, ensure_ascii=False), qos=1, retain=True)


@contextlib.contextmanager
def publishing(url: str, outbox: Path | None, *, name: str, cameras: Iterable[str] = (),
               report: Report = lambda note: None) -> Iterator[Callable[[Mapping[str, Any]], None]]:  # fmt: skip
    """A function that publishes events at ``url`` while the context lasts, and 10 s longer if some still wait.

    Args:
        url: see :meth:`Broker.parse`.
        outbox: file where messages wait; by default one in the user's folder for such things, by ``name`` and broker.
        name: of the command.
        cameras, report: see :class:`Publisher`.

    Raises:
        InputError: no such address, paho is not installed, or another process uses the outbox.
    """
    broker = Broker.parse(url)
    broker.client()  # says what is missing before a file is made
    path = outbox or default_path(f"{name}-{slug(str(broker))}")
    publisher = Publisher(broker, Outbox(path), cameras=cameras, report=report)
    try:
        yield publisher.tell
    finally:
        left = publisher.close()
        if left:
            report(f"{broker}: {left} messages wait in {path} for the next run")
