"""500 malformed inputs through the command line: each ends in a description or a clear error, and the batch goes on."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from personvlm.cli import main

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((48, 96), 60).convert("RGB").save(buffer, form)
    return buffer.getvalue()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A header with wrong bytes, or a file that ends too early, or both."""
    changed = bytearray(data)
    if rng.random() < 0.7:
        for _ in range(rng.randint(1, 12)):
            changed[rng.randrange(min(64, len(changed)))] = rng.randrange(256)
    if rng.random() < 0.6:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed)


def bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it is ``side`` pixels wide and high."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


@pytest.mark.usefixtures("fake_describer")
def test_500_malformed_inputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(0)
    good = {form: encoded(form) for form in FORMATS}
    inputs = []
    for number in range(500):
        kind = number % 10
        path = tmp_path / f"{number} – größer 人 .{FORMATS[number % 4].lower()}"
        if kind == 0:
            path.write_bytes(b"")
        elif kind == 1:
            path.mkdir()
        elif kind == 2:
            path.write_bytes(bomb(rng.choice((20_000, 60_000, 2_000_000_000))))
        elif kind == 3:
            path.write_bytes(rng.randbytes(rng.randint(1, 400)))
        elif kind > 4:  # 4: the file does not exist
            path.write_bytes(damaged(good[FORMATS[number % 4]], rng))
        inputs.append(str(path))
    last = tmp_path / "good.png"
    last.write_bytes(good["PNG"])

    with pytest.raises(SystemExit) as done:
        main(["describe", *inputs, str(last), "--jsonl"])
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert done.value.code == 1
    assert [line["input"] for line in lines] == [*inputs, str(last)]
    assert all(("error" in line) != ("text" in line) for line in lines)
    assert all(10 < len(line["error"]) < 500 for line in lines if "error" in line)
    assert all("error" in line for index, line in enumerate(lines[:-1]) if index % 10 < 5)
    assert "text" in lines[-1], "the batch goes on to its end"
    failed = sum("error" in line for line in lines)
    assert err == f"personvlm: {failed} of 501 inputs failed\n"
