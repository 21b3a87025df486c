"""`personvlm data`, `train` and `export`: that they reach their rooms, and what they say when they cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.data.sources import read_training
from personvlm.data.splits import prepare

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = []
    for number in range(20):
        name = f"{number}.png"
        Image.new("RGB", (32, 64), "red").save(tmp_path / name)
        attributes = {"gender": "female", "upper.color": ["red"]}
        lines.append({"image": name, "identity": f"person {number // 2}", "attributes": attributes})
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_data_prepare_stats_and_sheet(run: Run, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    status, printed, _ = run("data", "prepare", data, "--out", out, "--fractions", "0.6", "0.2", "0.2")
    assert status == 0
    assert all(name in printed for name in ("train", "val", "test"))
    counts = [json.loads(run("data", "stats", out / f"{part}.jsonl", "--json")[1]) for part in ("train", "val", "test")]
    assert sum(count["samples"] for count in counts) == 20
    assert sum(count["identities"] for count in counts) == 10, "a person is in one part only"
    status, printed, _ = run("data", "stats", data)
    assert status == 0
    assert "female 20" in printed
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"image": str(next(data.parent.rglob("*.png"))), "captions": ["A man."]}) + "\n")
    status, printed, _ = run("data", "stats", bare)
    assert status == 0
    assert "captions" in printed
    status, printed, _ = run("data", "sheet", data, "--out", tmp_path / "sheet.png", "--n", "4")
    assert status == 0
    assert Path(printed.strip()) == tmp_path / "sheet.png"
    assert Image.open(tmp_path / "sheet.png").width > 4 * 32
    status, _, err = run("data", "sheet", data, "--out", tmp_path / "sheet.jpg")
    assert status == 1
    assert "ends in .png" in err
    bare.write_text("")
    status, _, err = run("data", "stats", bare)
    assert status == 1
    assert "holds no pictures" in err


@pytest.mark.parametrize("command", [["prepare", "--out", "x"], ["stats"], ["sheet"]])
def test_missing_data_is_one_clear_line(run: Run, tmp_path: Path, command: list[str]) -> None:
    status, out, err = run("data", command[0], tmp_path / "nothing.jsonl", *command[1:])
    assert (status, out) == (1, "")
    assert err.startswith("personvlm: error: ")
    assert "nothing.jsonl" in err


def test_train_refuses_what_it_cannot_use(run: Run, tmp_path: Path) -> None:
    assert run("train", "enormous", "--data", tmp_path)[0] == 2
    assert run("train", "edge", "--data", tmp_path, "--set", "lr")[0] == 2
    assert run("train", "edge", "--data", tmp_path, "--encoder", tmp_path, "--from", tmp_path)[0] == 2
    assert run("train", "edge", "--data", tmp_path, "--beside", tmp_path)[0] == 2
    assert run("train", "stage1", "--data", tmp_path, "--beside", tmp_path)[0] == 2
    status, _, err = run("train", "edge", "--data", tmp_path, "--set", "hue=1")
    assert status == 1
    assert "hue" in err
    status, _, err = run("train", "edge", "--data", tmp_path, "--out", tmp_path / "out", "-q")
    assert status == 1
    assert err.startswith(f"personvlm: error: {tmp_path}")


def test_without_torch_the_error_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom personvlm.cli import main\n"
    code += f"main(['export', {str(tmp_path)!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("personvlm: error: this command needs torch")
    assert "personvlm[train]" in done.stderr


def test_export_of_nothing_names_the_folder(run: Run, tmp_path: Path) -> None:
    status, _, err = run("export", tmp_path / "nothing")
    assert status == 1
    assert str(tmp_path / "nothing") in err


def test_the_options_of_the_published_commands_reach_the_recipe(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="training needs the train extra")
    seen: dict[str, str] = {}
    monkeypatch.setattr("personvlm.training.stages.run_stage",
                        lambda stage, data, out, settings, *_, **__: seen.update(settings, stage=stage))  # fmt: skip
    status, _, err = run("train", "stage2", "--data", str(tmp_path), "--epochs", "3", "--batch-size", "8",
                         "--learning-rate", "2e-4", "--set", "patience=2")  # fmt: skip
    assert status == 0, err
    assert seen == {"stage": "stage2", "epochs": "3", "batch_size": "8", "learning_rate": "0.0002", "patience": "2"}
    assert run("train", "edge", "--data", str(tmp_path), "--epochs", "3")[0] == 2


def test_too_few_people_for_a_split_are_said(run: Run, data: Path, tmp_path: Path) -> None:
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join(lines[:4]))
    out = tmp_path / "prepared"
    status, _, err = run("data", "prepare", data, "--out", out)
    assert status == 0
    empty = [part for part in ("train", "val", "test") if not (out / f"{part}.jsonl").read_text()]
    assert empty
    assert err.count("warning") == len(empty)
    assert all(f"{part}.jsonl holds no samples" in err for part in empty)
    data.write_text("".join(lines))
    assert run("data", "prepare", data, "--out", out, "--fractions", "0.5", "0.5", "0")[2] == "", "none were asked for"


def test_an_empty_validation_set_is_named(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "prepared"
    prepare(data, "personvlm", out)
    for part, other in (("val", "train"), ("train", "val")):
        (out / f"{part}.jsonl").write_text("")
        with pytest.raises(InputError, match=rf"{part}\.jsonl holds no samples: too few people.*--fractions"):
            read_training(out)
        prepare(data, "personvlm", out)
        assert (out / f"{other}.jsonl").read_text()
    with pytest.raises(InputError, match="no training data"):
        read_training(tmp_path)


def test_data_that_are_not_there_are_told_before_weights_are_fetched(run: Run, tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[object] = []
    monkeypatch.setattr("personvlm.training.imagenet.imagenet_weights", lambda *asked: fetched.append(asked))
    status, _, err = run("train", "edge", "--data", tmp_path / "no", "--out", tmp_path / "out")
    assert (status, fetched) == (1, [])
    assert "no such folder; `personvlm data prepare` writes one" in err


def test_a_study_says_how_long_and_of_what(run: Run, tmp_path: Path) -> None:
    given = ("study", "--data", tmp_path, "--out", tmp_path / "out")
    for arguments, told in (((), "no budget"), (("--stages", "none"), "--join"),
                            (("--stages", "none", "--ablations", "ends"), "--join")):  # fmt: skip
        status, _, err = run(*given, *arguments)
        assert status == 1
        assert told in err
