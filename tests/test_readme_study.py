"""The README's table of the study is that of docs/study/study.json, and every figure in it comes from there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from test_readme import tool


@pytest.fixture
def study() -> dict[str, Any]:
    module = tool("readme_study")
    if not module.STUDY.is_file():
        pytest.skip("docs/study/study.json is not there yet: `personvlm study` writes it")
    result: dict[str, Any] = json.loads(module.STUDY.read_text("utf-8"))
    return result


def test_the_readme_agrees_with_the_study() -> None:
    module = tool("readme_study")
    assert module.wanted() == module.README.read_text("utf-8"), "run `python tools/readme_study.py`"


def test_every_model_and_every_baseline_has_its_row(study: dict[str, Any]) -> None:
    rows = [line for line in tool("readme_study").block(study).splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {9}
    wanted = len(study["budgets"]) + len(study["entries"]) + sum(
        sum(1 for row in several.values() if row["scores"]) for several in study["baselines"].values())  # fmt: skip
    assert len(rows) == 2 + wanted
    first = next(entry for entry in study["entries"] if "failed" not in entry)
    shown = next(row for row in rows if f"{first['parameters']:,}" in row)
    assert f"{first['scores']['text']['cider_d']['value']:.2f}" in shown


def test_a_changed_figure_changes_the_table(study: dict[str, Any]) -> None:
    module = tool("readme_study")
    before = module.block(study)
    entry = next(entry for entry in study["entries"] if "failed" not in entry)
    entry["scores"]["text"]["cider_d"]["value"] += 5.0
    assert module.block(study) != before


def test_nothing_is_claimed_without_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tool("readme_study")
    monkeypatch.setattr(module, "STUDY", tmp_path / "absent.json")
    text = module.wanted()
    inside = text.split(module.BEGIN)[1].split(module.END)[0]
    assert inside.strip() == module.NOTHING
    assert not re.search(r"\d", inside.replace("study.json", ""))


def test_only_what_is_not_shown_is_denied(study: dict[str, Any]) -> None:
    module = tool("readme_study")
    titles = study["budget_titles"] = {"10m": "10 minutes", "1e": "1 epoch"}
    study["not_better"] = [{"budget": budget, "figure": figure, "different_texts": {"edge": 9, "stage": 2}}
                           for budget, figure in (("10m", "mA"), ("1e", "cider_d"))]  # fmt: skip
    text = module._verdict(study)
    assert f"on mA after {titles['10m']} and CIDEr-D after {titles['1e']} (there the stages wrote at most 2 " in text
    assert "is better" not in module._verdict({**study, "differences": {}, "not_better": []})
    assert "every stage" in module._verdict({**study, "not_better": []})


def test_a_row_says_what_its_model_began_with(study: dict[str, Any]) -> None:
    module = tool("readme_study")
    entry = next(entry for entry in study["entries"] if "failed" not in entry)
    entry["weights"] = {"encoder": {"source": "random"}, "tokenizer": {"source": "there"}}
    assert f"| random numbers | {entry['parameters']:,} |" in module.block(study)
    entry["weights"] = {"encoder": {"source": "there"}, "decoder": {"source": "there"}}
    assert f"| pretrained encoder and decoder | {entry['parameters']:,} |" in module.block(study)
