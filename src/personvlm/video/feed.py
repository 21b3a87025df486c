"""One thread per source, so that one that stalls stalls nobody else."""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal

from personvlm.base.errors import InputError
from personvlm.video.frame import Frame, Source

State = Literal["waiting", "running", "ended", "failed"]

AHEAD = 4
"""Frames of a file that are decoded before they are asked for."""


class Feed:
    """Reads a source in a thread of its own and holds what was read until it is taken.

    Of a live source only the latest frame is held; whoever takes it late has missed the others, which are counted. Of
    any other source no frame is missed: its thread waits.

    Attributes:
        source: what is read.
        dropped: frames of a live source that nobody took.
        read: frames that were read.
        error: why the source failed, or None. Frames that came before it can still be taken.

    Args:
        source: read from its first frame on as soon as the feed exists.
        ready: notified whenever there is something to take or the source has ended; may be shared by many feeds.
    """

    def __init__(self, source: Source, ready: threading.Condition | None = None) -> None:
        self.source = source
        self.dropped = self.read = 0
        self.error: str | None = None
        self._ready = ready or threading.Condition()
        self._held: deque[Frame] = deque()
        self._done = self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"feed {source.camera}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for frame in self.source.frames():
                with self._ready:
                    self.read += 1
                    if self.source.live:
                        self.dropped += len(self._held)
                        self._held.clear()
                    else:
                        self._ready.wait_for(lambda: len(self._held) < AHEAD or self._stopped)
                    if self._stopped:
                        break
                    self._held.append(frame)
                    self._ready.notify_all()
        except InputError as error:
            self.error = str(error)
        except Exception as error:
            # A defect of one source must end that source, not the process that watches twenty others.
            self.error = f"{self.source.camera}: {type(error).__name__}: {error} (a defect of PersonVLM; report it)"
        finally:
            with self._ready:
                self._done = True
                self._ready.notify_all()

    def take(self) -> Frame | None:
        """The next frame if there is one now."""
        with self._ready:
            if not self._held:
                return None
            frame = self._held.popleft()
            self._ready.notify_all()
            return frame

    @property
    def state(self) -> State:
        """``waiting`` before the first frame; ``ended`` or ``failed`` once nothing is left to take."""
        with self._ready:
            if self._done and not self._held:
                return "failed" if self.error is not None else "ended"
            return "running" if self.read else "waiting"

    @property
    def available(self) -> bool:
        """Whether :meth:`take` would give a frame."""
        return bool(self._held)

    def close(self, wait: float = 1.0) -> None:
        """End the thread; held frames are forgotten. Returns after at most ``wait`` seconds, in which a silent network
        may not answer: the thread then ends by itself later.
        """
        self.source.close()
        with self._ready:
            self._stopped = True
            self._held.clear()
            self._ready.notify_all()
        self._thread.join(wait)
