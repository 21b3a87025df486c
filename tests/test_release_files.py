"""What is released: sdist and wheel, built and used outside the checkout; pins; and the oldest Python."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import personvlm
from personvlm.data.rendered import render
from personvlm.runtime.describer import shipped
from test_readme import tool

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "personvlm"
PROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])(sys.argv[2]))"


def build(what: str, tree: Path, to: Path) -> Path:
    """``what`` is ``build_sdist`` or ``build_wheel``."""
    done = subprocess.run([sys.executable, "-c", BUILD, what, str(to)], cwd=tree, capture_output=True, text=True,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return to / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of this tree, and the wheel that is built of that sdist and of nothing else."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("needs setuptools 77; the extra dev brings it")
    folder = tmp_path_factory.mktemp("release")
    tree = folder / "tree"
    shutil.copytree(SOURCE, tree / "src" / "personvlm", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    sdist = build("build_sdist", tree, folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data") if hasattr(tarfile, "data_filter") else (
            archive.extractall(folder / "unpacked"))  # fmt: skip
    [root] = (folder / "unpacked").iterdir()
    return sdist, build("build_wheel", root, folder)


def test_the_wheel_of_the_sdist_has_every_file_of_the_package(built: tuple[Path, Path]) -> None:
    sdist, wheel = built
    assert (sdist.name, wheel.name) == (f"personvlm-{personvlm.__version__}.tar.gz",
                                        f"personvlm-{personvlm.__version__}-py3-none-any.whl")  # fmt: skip
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert ours - names == set()
    assert {name.split("/")[0] for name in names - ours} == {f"personvlm-{personvlm.__version__}.dist-info"}


def test_what_was_installed_describes_without_torch(built: tuple[Path, Path], tmp_path: Path) -> None:
    """In an environment of its own, which has the dependencies of this one, but neither its PersonVLM nor torch."""
    if not shipped().is_dir():
        pytest.skip("this checkout has no shipped weights")
    place = tmp_path / "bare"
    venv.create(place, with_pip=False, symlinks=os.name != "nt")
    [site] = [*place.glob("lib/python*/site-packages"), *place.glob("Lib/site-packages")]
    dependencies = Path(Image.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{dependencies}\nimport sys; sys.modules['torch'] = None\n", "utf-8")
    python = next(path for path in (place / "bin" / "python", place / "Scripts" / "python.exe") if path.exists())
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, built[1]], check=True, timeout=120)
    Image.fromarray(render({"upper.color": ("red",)}, seed=1, size=(64, 128))).save(tmp_path / "crop.jpg")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PERSONVLM_ASSETS")}

    def run(*arguments: str) -> str:
        done = subprocess.run([python.with_name("personvlm"), *arguments], cwd=tmp_path, env=kept, capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    version = re.search(r'^version = "(.+)"$', PROJECT, re.MULTILINE)
    assert version is not None
    assert run("--version") == f"personvlm {version[1]}\n"
    described = json.loads(run("describe", "crop.jpg", "--say", "all", "--json"))
    assert "The image shows" in json.dumps(described)
    where = subprocess.run([python, "-c", "import personvlm; print(personvlm.__file__)"], cwd=tmp_path, env=kept,
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert Path(where.strip()).is_relative_to(place)


def test_classifiers_name_every_python_that_is_allowed() -> None:
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
    assert named == ["3.10", "3.11", "3.12", "3.13"]
    assert f'requires-python = ">={named[0]}"' in PROJECT
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named


NEWER = {"tomllib", "datetime.UTC", "enum.StrEnum", "enum.verify", "itertools.batched", "contextlib.chdir",
         "asyncio.timeout", "asyncio.TaskGroup", "asyncio.Runner", "hashlib.file_digest", "typing.Self", "typing.Never",
         "typing.LiteralString", "typing.assert_never", "typing.assert_type", "typing.reveal_type", "typing.Required",
         "typing.NotRequired", "typing.Unpack", "typing.TypeVarTuple", "typing.override", "typing.dataclass_transform",
         "typing.TypeAliasType", "warnings.deprecated", "operator.call", "math.cbrt", "math.exp2"}  # fmt: skip
"""What the standard library has since 3.11 or later."""


def newer(text: str) -> list[str]:
    """What in ``text`` Python 3.10 does not have. Raises SyntaxError where it could not even read it."""
    found = []
    for node in ast.walk(ast.parse(text, feature_version=(3, 10))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names] + [node.module or ""]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name) and node.id in ("ExceptionGroup", "BaseExceptionGroup"):
            found.append(node.id)
    return [name for name in found if name in NEWER or name.endswith("ExceptionGroup")]


def test_python_3_10_can_read_every_file() -> None:
    files = [*SOURCE.rglob("*.py"), *(ROOT / "tools").glob("*.py")]
    assert {path.name: found for path in files if (found := newer(path.read_text("utf-8")))} == {}
    assert newer("from datetime import UTC\nimport tomllib\nasync def f():\n    raise ExceptionGroup('', [])\n") == [
        "datetime.UTC", "tomllib", "ExceptionGroup"]  # fmt: skip
    with pytest.raises(SyntaxError):
        newer("try:\n    pass\nexcept* ValueError:\n    pass\n")


def test_everything_that_is_installed_is_pinned() -> None:
    pins = tool("pins")
    pinned = pins.pinned((ROOT / "constraints.txt").read_text("utf-8"))
    missing = {name: one.version for name, one in pins.installed().items() if name not in pinned}
    assert missing == {}, "run `make pins`, and look at what it changed"
    assert list(pinned) == sorted(pinned)
    for line in pinned.values():
        assert re.fullmatch(r'[a-z0-9-]+==[\w.]+(; python_full_version >= "3\.[\d.]+")?', line), line
    assert {"numpy", "onnxruntime", "torch", "fastapi", "pytest"} <= set(pinned)


@pytest.mark.parametrize(("python", "expected"), [
    (None, "a-b==1.0"), (">=3.8,<4", "a-b==1.0"), ("!=3.14.1,>=3.11", 'a-b==1.0; python_full_version >= "3.11"'),
])  # fmt: skip
def test_a_pin_binds_where_its_release_runs(python: str | None, expected: str) -> None:
    assert tool("pins").line("a-b", "1.0+cpu", python) == expected


REPORT: dict[str, Any] = {"dependencies": [
    {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
    {"name": "b", "version": "1", "vulns": []}, {"name": "c", "skip_reason": "unknown there"},
], "fixes": []}  # fmt: skip


@pytest.mark.parametrize(("report", "options", "status", "said"), [
    (REPORT, [], 1, "a 1: PYSEC-1, mended by 2"),
    (REPORT, ["--allow-offline"], 1, "2 of 3 releases audited, 1 with known"),
    ({"dependencies": REPORT["dependencies"][1:]}, [], 0, "c: not audited: unknown there"),
    ({"dependencies": REPORT["dependencies"][2:]}, [], 2, "NOT AUDITED, the advisories could not be asked: unknown"),
    ({"dependencies": REPORT["dependencies"][2:]}, ["--allow-offline"], 0, "NOT AUDITED"),
    (None, [], 2, "NOT AUDITED"), (None, ["--allow-offline"], 0, "the advisories could not be asked: no way"),
])  # fmt: skip
def test_the_audit_says_what_it_found_and_that_it_could_not_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], report: object, options: list[str], status: int, said: str
) -> None:
    stand_in = tmp_path / "pip_audit.py"
    asked = tmp_path / "asked"
    lines = ["import sys", f"open({str(asked)!r}, 'a').write('x')"]
    if report is None:
        lines += ["sys.exit('no way')"]
    else:
        lines += [f"open(sys.argv[sys.argv.index('-o') + 1], 'w').write({json.dumps(report)!r})", f"sys.exit({status})"]
    stand_in.write_text("\n".join(lines), "utf-8")
    assert tool("audit").main(options, (sys.executable, str(stand_in))) == status
    told = capsys.readouterr().out
    assert said in told
    assert len(asked.read_text()) == (1 if "NOT AUDITED" in told else 2)  # one release first, and then all


def test_ci_audits_and_tolerates_a_missing_network_only() -> None:
    steps = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert "step make audit AUDIT=--allow-offline" in steps
    assert "--allow-offline" not in (ROOT / "Makefile").read_text("utf-8")
