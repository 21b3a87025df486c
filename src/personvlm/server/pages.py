"""The web page: static files that speak to the HTTP API, served by the same process. It needs no network.

Nothing of it is made on the server, so that no answer mixes markup with what somebody typed. What one may see and do is
decided by the API; the page of somebody without a token can do no more than ask for one.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import PurePosixPath

from fastapi import APIRouter, Request
from fastapi.responses import Response

from personvlm.server.problems import Problem, tag_of, unless_known

router = APIRouter(include_in_schema=False)

START = "index.html"
_KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
          ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}  # fmt: skip


@lru_cache(maxsize=1)
def files() -> dict[str, tuple[bytes, str, str]]:
    """Name -> (content, media type, ETag) of everything that the page consists of."""
    found = {}
    for each in resources.files("personvlm.server").joinpath("page").iterdir():
        kind = _KINDS.get(PurePosixPath(each.name).suffix)
        if kind is not None:
            data = each.read_bytes()
            found[each.name] = (data, kind, tag_of(data))
    return found


@router.get("/")
async def start(request: Request) -> Response:
    """The page."""
    return _file(START, request)


@router.get("/page/{name}")
async def part(request: Request, name: str) -> Response:
    """A part of it."""
    return _file(name, request)


def _file(name: str, request: Request) -> Response:
    if name not in files():
        raise Problem(404, "no_file", "the page has no such part; load it again")
    data, kind, tag = files()[name]
    # Asked for each time, so that a server of a new version is never met by an old page; unchanged costs a header.
    return unless_known(request, data, tag, kind, "no-cache")
