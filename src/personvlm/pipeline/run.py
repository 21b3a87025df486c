"""From cameras to described people, in one process: read, detect, follow, describe, tell."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import supervision as sv

from personvlm.base.errors import InputError, PersonVLMError
from personvlm.pipeline.run_annotate import Annotator
from personvlm.pipeline.run_cameras import Camera, file_name, sources
from personvlm.pipeline.run_detectors import Detectors
from personvlm.pipeline.run_events import Describing, Occasions, PersonEvent, SameAs
from personvlm.pipeline.run_identity import Identities
from personvlm.pipeline.run_sinks import Put, Queueing
from personvlm.pipeline.run_status import CameraStatus, Status
from personvlm.video.describing import TrackDescriber
from personvlm.video.detectors import Detector
from personvlm.video.feed import Feed
from personvlm.video.frame import Frame, Report
from personvlm.video.identity import Identity, Link
from personvlm.video.tracking import Tracking
from personvlm.video.triggers import Timing
from personvlm.video.watch import CameraWatch, Watched

Seen = Callable[[Frame, Watched], None]
"""Gets every frame with the people in it, in the thread that follows them."""

USUAL = Identity()

_PATIENCE = 0.25


@dataclass
class _Watched:
    feed: Feed
    settings: Camera
    status: CameraStatus
    watch: CameraWatch | None = None
    detector: Detector | None = None
    annotator: Annotator | None = None
    problem: str | None = None
    texts: dict[int, str] = field(default_factory=dict)
    times: deque[float] = field(default_factory=deque)
    done: bool = False


class Run:
    """A run over cameras. Use :func:`run`, unless you want to stop it from another thread.

    Args: see :func:`run`.
    """

    def __init__(self, cameras: Mapping[str, Camera], describer: TrackDescriber, tell: Callable[[PersonEvent], None], *,
                 annotate: Path | None = None, frames: int | None = None, timing: Timing | None = None,
                 identity: Identity | None = USUAL, put: Put | None = None, seen: Seen | None = None,
                 report: Report = lambda note: None,
                 watch: Callable[[Status], None] = lambda status: None) -> None:  # fmt: skip
        self._describer, self._told, self._report, self._progress = describer, tell, report, watch
        self._put, self._seen = put, seen
        self._identities = Identities(identity)
        self._describing: Occasions | None = None
        self._timing, self._limit = timing or Timing(), frames
        self._ready = threading.Condition()
        self._stopped = threading.Event()
        self._detectors = Detectors(report)
        self._begun = time.monotonic()
        self.status = Status({})
        opened = []
        for name, camera in cameras.items():
            try:
                opened += [(source, camera) for source in sources(name, camera, self._noting(name))]
            except InputError as error:  # the others go on without it
                self.status.cameras[name] = CameraStatus(name, "failed", error=str(error))
        names = [source.camera for source, _ in opened]
        double = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if double is not None:
            raise InputError(f"two cameras are called {double}; give one of them another name (the cameras of a scene "
                             "are called after it: lobby-1, lobby-2)")  # fmt: skip
        self.status.cameras |= {source.camera: CameraStatus(source.camera) for source, _ in opened}
        self._annotate = _places(annotate, names)
        for place in self._annotate.values():
            check_output(place, cameras)
        self._cameras = {source.camera: _Watched(Feed(source, self._ready), camera, self.status.cameras[source.camera])
                         for source, camera in opened}  # fmt: skip

    def stop(self) -> None:
        """End soon, in order: whoever is present is described."""
        self._stopped.set()
        with self._ready:
            self._ready.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether it is to end before its cameras do."""
        return self._stopped.is_set()

    def reid(self, person: str) -> tuple[SameAs, ...]:
        """Who else ``person`` (the id of an event) is, where and when; likeliest first. May be called from any thread.

        The person is also looked at again before everybody else who waits, where a picture is left, and an event of
        the kind ``reid`` is told about it.

        Raises:
            InputError: the person is unknown or forgotten, or people are not told apart in this run.
        """
        occasion = self._identities.question(person)
        if occasion is not None and self._describing is not None:
            self._describing.put(occasion)
            if self._put is not None:
                return ()  # whoever describes has the looks
        return self._identities.who(person)

    def links(self) -> list[Link]:
        """Who was found to be one person; what holds now. May be called from any thread."""
        return self._identities.links()

    def undo(self, one: str, other: str) -> None:
        """Take back that two ids are one person; they are not linked again. May be called from any thread.

        Raises:
            InputError: they are not linked.
        """
        self._identities.undo(one, other)

    def go(self) -> Status:
        """Run until all cameras have ended. See :func:`run`."""
        describing: Occasions = (Describing(self._describer, self._tell) if self._put is None
                                 else Queueing(self._put, self._tell, self._report))  # fmt: skip
        self._describing = describing
        try:
            while not self._stopped.is_set():
                taken = self._take(describing)
                self._step(taken, describing)
                self._update(describing)
                if not taken:
                    if all(camera.done for camera in self._cameras.values()):
                        break
                    with self._ready:
                        self._ready.wait_for(lambda: any(c.feed.available for c in self._cameras.values()), _PATIENCE)
            for camera in self._cameras.values():
                if not camera.done:
                    self._end(camera, describing)
            describing.close()
        except BaseException:
            describing.abandon()
            raise
        finally:
            self._describing = None
            with contextlib.ExitStack() as closing:  # each of them, whatever becomes of the others
                for camera in self._cameras.values():
                    if camera.annotator is not None:
                        closing.callback(camera.annotator.close)
                    closing.callback(camera.feed.close)
        self._update(describing)
        return self.status

    def _take(self, describing: Occasions) -> list[tuple[_Watched, Frame]]:
        """The next frame of every camera that has one. The people of a camera that has ended have left."""
        taken = []
        for camera in self._cameras.values():
            if camera.done:
                continue
            frame = camera.feed.take()
            if frame is not None:
                taken.append((camera, frame))
            elif camera.feed.state in ("ended", "failed"):
                self._end(camera, describing)
        return taken

    def _step(self, taken: list[tuple[_Watched, Frame]], describing: Occasions) -> None:
        due: dict[int, tuple[Detector, list[tuple[_Watched, Frame]]]] = {}
        taken = [(camera, frame) for camera, frame in taken if camera.watch is not None or self._begin(camera, frame)]
        for camera, frame in taken:
            assert camera.watch is not None
            assert camera.detector is not None
            if camera.watch.due(frame):
                due.setdefault(id(camera.detector), (camera.detector, []))[1].append((camera, frame))
        found: dict[str, sv.Detections] = {}
        for detector, items in due.values():
            try:
                results = detector.detect([frame for _, frame in items])
            except InputError as error:
                for camera, _ in items:
                    camera.problem = str(error)
                    self._end(camera, describing)
                continue
            found |= {frame.camera: people for (_, frame), people in zip(items, results, strict=True)}
        for camera, frame in taken:
            if camera.done:
                continue
            assert camera.watch is not None
            seen = camera.watch.step(frame, found.get(frame.camera))
            if self._seen is not None:
                self._seen(frame, seen)
            for occasion in seen.occasions:
                describing.put(occasion)
            if camera.annotator is not None:
                if seen.occasions and not camera.feed.source.live:
                    describing.settle()  # so that words appear with the frame that they are about
                camera.annotator.add(frame, seen.people, camera.texts)
            camera.status.frames += 1
            camera.status.present = len(seen.people)
            camera.times.append(time.monotonic())
            if camera.status.frames == self._limit:
                self._end(camera, describing)

    def _begin(self, camera: _Watched, frame: Frame) -> bool:
        """Get ready for a camera whose first frame has come; whether that was possible."""
        name, settings = frame.camera, camera.settings
        wanted = settings.detector
        if wanted == "auto" and frame.given is not None:
            wanted = "given"
        try:
            if wanted == "given" and frame.given is None:
                raise InputError(f"{name}: no boxes come with this source; take another detector than `given`")
            timing = settings.timing.settings(self._timing, camera.feed.source.rate, name)
            camera.detector = self._detectors.get(wanted, settings.person_class)
            place = self._annotate[name]
            camera.annotator = None if place is None else Annotator(place)
        except PersonVLMError as error:
            camera.problem = str(error)
            camera.done = True
            camera.feed.close(0.0)
            return False
        camera.watch = CameraWatch(
            name, camera.feed.source.rate, every=settings.every, tracking=Tracking(name=settings.tracker),
            timing=timing, embed=self._describer.embed, adapt=camera.feed.source.live, report=self._noting(name),
        )  # fmt: skip
        return True

    def _end(self, camera: _Watched, describing: Occasions) -> None:
        """Nothing more is taken of ``camera``, while others may go on for days."""
        camera.done = True
        camera.feed.close(0.0)
        if camera.watch is not None:
            for occasion in camera.watch.finish():
                describing.put(occasion)
        camera.status.present = 0
        if camera.annotator is not None:
            annotator, camera.annotator = camera.annotator, None
            annotator.close()

    def _tell(self, event: PersonEvent) -> None:
        event = self._identities.told(event)
        camera = self._cameras[event.occasion.track.camera]
        camera.status.events += 1
        if event.occasion.kind == "end":
            camera.texts.pop(event.occasion.track.track_id, None)
        elif event.description is not None and event.occasion.kind != "reid":  # a question may come after the end
            camera.texts[event.occasion.track.track_id] = event.description.text
        self._told(event)

    def _noting(self, name: str) -> Report:
        def note(text: str) -> None:
            if name in self.status.cameras:
                self.status.cameras[name].note = text
            self._report(text)

        return note

    def _update(self, describing: Occasions) -> None:
        now = time.monotonic()
        status = self.status
        for camera in self._cameras.values():
            one = camera.status
            one.state, one.dropped = camera.feed.state, camera.feed.dropped
            one.error = camera.problem or camera.feed.error
            if camera.problem is not None:
                one.state = "failed"
            if camera.watch is not None:
                one.people, one.fleeting = camera.watch.tracks, camera.watch.triggers.fleeting
                one.every, one.slowed = camera.watch.every, camera.watch.load.raised
            while camera.times and now - camera.times[0] >= 5.0:
                camera.times.popleft()
            one.fps = len(camera.times) / min(5.0, max(0.5, now - self._begun))
        status.waiting, status.described, status.failed = describing.waiting, describing.described, describing.failed
        status.superseded, status.shed, status.unchanged = describing.superseded, describing.shed, describing.unchanged
        status.queued = describing.queued
        status.seconds = now - self._begun
        self._progress(status)


def run(cameras: Mapping[str, Camera], describer: TrackDescriber, tell: Callable[[PersonEvent], None],
        **options: Any) -> Status:  # fmt: skip
    """Describe the people that ``cameras`` see, until all have ended.

    Args:
        cameras: by name.
        describer: finds the words.
        tell: gets every event, one after the other, in a thread of its own.
        annotate: write an MP4 with boxes and descriptions here; with several cameras one each, ``NAME-CAMERA.mp4``.
        frames: end a camera after so many frames.
        timing: when people are described, where a camera says nothing else.
        identity: how people are known again; None links nobody.
        put: put events on a queue, for others to describe, instead of describing here.
        seen: gets every frame with the people in it; must be quick.
        report: told of faults that stop nothing.
        watch: called with the status after every frame; must be quick.

    Returns:
        The status at the end. Cameras that failed have their error in it; the others were not affected.

    Raises:
        OSError: ``tell`` could not write.
    """
    return Run(cameras, describer, tell, **options).go()


def check_output(path: Path | None, cameras: Mapping[str, Camera]) -> None:
    """Refuse to write over what is to be read.

    Raises:
        InputError: ``path`` is one of the sources, or has the boxes of one.
    """
    for camera in cameras.values():
        read = {Path(camera.source).resolve(), *([] if camera.detections is None else [camera.detections.resolve()])}
        if path is not None and path.exists() and path.resolve() in read:
            raise InputError(f"{path}: this is a source, it would be overwritten; write to another file")


def _places(annotate: Path | None, cameras: Sequence[str]) -> dict[str, Path | None]:
    """Where the clip of each camera goes."""
    if annotate is None or len(cameras) == 1:
        return dict.fromkeys(cameras, annotate)
    names: dict[str, str] = {}
    for camera in cameras:
        names[camera] = file_name(camera, names.values())
    return {camera: annotate.with_name(f"{annotate.stem}-{name}{annotate.suffix or '.mp4'}")
            for camera, name in names.items()}  # fmt: skip
