"""The README's figures of speed are those of docs/bench.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench_result import canned
from test_readme import tool


def test_the_readme_agrees_with_the_json() -> None:
    module = tool("readme_bench")
    assert module.wanted() == module.README.read_text("utf-8"), "run `python tools/readme_bench.py`"


def test_what_is_committed_is_a_full_run_on_a_quiet_machine() -> None:
    module = tool("readme_bench")
    if not module.BENCH.is_file():
        pytest.skip("docs/bench.json is not there yet: `make bench` writes it")
    result = json.loads(module.BENCH.read_text("utf-8"))
    assert result["effort"] >= 1
    assert result["busy_elsewhere"] < 0.1
    assert {"cameras", "compare"} <= result.keys()


def test_the_block_says_what_the_json_says() -> None:
    block = tool("readme_bench").block(canned())
    rows = [line for line in block.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3}
    for fact in ("33 words", "p50 16.2 ms, p99 31.0 ms", "batches of 16 | 123 |", "0.80 s", "191 MB", "| 142 ms |",
                 "| 97 |", "12,000 ms |", "200 ms, 60 times faster", "16.0 ms, 750 times faster",
                 "a processor, 2 cores", "2026-11-24", "edge-7"):  # fmt: skip
        assert fact in block
    assert "quick" not in block
    assert "quick" in tool("readme_bench").block(canned() | {"effort": 0.1})


def test_what_was_not_measured_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tool("readme_bench")
    short = canned()
    del short["cameras"], short["compare"]
    assert "cameras" not in module.block(short)
    assert "published" not in module.block(short)
    monkeypatch.setattr(module, "BENCH", tmp_path / "absent.json")
    assert module.NOTHING in module.wanted()
