"""One frame of one camera, and what every source of frames looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from personvlm.schema import Detection, Values

Report = Callable[[str], None]
"""Takes one sentence about something that a user should know and that stops nothing."""


@dataclass(frozen=True)
class Truth:
    """One person who really is in a frame; for evaluation only.

    Attributes:
        person: who it is, the same on all cameras.
        visit: one stay on one camera, which should be one track.
        box: (x1, y1, x2, y2) in pixels around what can be seen; None where that is too little to be found.
        values: what could be said of the person, where it is known.
    """

    person: str
    visit: str
    box: tuple[float, float, float, float] | None
    values: Values | None = None


@dataclass(frozen=True)
class Frame:
    """One picture of a camera.

    Attributes:
        camera: name of the camera.
        index: number of the frame since the source began, from 0. Frames that were dropped leave gaps.
        time: when it was taken, seconds since the epoch; later frames of a source have later times.
        image: RGB, ``uint8 [H, W, 3]``. Its size may change from one frame to the next.
        given: people in it, where the source knows them already; None where a detector has to look.
        truth: who really is in it, where the source knows; nothing but an evaluation may look at it.
    """

    camera: str
    index: int
    time: float
    image: NDArray[np.uint8]
    given: tuple[Detection, ...] | None = None
    truth: tuple[Truth, ...] | None = None


class Source(Protocol):
    """Where frames come from.

    Attributes:
        camera: name of the camera.
    """

    camera: str

    @property
    def live(self) -> bool:
        """Whether a frame that nobody took in time is worthless. Otherwise every frame counts, and the source waits."""

    @property
    def rate(self) -> float:
        """Nominal frames per second, 0 where unknown; known from the first frame on."""

    def frames(self) -> Iterator[Frame]:
        """Frames in order of time. May be called once.

        Raises:
            InputError: the source is no source of frames, or ended before its end. What came before is good.
        """

    def close(self) -> None:
        """End :meth:`frames` soon. May be called from any thread, and more than once."""
