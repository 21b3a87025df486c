"""`--min-precision` reaches whatever describes: cameras, workers, archives."""

from __future__ import annotations

import contextlib
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.cli import main


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What models were made with; nothing is described with them."""
    options: list[dict[str, Any]] = []
    with contextlib.suppress(ImportError):  # without the video extra; whoever takes the name now takes the real one
        import_module("personvlm.video.describing")

    def make(describer: Any, **more: Any) -> Any:
        options.append(more)
        raise InputError("that was it")

    monkeypatch.setattr("personvlm.runtime.tracks.TrackModel", make)
    monkeypatch.setattr("personvlm.runtime.describer.Describer.load",
                        lambda *places, **more: SimpleNamespace(name="m", backend="b"))  # fmt: skip
    return options


def personvlm(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)


@pytest.mark.parametrize("asked", [0.9, None])
def test_of_cameras(made: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, asked: float | None) -> None:
    from personvlm.runtime import tracks

    monkeypatch.setattr("personvlm.video.describing.TrackModel", tracks.TrackModel)
    more = [] if asked is None else ["--min-precision", str(asked)]
    assert personvlm("run", "rendered:cameras=1,people=1,seconds=1", *more) == 1
    assert [options["min_precision"] for options in made] == [asked]


@pytest.mark.parametrize("asked", [0.9, None])
def test_of_workers_and_archives(made: list[dict[str, Any]], tmp_path: Path, asked: float | None) -> None:
    pytest.importorskip("sqlalchemy", reason="needs the service extra")
    more = [] if asked is None else ["--min-precision", str(asked)]
    Image.fromarray(np.zeros((64, 32, 3), np.uint8)).save(tmp_path / "a.png")
    store = str(tmp_path / "people.db")
    assert personvlm("worker", "--queue", store, "--store", store, "--until-empty", *more) == 1
    assert personvlm("backfill", str(tmp_path), "--store", store, *more) == 1
    assert [options["min_precision"] for options in made] == [asked, asked]


def test_a_queue_describes_nothing_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (["run", "rendered:"], ["backfill", str(tmp_path)]):
        assert personvlm(*arguments, "--queue", str(tmp_path / "q.db"), "--min-precision", "0.9") == 2
        assert "the workers describe" in " ".join(capsys.readouterr().err.split())
