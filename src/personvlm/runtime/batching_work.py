"""Two small parts of a batch engine that know nothing of it: who caused a failure, and whose time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

Work = Callable[[list[Any]], Sequence[Answer]]
"""Prepared items -> one answer each, in their order."""

_LONG = 3600.0  # seconds of one wait: the system's clock does not take just any number


def isolated(work: Work[Answer], items: list[Any]) -> Iterator[tuple[int, Answer | None, BaseException | None]]:
    """(index, answer, error) for every item, exactly one of the last two being None (unless an answer is None).

    Where ``work`` fails it is called again with each half, so that one bad item among n costs about 2 log2(n) further
    calls and fails alone. Answers of a half come before the other half is worked on.

    Example:
        >>> def inverse(numbers):
        ...     return [1 / number for number in numbers]
        >>> [index for index, _, error in isolated(inverse, [1, 2, 0, 4]) if error]
        [2]
    """
    parts = [range(len(items))]
    while parts:
        part = parts.pop()
        try:
            answers = work([items[index] for index in part])
            if len(answers) != len(part):
                raise RuntimeError(f"the work gave {len(answers)} answers for {len(part)} items")
        except BaseException as error:  # whatever it is, it belongs to who asked, as in concurrent.futures
            if len(part) == 1:
                yield part[0], None, error
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
        else:
            yield from ((index, answer, None) for index, answer in zip(part, answers, strict=True))


def outcome_of(future: Future[Any]) -> Any:
    """The answer, once it is there, or the exception in its place."""
    try:
        return future.result()
    except Exception as error:
        return error


class Deadlines(Generic[Thing]):
    """Calls ``expired`` with each thing once its time has come (of ``time.perf_counter``), in a thread of its own."""

    def __init__(self, expired: Callable[[Thing], None]) -> None:
        self._expired = expired
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Thing]] = []
        self._added = 0
        self._stopped = False
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()

    def add(self, when: float, thing: Thing) -> None:
        """Watch one more. There is no taking back: ``expired`` has to know what is over already."""
        with self._changed:
            self._added += 1
            heappush(self._heap, (when, self._added, thing))
            self._changed.notify()

    def stop(self) -> None:
        """End the thread; nothing expires any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (not self._heap or self._heap[0][0] > time.perf_counter()):
                    left = self._heap[0][0] - time.perf_counter() if self._heap else _LONG
                    self._changed.wait(min(max(left, 0.0), _LONG))
                if self._stopped:
                    return
                thing = heappop(self._heap)[2]
            self._expired(thing)
