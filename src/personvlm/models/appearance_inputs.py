"""What an appearance is read from, without torch: stripes of the picture, and logits that may be switched off."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from personvlm.schema.groups import columns

HIDDEN = frozenset({"gender", "age"})
"""What a user may switch off must not come back by another way."""


def stripes(rows: int) -> tuple[int, int, int, int]:
    """Bounds of head and shoulders, trunk, and legs among ``rows`` of visual tokens."""
    return 0, max(1, rows // 4), max(2, rows * 5 // 8), rows


@lru_cache(maxsize=1)
def kept_columns() -> tuple[int, ...]:
    """Columns of the logits without :data:`HIDDEN`."""
    return tuple(index for index, (name, _) in enumerate(columns()) if name not in HIDDEN)


def striped(tokens: Any, grid: tuple[int, int]) -> list[Any]:
    """Means of the three stripes, ``[N, D]`` each, of visual tokens ``[N, h*w, D]``: arrays or tensors."""
    rows, cols = grid
    by_row = tokens.reshape(-1, rows, cols, tokens.shape[2]).mean(2)
    return [by_row[:, a:b].mean(1) for a, b in pairwise(stripes(rows))]
