"""Stages on onnxruntime: equal to torch in float32, and equal to themselves drafted, alone and in company."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting a stage needs the train extra")
pytest.importorskip("onnx", reason="exporting a stage needs the train extra")

from lively_stages import lively_stage, pictures, save, tiny_gpt2_tokenizer, vocabulary  # noqa: E402
from personvlm.base.errors import InputError  # noqa: E402
from personvlm.models.generate import GREEDY, generate  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.runtime.draft import NgramTable  # noqa: E402
from personvlm.runtime.generate import Sampling  # noqa: E402
from personvlm.runtime.stage_engine import StageEngine  # noqa: E402
from personvlm.runtime.stage_export import export_stage  # noqa: E402
from personvlm.runtime.stage_torch import TorchStage  # noqa: E402

N, MOST = 5, 40


@pytest.fixture(scope="module", params=["gpt2", "cross"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(request.param)
    tokenizer = tiny_gpt2_tokenizer(root / "tokenizer") if request.param == "gpt2" else vocabulary()
    loaded = lively_stage(request.param, tokenizer)
    for precision in ("fp32", "int8"):
        save(loaded, root / precision)
        sizes = export_stage(root / precision, precision="fp32" if precision == "fp32" else "int8")
        assert sizes.keys() == {"vision.onnx", "decoder.onnx"}
    return root


@pytest.fixture(scope="module")
def reference(folder: Path) -> TorchStage:
    return TorchStage(folder / "fp32")


def engine(folder: Path, precision: str) -> StageEngine:
    return StageEngine.load(folder / precision, threads=1)


def test_float32_says_what_torch_says(folder: Path, reference: TorchStage) -> None:
    model, tokenizer = reference.model, reference.tokenizer
    assert isinstance(model, PersonVLM)
    with torch.no_grad():
        visual = model.see(torch.from_numpy(pictures(N)))
    rows = generate(model, visual, tokenizer.bos_id, tokenizer.eos_id, replace(GREEDY, max_length=MOST)).tolist()
    end = tokenizer.eos_id
    expected = [row[: row.index(end) + 1] if end in row else row for row in rows]
    assert len({tuple(row) for row in expected}) > 1
    assert [row.ids for row in reference.generate(pictures(N), max_new=MOST)] == expected
    written = engine(folder, "fp32").generate(pictures(N), max_new=MOST)
    assert [row.ids for row in written] == expected
    assert [row.steps for row in written] == [len(row) for row in expected]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_drafts_change_the_time_and_not_the_words(folder: Path, precision: str) -> None:
    plain = engine(folder, precision)
    written = plain.generate(pictures(N), max_new=MOST)
    begin = plain.tokenizer.bos_id
    for damage in (0, 1):  # a table of what will be said, and one with a word left out
        rows = [[begin, *row.ids[:7], *row.ids[7 + damage :]] for row in written]
        plain.drafts = NgramTable.count(rows, order=4, least=1)
        drafted = plain.generate(pictures(N), max_new=MOST)
        assert [row.ids for row in drafted] == [row.ids for row in written]
        assert sum(row.steps for row in drafted) < 0.8 * sum(row.steps for row in written)
    plain.drafts = Wrong()
    assert [row.ids for row in plain.generate(pictures(N), max_new=MOST)] == [row.ids for row in written]


class Wrong:
    """A drafter that fills every step with the same word."""

    def draft(self, words: list[int], most: int) -> list[int]:
        return [5] * most


def test_a_row_does_not_depend_on_its_neighbors(folder: Path) -> None:
    stage, pixels = engine(folder, "int8"), pictures(N)
    together = stage.generate(pixels, max_new=MOST)
    alone = [stage.generate(pixels[row : row + 1], max_new=MOST)[0] for row in (3, 0, 4)]
    assert [row.ids for row in alone] == [together[row].ids for row in (3, 0, 4)]


def test_int8_is_close(folder: Path, reference: TorchStage) -> None:
    texts = ["a man and a coat.", "a coat, a coat", "", "man man", "coat."]
    exact = reference.score(pictures(N), texts)
    np.testing.assert_allclose(engine(folder, "fp32").score(pictures(N), texts), exact, rtol=2e-4)
    np.testing.assert_allclose(engine(folder, "int8").score(pictures(N), texts), exact, rtol=0.05)


def test_the_end_can_be_ignored_and_words_excluded(folder: Path, reference: TorchStage) -> None:
    stage = engine(folder, "fp32")
    end, pixels = stage.tokenizer.eos_id, pictures(N)
    written = stage.generate(pixels, max_new=MOST, ignore_end=True)
    assert all(len(row.ids) == MOST and end not in row.ids for row in written)
    assert [row.ids for row in reference.generate(pixels, max_new=MOST, ignore_end=True)] == [r.ids for r in written]
    said = stage.generate(pixels, max_new=MOST)[0].ids
    allowed = np.ones(len(stage.tokenizer), bool)
    allowed[said[0]] = False
    rows = stage.generate(pixels, max_new=MOST, allowed=allowed)
    assert all(said[0] not in row.ids for row in rows)
    assert [r.ids for r in reference.generate(pixels, max_new=MOST, allowed=allowed)] == [row.ids for row in rows]


def test_sampling_follows_its_seed_and_takes_no_drafts(folder: Path) -> None:
    stage, pixels = engine(folder, "int8"), pictures(N)
    stage.drafts = Wrong()
    first = stage.generate(pixels, max_new=MOST, sampling=Sampling(1.0, seed=1))
    assert first == stage.generate(pixels, max_new=MOST, sampling=Sampling(1.0, seed=1))
    assert first != stage.generate(pixels, max_new=MOST, sampling=Sampling(1.0, seed=2))
    assert all(row.steps == len(row.ids) for row in first)
    assert stage.write(pixels)[0] == stage.tokenizer.decode(stage.generate(pixels)[0].ids)


def test_what_cannot_be_is_refused(folder: Path, tmp_path: Path) -> None:
    stage = engine(folder, "int8")
    for most in (0, stage.config.max_text):
        with pytest.raises(InputError, match="max_new must be from 1 to 47"):
            stage.generate(pictures(1), max_new=most)
    (longest,) = stage.generate(pictures(1), max_new=stage.config.max_text - 1, ignore_end=True)
    assert len(longest.ids) == 47
    for name in ("config.json", "transform.json", "vocab.json", "merges.txt", "kept.json", "vocabulary.json"):
        if (folder / "int8" / name).is_file():
            (tmp_path / name).write_bytes((folder / "int8" / name).read_bytes())
    with pytest.raises(InputError, match=r"vision\.onnx"):
        StageEngine.load(tmp_path)
    with pytest.raises(InputError, match="not a stage"):
        TorchStage(Path(__file__).parents[2] / "src" / "personvlm" / "weights" / "edge")


def test_no_torch_in_the_process(folder: Path) -> None:
    code = f"""
import sys
import numpy as np
from personvlm.runtime.stage_engine import StageEngine
engine = StageEngine.load({str(folder / "int8")!r}, threads=1)
print(len(engine.generate(np.zeros((1, 3, 64, 64), np.float32), max_new=3, ignore_end=True)[0].ids),
      *(name for name in ("torch", "transformers", "onnx", "safetensors") if name in sys.modules))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["3"]
