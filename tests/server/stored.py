"""A store with people, for tests of the routes that show them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from serving import Running, jpeg

from personvlm.schema import Attribute, Crop, Described, DescribeRequest, PersonDescription
from personvlm.store import Store

START = 1_750_000_000.0
HTTP = httpx.Client(timeout=30)


def described(row: int, *, camera: str = "gate", revision: int = 1, final: bool = False) -> Described:
    """Somebody: even rows are women in red coats, odd ones men in blue jackets with a backpack."""
    woman = row % 2 == 0
    values = {"gender": "female", "upper.garment": "coat"} if woman else {"gender": "male", "upper.garment": "jacket"}
    attributes = {name: Attribute(value=value, confidence=0.9) for name, value in values.items()}
    attributes["upper.color"] = Attribute(value=("red",) if woman else ("blue",), confidence=0.8)
    scores = {"gender": {"female": 0.9 if woman else 0.1, "male": 0.1 if woman else 0.9},
              "upper.garment": {"coat": 0.9, "jacket": 0.1} if woman else {"coat": 0.1, "jacket": 0.9},
              "upper.color": {"red": 0.8, "blue": 0.1} if woman else {"red": 0.1, "blue": 0.8}}  # fmt: skip
    text = "The image shows a woman. She is wearing a red coat."
    if not woman:
        attributes["carrying"] = Attribute(value=("backpack", "bag"), confidence=0.7)
        scores["carrying"] = {"backpack": 0.7, "bag": 0.75}
        text = "The image shows a man. He is wearing a blue jacket. He is carrying a backpack."
    time = START + 60.0 * row
    request = DescribeRequest.build(
        camera, row, "new_track" if revision == 1 else "track_update", time + revision - 1,
        Crop(data=jpeg(seed=row), box=(1.0, 2.0, 33.0, 66.0), time=time, score=0.9), first_seen=time,
        revision=revision, final=final,
    )  # fmt: skip
    vector = (1.0, 0.02 * row, 0.0) if woman else (0.0, 0.02 * row, 1.0)
    norm = sum(each * each for each in vector) ** 0.5
    said = PersonDescription(text=text, attributes=attributes, scores=scores, quality=0.6, model="stand-in 1",
                             embedding=tuple(each / norm for each in vector))  # fmt: skip
    return Described(request=request, description=said, described_at=time + 1)


def filled(folder: Path, count: int = 10) -> tuple[str, list[Described]]:
    """The address of a store with ``count`` people on two cameras, and what is in it."""
    people = [described(row, camera="gate" if row < count // 2 else "hall") for row in range(count)]
    made = _made(count)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return str(folder / "people.db"), people


@lru_cache
def _made(count: int) -> Path:
    """Once for all tests: making the tables takes longest."""
    folder = Path(tempfile.mkdtemp(prefix="personvlm-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with Store.open(folder / "people.db") as store:
        store.add([described(row, camera="gate" if row < count // 2 else "hall") for row in range(count)])
    return folder


class Site:
    """A server on a store with ten people."""

    def __init__(self, server: Running, url: str, people: list[Described]) -> None:
        self.server, self.store_url, self.people = server, url, people

    def get(self, path: str, **more: Any) -> httpx.Response:
        return HTTP.get(self.server.url + path, **more)

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return HTTP.request(method, self.server.url + path, json=body)

    def json(self, path: str, **more: Any) -> Any:
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def actions(self) -> list[tuple[str, str]]:
        with Store.open(self.store_url) as store:
            return [(each.action, each.subject) for each in store.audited(limit=1000)]
