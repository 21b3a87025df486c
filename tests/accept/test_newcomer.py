"""What a newcomer meets: a clone, `make demo`, an empty home, no research data. Long, so `make accept` runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import personvlm
from personvlm.data.rendered import render

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


@pytest.fixture(scope="module")
def built(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``wheel`` and ``sdist`` of the clone, by the steps of PyPA's ``build``: the wheel is that of the sdist."""
    folder = tmp_path_factory.mktemp("release")
    program = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(folder)]
    made = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True)
    sdist = folder / made.stdout.split()[-1]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, sdist], check=True)
    (wheel,) = folder.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_the_wheel_carries_what_describing_needs(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built["wheel"]).namelist()
    weights = ("config.json", "metrics.json", "vision.onnx", "decoder.onnx", "model.safetensors")
    for needed in ("pipeline/report.html", "py.typed", *(f"weights/edge/{name}" for name in weights)):
        assert f"personvlm/{needed}" in names
    assert not any(name.startswith(("tests", "tools")) for name in names)


def interpreter(version: str) -> str | None:
    """A Python of that version, on the path or of pyenv."""
    versions = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(versions[-1]) if versions else shutil.which(f"python{version}")  # pyenv's own on the path may be a shim


@pytest.mark.parametrize(("kind", "version"), [
    ("sdist", f"{sys.version_info.major}.{sys.version_info.minor}"),
    ("wheel", "3.10"), ("wheel", "3.11"), ("wheel", "3.12"), ("wheel", "3.13"),
])  # fmt: skip
def test_a_release_installs_and_describes(built: dict[str, Path], kind: str, version: str, tmp_path: Path) -> None:
    """As a user does: a bare environment elsewhere, pip with its index, one crop. Without torch."""
    python = interpreter(version)
    if python is None or subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=False).returncode:
        pytest.skip(f"there is no Python {version} here that can make environments")
    place, environment = tmp_path / "venv" / "bin", bare_environment(tmp_path / "home")

    def run(program: str, *arguments: str | Path) -> str:
        done = subprocess.run([place / program, *arguments], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=600, check=False)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("python", "-m", "pip", "install", "-q", built[kind])
    Image.fromarray(render({"upper.color": ("red",)}, seed=1, size=(64, 128))).save(tmp_path / "crop.jpg")
    assert run("personvlm", "--version") == f"personvlm {personvlm.__version__}\n"
    described = json.loads(run("personvlm", "describe", "crop.jpg", "--say", "all", "--json"))
    assert "The image shows" in json.dumps(described)
    freeze = run("python", "-m", "pip", "list", "--format=freeze").lower()
    assert f"personvlm=={personvlm.__version__}" in freeze
    assert not any(line.startswith(("torch", "transformers", "accelerate")) for line in freeze.splitlines())
