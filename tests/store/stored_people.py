"""People for tests of the store: descriptions with scores, made from what is asserted."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from personvlm.schema import GROUP, Attribute, Crop, Described, DescribeRequest, PersonDescription

MONDAY = 1_780_000_000.0


def said(text: str = "The image shows a person.", model: str = "edge 1",
         embedding: tuple[float, ...] | None = (),
         **scores: Mapping[str, float]) -> PersonDescription:  # fmt: skip
    """A description with these scores (``upper_color={"red": .9}``) and what they assert from .5 on. Other values of an
    exclusive group share the rest; those of a set have .01. Who has other scores looks otherwise."""
    if embedding == ():
        vector = np.random.default_rng(zlib.crc32(repr((text, scores)).encode())).normal(size=128)
        embedding = tuple((vector / np.linalg.norm(vector)).tolist())
    full: dict[str, dict[str, float]] = {}
    attributes: dict[str, Attribute] = {}
    for name, given in scores.items():
        group = GROUP[name.replace("_", ".")]
        others = max(1, len(group.columns) - len(given))
        rest = (1 - sum(given.values())) / others if group.kind == "exclusive" else 0.01
        full[group.name] = {value: given.get(value, rest) for value in group.columns}
        held = tuple(value for value, p in given.items() if p >= 0.5)
        if held:
            attributes[group.name] = Attribute(value=held if group.kind == "set" else held[0],
                                               confidence=min(given[value] for value in held))  # fmt: skip
    return PersonDescription(text=text, scores=full, attributes=attributes, embedding=embedding, quality=0.9,
                             model=model)  # fmt: skip


def seen(track: int, description: PersonDescription, *, camera: str = "gate", at: float = MONDAY, revision: int = 1,
         first: float | None = None, crop: bytes | None = None, **more: Any) -> Described:  # fmt: skip
    """An event about person ``track`` of ``camera``; ``at`` is its time, ``first`` when the track began."""
    trigger = "new_track" if revision == 1 else "track_update"
    request = DescribeRequest.build(camera, track, trigger, at, Crop(data=crop, box=(1, 2, 30, 90), time=at, score=0.7),
                                    revision=revision, first_seen=at if first is None else first, **more)  # fmt: skip
    return Described(request=request, description=description, described_at=at + 1)


def red_jacket(p: float = 0.9, **more: Any) -> PersonDescription:
    """A woman in a red jacket."""
    return said("The image shows a woman. She is wearing a red jacket.", gender={"female": 0.95},
                upper_color={"red": p}, upper_garment={"jacket": 0.8}, **more)  # fmt: skip


def backpacker(p: float = 0.9, **more: Any) -> PersonDescription:
    """A man with a backpack."""
    return said("The image shows a man. He is carrying a backpack and a lanyard.", gender={"male": 0.97},
                carrying={"backpack": p, "bag": p}, upper_color={"black": 0.9}, headwear={"cap": 0.7},
                **more)  # fmt: skip
