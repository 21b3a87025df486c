"""People for the web page: rendered, walking past three cameras, in a store with rules, alerts, links and dead letters.

Used by ``tools/screenshots.py``, whose people the real model describes, and by the page's tests, which take the truth
of the renderer for what was said, so that they need no model.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.alerts.engine import Alerts
from personvlm.data.rendered import background, person_layer, put, shoot
from personvlm.data.rendered.people import complete, visible
from personvlm.events import Queue
from personvlm.language.realiser import realise
from personvlm.schema import GROUP, Attribute, Crop, Described, DescribeRequest, PersonDescription, Values
from personvlm.schema.groups import NONE, OTHER
from personvlm.store import Store

Picture = NDArray[np.uint8]
Describe = Callable[[Sequence[Picture]], PersonDescription]
CAMERAS = ("gate", "hall", "parking-deck")
RULES = {
    "blue-top": ('upper.color == "blue"', "somebody in a blue top"),
    "hat-at-night": ('headwear == "hat" && time in 22:00-06:00', "somebody with a hat at night"),
}
_VIEWS = ("front", "back", "side")
_TRIGGERS = ("new_track", "track_update", "track_update")


def walks(count: int, seed: int, describe: Describe | None = None, *, ends: float | None = None,
          every_s: float = 240.0, size: tuple[int, int] = (160, 320)) -> Iterator[tuple[int, Described]]:  # fmt: skip
    """(number of the person, event) in order of time: everybody is seen by one to three cameras, twice by each.

    Args:
        describe: says what pictures of one person show; None: what was drawn.
        ends: time of the last event, in seconds since the epoch; None: now.
        every_s: between two people.
    """
    end = time.time() if ends is None else ends
    walk: list[tuple[int, Described]] = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        person = complete({}, int(rng.integers(2**31)))
        vector = rng.normal(size=128)
        cameras = rng.permutation(CAMERAS)[: 1 + number % 3]
        began = end - every_s * (count - number) - float(rng.uniform(0, 0.4)) * every_s
        for place, camera in enumerate(cameras):
            start = min(began + 50.0 * place, end - 10)
            pictures, drawn = _pictures(person, rng, size)
            crops = [_crop(picture, start + 2 * index, rng) for index, picture in enumerate(pictures)]
            for revision in (1, 2):
                shown = pictures[: 1 if revision == 1 else None]
                said = describe(shown) if describe else truth(drawn, vector + 0.4 * rng.normal(size=128), rng)
                request = DescribeRequest.build(
                    str(camera), 10 * number + place + 1, _TRIGGERS[revision - 1], start + 4 * revision,
                    crops[0], others=tuple(crops[1 : len(shown)]), first_seen=start, revision=revision,
                    final=revision == 2 and number < count - 2,
                )  # fmt: skip
                walk.append((number, Described(request=request, description=said, described_at=start + 4 * revision)))
    yield from sorted(walk, key=lambda each: each[1].request.frame_time)


def fill(store: Store, described: Sequence[tuple[int, Described]]) -> None:
    """Store them, with the rules of :data:`RULES`, what these raise, and who is one person."""
    alerts = Alerts(store)
    for name, (rule, words) in RULES.items():
        alerts.add_rule(name, rule, words=words)
    tracks: dict[int, dict[str, None]] = {}
    for number, event in described:
        tracks.setdefault(number, {})[event.request.person] = None
    for people in tracks.values():
        first, *others = people
        for other in others:
            store.link(first, other, 0.94)
    events = [event for _, event in described]
    store.add(events)
    alerts.observe(events)


def kill(queue: Queue, count: int) -> None:
    """Put events into ``queue`` that nobody can describe, and let them die."""
    broken = Crop(data=b"\xff\xd8\xff\xe0 cut off")
    reasons = ("the picture is cut off: 12 bytes, no pixels", "the blob store does not have the picture any longer")
    queue.put([DescribeRequest.build(CAMERAS[0], 900 + number, "new_track", time.time() - 60 * number, broken)
               for number in range(count)])  # fmt: skip
    for number, lease in enumerate(queue.claim(count)):
        queue.nack([lease], reasons[number % 2], dead=True)


def truth(drawn: Values, vector: NDArray[np.float64], rng: np.random.Generator) -> PersonDescription:
    """What was drawn, as if a model had said it."""
    kept = {name: values for name, values in drawn.items() if not {NONE, OTHER} & set(values)}
    sure = {name: float(rng.uniform(0.72, 0.99)) for name in kept}
    scores = {}
    for name, values in drawn.items():
        group, p = GROUP[name], sure.get(name, 0.9)
        leaves = frozenset().union(*(group.leaves(value) for value in values))
        rest = (1 - p) / max(1, len(group.columns) - len(leaves)) if group.kind == "exclusive" else 0.03
        share = p / len(leaves) if group.kind == "exclusive" else p
        scores[name] = {value: share if value in leaves else rest for value in group.columns}
    attributes = {name: Attribute(value=values if GROUP[name].kind == "set" else values[0], confidence=sure[name])
                  for name, values in kept.items()}  # fmt: skip
    unit = vector / np.linalg.norm(vector)
    return PersonDescription(text=realise(kept), scores=scores, attributes=attributes, embedding=tuple(unit.tolist()),
                             quality=float(rng.uniform(0.6, 0.98)), model="drawn 1")  # fmt: skip


def _pictures(person: Values, rng: np.random.Generator, size: tuple[int, int]) -> tuple[list[Picture], Values]:
    """Three pictures of one person, which is what a rule asks for, and what can be seen in them."""
    shown = {**person, "view": (str(rng.choice(_VIEWS)),)}
    scene, light = background(size, rng), float(rng.uniform(-0.8, 0.8))
    return [_drawn(shown, scene.copy(), light, rng) for _ in range(3)], visible(shown)


def _drawn(person: Values, scene: Picture, light: float, rng: np.random.Generator) -> Picture:
    """As :func:`personvlm.data.rendered.render`, but in the same clothes and place at every moment of a step."""
    height, width = scene.shape[:2]
    layer = person_layer(person, 1, round(0.86 * height), float(rng.random()), light=light)
    put(scene, layer, width // 2, round(0.97 * height), light)
    return shoot(scene, rng)


def _crop(picture: Picture, at: float, rng: np.random.Generator) -> Crop:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=88)
    return Crop(data=stream.getvalue(), time=at, score=float(rng.uniform(0.6, 1.0)))
