"""What an appearance is read from, without torch: stripes of the picture, and logits that may be switched off."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def striped(tokens: NDArray[Any], grid: tuple[int, int]) -> NDArray[Any]:
    """Means of three stripes ``[N, 3D]`` of visual tokens ``[N, h*w, D]``."""
    rows, cols = grid
    by_row = tokens.reshape(len(tokens), rows, cols, tokens.shape[2]).mean(2)
    bounds = stripes(rows)
    parts = [by_row[:, a:b].mean(1) for a, b in pairwise(bounds)]
    return np.concatenate(parts, 1)
