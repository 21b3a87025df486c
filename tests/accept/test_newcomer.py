"""What a newcomer meets: a clone, `make demo`, an empty home, no research data. Long, so `make accept` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.accept

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is nothing to clone")
    folder = tmp_path_factory.mktemp("newcomer") / "a clone"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    return folder


def bare_environment(home: Path) -> dict[str, str]:
    """The environment without research data, without a virtual environment, and with an empty home."""
    home.mkdir(exist_ok=True)
    dropped = ("PERSONVLM_ASSETS", "VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith("XDG_")}
    return {**kept, "HOME": str(home)}


def test_make_demo_in_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    done = subprocess.run(["make", "demo"], cwd=clone, env=bare_environment(tmp_path / "home"), capture_output=True,
                          text=True, timeout=400, check=False)  # fmt: skip
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stdout + done.stderr
    assert seconds < 180
    report = Path(done.stdout.strip().splitlines()[-1].removeprefix("Report:").strip())
    assert report == clone / "out" / "demo" / "report.html"
    assert report.read_text("utf-8").count("<article") == 12
    installed = subprocess.run([clone / ".venv/bin/python", "-m", "pip", "list", "--format=freeze"],
                               capture_output=True, text=True, check=True).stdout.lower()  # fmt: skip
    assert "personvlm" in installed
    assert not any(line.startswith(("torch", "transformers", "accelerate")) for line in installed.splitlines())


def test_the_wheel_carries_what_describing_needs(clone: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, clone], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    weights = ("config.json", "metrics.json", "vision.onnx", "decoder.onnx", "model.safetensors")
    for needed in ("pipeline/report.html", "py.typed", *(f"weights/edge/{name}" for name in weights)):
        assert f"personvlm/{needed}" in names
    assert not any(name.startswith(("tests", "tools")) for name in names)
