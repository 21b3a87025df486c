"""People as tests of alerts need them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from personvlm.schema import Described, PersonDescription
from personvlm.schema.events import Crop, DescribeRequest
from personvlm.schema.groups import GROUP
from personvlm.store.database import connect

NIGHT = 1_704_150_000.0  # 2024-01-01 23:00 UTC, a Monday
DAY = NIGHT - 12 * 3600


def scores(**sure: dict[str, float]) -> dict[str, dict[str, float]]:
    """Scores of groups, with ``_`` for the dot: what is left over goes to the first other value of a group."""
    found = {}
    for name, given in sure.items():
        group = GROUP[name.replace("_", ".")]
        row = dict.fromkeys(group.columns, 0.0) | given
        if group.kind == "exclusive":
            rest = next(value for value in group.columns if value not in given)
            row[rest] = 1.0 - sum(given.values())
        found[group.name] = row
    return found


def described(track: int = 1, revision: int = 1, *, red: float = 0.9, backpack: float = 0.9, camera: str = "gate",
              time: float = NIGHT, first: float | None = None, crops: int = 1, final: bool = False,
              more: dict[str, dict[str, float]] | None = None, crop: bytes | None = b"jpeg") -> Described:  # fmt: skip
    """Somebody in a red top with a backpack, or not. Every revision has crops of its own, a second apart."""
    pictures = [Crop(data=crop, time=time - index) for index in range(crops)]
    request = DescribeRequest.build(camera, track, "new_track" if revision == 1 else "track_update", time, pictures[0],
                                    others=tuple(pictures[1:]), first_seen=time if first is None else first,
                                    revision=revision, final=final)  # fmt: skip
    values = scores(upper_color={"red": red}, carrying={"backpack": backpack}) | (more or {})
    said = PersonDescription(text=f"Person {track}, revision {revision}.", scores=values, model="test")
    return Described(request=request, description=said, described_at=time)


@dataclass
class Place:
    """What alerts need of a store: a database, and who is linked to whom."""

    engine: sa.Engine
    links: dict[str, set[str]] = field(default_factory=dict)

    def same(self, person: str, connection: Any) -> Collection[str]:
        return {person} | self.links.get(person, set())


def place(folder: Path) -> Any:
    return Place(connect(folder / "store.db"))
