"""What a worker does where something does not answer: whose fault it is, and how long to wait."""

from __future__ import annotations

import random
from typing import Literal

from personvlm.base.errors import InputError
from personvlm.events.port import QueueDownError
from personvlm.store.database import away


class Pause:
    """Seconds to wait before trying again: 0.1 and up to 5, a half of it by chance."""

    def __init__(self) -> None:
        self._next = 0.1

    def next(self) -> float:
        """The next one."""
        now, self._next = self._next, min(5.0, 2 * self._next)
        return now * (0.5 + random.random() / 2)

    def reset(self) -> None:
        """Begin again."""
        self._next = 0.1


def silent(error: Exception) -> Literal["queue", "store"] | None:
    """Which of them did not answer; None: the fault is that of what was to be stored."""
    if isinstance(error, QueueDownError):
        return "queue"
    # A picture that is gone is both an InputError and an OSError, and no outage.
    return "store" if away(error) or (isinstance(error, OSError) and not isinstance(error, InputError)) else None
