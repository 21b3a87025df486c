"""The README keeps its word: its figures are those of the weights, its code compiles, its commands exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from personvlm.cli import main
from personvlm.evaluation.facts import HEADLINE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


sys.path.append(str(ROOT / "tools"))  # as for a script that stands there


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_weights() -> None:
    module = tool("readme_table")
    for document in (module.README, module.CARD):
        assert module.wanted(document) == document.read_text("utf-8"), "run `make table`"


def test_the_table_says_what_the_metrics_say() -> None:
    def text(level: float) -> dict[str, Any]:
        return {name: {"accuracy": level, "majority": 0.25} for name in (*HEADLINE, "mean")}

    metrics = {"parameters": 1_234_567, "test": {
        "n": 2345, "people": 678, "text": text(0.8125),
        "baselines": {"predicted_heads": text(0.75), "true_labels": text(1)},
        "heads": {"mA": 0.7, "F1": 0.6}, "said": {"accuracy": 0.9, "coverage": 0.5, "groups": 6.54},
        "quality": {"pass_rate": 1.0}, "consistency": 0.9999,
    }}  # fmt: skip
    block = tool("readme_table").table(metrics)
    rows = [line for line in block.splitlines() if line.startswith("|")]
    assert [len(row.split("|")) for row in rows] == [10] * 6
    assert rows[2].count("**81.2 %**") == 7
    assert rows[5].count("25.0 %") == 7
    for fact in ("2,345 pictures of 678 people", "1,234,567 parameters", "mA 70.0 %", "states 6.5 groups", "99.9 %"):
        assert fact in block


def test_python_in_the_readme_compiles_and_uses_what_exists() -> None:
    import personvlm

    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "personvlm":
                assert all(hasattr(personvlm, alias.name) for alias in node.names)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"[`/]personvlm ([a-z]+)", README))))
def test_commands_of_the_readme_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert not done.value.code
    assert "Usage:" in capsys.readouterr().out


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    missing = {link for link in links if not link.startswith("http") and not (ROOT / link).exists()}
    if not tool("readme_table").METRICS.is_file():
        missing -= {"docs/images/demo.png"}  # made by `make picture`, with the weights
    assert missing == set()


def test_where_torch_comes_from(tmp_path: Path) -> None:
    arguments = tool("torch_source").arguments
    nowhere = "http://127.0.0.1:9"  # the discard port: refused at once
    assert arguments(tmp_path, nowhere) == []
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    (tmp_path / "torch-2.13.0+cpu-cp27-cp27m-linux_x86_64.whl").touch()
    assert arguments(tmp_path, nowhere) == []
    (tmp_path / f"torch-2.13.0+cpu-{tag}-{tag}-linux_x86_64.whl").touch()
    assert arguments(tmp_path, nowhere) == ["--find-links", str(tmp_path)]
