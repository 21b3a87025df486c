"""200 clients for 60 s on loopback against ``personvlm serve``, beside the engine without HTTP under the same load.

Server and clients share the machine, so that what they cost is taken from the engine's share. Run with ``-s`` to see
the figures. ``SERVER_LOAD_S`` shortens it.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.engine import available_cores

pytestmark = [pytest.mark.accept,
              pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")]  # fmt: skip

CLIENTS = 200
SECONDS = float(os.environ.get("SERVER_LOAD_S", "60"))
WINDOW_MS = 50.0
LOAD = Path(__file__).parents[1] / "server" / "load.py"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from personvlm.data.rendered import rendered_samples

    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for row, (image, _) in enumerate(rendered_samples(32, seed=5)):
        stream = io.BytesIO()
        Image.fromarray(image).resize((128, 256)).save(stream, "JPEG", quality=90)
        paths.append(folder / f"{row}.jpg")
        paths[-1].write_bytes(stream.getvalue())
    return paths


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of ``personvlm serve`` in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "personvlm", "serve", "--port", "0"], stderr=subprocess.PIPE,
                          text=True) as server:  # fmt: skip
        assert server.stderr is not None
        found = None
        for line in server.stderr:
            found = re.search(r"serving on http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        assert found, "it did not start"
        drain = subprocess.Popen([sys.executable, "-c", "import sys\nfor line in sys.stdin.buffer: pass"],
                                 stdin=server.stderr)  # fmt: skip
        yield int(found[1])
        server.terminate()
        server.wait(60)
        drain.wait(10)


def over_http(port: int, pictures: list[Path], clients: int, seconds: float) -> dict[str, object]:
    done = subprocess.run([sys.executable, str(LOAD), str(port), str(clients), str(seconds), *map(str, pictures)],
                          capture_output=True, text=True, check=True)  # fmt: skip
    found: dict[str, object] = json.loads(done.stdout)
    return found


def to_engine(pictures: list[Path], clients: int, seconds: float) -> dict[str, object]:
    sys.path.insert(0, str(LOAD.parent))
    from load import to_engine as load

    describers = [Describer.load(threads=1)] * available_cores()
    found: dict[str, object] = load(describers, [each.read_bytes() for each in pictures], clients, seconds)
    return found


def test_http_costs_less_than_a_tenth(port: int, pictures: list[Path]) -> None:
    half = SECONDS / 2  # the engine before and after, so that a machine that becomes busy is noticed
    before = to_engine(pictures, CLIENTS, half)
    served = over_http(port, pictures, CLIENTS, SECONDS)
    after = to_engine(pictures, CLIENTS, half)
    print(f"\nengine {before}\nserver {served}\nengine {after}")
    assert set(served["outcomes"]) == {"200"}  # type: ignore[call-overload]
    own = (before["per_s"] + after["per_s"]) / 2  # type: ignore[operator]
    p99 = max(each["ms"]["p99"] for each in (before, after))  # type: ignore[index]
    print(f"{served['per_s'] / own:.1%} of the engine, p99 {served['ms']['p99'] - p99:+.0f} ms")  # type: ignore
    assert served["per_s"] >= 0.9 * own  # type: ignore[operator]
    assert served["ms"]["p99"] <= p99 + 3 * WINDOW_MS  # type: ignore[index]


def test_beyond_it_only_429(port: int, pictures: list[Path]) -> None:
    found = over_http(port, pictures, 600, min(10.0, SECONDS))
    print(f"\n{found}")
    assert set(found["outcomes"]) == {"200", "429"}  # type: ignore[call-overload]
