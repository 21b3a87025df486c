"""Fetching a published file: https only, bounded in size and time.

For addresses that are part of this project. Addresses that users or requests name need guards against reaching into
the own network, which this module does not have.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from personvlm.base.errors import PersonVLMError

_CHUNK = 1 << 16


class FetchError(PersonVLMError):
    """An address could not be fetched; the message says why."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Releases redirect to storage hosts: followed, but never to an unencrypted address."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
                         headers: http.client.HTTPMessage, newurl: str) -> urllib.request.Request | None:  # fmt: skip
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, to: Path, *, max_bytes: int, timeout: float = 30.0, deadline: float = 1800.0,
          progress: Callable[[int, int | None], None] | None = None) -> None:  # fmt: skip
    """Write what ``url`` holds to the file ``to``, which is overwritten.

    Args:
        url: an https address; redirects to other https addresses are followed.
        to: the file; on an error it may hold a part.
        max_bytes: more than this is refused, by the announced length or while reading.
        timeout: seconds without any byte.
        deadline: seconds in all.
        progress: called with (bytes so far, bytes in all if announced).

    Raises:
        FetchError: not https, no answer, an error status, too large, too slow, or shorter than announced.
    """
    _check_scheme(url)
    end = time.monotonic() + deadline
    try:
        with _open(url, timeout) as response, to.open("wb") as file:
            announced = response.headers.get("Content-Length")
            total = int(announced) if announced and announced.isdigit() else None
            if total is not None and total > max_bytes:
                raise FetchError(f"{url}: {total} bytes, at most {max_bytes} are fetched")
            done = 0
            while chunk := response.read(_CHUNK):
                done += len(chunk)
                if done > max_bytes:
                    raise FetchError(f"{url}: more than {max_bytes} bytes")
                if time.monotonic() > end:
                    raise FetchError(f"{url}: not done after {deadline:.0f} s")
                file.write(chunk)
                if progress is not None:
                    progress(done, total)
    except urllib.error.HTTPError as error:
        raise FetchError(f"{url}: HTTP {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise FetchError(f"{url}: {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {error or type(error).__name__}") from None
    if total is not None and done < total:
        raise FetchError(f"{url}: broke off after {done} of {total} bytes")


def _open(url: str, timeout: float) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "personvlm"})
    return urllib.request.build_opener(_HttpsOnly).open(request, timeout=timeout)


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise FetchError(f"{url}: only https addresses are fetched")
