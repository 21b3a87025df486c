"""The one resolver of files that the package does not ship: a folder of the user's, the user's cache, the network.

A file counts only when its SHA-256 is one that was published, wherever it was found.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from personvlm.base.errors import AssetError
from personvlm.base.urls import FetchError, fetch

FOLDER = "PERSONVLM_ASSETS"
OFFLINE = "PERSONVLM_OFFLINE"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asset:
    """A published file.

    Attributes:
        path: where it lies below ``PERSONVLM_ASSETS`` and below the cache, with forward slashes.
        sha256: accepted sums, hexadecimal; several where several exports of the same thing are known.
        urls: published https addresses, tried in this order; none for what may not be fetched.
        credit: author and license, to be shown where the file is used.
        max_bytes: more than this is not fetched.
    """

    path: str
    sha256: tuple[str, ...]
    urls: tuple[str, ...] = ()
    credit: str = ""
    max_bytes: int = 256 * 1024 * 1024

    def resolve(self, *, report: Callable[[str], None] = _log.info, offline: bool | None = None) -> Path:
        """Find the file, or fetch it into the cache.

        Looks below the folder that the environment variable ``PERSONVLM_ASSETS`` names, then in the user's cache, then
        at the published addresses. A download is written beside its place and moved there once its sum is right, so
        that an interrupted one, or two at once, leave no broken file.

        Args:
            report: called with one sentence per step; logged by default.
            offline: never use the network; by default whether ``PERSONVLM_OFFLINE`` is set to anything but 0.

        Raises:
            AssetError: nowhere to be had. The message lists what was tried and says where to put the file.
        """
        tried: list[str] = []

        def note(step: str) -> None:
            tried.append(step)
            report(f"{self.path}: {step}")

        folder = os.environ.get(FOLDER)
        places = [("cache", cache_folder() / self.path)]
        if folder:
            places.insert(0, (FOLDER, Path(folder) / self.path))
        else:
            note(f"{FOLDER} is not set")
        for name, place in places:
            problem = self._problem(place)
            if problem is None:
                report(f"{self.path}: found in {name}: {place}")
                return place
            note(f"{name}: {place} {problem}")
        if offline is None:
            offline = os.environ.get(OFFLINE, "0") not in ("", "0")
        if offline and self.urls:
            note("not fetched: offline")
        for url in () if offline else self.urls:
            try:
                return self._fetch(url, report)
            except (FetchError, OSError) as error:
                note(f"not fetched: {error}")
        source = f" Published at {self.urls[0]}." if self.urls else ""
        mend = f"Put the file at {cache_folder() / self.path}, or set {FOLDER} to a folder that holds {self.path}."
        raise AssetError(f"{self.path} is needed and could not be had ({'; '.join(tried)}).{source} {mend}")

    def _problem(self, place: Path) -> str | None:
        try:
            total = sha256(place)
        except FileNotFoundError:
            return "does not exist"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return None if total in self.sha256 else f"has the wrong sum {total}"

    def _fetch(self, url: str, report: Callable[[str], None]) -> Path:
        place = cache_folder() / self.path
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{place.name}.", suffix=".part", dir=place.parent)
        os.close(handle)
        part = Path(name)
        try:
            report(f"{self.path}: fetching {url}")
            fetch(url, part, max_bytes=self.max_bytes)
            total = sha256(part)
            if total not in self.sha256:
                raise FetchError(f"{url}: wrong sum {total}, expected {' or '.join(self.sha256)}")
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)
        report(f"{self.path}: fetched to {place}")
        return place


def cache_folder() -> Path:
    """Where fetched assets are kept, for example ``~/.cache/personvlm/assets``."""
    return platformdirs.user_cache_path("personvlm", appauthor=False) / "assets"


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
