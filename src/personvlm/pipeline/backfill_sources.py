"""An archive of crops: a folder, a pattern, a JSONL list, or an address that fsspec knows. Never held in memory."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError, extra
from personvlm.pipeline.inputs import SUFFIXES
from personvlm.schema.events import Crop, DescribeRequest

CAMERA = "archive"


@dataclass(frozen=True)
class Piece:
    """One crop of an archive.

    Attributes:
        place: absolute path, or address.
        camera: that saw it.
        time: of its frame, seconds since the epoch; where nobody says, when its file was written.
    """

    place: str
    camera: str
    time: float

    @property
    def event_id(self) -> str:
        """Of camera and place alone, so that a copied archive is known again however old its files are."""
        key = f"{self.camera}\x1f{self.place}\x1fbackfill".encode("utf-8", "surrogateescape")
        return hashlib.sha256(key).hexdigest()[:32]

    def request(self, data: bytes) -> DescribeRequest:
        """The event that asks for its description."""
        track_id = int(self.event_id[:15], 16)  # everybody in an archive is somebody else
        return DescribeRequest(event_id=self.event_id, camera=self.camera, track_id=track_id, trigger="backfill",
                               frame_time=self.time, crop=Crop(data=data, time=self.time), first_seen=self.time,
                               final=True)  # fmt: skip


def pieces(source: str, camera: str = CAMERA) -> Iterator[Piece]:
    """All crops of ``source``, in the order of their names folder by folder.

    Args:
        source: a folder, a glob pattern, a list (``.jsonl``: ``{"image": path, "camera": name, "time": seconds}`` per
            line; paths are relative to the list), or an address such as ``s3://bucket/crops``.
        camera: for what does not name its own.

    Raises:
        InputError: there is no such source, or a line of a list is not what it should be.
    """
    if "://" in source and not source.startswith("file://"):
        return _remote(source, camera)
    path = source.removeprefix("file://")
    if os.path.isdir(path):
        return _folder(path, camera)
    if path.endswith(".jsonl"):
        return _list(Path(path), camera)
    if glob.has_magic(path):
        return _pattern(path, camera)
    raise InputError(f"{source}: not a folder, pattern, .jsonl list or address; make sure that it is there")


def read(place: str) -> bytes:
    """The bytes at a place.

    Raises:
        OSError: they cannot be read.
        InputError: fsspec, or what it needs for such addresses, is missing.
    """
    if "://" not in place:
        return Path(place).read_bytes()
    with _fsspec().open(place, "rb") as file:
        return bytes(file.read())


def _fsspec() -> Any:
    with extra("an address of an archive", "s3"):
        import fsspec  # type: ignore[import-untyped]
    return fsspec


def _folder(folder: str, camera: str) -> Iterator[Piece]:
    found, unreadable = False, list[OSError]()
    for parent, folders, files in os.walk(os.path.abspath(folder), onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if _is_picture(name):
                found = True
                path = os.path.join(parent, name)
                yield Piece(path, camera, _mtime(path))
    # Whoever reads these says why it cannot be done, and counts them.
    yield from (Piece(str(problem.filename), camera, 0.0) for problem in unreadable)
    if not found and not unreadable:
        raise InputError(f"{folder}: this folder holds no pictures (looked for {', '.join(sorted(SUFFIXES))})")


def _pattern(pattern: str, camera: str) -> Iterator[Piece]:
    found = False
    for path in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isfile(path):
            found = True
            yield Piece(os.path.abspath(path), camera, _mtime(path))
    if not found:
        raise InputError(f"{pattern}: this pattern matches no files; check it, and the folder that you are in")


def _list(path: Path, camera: str) -> Iterator[Piece]:
    if not path.is_file():
        raise InputError(f"{path}: no such list")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                piece = _entry(json.loads(line.decode()), path.parent, camera)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise InputError(f'{path}, line {number}: wants {{"image": path}}, and may have "camera" and "time" in '
                                 f"seconds ({type(error).__name__}: {error})") from None  # fmt: skip
            yield piece


def _entry(entry: Any, folder: Path, camera: str) -> Piece:
    """What one line of a list names; raises ValueError, TypeError, KeyError or AttributeError."""
    image, time = entry["image"], entry.get("time")
    place, name = str(image) if "://" in image else os.path.abspath(folder / image), str(entry.get("camera", camera))
    when = _mtime(place) if time is None else float(time)
    if "\0" in place + name:
        raise ValueError("a NUL in a name")
    if not -62_135_596_800 <= when < 253_402_300_800:  # what a calendar knows
        raise ValueError("a time outside of the years 1 to 9999; give seconds since 1970, not milliseconds")
    os.fsencode(place)  # JSON can hold halves of characters, which are no name of a file,
    name.encode()  # and of no camera
    return Piece(place, name, when)


def _remote(source: str, camera: str) -> Iterator[Piece]:
    fsspec = _fsspec()
    try:
        system, path = fsspec.core.url_to_fs(source)
        if glob.has_magic(path):
            found = ((name, system.info(name)) for name in sorted(system.glob(path)))
        else:
            found = ((f"{parent.rstrip('/')}/{name}", info) for parent, _, files in system.walk(path, detail=True)
                     for name, info in sorted(files.items()))  # fmt: skip
        some = False
        for name, info in found:
            if _is_picture(name):
                some = True
                yield Piece(str(system.unstrip_protocol(name)), camera, _written(info))
    except (OSError, ImportError, ValueError) as error:
        raise InputError(f"{source}: {error}") from None
    if not some:
        raise InputError(f"{source}: no pictures there")


def _is_picture(name: str) -> bool:
    base = os.path.basename(name)
    return not base.startswith(".") and os.path.splitext(base)[1].lower() in SUFFIXES


def _mtime(place: str) -> float:
    try:
        return os.stat(place).st_mtime
    except OSError:  # whoever reads it says so
        return 0.0


def _written(info: dict[str, Any]) -> float:
    for name in ("mtime", "LastModified", "last_modified", "updated", "created"):
        when = info.get(name)
        if isinstance(when, datetime):
            return when.timestamp()
        if isinstance(when, int | float):
            return float(when)
    return 0.0
