"""``personvlm simulate`` with times of a bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from personvlm.cli import main


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({
        "format": "personvlm.bench", "line": "a machine",
        "latency_ms": {"p50": 20.0, "p90": 24.0, "p99": 40.0, "max": 60.0, "mean": 21.0},
        "stages_ms": {"vision": {"p50": 8.0}, "decode": {"p50": 0.5}, "resize": {"p50": 0.5}, "words": {"p50": 11.0}},
        "batches": [{"batch": 1, "ms_per_batch": 21.0}, {"batch": 16, "ms_per_batch": 200.0}]}))  # fmt: skip
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_it_answers_as_json_and_in_words(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ("--cameras", "60", "--workers", "1", "--minutes", "0.5", "--bench", str(bench), "--target-p99", "1000")
    status, out, _ = run(capsys, *common, "--json")
    told: dict[str, Any] = json.loads(out)
    assert status == 0
    assert told["events_per_s"] == pytest.approx(60 * 10 / 60 * 2.3, rel=0.2)  # 2 events a person, and news
    assert told["arrived"] == told["described"] + told["superseded"] + told["shed"] + told["left"]
    assert told["workers_needed"] in {row["workers"] for row in told["tried"] if row["fits"]}
    assert all(row["workers"] < told["workers_needed"] for row in told["tried"] if not row["fits"])
    assert told["times"].endswith("(a machine)")
    again = json.loads(run(capsys, *common, "--json")[1])
    assert again == told
    status, out, _ = run(capsys, *common)
    assert status == 0
    assert "queue age" in out
    assert f"{told['workers_needed']} workers keep 99 % of new people within 1000 ms" in out


def test_a_load_that_is_too_much_is_said_to_be(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--cameras", "400", "--minutes", "0.5", "--bench", str(bench))
    assert "not carried: the queue grows" in out


def test_what_is_wrong_is_said(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--bench", str(bench.parent / "absent.json"))[0] == 1
    assert run(capsys, "--cameras", "0", "--bench", str(bench))[0] == 2
    status, _, err = run(capsys, "--target-p99", "1", "--bench", str(bench), "--minutes", "0.1")
    assert status == 1
    assert "not even" in err
