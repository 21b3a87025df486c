"""``personvlm bench``: what it asks for, prints and leaves behind. What is measured is tested with the runtime."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench_result import canned
from personvlm.cli import main
from personvlm.runtime.bench import BenchSettings


class FakeBench:
    """Measures nothing, in two steps."""

    asked: BenchSettings
    busy = 0.01

    def __init__(self, settings: BenchSettings) -> None:
        FakeBench.asked = settings
        self.result: dict[str, Any] = {}

    def steps(self) -> list[Any]:
        return [lambda: None, lambda: self.result.update(canned() | {"busy_elsewhere": self.busy})]


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personvlm.runtime.bench.Bench", FakeBench)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(["bench", *arguments])
    return int(done.value.code or 0)


def test_tables_each_with_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    for fact in ("16.2", "Cameras carried: 97", "123.4", "750.0", "<= 20 ms", "no counters", "2 of 4", "200000 100000"):
        assert fact in out
    assert out.count("a processor, 2 cores") == out.count("\n\n") == 9
    assert err == ""
    assert FakeBench.asked == BenchSettings()


def test_json_and_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = "--json --quick --cameras --stage4 s --pictures p --model m --workers 2"
    assert run(*options.split()) == 0
    assert json.loads(capsys.readouterr().out)["latency_ms"]["p50"] == 16.25
    assert FakeBench.asked == BenchSettings(model=Path("m"), pictures=Path("p"), effort=0.1, cameras=True, compare=True,
                                            stage4=Path("s"), workers=2)  # fmt: skip
    assert run("--gpu", "--stage4", "s") == 0
    assert FakeBench.asked == BenchSettings(stage4=Path("s"), gpu=True), "a stage 4 for the GPU is no race"


def test_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the train extra")
    assert run("--out", str(tmp_path / "new" / "folder"), "-q") == 0
    folder = tmp_path / "new" / "folder"
    assert json.loads((folder / "bench.json").read_text("utf-8"))["format"] == "personvlm.bench"
    assert (folder / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err == ""


def test_without_matplotlib_there_is_json_and_a_note(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("--out", str(tmp_path)) == 0
    assert "no bench.png: the picture needs matplotlib" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


def test_a_busy_machine_is_noted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBench, "busy", 0.4)
    run()
    assert "other processes used 40%" in capsys.readouterr().err
    run("-q")
    assert capsys.readouterr().err == ""


def test_an_out_that_cannot_be_made_fails_before_anything_is_measured(capsys: pytest.CaptureFixture[str],
                                                                      tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    assert run("--out", str(tmp_path / "file")) == 1
    assert "file" in capsys.readouterr().err
