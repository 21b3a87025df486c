"""The house rules of DESIGN.md section 2: who may import whom, what a describer costs to load, how long files are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import personvlm

SOURCE = Path(personvlm.__file__).parent
ROOT = Path(__file__).parents[1]
ROOMS = ("schema", "base", "language", "data", "metrics", "models", "training", "runtime", "evaluation", "video",
         "store", "events", "alerts", "pipeline", "integrations", "server", "cli")  # fmt: skip
HEAVY = {"torch", "transformers", "accelerate"}
HEAVY_ROOMS = {"models", "training"}
FILES = sorted(SOURCE.rglob("*.py"))


def imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Absolute dotted names of every import, functions included; ``from a import b`` gives ``a`` and ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def violations(path: Path, text: str) -> list[str]:
    """What ``text``, standing at ``path`` (relative to the package), imports and may not."""
    room = path.parts[0]
    package = ".".join(("personvlm", *path.parts[:-1]))
    wrong = []
    for name in set(imported(ast.parse(text), package)):
        first, *rest = name.split(".")
        if first in HEAVY and room not in HEAVY_ROOMS:
            says_so = room in ("runtime", "evaluation") and ("torch" in path.stem or "export" in path.stem)
            if not says_so:
                wrong.append(f"{path}: {name} (only models, training and files named for it may)")
        if first == "personvlm" and rest and rest[0] in ROOMS and ROOMS.index(rest[0]) > ROOMS.index(room):
            wrong.append(f"{path}: {name} (a room below {room})")
    return wrong


def test_every_folder_is_a_room() -> None:
    folders = {path.relative_to(SOURCE).parts[0] for path in FILES if path.parent != SOURCE}
    assert folders <= set(ROOMS)


def test_rooms_import_only_from_rooms_above() -> None:
    wrong = [line for path in FILES if path.parent != SOURCE
             for line in violations(path.relative_to(SOURCE), path.read_text("utf-8"))]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "text", "caught"),
    [
        ("schema/a.py", "from personvlm.language import tokens", True),
        ("schema/a.py", "from personvlm import language", True),
        ("schema/a.py", "def f():\n    import personvlm.cli.app", True),
        ("schema/mappings/a.py", "from ...language import tokens", True),
        ("language/a.py", "from personvlm.schema import GROUP", False),
        ("data/a.py", "import torch.nn", True),
        ("runtime/engine.py", "from transformers import AutoModel", True),
        ("runtime/export.py", "import torch", False),
        ("evaluation/torch_loss.py", "import torch", False),
        ("cli/torch.py", "import torch", True),
        ("training/loop.py", "import accelerate", False),
    ],
)
def test_the_walk_sees_what_it_must(path: str, text: str, caught: bool) -> None:
    assert bool(violations(Path(path), text)) is caught


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_a_describer_loads_no_torch_and_nothing_that_traces() -> None:
    code = """
import sys
from personvlm import Describer
heavy = ("torch", "transformers", "accelerate", "opentelemetry", "sqlalchemy", "fastapi", "cv2")
print("HEAVY", *(name for name in heavy if name in sys.modules))
"""
    assert python(code) == "HEAVY"


def test_light_rooms_import_where_nothing_of_training_is_installed() -> None:
    light = []
    for path in FILES:
        relative = path.relative_to(SOURCE)
        named = relative.parts[0] in ("runtime", "evaluation") and ("torch" in path.stem or "export" in path.stem)
        if relative.parts[0] not in HEAVY_ROOMS and not named and path.stem != "__main__":
            light.append(".".join(("personvlm", *relative.with_suffix("").parts)).removesuffix(".__init__"))
    code = f"""
import sys
for name in ("torch", "transformers", "accelerate", "safetensors", "onnx", "matplotlib"):
    sys.modules[name] = None
from importlib import import_module
for name in {light}:
    import_module(name)
print("fine")
"""
    assert python(code) == "fine"


@pytest.mark.skipif(not (SOURCE / "weights" / "edge").is_dir(), reason="this checkout has no shipped weights")
def test_a_description_loads_no_torch() -> None:
    code = """
import sys
import numpy as np
from personvlm import Describer
text = Describer.load().describe(np.full((256, 128, 3), 127, np.uint8), say="all")[0].text
heavy = [name for name in ("torch", "transformers", "accelerate") if name in sys.modules]
print(text.startswith("The image shows"), *heavy)
"""
    assert python(code) == "True"


def test_the_command_line_starts_without_torch_and_onnxruntime() -> None:
    code = """
import sys
import personvlm.cli
try:
    personvlm.cli.main(["--help"])
except SystemExit:
    pass
print("HEAVY", *(name for name in ("torch", "transformers", "accelerate", "onnxruntime") if name in sys.modules))
"""
    assert python(code).splitlines()[-1] == "HEAVY"


def test_long_files_say_why() -> None:
    long = []
    for path in (*FILES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))):
        text = path.read_text("utf-8")
        if text.count("\n") > 350 and "Length:" not in (ast.get_docstring(ast.parse(text)) or ""):
            long.append(str(path))
    assert long == [], "over 350 lines without a reason: a line 'Length: why' in the file's docstring"


def test_no_two_tests_share_a_file_name() -> None:
    """Pytest imports test files by their bare name: a second one of a name stops the whole suite."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
