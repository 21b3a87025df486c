"""Numbers, names and paths that no store has: commands say what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from personvlm.cli import main
from personvlm.store import Store

HUGE = "9" * 23


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("arguments", [
    ("tracks", "-n", HUGE), ("search", "man", "-n", HUGE), ("who", "somebody", "-n", HUGE),
    ("store", "audit", "-n", HUGE), ("store", "audit", "--after", HUGE)])  # fmt: skip
def test_numbers_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    Store.open(tmp_path / "people.db").close()
    assert run(*arguments, "--store", str(tmp_path / "people.db")) == 2
    assert "Invalid value" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "reason"), [
    (("store", "export", "--out", "."), "is a folder"),
    (("store", "export", "--since", "9" * 400 + "d"), "is no time"),
    (("who", "somebody", "--within", "9" * 400 + "d"), "is no time"),
    (("store", "keep", ""), "no name of a camera"),
    (("store", "keep", "--days", "1", " - "), "no name of a camera"),
])  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
                               reason: str) -> None:  # fmt: skip
    with Store.open(tmp_path / "people.db") as store:
        assert run(*arguments, "--store", str(tmp_path / "people.db")) == 1
        assert store.cameras() == []
    assert reason in capsys.readouterr().err


def test_an_upgrade_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("store", "upgrade", "--store", str(tmp_path / "mistyped.db")) == 1
    assert "no store there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
