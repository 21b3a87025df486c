"""A store full of people who were never there: real descriptions, drawn again and again with other certainties.

Every person has the text and the attributes of one description of the model, probabilities moved by half a logit
(normal), and an embedding moved as two pictures of one person differ. 200 cameras, the busiest with most people; people
come in the order of time, over 30 days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from personvlm.schema import PersonDescription
from personvlm.store import Store
from personvlm.store.rows import Said, Seen

CAMERAS = 200
DAYS = 30
BEGINNING = 1_780_000_000.0
_NOISE = 1360  # half a logit, in codes


def crowd(store: Store, descriptions: Sequence[PersonDescription], people: int, part: int = 4000,
          first: int = 0) -> Iterator[int]:  # fmt: skip
    """Add ``people`` to a store that has ``first`` of them, and tell how many there are after each part."""
    rng = np.random.default_rng(first)
    base = [Said.of(one, store.terms) for one in descriptions]
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
            at = BEGINNING + number * DAYS * 86_400 / people
            said = replace(base[drawn[place]], codes=moved[place], vector=looks[place].tobytes())
            seen = Seen(f"{number:032x}", f"p{number:031x}", f"camera {where[place]}", number, "new_track", at, at,
                        at + 10, 1, True, "[[null,null,null,1.0]]", at + 11)  # fmt: skip
            rows.append((seen, said))
        store.insert(rows)
        yield start + count
