"""A server that runs, and a describer that decodes for real and says the same of everybody."""

from __future__ import annotations

import io
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from personvlm.base.images import decode
from personvlm.schema import Attribute, PersonDescription
from personvlm.server.app import create_app
from personvlm.server.settings import ServerSettings

SAID = PersonDescription(
    text="The image shows a man. He is wearing a red coat.",
    attributes={
        "gender": Attribute(value="male", confidence=0.91),
        "upper.garment": Attribute(value="coat", confidence=0.75),
        "upper.color": Attribute(value=("red", "black"), confidence=0.8),
    },
    scores={"gender": {"male": 0.91, "female": 0.09}}, embedding=(0.6, 0.8), quality=0.5, model="stand-in 1",
)  # fmt: skip


class StandIn:
    """Stands where a ``Describer`` does. It can be held up, and it is asked with what it remembers.

    Attributes:
        seconds: that a batch takes.
        asked: options of every batch.
        gate: while it is clear, batches wait.
    """

    name, max_words, backend = "stand-in 1", 40, ""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.asked = seconds, []  # type: ignore[var-annotated]
        self.gate = threading.Event()
        self.gate.set()
        self.transform = SimpleNamespace(fit=lambda image: image[:8, :8], width=8, height=8)
        self.engine = SimpleNamespace(encode=None, workers=0, single=None)

    def _read(self, picture: Any) -> Any:
        return decode(picture)

    def describe_images(self, images: list[Any], **options: Any) -> list[PersonDescription]:
        """See ``Describer``."""
        assert self.gate.wait(20)
        self.asked.append(options)
        if self.seconds:
            time.sleep(self.seconds)
        hidden = {name for name in ("gender", "age") if not options.get(name, True)}
        kept = {name: value for name, value in SAID.attributes.items() if name not in hidden}
        return [SAID.model_copy(update={"attributes": kept})] * len(images)


def jpeg(width: int = 32, height: int = 64, seed: int = 0) -> bytes:
    """A small picture with more data than header."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=60)
    return stream.getvalue()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Running:
    """A server in a thread, on a free port, with real sockets."""

    def __init__(self, settings: ServerSettings, describers: Any) -> None:
        import uvicorn

        self.app = create_app(settings, describers)
        self.port = settings.port
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(self.app, port=self.port, log_config=None, access_log=False, lifespan="on",
                                backlog=512)  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        end = time.monotonic() + 60
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended"
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
