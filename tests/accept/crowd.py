"""A store full of people who were never there: real descriptions, drawn again and again with other certainties.

Every person has the text and the attributes of one description of the model, probabilities moved by half a logit
(normal), and an embedding moved as two pictures of one person differ. 200 cameras, the busiest with most people; people
come in the order of time, over 30 days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from personvlm.schema import PersonDescription
from personvlm.store import Store, tables
from personvlm.store.database import is_sqlite
from personvlm.store.rows import Said, Seen
from personvlm.store.segments import FIRST_SEEN, LAST_SEEN, SIZE

CAMERAS = 200
DAYS = 30
BEGINNING = 1_780_000_000.0
_NOISE = 1360  # half a logit, in codes


def crowd(store: Store, descriptions: Sequence[PersonDescription], people: int, part: int = 4000,
          days: int = DAYS, first: int = 0) -> Iterator[int]:  # fmt: skip
    """Add ``people`` to a store that has ``first`` of them, and tell how many there are after each part."""
    rng = np.random.default_rng(first)
    base = Said.of(descriptions, store.terms)
    codes = np.stack([one.codes for one in base if one.codes is not None]).astype(np.int32)
    vectors = np.array([one.embedding for one in descriptions], np.float32)
    share = 1.0 / np.arange(1, CAMERAS + 1)
    for start in range(first, people, part):
        count = min(part, people - start)
        drawn = rng.integers(0, len(base), count)
        moved = codes[drawn]
        moved = np.where(moved >= 256, np.clip(moved + rng.normal(0, _NOISE, moved.shape), 256, 65_535), 0)
        moved = moved.astype(np.uint16)
        looks = vectors[drawn] + rng.normal(0, 0.03, (count, vectors.shape[1])).astype(np.float32)
        looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype("<f2")
        where = rng.choice(CAMERAS, count, p=share / share.sum())
        rows = []
        for place in range(count):
            number = start + place
            at = BEGINNING + number * days * 86_400 / people
            said = replace(base[drawn[place]], codes=moved[place], vector=looks[place].tobytes())
            seen = Seen(f"{number:032x}", f"p{number:031x}", f"camera {where[place]}", number, "new_track", at, at,
                        at + 10, 1, True, "[[null,null,null,1.0]]", at + 11)  # fmt: skip
            rows.append((seen, said))
        store.insert(rows)
        yield start + count


BLOCK = 6 * SIZE
"""Numbers that one copy of a crowd of six segments takes."""


def multiply(store: Store, times: int, segments: int = 6) -> int:
    """Have a crowd that fills ``segments`` (:data:`BLOCK` - 1 people) ``times`` times, copied inside the database, each
    copy three days later.

    A million people are there in minutes instead of half an hour; rows, indexes and segments are those that adding them
    one by one makes. What was cut off goes on where it was. Returns how many people there are.
    """
    store.fold()
    with store.read() as connection:
        heads = sorted(connection.scalars(sa.select(tables.search_segments.c.segment)))
    assert heads == list(range(len(heads))), heads
    assert len(heads) % segments == 0, heads
    block = segments * SIZE
    for copy in range(len(heads) // segments, times):
        shift = {"number": copy * block, "days": copy * 3 * 86_400.0, "copy": f"-{copy}", "segment": copy * segments,
                 "block": block, "segments": segments}  # fmt: skip
        with store.begin() as connection:
            for statement in (*_COPIES, _TEXT[connection.dialect.name]):
                connection.execute(sa.text(statement).bindparams(**{
                    name: value for name, value in shift.items() if f":{name}" in statement
                }))  # fmt: skip
            _shift(connection, copy * segments, copy * segments + segments, copy * 3 * 86_400.0)
    if not is_sqlite(store.engine):
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    return times * (block - 1)


def _shift(connection: sa.Connection, first: int, end: int, seconds: float) -> None:
    """Times of copied segments."""
    columns = tables.search_columns
    where = (columns.c.segment >= first, columns.c.segment < end,
             columns.c.name.in_((FIRST_SEEN, LAST_SEEN)))  # fmt: skip
    for row in connection.execute(sa.select(columns).where(*where)).all():
        times = np.frombuffer(row.data, "<f8")
        moved = np.where(times > 0, times + seconds, 0.0).tobytes()
        connection.execute(columns.update().where(columns.c.segment == row.segment, columns.c.name == row.name)
                           .values(data=moved))  # fmt: skip


_COPIES = (
    "INSERT INTO tracks SELECT id + :number, person || :copy, camera, track_id, first_seen + :days, last_seen + :days, "
    "final, revision, description + :number FROM tracks WHERE id < :block",
    "INSERT INTO descriptions SELECT id + :number, event_id || :copy, model, track + :number, revision, trigger, "
    "frame_time + :days, described_at + :days, final, text, attributes, scores, quality, crops, NULL FROM "
    "descriptions WHERE id < :block",
    "INSERT INTO attributes SELECT term, track + :number, confidence FROM attributes WHERE track < :block",
    "INSERT INTO embeddings SELECT track + :number, model, vector FROM embeddings WHERE track < :block",
    "INSERT INTO search_segments SELECT segment + :segment, version, people, first_seen + :days, last_seen + :days "
    "FROM search_segments WHERE segment < :segments",
    "INSERT INTO search_columns SELECT segment + :segment, name, data FROM search_columns WHERE segment < :segments",
)
_TEXT = {
    "sqlite": "INSERT INTO search_text (rowid, text) SELECT id, text FROM search_text_source WHERE id >= :number",
    "postgresql": "INSERT INTO search_text SELECT track + :number, words FROM search_text WHERE track < :block",
}
