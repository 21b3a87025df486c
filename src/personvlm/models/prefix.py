"""Decided attributes as a prefix for the decoder: a fixed number of slots, each holding one value or nothing.

Torch-free: the deployed runtime fills the same slots.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from personvlm.schema.description import Values
from personvlm.schema.groups import GROUPS, NONE, OTHER


@lru_cache(maxsize=1)
def slots() -> tuple[tuple[str, int], ...]:
    """(group, rank) of every slot: one per exclusive group, ``max_said`` per set."""
    return tuple((group.name, rank) for group in GROUPS for rank in range(group.max_said))


@lru_cache(maxsize=1)
def entries() -> dict[tuple[str, int, str], int]:
    """Index of every (group, rank, value) in the embedding table. Each slot has an index for "nothing" as well."""
    table: dict[tuple[str, int, str], int] = {}
    for group in GROUPS:
        for rank in range(group.max_said):
            for value in ("", *group.values):
                table[(group.name, rank, value)] = len(table)
    return table


def encode_values(values: Values) -> NDArray[np.int64]:
    """Slot indices ``int64 [S]`` of decided values. None, other and what exceeds ``max_said`` leave a slot empty."""
    table = entries()
    result = np.empty(len(slots()), np.int64)
    for index, (name, rank) in enumerate(slots()):
        said = [value for value in values.get(name, ()) if value not in (NONE, OTHER)]
        result[index] = table[(name, rank, said[rank] if rank < len(said) else "")]
    return result
