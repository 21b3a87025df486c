"""Folders of pictures in the order of their names, and boxes that come with the frames (MOTChallenge files)."""

from __future__ import annotations

import configparser
import csv
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from personvlm.base.errors import InputError
from personvlm.base.images import ENDINGS, decode
from personvlm.schema import Detection
from personvlm.video.frame import Frame, Report, Source, Truth

_log = logging.getLogger(__name__)
_SUFFIXES = frozenset(ending for endings in ENDINGS.values() for ending in endings)
_DIGITS = re.compile(r"(\d+)")

Box = tuple[float, float, float, float]

Boxes = Mapping[int, tuple[Detection, ...]]
"""Frame index, from 0 -> people in it."""


class ImageFolder:
    """The pictures of one folder as frames; ``img2`` comes before ``img10``.

    Args:
        folder: holds the pictures; folders inside it are not searched.
        camera: name of the camera.
        rate: frames per second.
        start: time of the first frame, seconds since the epoch; by default the first file's date.
        report: told of pictures that cannot be read; they are left out.

    Raises:
        InputError: there are no pictures in it.
    """

    live = False

    def __init__(self, folder: Path, camera: str, *, rate: float = 10.0, start: float | None = None,
                 report: Report = _log.warning) -> None:  # fmt: skip
        if not 0 < rate < 1000:
            raise InputError(f"{folder}: {rate:g} frames per second; give a rate above 0 and below 1000")
        self.camera, self.rate = camera, rate
        self._report = report
        self._stopped = Event()
        try:
            names = [item for item in folder.iterdir() if item.suffix.lower() in _SUFFIXES and item.is_file()]
        except OSError as error:
            raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
        self.files = sorted((item for item in names if not item.name.startswith(".")), key=_natural)
        if not self.files:
            raise InputError(f"{folder}: this folder holds no pictures (looked for {', '.join(sorted(_SUFFIXES))})")
        self.start = start if start is not None else self.files[0].stat().st_mtime

    def frames(self) -> Iterator[Frame]:
        """Every picture. See :class:`personvlm.video.frame.Source`.

        Raises:
            InputError: not one of them can be read.
        """
        good = 0
        for index, path in enumerate(self.files):
            if self._stopped.is_set():
                return
            try:
                image = decode(path)
            except InputError as error:
                self._report(str(error))
                continue
            good += 1
            yield Frame(self.camera, index, self.start + index / self.rate, image)
        if not good:
            raise InputError(f"{self.files[0].parent}: none of its {len(self.files)} pictures can be read")

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`."""
        self._stopped.set()


class Given:
    """Another source, with boxes that are known for its frames.

    Args:
        source: gives the pictures.
        boxes: frame index -> people; frames without an entry show nobody.
    """

    def __init__(self, source: Source, boxes: Boxes) -> None:
        self._source, self._boxes = source, boxes
        self.camera = source.camera

    @property
    def live(self) -> bool:
        """See :class:`personvlm.video.frame.Source`."""
        return self._source.live

    @property
    def rate(self) -> float:
        """Nominal frames per second."""
        return self._source.rate

    def frames(self) -> Iterator[Frame]:
        """See :class:`personvlm.video.frame.Source`."""
        for frame in self._source.frames():
            yield replace(frame, given=self._boxes.get(frame.index, ()))

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`."""
        self._source.close()


class Labelled(Given):
    """Another source, with the truth about its frames.

    Args:
        source: gives the pictures.
        people: (frame index, number of a person, box) of everybody who counts.
    """

    def __init__(self, source: Source, people: Sequence[tuple[int, int, Box]]) -> None:
        super().__init__(source, {})
        self._truth: dict[int, list[Truth]] = {}
        for frame, number, box in people:
            who = f"{source.camera} {number}"
            self._truth.setdefault(frame, []).append(Truth(who, who, box))

    def frames(self) -> Iterator[Frame]:
        """See :class:`personvlm.video.frame.Source`."""
        for frame in self._source.frames():
            yield replace(frame, truth=tuple(self._truth.get(frame.index, ())))


def mot_sequence(folder: Path, camera: str, *, start: float | None = None, report: Report = _log.warning) -> Source:
    """A sequence as MOTChallenge lays it out: ``img1/``, ``det/det.txt``, ``seqinfo.ini`` with the frame rate, and
    ``gt/gt.txt`` with the truth, if it is there.

    Raises:
        InputError: a part is missing or cannot be read.
    """
    info = configparser.ConfigParser()
    path = folder / "seqinfo.ini"
    try:
        info.read(path, "utf-8")
        rate = info.getfloat("Sequence", "frameRate", fallback=10.0)
        images = folder / info.get("Sequence", "imDir", fallback="img1")
    except (configparser.Error, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; frameRate and imDir are read from its section [Sequence]") from None
    frames = ImageFolder(images, camera, rate=rate, start=start, report=report)
    given = Given(frames, read_mot(folder / "det" / "det.txt"))
    truth = folder / "gt" / "gt.txt"
    return Labelled(given, read_mot_truth(truth)) if truth.is_file() else given


def is_mot_sequence(folder: Path) -> bool:
    """Whether :func:`mot_sequence` fits."""
    return (folder / "det" / "det.txt").is_file()


def read_mot(path: Path) -> Boxes:
    """Boxes of a MOTChallenge file: ``frame,id,left,top,width,height,confidence,…``, frames and pixels from 1.

    Confidence outside 0..1 (some detectors write logits, ground truth writes flags) is cut to that range; entries of
    confidence 0 in ground truth, which say "do not count", are so kept with confidence 0. Ids are not used.

    Raises:
        InputError: names the line that is not of this form.
    """
    boxes: dict[int, list[Detection]] = {}
    for frame, box, confidence, _ in _rows(path):
        boxes.setdefault(frame, []).append(Detection(box=box, confidence=min(1.0, max(0.0, confidence))))
    return {frame: tuple(found) for frame, found in boxes.items()}


def read_mot_truth(path: Path) -> list[tuple[int, int, Box]]:
    """(frame index, number of the person, box) from MOTChallenge ground truth: everybody who is to be counted (flag not
    0) and is a pedestrian, where the file tells classes.

    Raises:
        InputError: names the line that is not of this form.
    """
    found = []
    for frame, box, flag, row in _rows(path):
        try:
            number, kind = int(float(row[1])), float(row[7]) if len(row) == 9 else 1.0
        except ValueError as error:
            raise InputError(f"{path}: not ground truth of MOTChallenge ({error})") from None
        if flag != 0 and kind == 1:
            found.append((frame, number, box))
    return found


def _rows(path: Path) -> Iterator[tuple[int, Box, float, list[str]]]:
    """Frame index from 0, corners from 0, confidence, and the whole line, of every line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    for number, row in enumerate(csv.reader(lines), start=1):
        if not row:
            continue
        try:
            frame = int(row[0])
            left, top, width, height = map(float, row[2:6])
            confidence = float(row[6]) if len(row) > 6 else 1.0
            if frame < 1 or width <= 0 or height <= 0 or not math.isfinite(left + top + width + height + confidence):
                raise ValueError("frames count from 1, width and height are above 0")
        except (ValueError, IndexError) as error:
            raise InputError(f"{path}:{number}: not `frame,id,left,top,width,height,confidence` ({error})") from None
        yield frame - 1, (left - 1, top - 1, left - 1 + width, top - 1 + height), confidence, row


def _natural(path: Path) -> list[tuple[int, str]]:
    parts = _DIGITS.split(path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
