"""The small commands, and what becomes of an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from personvlm import __version__
from personvlm.base.errors import PersonVLMError
from personvlm.cli import main
from personvlm.schema import json_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "person_description.schema.json"


def status_of(*arguments: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    return int(done.value.code or 0)


def test_schema_prints_what_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("schema") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json_schema()
    assert printed == json.loads(PUBLISHED.read_text("utf-8")), "run `make schema`"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("--version") == 0
    assert capsys.readouterr().out == f"personvlm {__version__}\n"


def test_models_are_what_ships_and_the_stages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("personvlm.cli.models.files", lambda package: tmp_path)
    assert status_of("models") == 1
    assert "built without" in capsys.readouterr().err
    (tmp_path / "weights" / "edge").mkdir(parents=True)
    metrics = {"name": "edge", "version": "1", "parameters": 1_234_567, "trainable": 1_200_000, "test": {}}
    (tmp_path / "weights" / "edge" / "metrics.json").write_text(json.dumps(metrics))
    assert status_of("models", "--json") == 0
    first, *stages = json.loads(capsys.readouterr().out)
    assert first == {"name": "edge", "parameters": 1_234_567, "trainable": 1_200_000, "budget": 0.0123}
    counts = {"stage1": 7_257_136, "stage2": 33_838_640, "stage3": 93_783_600, "stage4": 98_505_264}
    assert {each["name"]: each["parameters"] for each in stages} == counts
    assert all(each["budget"] == round(each["parameters"] / 100e6, 4) for each in stages)
    assert all(sum(each["parts"].values()) == each["parameters"] for each in stages)
    assert status_of("models") == 0
    out = capsys.readouterr().out
    assert "1,234,567" in out
    assert "98.5%" in out


def test_an_error_of_ours_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path | None = None, **_: object) -> None:
        raise PersonVLMError("weights/edge: no model here; reinstall")

    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", fails)
    assert status_of("describe", "a.jpg", "--json") == 1
    assert capsys.readouterr() == ("", "personvlm: error: weights/edge: no model here; reinstall\n")


def test_evaluate_parser_prints_the_promised_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    one_hot = [0] * 58
    one_hot[1] = 1
    row = {"image": "a.jpg", "one_hot": one_hot, "answer": "The image shows a man."}
    data = tmp_path / "captions.jsonl"
    data.write_text(json.dumps(row) + "\n")
    assert status_of("evaluate", "--parser", "--data", str(data), "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["columns"]["Male"]["f1"] == 1.0
    assert 0.0 <= result["mean_f1"] <= 1.0
    assert status_of("evaluate", "--parser", "--data", str(data)) == 0
    assert "Male" in capsys.readouterr().out


def test_evaluate_without_data_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of("evaluate", "--parser", "--data", "nowhere.jsonl", "--json") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "nowhere.jsonl" in err


def test_the_program_runs_as_a_module_and_as_a_script() -> None:
    done = subprocess.run([sys.executable, "-m", "personvlm", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"personvlm {__version__}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [("schema",), ("--version",), ("describe", "nothing.jpg", "--jsonl"),
                                     ("describe", "nothing.jpg", "--csv")])  # fmt: skip
def test_output_that_cannot_be_written_is_one_line(command: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", DESCRIBES_NOTHING, *command], stdout=full, stderr=subprocess.PIPE,
                              text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "personvlm: error: input or output: No space left on device\n"


DESCRIBES_NOTHING = """
import sys
from personvlm.cli import main
from personvlm.runtime.describer import Describer
from personvlm.schema import DescribeResult
class Nobody:
    def results(self, inputs, *, names, **options):
        return (DescribeResult(input=name, error="nothing is there") for name in names)
Describer.load = lambda *path, **options: Nobody()
main(sys.argv[1:])
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_was_closed_at_the_start_leads_nowhere(closed: str) -> None:
    shell = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", DESCRIBES_NOTHING]
    done = subprocess.run([*shell, "describe", "-", "--jsonl"], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == ("" if closed == ">&-" else '{"input": "-", "error": "nothing is there"}\n')


@pytest.mark.parametrize("given", ["a.jpg --clip", "a.jpg --num-samples 2", "--num-samples 2 --clip"])
def test_a_demo_looks_at_one_kind_of_thing(capsys: pytest.CaptureFixture[str], tmp_path: Path, given: str) -> None:
    assert status_of("demo", *given.split(), "--out", str(tmp_path / "out")) == 2
    assert ("--num-samples renders" if "2" in given else "--clip is what") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    running = subprocess.Popen([sys.executable, "-m", "personvlm", "schema"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)  # fmt: skip
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    with running.stderr as errors:
        assert errors.read() == b""
    assert running.wait() == 1


def test_an_error_of_the_system_names_the_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(path: Path | None = None, **_: object) -> None:
        (tmp_path / "closed" / "file").read_text()

    monkeypatch.setattr("personvlm.runtime.describer.Describer.load", fails)
    assert status_of("describe", "a.jpg") == 1
    assert capsys.readouterr() == ("", f"personvlm: error: {tmp_path / 'closed' / 'file'}: No such file or directory\n")
