"""Frigate's HTTP interface, as far as describing people needs it. ``docs/frigate.md`` lists the routes."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import IO, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from personvlm.base.errors import InputError, PersonVLMError
from personvlm.base.images import MAX_BYTES

LONGEST_SUB_LABEL = 100
"""Characters; Frigate refuses more."""

_TIMEOUT = 10.0


class FrigateError(PersonVLMError):
    """Frigate refused a request; asking again would not help."""


class GoneError(FrigateError):
    """Frigate does not have what was asked for: the event has expired, or is not written down yet."""


class AwayError(PersonVLMError):
    """Frigate cannot be reached, or is not well; asking again later may help."""


@dataclass(frozen=True)
class Address:
    """Where Frigate is. With a user it wants a login (port 8971); port 5000 inside its network wants none.

    Attributes:
        base: scheme, host and port.
        check: False takes any certificate: Frigate signs its own unless told otherwise.
    """

    base: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    check: bool = True

    @classmethod
    def parse(cls, url: str, *, check: bool = True, password: str | None = None) -> Address:
        """From ``http[s]://[user[:password]@]host[:port]``; ``password`` stands in for one that is not in it.

        Raises:
            InputError: not such an address; the message holds no password.
        """
        shape = "http://host:5000, or https://user:password@host:8971 with a login"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InputError(f"that address of Frigate cannot be read; give {shape}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{parts.scheme or 'this'}://… is no address of Frigate; give {shape}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        user = unquote(parts.username) if parts.username else None
        secret = unquote(parts.password) if parts.password else password
        if user is not None and not secret:
            raise InputError(f"{user} needs a password: in the address, or in PERSONVLM_FRIGATE_PASSWORD")
        base = f"{parts.scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")
        return cls(base, user, secret if user is not None else None, check)


class _Straight(urllib.request.HTTPRedirectHandler):
    """What Frigate is asked it answers itself: whoever sends us elsewhere is not it, or stands before it."""

    def redirect_request(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
                         headers: http.client.HTTPMessage, newurl: str) -> urllib.request.Request | None:  # fmt: skip
        return None


class Frigate:
    """Asks one Frigate. Safe for several threads.

    All methods raise :class:`GoneError` where Frigate answers 404, :class:`FrigateError` where it refuses, and
    :class:`AwayError` where it cannot be reached or fails.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._cookie = ""
        self._login = threading.Lock()
        context = ssl.create_default_context()
        if not address.check:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # Frigate stands in the own network: no proxy of the environment leads there.
        self._opener = urllib.request.build_opener(
            _Straight, urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))  # fmt: skip

    def version(self) -> str:
        """Such as ``0.18.0-abcdef``."""
        return self._ask("GET", "/api/version")[0].decode("utf-8", "replace").strip()

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(width, height) of the frames in which each camera's boxes lie."""
        cameras = self._json("/api/config").get("cameras", {})
        found = {name: one.get("detect", {}) for name, one in cameras.items()}
        return {name: (int(one["width"]), int(one["height"])) for name, one in found.items()
                if one.get("width") and one.get("height")}  # fmt: skip

    def event(self, event: str) -> dict[str, Any]:
        """One tracked object, as the database has it."""
        found = self._json(f"/api/events/{quote(event, safe='')}")
        return found if isinstance(found, dict) else {}

    def events(self, **query: str | float) -> list[dict[str, Any]]:
        """Tracked objects, the newest first; for example ``after=…, labels="person", limit=100``."""
        found = self._json(f"/api/events?{urlencode({'include_thumbnails': 0, **query})}")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def snapshot(self, event: str) -> tuple[bytes, float | None]:
        """The best picture so far, cut around the object and without drawings, and the time of its frame."""
        query = urlencode({"crop": 1, "bbox": 0, "timestamp": 0, "quality": 95})
        data, headers = self._ask("GET", f"/api/events/{quote(event, safe='')}/snapshot.jpg?{query}")
        try:
            time = float(headers.get("X-Frame-Time", ""))
        except ValueError:
            time = 0.0
        return data, time or None

    def describe(self, event: str, text: str) -> None:
        """Write down what the tracked object looks like."""
        self._post(event, "description", {"description": text})

    def sub_label(self, event: str, text: str, score: float, camera: str) -> None:
        """Name it in at most :data:`LONGEST_SUB_LABEL` characters; ``score`` is 0..1."""
        self._post(event, "sub_label", {"subLabel": text[:LONGEST_SUB_LABEL], "camera": camera,
                                        "subLabelScore": min(1.0, max(0.01, round(score, 2)))})  # fmt: skip

    def attributes(self, event: str, names: list[str]) -> None:
        """Set the attributes of its custom classifiers; those that none of ``names`` fits are cleared."""
        self._post(event, "attributes", {"attributes": names})

    def _post(self, event: str, what: str, body: Mapping[str, Any]) -> None:
        self._ask("POST", f"/api/events/{quote(event, safe='')}/{what}", json.dumps(body).encode())

    def _json(self, path: str) -> Any:
        data = self._ask("GET", path)[0]
        try:
            return json.loads(data)
        except ValueError:
            raise AwayError(f"{self.address.base}{path.partition('?')[0]}: the answer is no JSON; "
                            "is this Frigate?") from None  # fmt: skip

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[bytes, Mapping[str, str]]:
        if self.address.user is not None and not self._cookie:
            self._sign_in("")
        cookie = self._cookie
        try:
            return self._send(method, path, body, cookie)
        except FrigateError as error:
            if self.address.user is None or not isinstance(error.__cause__, urllib.error.HTTPError) \
                    or error.__cause__.code != 401:  # fmt: skip
                raise
        self._sign_in(cookie)  # the token has expired
        return self._send(method, path, body, self._cookie)

    def _sign_in(self, stale: str) -> None:
        with self._login:
            if self._cookie != stale:
                return  # another thread was faster
            body = json.dumps({"user": self.address.user, "password": self.address.password}).encode()
            headers = self._send("POST", "/api/login", body, "")[1]
            cookies = SimpleCookie("; ".join(getattr(headers, "get_all", lambda _: [])("Set-Cookie") or []))
            self._cookie = "; ".join(f"{name}={item.value}" for name, item in cookies.items())
            if not self._cookie:
                raise FrigateError(f"{self.address.base}: the login gave no token; is this Frigate's port 8971?")

    def _send(self, method: str, path: str, body: bytes | None, cookie: str) -> tuple[bytes, Mapping[str, str]]:
        url = self.address.base + path
        headers = {"User-Agent": "personvlm", **({"Content-Type": "application/json"} if body is not None else {}),
                   **({"Cookie": cookie} if cookie else {})}  # fmt: skip
        request = urllib.request.Request(url, body, headers, method=method)
        shown = f"{self.address.base}{path.partition('?')[0]}"
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                data: bytes = answer.read(MAX_BYTES + 1)
                if len(data) > MAX_BYTES:
                    raise FrigateError(f"{shown}: more than {MAX_BYTES} bytes")
                return data, answer.headers
        except urllib.error.HTTPError as error:
            said = ""
            with contextlib.suppress(OSError, http.client.HTTPException):  # it may go away while it says why
                said = error.read(300).decode("utf-8", "replace").strip()
            problem = f"{shown}: HTTP {error.code} {said or error.reason}"
            kind = GoneError if error.code == 404 else AwayError if error.code >= 500 or error.code == 429 \
                else FrigateError  # fmt: skip
            raise kind(problem) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise FrigateError(f"{shown}: {error.reason.verify_message}; Frigate signs its own certificate, "
                                   "take it with --insecure if the way there is safe") from None  # fmt: skip
            raise AwayError(f"{shown}: {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise AwayError(f"{shown}: {error or type(error).__name__}") from None
