"""Tracks of a run as MOTChallenge results: one text file per camera, as evaluation and labelling tools read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

from personvlm.base.errors import InputError
from personvlm.pipeline.run_cameras import file_name
from personvlm.video.frame import Frame
from personvlm.video.watch import Watched


class MotWriter:
    """Writes who is where in every frame: give :meth:`seen` to a run. Not for several threads.

    A line is ``frame,id,left,top,width,height,confidence,-1,-1,-1``; frames and pixels count from 1, and ``id`` is the
    number of the track. In frames that were not looked at (see ``--every``) people move on as they went; frames
    that were dropped are left out.

    Args:
        folder: for ``CAMERA.txt``; it is made.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, TextIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: no folder can be made here ({error.strerror}); name another --mot") from None

    def seen(self, frame: Frame, watched: Watched) -> None:
        """One frame, as :data:`personvlm.pipeline.run.Seen` has it.

        Raises:
            InputError: the file cannot be written.
        """
        people = watched.people
        try:
            file = self._file(frame.camera)
            if people.tracker_id is None:
                return
            sure = [1.0] * len(people) if people.confidence is None else people.confidence.tolist()
            for (x1, y1, x2, y2), track, confidence in zip(people.xyxy.tolist(), people.tracker_id.tolist(), sure,
                                                           strict=True):  # fmt: skip
                if x2 > x1 and y2 > y1:
                    file.write(f"{frame.index + 1},{track},{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},"
                               f"{confidence:.4f},-1,-1,-1\n")  # fmt: skip
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be written ({error.strerror}); name another --mot") from None

    def _file(self, camera: str) -> TextIO:
        if camera not in self._files:
            name = file_name(camera, {Path(file.name).stem for file in self._files.values()})
            self._files[camera] = (self.folder / f"{name}.txt").open("w", encoding="utf-8")
        return self._files[camera]

    def close(self) -> None:
        """Finish the files. A camera on which nobody was followed has an empty one."""
        for file in self._files.values():
            file.close()


class _Watcher(Protocol):
    def seen(self, frame: Frame, watched: Watched) -> None: ...


def all_seen(*watchers: _Watcher | None) -> Callable[[Frame, Watched], None] | None:
    """What shows every frame to all of ``watchers`` that there are; None where there is none."""
    there = [watcher for watcher in watchers if watcher is not None]
    if not there:
        return None

    def seen(frame: Frame, watched: Watched) -> None:
        for watcher in there:
            watcher.seen(frame, watched)

    return seen
