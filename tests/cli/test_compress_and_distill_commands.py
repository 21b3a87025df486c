"""`personvlm compress` and `personvlm distill`: that they reach their rooms, and what they refuse."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="these commands need the train extra")

from lively_stages import lively_stage, save, tiny_gpt2_tokenizer, vocabulary  # noqa: E402
from personvlm.data.transform import Transform  # noqa: E402
from personvlm.models.appearance import Appearance  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.runtime.stage_engine import StageEngine  # noqa: E402

Run = Callable[..., tuple[int, str, str]]
FILES = {"config.json", "model.safetensors", "vocab.json", "merges.txt", "kept.json", "transform.json", "vision.onnx",
         "decoder.onnx", "draft.json"}  # fmt: skip


def test_compress_writes_a_model_and_says_what_it_cost(run: Run, tmp_path: Path) -> None:
    stage = save(lively_stage("gpt2", tiny_gpt2_tokenizer(tmp_path / "tokenizer")), tmp_path / "stage")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a man\na man, a man\n")
    out = tmp_path / "small"
    status, printed, _ = run("compress", stage, "--out", out, "--corpus", corpus, "--pictures", "3", "--json", "-q",
                             "--weights", "bfloat16")  # fmt: skip
    assert status == 0
    assert {path.name for path in out.iterdir()} == FILES
    result = json.loads(printed)
    names = ["whole, torch", "pruned, torch", "rounded weights, torch", "int8, onnxruntime", "int8 with drafts"]
    assert [form["name"] for form in result["forms"]] == names
    whole, pruned, rounded, int8, drafted = result["forms"]
    assert result["n"] == 3
    assert whole["same"] == pruned["same_restricted"] == 1.0
    assert pruned["vocabulary"] < whole["vocabulary"]
    assert 2 * rounded["bytes"] < 1.2 * pruned["bytes"] < 1.2 * whole["bytes"]
    assert int8["same"] == drafted["same"]
    assert int8["nll_per_character"] == drafted["nll_per_character"]
    assert StageEngine.load(out).drafts is not None
    status, printed, _ = run("compress", stage, "--out", tmp_path / "plain", "--corpus", corpus, "--pictures", "0")
    assert status == 0
    assert printed.strip().endswith("plain")


def test_compress_refuses_what_it_cannot_do(run: Run, tmp_path: Path) -> None:
    words = save(lively_stage("cross", vocabulary()), tmp_path / "words")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("a man\n")
    given = ("--corpus", corpus, "--pictures", "0")
    status, _, err = run("compress", words, "--out", tmp_path / "out", *given)
    assert status == 1
    assert "only a stage with GPT-2's vocabulary" in err
    status, _, err = run("compress", words, "--out", words, "--keep-vocabulary", *given)
    assert status == 1
    assert "written over" in err
    status, _, err = run("compress", words, "--out", tmp_path / "out", "--form", "int8-weights", *given)
    assert status == 1
    assert "--form is for edge" in err
    status, _, _ = run("compress", words, "--out", tmp_path / "out", "--keep-vocabulary", *given)
    assert status == 0
    assert (tmp_path / "out" / "decoder.onnx").is_file()
    status, _, err = run("compress", words, "--out", tmp_path / "out", "--keep-vocabulary", *given)
    assert (status, "another model is there" in err) == (1, True), "which nothing is written over"
    status, printed, _ = run("export", words)
    assert status == 0
    assert "decoder.onnx" in printed
    assert (words / "decoder.onnx").read_bytes() != b""


def test_distill_refuses_a_teacher_without_heads(run: Run, tmp_path: Path) -> None:
    status, _, err = run("distill", tmp_path / "nowhere", "--data", tmp_path, "--out", tmp_path / "out")
    assert status == 1
    assert str(tmp_path) in err


def test_what_nobody_labelled_is_null_and_not_nan(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from personvlm.training.run import Trained

    rows = [{"name": name, "parameters": 3, "ms": 1.0, "facts": {"mean": math.nan}} for name in ("teacher", "student")]
    monkeypatch.setattr("personvlm.training.run.train_edge", lambda *_, **__: Trained([], {}))
    monkeypatch.setattr("personvlm.runtime.release.release", lambda *_: None)
    monkeypatch.setattr("personvlm.training.distill.compared", lambda *_: rows)
    command = ("distill", "teacher", "--data", tmp_path, "--out", tmp_path, "--from", tmp_path)
    status, printed, _ = run(*command, "--json")
    assert status == 0
    assert [row["facts"] for row in json.loads(printed)["models"]] == [{"mean": None}] * 2
    status, printed, _ = run(*command)
    assert (status, "nan" in printed) == (0, False)


def test_an_appearance_layer_that_is_fitted_anew_is_another_version(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EdgeConfig(50, height=96, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2,
                        embedding_dim=16)  # fmt: skip
    EdgeVLM(config).save(tmp_path)
    Transform(height=96, width=32).save(tmp_path)

    def fitted(model: EdgeVLM, *_: object, **__: object) -> bool:
        model.with_appearance(Appearance(config))
        return True

    monkeypatch.setattr("personvlm.training.appearance.fit_appearance", fitted)
    monkeypatch.setattr("personvlm.data.sources.read_training", lambda data: ([], []))
    monkeypatch.setattr("personvlm.runtime.export.export", lambda directory: {})
    assert run("export", tmp_path, "--appearance", tmp_path)[0] == 0
    assert re.fullmatch(r"edge-1\+[0-9a-f]{8}", EdgeConfig.load(tmp_path).title)
