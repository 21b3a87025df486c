"""A Mosquitto of a test's own, which may be stopped, killed and started again, and somebody who listens to it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

BINARY = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Mosquitto:
    """Keeps its state in ``folder``, so that subscribers with a session are served after a restart."""

    def __init__(self, folder: Path, more: str = "") -> None:
        if BINARY is None:
            if os.environ.get("CI"):
                pytest.fail("mosquitto is not installed")
            pytest.skip("mosquitto is not installed")
        self.folder, self.port = folder, free_port()
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(
            f"listener {self.port} 127.0.0.1\npersistence true\npersistence_location {folder}/\n"
            f"autosave_interval 1\nautosave_on_changes true\nlog_dest none\nmax_queued_messages 0\n"
            f"{more or 'allow_anonymous true'}\n" + ("user root\n" if os.name == "posix" and os.getuid() == 0 else "")
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert BINARY is not None
        self._process = subprocess.Popen([BINARY, "-c", str(self._settings)], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                assert self._process.poll() is None, "mosquitto did not start"
                assert time.monotonic() < deadline, "mosquitto does not listen"
                time.sleep(0.02)

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(10)
            self._process = None


class Listener:
    """Subscribes with a session, so that the broker keeps for it what it misses. Keeps (topic, payload, retained)."""

    def __init__(self, port: int, *topics: str, name: str = "listener") -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, bytes, bool]] = []
        self._change = threading.Condition()
        self._subscribed = threading.Event()
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda c, *_: c.subscribe([(topic, 1) for topic in topics])
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._keep
        client.connect_async("127.0.0.1", port, keepalive=10)
        client.loop_start()
        assert self._subscribed.wait(10), "the listener could not subscribe"

    def _keep(self, client: Any, data: Any, message: Any) -> None:
        with self._change:
            self.messages.append((message.topic, message.payload, message.retain))
            self._change.notify_all()

    def wait(self, wanted: Any, seconds: float = 10.0) -> bool:
        """Until ``wanted(self)`` holds, or ``seconds`` have passed; whether it holds."""
        with self._change:
            return bool(self._change.wait_for(lambda: wanted(self), seconds))

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
