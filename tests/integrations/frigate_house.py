"""A stand-in Frigate with people in it, a bridge to it, a describer that names colors, and what was told."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from frigate_server import StandIn, Tracked
from numpy.typing import NDArray

from personvlm.integrations.frigate import Bridge, Following
from personvlm.integrations.frigate_api import Address, Frigate
from personvlm.integrations.frigate_events import Told, parse
from personvlm.schema import Attribute, PersonDescription

COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
FOLLOWING = Following(every=0.0, patience=8.0)


class Colors:
    """Says which color a picture has; of several the one of the highest score."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.uint8]] = []

    def look(self, images: list[NDArray[np.uint8]]) -> list[str]:
        self.seen += images
        middle = [image[image.shape[0] // 2, image.shape[1] // 2] for image in images]
        return [min(COLORS, key=lambda name: np.abs(np.subtract(COLORS[name], pixel.astype(int))).sum())
                for pixel in middle]  # fmt: skip

    def say(self, looks: Sequence[Any], scores: Sequence[float]) -> PersonDescription:
        color = looks[int(np.argmax(scores))]
        vector = np.eye(3)[list(COLORS).index(color)]
        return PersonDescription(text=f"The image shows a man. He is wearing a {color} coat.", model="colors 1",
                                 attributes={"gender": Attribute(value="male", confidence=0.9),
                                             "upper.color": Attribute(value=(color,), confidence=0.8),
                                             "upper.garment": Attribute(value="coat", confidence=0.7)},
                                 embedding=tuple(vector.tolist()))  # fmt: skip


class House:
    """A stand-in Frigate, a bridge to it, and what was told."""

    def __init__(self, following: Following = FOLLOWING, frigate: StandIn | None = None) -> None:
        self.frigate = frigate or StandIn()
        self.colors, self.told, self.notes = Colors(), list[Told](), list[str]()
        who = ":".join(self.frigate.login) + "@" if self.frigate.login else ""
        address = Address.parse(self.frigate.url.replace("//", f"//{who}"))
        self.bridge = Bridge(Frigate(address), self.colors, self.told.append, following, self.notes.append)

    def comes(self, name: str = "1700000000.5-abc", color: str = "red", **more: Any) -> Tracked:
        one = Tracked(name, "gate", np.full((720, 1280, 3), 90, np.uint8), (600, 200, 700, 500), time=1.0, **more)
        self.paint(one, color)
        self.frigate.people[name] = one
        return one

    def paint(self, one: Tracked, color: str) -> None:
        x1, y1, x2, y2 = one.box
        one.frame[y1:y2, x1:x2] = COLORS[color]

    def send(self, one: Tracked, kind: str, *, settle: bool = True) -> None:
        if kind == "end" and one.end is None:
            one.end = one.start + 10
        update = parse(json.dumps(one.message(kind)).encode())
        assert update is not None
        self.bridge.put(update)
        if settle:
            assert self.bridge.settle(10)

    @property
    def kinds(self) -> list[str]:
        return [told.kind for told in self.told]


def until(wanted: Any, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
