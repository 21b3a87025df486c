"""Pictures of those who are stored, put where they are kept before the rows that name them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from personvlm.schema import Described
from personvlm.store import database, retention, writing
from personvlm.store.blobs import Blobs


def keep(engine: sa.Engine, blobs: Blobs | None, described: Sequence[Described],
         connection: sa.Connection | None = None) -> list[tuple[str | None, ...]]:  # fmt: skip
    """References of the pictures of each, which are put into ``blobs`` now; None for each where none are kept.

    Their names follow from the event, so that doing it again replaces them, and a transaction that fails leaves
    nothing that could not be found again.
    """
    if blobs is None:
        return [tuple(None for _ in one.request.crops) for one in described]
    with database.reading(engine, connection) as own:
        bare = retention.without_crops(own)
    return [tuple(None for _ in one.request.crops) if one.request.camera in bare else _kept(one, blobs)
            for one in described]  # fmt: skip


def _kept(one: Described, blobs: Blobs) -> tuple[str | None, ...]:
    kept: list[str | None] = []
    for number, crop in enumerate(one.request.crops):
        data = crop.data
        if data is None and crop.reference is not None and crop.reference.startswith("until/"):
            data = blobs.get(crop.reference)  # it would expire
        if data is not None:
            kept.append(blobs.put(data, name=f"{one.request.event_id}-{number}"))
        else:
            kept.append(crop.reference)
    return tuple(kept)


def refuse(engine: sa.Engine, blobs: Blobs | None, old: Sequence[Described],
           connection: sa.Connection | None = None) -> None:  # fmt: skip
    """Delete the pictures again of those who are not stored because they were erased."""
    if blobs is None or not old:
        return
    with database.reading(engine, connection) as own:
        gone = writing.erased_people(own, {one.request.person for one in old})
    for one in old:
        for number in range(len(one.request.crops) if one.request.person in gone else 0):
            blobs.delete(Blobs.reference(f"{one.request.event_id}-{number}"))
