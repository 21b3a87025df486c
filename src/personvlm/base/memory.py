"""How glibc's allocator holds memory. What is right for training is wrong for a server; elsewhere than on glibc nothing
happens."""

from __future__ import annotations

import ctypes
import sys

_OPTIONS = {"trim_threshold": -1, "top_pad": -2, "mmap_threshold": -3, "mmap_max": -4, "arena_max": -8}
"""Names and numbers of ``malloc.h``."""


def keep_memory() -> bool:
    """Let the allocator keep what one step frees for the next, instead of handing it back; whether it could be told.

    Feature maps of tens of megabytes are otherwise mapped and unmapped by every layer, and half of a training step on
    a CPU goes into clearing their pages: with this, one of edge at 256 x 128 took half of the time.
    """
    return _mallopt(mmap_max=0, trim_threshold=-1, top_pad=1 << 28)


def return_memory() -> bool:
    """Let the allocator hand back what requests have used; whether it could be told. Call it before threads start.

    By default every thread has a heap of its own, and blocks of up to 32 MB come to lie in them as soon as one such
    block was freed, so that a server that has decoded large pictures in many threads stays large for good.
    """
    return _mallopt(arena_max=2, mmap_threshold=1 << 18, trim_threshold=1 << 20)


def _mallopt(**options: int) -> bool:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    return mallopt is not None and all(mallopt(_OPTIONS[name], value) == 1 for name, value in options.items())
