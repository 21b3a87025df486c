"""Pictures beside the database: in a folder, or wherever fsspec reaches (S3, GCS, ...)."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from personvlm.base.errors import InputError, extra

_HOUR = 3600
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
REFERENCE = r"(?:keep|until/\d{1,12})/[0-9a-f]{2}/[0-9a-zA-Z._-]{1,128}"
"""What references look like."""

_REFERENCE = re.compile(REFERENCE)


class BlobMissingError(InputError, FileNotFoundError):
    """There is no blob of this reference: it was deleted, or has expired. What is only out of reach raises OSError."""


class _Place(Protocol):
    """Where bytes lie, by names with slashes."""

    def write(self, name: str, data: bytes) -> None: ...

    def read(self, name: str) -> bytes: ...

    def remove(self, name: str) -> bool: ...

    def names(self, below: str) -> Iterator[str]: ...

    def used(self) -> bool: ...


class Blobs:
    """Bytes by reference. A reference holds when the bytes expire, so that nothing else must remember it.

    Example:
        >>> import tempfile
        >>> blobs = Blobs.open(tempfile.mkdtemp())
        >>> reference = blobs.put(b"picture", expires=time.time() + 60)
        >>> blobs.get(reference)
        b'picture'
    """

    def __init__(self, place: _Place, where: str) -> None:
        self._place, self.where = place, where

    @classmethod
    def open(cls, where: str | Path) -> Blobs:
        """A folder, which is made if it is not there, or an address that fsspec understands (``s3://bucket/crops``).

        Raises:
            InputError: the address cannot be used; says why.
        """
        text = str(where)
        if "://" not in text or text.startswith("file://"):
            return cls(_Folder(Path(text.removeprefix("file://"))), text)
        return cls(_Remote(text), text)

    def put(self, data: bytes, expires: float | None = None, name: str | None = None) -> str:
        """Store ``data``; returns its reference.

        Args:
            expires: time from which :meth:`sweep` may delete it, in seconds since the epoch, rounded up to the hour.
            name: letters, digits, ``.``, ``_`` and ``-``; putting under the same name again replaces what was there.
        """
        reference = self.reference(uuid.uuid4().hex if name is None else name, expires)
        self._place.write(_checked(reference), data)
        return reference

    @staticmethod
    def reference(name: str, expires: float | None = None) -> str:
        """The reference that :meth:`put` gives to ``name``."""
        shelf = "keep" if expires is None else f"until/{-int(-expires // _HOUR)}"
        return f"{shelf}/{_two(name)}/{name}"

    def get(self, reference: str) -> bytes:
        """The bytes.

        Raises:
            BlobMissingError: there are none any more.
            OSError: they are out of reach at the moment.
        """
        try:
            return self._place.read(_checked(reference))
        except FileNotFoundError:
            raise BlobMissingError(f"no blob {reference!r} in {self.where}: deleted, or expired") from None

    def delete(self, reference: str) -> bool:
        """Delete the bytes; False where there were none. On a folder they are overwritten first."""
        return self._place.remove(_checked(reference))

    def sweep(self, now: float | None = None) -> int:
        """Delete what has expired; returns how many."""
        at = time.time() if now is None else now
        old = [name for name in self._place.names("until") if expired(name, at)]
        return sum(self._place.remove(name) for name in old)

    def empty(self) -> bool:
        """Whether nothing was ever put here, so far as can be told: it may be the wrong place."""
        return not self._place.used()

    def references(self) -> Iterator[str]:
        """Every reference that there is."""
        yield from self._place.names("keep")
        yield from self._place.names("until")


def expired(reference: str, now: float) -> bool:
    """Whether the time of what was put under ``until/`` is over."""
    return int(reference.split("/")[1]) <= int(now // _HOUR)


def _two(name: str) -> str:
    """Two hexadecimal digits that spread names over folders."""
    digits = [letter for letter in name if letter in "0123456789abcdef"]
    return "".join(digits[:2]).ljust(2, "0")


def _checked(reference: str) -> str:
    """Refuse what could lead out of the folder."""
    if not _REFERENCE.fullmatch(reference) or ".." in reference:
        raise InputError(f"{reference[:80]!r} is not a reference of a blob")
    return reference


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, name: str, data: bytes) -> None:
        path = f"{self._root}/{name}"
        half = f"{path}.{uuid.uuid4().hex[:8]}.part"
        try:
            file = os.open(half, _NEW, 0o666)
        except FileNotFoundError:  # seldom: there are 256 folders
            os.makedirs(os.path.dirname(path), exist_ok=True)
            file = os.open(half, _NEW, 0o666)
        with open(file, "wb", buffering=0) as out:
            out.write(data)
        os.replace(half, path)  # nobody ever sees half a picture

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()

    def remove(self, name: str) -> bool:
        path = self._root / name
        try:
            with path.open("r+b", buffering=0) as file:
                file.write(bytes(path.stat().st_size))
                os.fsync(file.fileno())
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self, below: str) -> Iterator[str]:
        for path in sorted((self._root / below).rglob("*")):
            name = path.relative_to(self._root).as_posix()
            if _REFERENCE.fullmatch(name) and path.is_file():
                yield name


    def used(self) -> bool:
        return any((self._root / shelf).is_dir() for shelf in ("keep", "until"))  # folders stay when they are emptied


class _Remote:
    def __init__(self, url: str) -> None:
        with extra(url, "s3"):
            import fsspec  # type: ignore[import-untyped,unused-ignore]
        try:
            self._system, self._root = _connected(fsspec, url)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url}: {error}") from None

    def write(self, name: str, data: bytes) -> None:
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._system.pipe_file(path, data)

    def read(self, name: str) -> bytes:
        data: bytes = self._system.cat_file(f"{self._root}/{name}")
        return data

    def remove(self, name: str) -> bool:
        path = f"{self._root}/{name}"
        if not self._system.exists(path):
            return False
        self._system.rm_file(path)
        return True

    def names(self, below: str) -> Iterator[str]:
        root = self._root.strip("/")
        try:
            found = sorted(self._system.find(f"{self._root}/{below}"))
        except FileNotFoundError:
            return
        for path in found:
            name = path.strip("/").removeprefix(root).strip("/")
            if _REFERENCE.fullmatch(name):
                yield name

    def used(self) -> bool:
        return any(self._system.exists(f"{self._root}/{shelf}") for shelf in ("keep", "until"))


def _connected(fsspec: Any, url: str) -> tuple[Any, str]:
    system, root = fsspec.core.url_to_fs(url)
    return system, str(root).rstrip("/")
