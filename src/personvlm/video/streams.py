"""Live streams (RTSP, HTTP and whatever else FFmpeg opens by an address): reconnect, never give up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from threading import Event

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from personvlm.base.errors import InputError
from personvlm.base.logs import masked
from personvlm.video.container import Damage, check_end, decoded, lasts, open_video, pixels, reason
from personvlm.video.frame import Frame, Report

PROTOCOLS = "rtsp,rtsps,rtp,srtp,rtmp,rtmps,http,https,httpproxy,hls,tls,tcp,udp,crypto"
"""What a stream may use. Files are not among it: a playlist from the network reads nothing here."""

_log = logging.getLogger(__name__)
_HOPELESS = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError, av.error.HTTPNotFoundError,
             av.error.ProtocolNotFoundError, av.error.InvalidDataError)  # fmt: skip
_DRIFT = 2.0
_NO_TIMES = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS


@dataclass(frozen=True)
class Patience:
    """How long a stream is waited for, in seconds.

    Attributes:
        silence: without any data until a connection counts as dead.
        first_wait, longest_wait: between attempts to connect; each wait is twice the one before.
    """

    silence: float = 10.0
    first_wait: float = 1.0
    longest_wait: float = 30.0


class Stream:
    """A camera that is reached by an address.

    Frame times are those of arrival, spaced as the container says. A connection that breaks off or falls silent is
    opened again for as long as it takes. An address that ends by itself because it is a file (it announces its
    duration) is read once, every frame; where that breaks off it ends as a file does.

    Args:
        url: the address.
        camera: name of the camera.
        patience: see :class:`Patience`.
        report: told when a connection is lost and when it is back.
        clock: seconds since the epoch.
    """

    def __init__(self, url: str, camera: str, *, patience: Patience | None = None, report: Report = _log.warning,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        self.url, self.camera = url, camera
        self.live, self.rate = True, 0.0
        self.connections = 0
        self._patience = patience or Patience()
        self._report, self._clock = report, clock
        self._stopped = Event()
        self._index = 0
        self._last = self._ahead = 0.0

    def frames(self) -> Iterator[Frame]:
        """Frames until :meth:`close`. See :class:`personvlm.video.frame.Source`.

        Raises:
            InputError: at the first contact already the address is refused or holds no video; later the same counts
                as a fault that passes. Or a file broke off.
        """
        wait = self._patience.first_wait
        while not self._stopped.is_set():
            before = self._index
            problem = yield from self._connection()
            if problem is None:
                return
            if self._index > before:
                wait = self._patience.first_wait
            self._report(f"{self.camera}: {problem}; connecting again in {wait:g} s")
            self._stopped.wait(wait)
            wait = min(2 * wait, self._patience.longest_wait)

    def _connection(self) -> Generator[Frame, None, str | None]:
        """Frames of one connection; returns why it ended, None if that was its proper end."""
        try:
            container, stream = self._connect()
        except InputError:
            if not self.connections:
                raise
            return "the stream holds no pictures now"
        except av.error.FFmpegError as error:
            mend = self._mend(error)
            if not self.connections and mend is not None:
                raise InputError(f"{hidden(self.url)}: {reason(error)}; {mend}") from None
            return reason(error)
        if self.connections:
            self._report(f"{self.camera}: connected again")
        self.connections += 1
        finite = self._ends(container)
        self.live = not finite
        # Of pictures that come one by one (Motion JPEG) FFmpeg makes times up, 25 in a second whatever the camera does.
        made_up = self.live and bool(container.format.flags & _NO_TIMES)
        self.rate = 0.0 if made_up else float(stream.average_rate or stream.guessed_rate or 0)
        damage, before, seconds = Damage(), self._index, 0.0
        offset: float | None = None
        first = 0.0
        with container:
            for frame in decoded(container, stream, damage):
                if self._stopped.is_set():
                    return None
                now = self._now()
                if frame.time is not None and not made_up:
                    # Network and decoder deliver in bursts, the container's clock is even. But clocks drift, and
                    # nothing arrives before it was taken.
                    late = 0.0 if offset is None else now - (offset + frame.time)
                    if offset is None or (self.live and not 0 <= late <= _DRIFT):
                        offset = now - frame.time
                    now = offset + frame.time
                self._last = max(now, self._last + 1e-3)
                first = self._last if self._index == before else first
                seconds = self._last - first + lasts(frame, 1.0 / (self.rate or 25.0))
                yield Frame(self.camera, self._index, self._last, pixels(frame, hidden(self.url)))
                self._index += 1
            if finite and self._index > before:  # a second connection would begin anew, and tell everybody again
                check_end(hidden(self.url), container, stream, damage, self._index - before, seconds, self._report)
                return None
        return damage.why or "the stream ended"

    def _now(self) -> float:
        """Seconds since the epoch; on from the last frame where the clock of this machine was set back since."""
        now = self._clock()
        if now > self._last:
            self._ahead = 0.0
        now += self._ahead
        if self.live and now < self._last - 1.0:
            self._report(f"{self.camera}: this machine's clock was set back by {self._last - now:.0f} s; times go on "
                         "from where they were until it is there again")  # fmt: skip
            self._ahead += self._last - now
            return self._last
        return now

    def _connect(self) -> tuple[InputContainer, VideoStream]:
        """Open it. Raises like :func:`personvlm.video.container.open_video`."""
        transport = {"rtsp_transport": "tcp"} if self.url.startswith(("rtsp:", "rtsps:")) else {}
        return open_video(hidden(self.url), self.url, protocols=PROTOCOLS, timeout=self._patience.silence,
                          options=transport)  # fmt: skip

    def _mend(self, error: av.error.FFmpegError) -> str | None:
        """What to do about an ``error`` at first contact that waiting does not mend; None where it may."""
        return "check the address" if isinstance(error, _HOPELESS) else None

    def _ends(self, container: InputContainer) -> bool:
        """Whether what was opened is a file, which has an end and of which every frame counts."""
        return container.duration is not None and container.size > 0

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`. A silent connection ends after ``patience.silence``."""
        self._stopped.set()


def hidden(url: str) -> str:
    """The address without user and password, neither before the host nor in its query, fit to be shown."""
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return masked(f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path}")
