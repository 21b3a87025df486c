"""How long what a camera saw is kept, and the sweep that makes it so."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from math import inf

import sqlalchemy as sa

from personvlm.base.errors import InputError
from personvlm.store import bulk, erasing
from personvlm.store.blobs import Blobs
from personvlm.store.codes import Terms
from personvlm.store.tables import cameras

_DAY = 86_400.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """What a sweep did.

    Attributes:
        people: who were erased.
        pictures: of them and of others, deleted.
        expired: blobs of the queue whose time was over.
        dead: dead letters dropped; see :func:`personvlm.pipeline.retention.sweep`.
        erased: ids of ``people``.
        left: pictures that are too old and could not be looked for, because their place was not named or is another.
            Who is on them stays, or nobody could find them again.
    """

    people: int
    pictures: int
    expired: int
    dead: int = 0
    erased: tuple[str, ...] = field(default=(), repr=False)
    left: int = 0


def keep(connection: sa.Connection, camera: str, *, days: float | None, crop_days: float | None,
         crops: bool) -> None:  # fmt: skip
    """Say for how long people of ``camera`` are kept; None keeps them. A camera that saw nobody yet may be named.

    Raises:
        InputError: days that are no positive numbers, or a name without a letter or digit.
    """
    if not any(letter.isalnum() for letter in camera):
        raise InputError(f"{camera!r} is no name of a camera: it has no letter or digit")
    for name, value in (("days", days), ("crop days", crop_days)):
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"{name} of camera {camera!r} must be a positive number, not {value}")
    bulk.insert(connection, cameras, ("name",), [(camera,)], "ignore")
    connection.execute(cameras.update().where(cameras.c.name == camera)
                       .values(keep_days=days, crop_days=crop_days, keep_crops=crops))  # fmt: skip


def sweep(connection: sa.Connection, blobs: Blobs | None, terms: Terms, now: float | None = None) -> Sweep:
    """Erase who is too old, in the transaction of ``connection``."""
    now = time.time() if now is None else now
    people, pictures, left = list[str](), 0, 0
    place = None if blobs is None or blobs.empty() else blobs
    for row in connection.execute(sa.select(cameras)).all():
        if place is None:
            days = min((days for days in (row.keep_days, row.crop_days) if days is not None), default=inf)
            left += sum(erasing.pictured(connection, row.id, now - days * _DAY).values())
        if row.keep_days is not None:
            before = now - row.keep_days * _DAY
            stay = erasing.pictured(connection, row.id, before) if place is None else {}
            old = [person for person in erasing.old_people(connection, row.id, before) if person not in stay]
            if old:
                why = f"camera {row.name}: {row.keep_days:g} days"
                receipt = erasing.erase(connection, blobs, terms, old, identity=False, actor="retention", reason=why,
                                        remember=False)  # fmt: skip
                people += old
                pictures += receipt.counts["pictures"]
        if row.crop_days is not None and place is not None:
            pictures += erasing.drop_pictures(connection, place, row.id, now - row.crop_days * _DAY)
    if left:
        where = "no place of pictures is named" if blobs is None else f"there are none in {blobs.where}"
        _log.warning("%d pictures are too old, but %s: they, and who is on them, are left until a sweep with the right "
                     "--blobs", left, where)  # fmt: skip
    return Sweep(len(people), pictures, 0 if blobs is None else blobs.sweep(now), erased=tuple(people), left=left)


def without_crops(connection: sa.Connection) -> set[str]:
    """Cameras whose pictures are not kept at all."""
    return set(connection.scalars(sa.select(cameras.c.name).where(cameras.c.keep_crops.is_(False))))
