"""A recording that plays like a camera: frames come when they came, and do not wait for anybody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

from personvlm.video.frame import Frame, Source


class Paced:
    """Another source at the speed at which it was taken. Frame times stay what they are.

    Args:
        source: gives the frames; it must be quicker than its cameras were.
        late: seconds by which it begins later than when it is first asked, so that many do not begin at once.
    """

    live = True

    def __init__(self, source: Source, late: float = 0.0) -> None:
        self._source, self._late = source, late
        self.camera = source.camera
        self._stopped = Event()

    @property
    def rate(self) -> float:
        """Nominal frames per second."""
        return self._source.rate

    def frames(self) -> Iterator[Frame]:
        """See :class:`personvlm.video.frame.Source`."""
        begun: float | None = None
        for frame in self._source.frames():
            if begun is None:
                begun = time.monotonic() + self._late - frame.time
            if self._stopped.wait(max(0.0, begun + frame.time - time.monotonic())):
                return
            yield frame

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`."""
        self._stopped.set()
        self._source.close()
