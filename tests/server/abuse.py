"""What a server is sent by machines that mean no good: schemathesis' cases, and hostile uploads."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from serving import Running, StandIn, free_port, jpeg
from stored import filled

from personvlm.server.settings import ServerSettings


def everything(folder: Path) -> Running:
    """A server with a store and a queue, small limits, and no token."""
    url, _ = filled(folder)
    settings = ServerSettings(port=free_port(), store=url, queue=f"sqlite:///{folder / 'queue.db'}", deliver_s=None,
                              sweep_s=None, max_bytes=1_000_000, max_body=4_000_000, max_pixels=4_000_000, max_images=8,
                              body_s=5.0)  # fmt: skip
    return Running(settings, [StandIn()])


def schemathesis_cases(server: Running, count: int, seed: int) -> dict[str, int]:
    """Send about ``count`` cases over all operations; how many were sent and how they were answered, by status class.

    Raises:
        AssertionError: a 5xx, or an answer that the document does not allow.
    """
    import requests
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
              response_schema_conformance]  # fmt: skip
    document = httpx.get(f"{server.url}/openapi.json", timeout=100).json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [each.ok() for each in schema.get_all_operations()]
    # A live feed has no end: what it refuses is tried by the tests of its own.
    operations = [each for each in operations if each.path != "/v1/events/stream"]
    answered: dict[str, int] = {}
    session = requests.Session()
    rounds = 0
    while (left := count - sum(answered.values())) > 0:  # of some routes there is only one case
        rounds += 1
        for operation in operations:
            _try(operation, server, -(-left // len(operations)), seed + rounds, checks, session, answered)
    return answered


def _try(operation: Any, server: Running, most: int, seed: int, checks: Any, session: Any,
         answered: dict[str, int]) -> None:  # fmt: skip
    import hypothesis

    @hypothesis.settings(max_examples=most, deadline=None, database=None, phases=[hypothesis.Phase.generate],
                         suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    @hypothesis.seed(seed)
    @hypothesis.given(case=operation.as_strategy())
    def one(case: Any) -> None:
        response = case.call(base_url=server.url, timeout=30, session=session)
        case.validate_response(response, checks=checks)
        name = f"{response.status_code // 100}xx"
        answered[name] = answered.get(name, 0) + 1

    one()


def hostile(count: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Uploads that must be refused: (what it is, arguments of httpx's post)."""
    rng = random.Random(seed)
    makers = [_truncated, _noise, _flipped_header, _bomb_png, _bomb_gif, _huge_header, _wrong_type, _polyglot,
              _not_base64, _deep_json, _form, _tiny, _other_formats, _null]  # fmt: skip
    for row in range(count):
        make = makers[row % len(makers)]
        yield make.__name__.lstrip("_"), make(rng)


def _raw(data: bytes, kind: str = "image/jpeg") -> dict[str, Any]:
    return {"content": data, "headers": {"content-type": kind}}


def _some(data: bytes, rng: random.Random) -> dict[str, Any]:
    """The same bytes by any of the ways in."""
    way = rng.randrange(3)
    if way == 0:
        return _raw(data)
    if way == 1:
        return {"files": {"image": ("a.jpg", data, "image/jpeg")}}
    return {"json": {"image": base64.b64encode(data).decode()}}


def _truncated(rng: random.Random) -> dict[str, Any]:
    whole = jpeg(64, 128, rng.randrange(100))
    return _some(whole[: rng.randrange(1, len(whole) - 300)], rng)


def _noise(rng: random.Random) -> dict[str, Any]:
    return _some(rng.randbytes(rng.randrange(1, 60_000)), rng)


def _flipped_header(rng: random.Random) -> dict[str, Any]:
    data = bytearray(jpeg())
    data[0:3] = rng.randbytes(3).replace(b"\xff\xd8\xff", b"abc")
    return _some(bytes(data), rng)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, body: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _bomb_png(rng: random.Random) -> dict[str, Any]:
    """Few bytes that would be hundreds of megabytes."""
    side = rng.choice([5_000, 30_000, 200_000])
    return _some(_png(side, side, zlib.compress(bytes(2_000_000), 9)), rng)


def _bomb_gif(rng: random.Random) -> dict[str, Any]:
    return _some(b"GIF89a" + struct.pack("<HH", 65535, 65535) + rng.randbytes(200), rng)


def _huge_header(rng: random.Random) -> dict[str, Any]:
    image = Image.new("L", (rng.randrange(2_001, 4_000), 2_000))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return _some(stream.getvalue(), rng)


def _wrong_type(rng: random.Random) -> dict[str, Any]:
    return _raw(jpeg(), rng.choice(["text/html", "application/xml", "video/mp4", "", "application/x-python-pickle"]))


def _polyglot(rng: random.Random) -> dict[str, Any]:
    """Something else behind or before the beginning of a picture."""
    other = rng.choice([b"<svg onload='alert(1)'/>", b"%PDF-1.7\n", b"PK\x03\x04", b"#!/bin/sh\n", b"\x80\x04."])
    return _some(other + rng.randbytes(500), rng)


def _not_base64(rng: random.Random) -> dict[str, Any]:
    text = rng.choice(["data:image/jpeg;base64,%%%", "data:image/jpeg,abc", "../../etc/passwd", "file:///etc/passwd",
                       "http://169.254.169.254/latest/meta-data", "http://localhost:22/", "\0", "é" * 50])  # fmt: skip
    return {"json": {"image": text}}


def _deep_json(rng: random.Random) -> dict[str, Any]:
    text = rng.choice([b"[" * 90_000, b'{"image":' * 20_000, b'{"images": [' + b'"",' * 50_000 + b'""]}', b"nul",
                       b'{"image": 1e999}', b"\xff\xfe{", b'{"image": "a", "image"'])  # fmt: skip
    return _raw(text, "application/json")


def _form(rng: random.Random) -> dict[str, Any]:
    boundary = "x" * rng.randrange(1, 60)
    part = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'.encode()
    body = rng.choice([part, part * 200, part + jpeg()[:100], b"--" + rng.randbytes(500), b"\r\n" * 1000,
                       part.replace(b"form-data", b"x" * 10_000) + b"x"])  # fmt: skip
    return _raw(body, f"multipart/form-data; boundary={boundary}")


def _tiny(rng: random.Random) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("RGB", (rng.randrange(1, 8), rng.randrange(1, 400))).save(stream, "PNG")
    return _some(stream.getvalue(), rng)


def _other_formats(rng: random.Random) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.new("RGB", (40, 80)).save(stream, rng.choice(["ICO", "PPM", "TGA", "PCX", "PDF", "EPS"]))
    return _some(stream.getvalue(), rng)


def _null(rng: random.Random) -> dict[str, Any]:
    return _some(bytes(rng.randrange(0, 5_000)), rng)
