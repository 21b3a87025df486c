"""Who waits to be described, in the order in which it matters; what failed waits longer and holds up nobody else."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from personvlm.integrations.frigate_events import Update

_RANK = {"new": 0, "end": 1, "update": 2}
_PAST = ""
_SLOWEST = 30.0


@dataclass
class Job:
    """Something to do about one person, or about what was missed.

    Attributes:
        update: the latest that is known; None asks Frigate for people since ``after`` (epoch).
        since, due: when it came, and when it may be done; of the monotonic clock.
        tries: how often it was put back; ``gone``: how often Frigate did not have the event.
    """

    update: Update | None
    since: float
    due: float
    after: float = 0.0
    tries: int = 0
    gone: int = 0

    @property
    def key(self) -> str:
        """One job of a key waits at a time."""
        return _PAST if self.update is None else self.update.event

    @property
    def rank(self) -> tuple[int, float]:
        """The lowest is done first: the past, new people, those who left, updates."""
        return (-1 if self.update is None else _RANK[self.update.kind], self.since)


class Jobs:
    """Safe for several threads; one of them works."""

    def __init__(self) -> None:
        self._waiting: dict[str, Job] = {}
        self._change = threading.Condition()
        self._busy = self._closed = False

    def put(self, update: Update) -> None:
        """Of one person only the latest waits, and an end is the latest."""
        with self._change:
            now = time.monotonic()
            job = self._waiting.get(update.event)
            if job is None:
                self._waiting[update.event] = Job(update, now, now)
            elif job.update is not None and job.update.kind != "end":
                job.update = update
                if update.kind == "end":
                    job.due = now
            self._change.notify_all()

    def put_past(self, after: float) -> None:
        """Ask what happened since ``after``."""
        with self._change:
            now = time.monotonic()
            job = self._waiting.setdefault(_PAST, Job(None, now, now, after))
            job.after = min(after, job.after)
            self._change.notify_all()

    def put_back(self, job: Job) -> None:
        """Do ``job`` again, later each time; with what has come meanwhile."""
        job.tries += 1
        job.due = time.monotonic() + min(_SLOWEST, 0.25 * 2**job.tries)
        with self._change:
            newer = self._waiting.get(job.key)
            if newer is not None:
                job.update, job.after = newer.update, min(newer.after, job.after)
            self._waiting[job.key] = job
            self._change.notify_all()

    def take(self) -> Job | None:
        """The next job, once it is due; None when all is over. The one before is done when this is called."""
        with self._change:
            self._busy = False
            self._change.notify_all()
            while not self._closed:
                now = time.monotonic()
                due = [job for job in self._waiting.values() if job.due <= now]
                if due:
                    self._busy = True
                    return self._waiting.pop(min(due, key=lambda job: job.rank).key)
                self._change.wait(min((job.due - now for job in self._waiting.values()), default=None))
            return None

    def settle(self, seconds: float) -> bool:
        """Return when nothing waits and nothing is being done, or after ``seconds``; whether that is so."""
        with self._change:
            return self._change.wait_for(lambda: not (self._waiting or self._busy) or self._closed, seconds)

    def close(self) -> None:
        """:meth:`take` gives no more."""
        with self._change:
            self._closed = True
            self._change.notify_all()
