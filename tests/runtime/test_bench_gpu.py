"""The figures of a GPU, made with tiny models on the cores: every one is there, and none is judged."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="this part of the benchmark needs the train extra")

from bench_result import canned  # noqa: E402
from lively_stages import lively_stage, save, vocabulary  # noqa: E402
from personvlm.base.errors import InputError  # noqa: E402
from personvlm.base.images import decode  # noqa: E402
from personvlm.data.transform import Transform  # noqa: E402
from personvlm.models.presets import PRESETS  # noqa: E402
from personvlm.runtime.bench import Bench, BenchSettings, jpegs  # noqa: E402
from personvlm.runtime.bench_gpu_torch import GpuBench  # noqa: E402
from personvlm.runtime.bench_report import tables, targets  # noqa: E402
from personvlm.runtime.describer import Describer  # noqa: E402
from personvlm.runtime.draft import NgramTable  # noqa: E402
from personvlm.runtime.stage_torch import TorchStage  # noqa: E402

SMALL = replace(PRESETS["stage4"], vocabulary=300, dim=32, layers=2, heads=4, ffn=64, vision_dim=32,
                projection_hidden=64, height=64, width=64, encoder="mobilenet_v3_small",
                frozen_through="", positions=1_024)  # fmt: skip


@pytest.fixture(scope="module")
def gpu(folder: Path) -> dict[str, Any]:
    describer, result = Describer.load(folder, threads=1), {}
    bench = GpuBench(describer, folder, jpegs(None, 6), None, result, "cpu", "float32", SMALL, 5,
                     (1, 4))  # fmt: skip
    for step in bench.steps(2, 0.0):
        step()
    return json.loads(json.dumps(result["gpu"], allow_nan=False))  # type: ignore[no-any-return]


def test_every_size_from_pictures_and_from_jpegs(gpu: dict[str, Any]) -> None:
    assert [(row["model"], row["source"], row["batch"]) for row in gpu["rates"]] == [
        (model, source, size) for model, sources in (("edge", ("engine alone", "pictures", "JPEGs")),
                                                     ("stage 4", ("pictures", "JPEGs")))
        for source in sources for size in (1, 4)]  # fmt: skip
    for row in gpu["rates"]:
        assert row["n"] == 2
        assert 1000 * row["batch"] / row["ms"]["max"] <= 1.01 * row["per_s"], "of whole batches"
    assert (gpu["kind"], gpu["precision"], gpu["graphs"], gpu["words"]) == ("cpu", "float32", False, 5)
    assert gpu["memory"] == {"edge": None, "stage 4": None}


def small(jpeg: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(Transform(64, 32).fit(decode(jpeg))).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def test_a_compressed_stage_brings_its_drafts(gpu: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    assert (gpu["drafts"], gpu["words_per_step"]) == (False, 1.0)
    given, describer = [small(jpeg) for jpeg in jpegs(None, 3)], Describer.load(folder, threads=1)
    stage = TorchStage(save(lively_stage("cross", vocabulary()), tmp_path))
    said = stage.generate(stage.fit([decode(jpeg) for jpeg in given]), max_new=20, ignore_end=True)
    NgramTable.count([[stage.tokenizer.bos_id, *row.ids] for row in said], order=6, least=1).save(tmp_path)
    result: dict[str, Any] = {}
    bench = GpuBench(describer, folder, given, tmp_path, result, "cpu", "float32", words=20, batches=(1, 3))
    for step in bench.steps(1, 0.0):
        step()
    assert result["gpu"]["drafts"] is True
    assert result["gpu"]["words_per_step"] > 2
    assert result["gpu"]["decoders"] >= 1


def test_it_is_shown_and_judged_on_a_gpu_only(gpu: dict[str, Any]) -> None:
    shown = {table.title: table.rows for table in tables(canned() | {"gpu": gpu})}
    assert len(shown["On it, by batch"]) == 10
    assert shown["The device of torch"]["memory of edge, batch 32"] == ("not read",)
    assert not [row for row in targets(canned() | {"gpu": gpu}) if row["what"].startswith("GPU")]
    memory = {"edge": {"allocated_mb": 900.0, "reserved_mb": 2_100.0},
              "stage 4": {"allocated_mb": 900.0, "reserved_mb": 1_900.0}}  # fmt: skip
    rates = [{**row, "per_s": 6_000.0 * row["batch"], "ms": {"p50": 9.0}} for row in gpu["rates"]]
    on_cuda = {**gpu, "kind": "cuda", "rates": rates, "memory": memory}
    judged = {row["what"]: row["met"] for row in targets(canned() | {"gpu": on_cuda}) if row["what"].startswith("GPU")}
    assert judged.pop("GPU: memory of edge, batch 32") is False
    assert len(judged) == 6
    assert all(judged.values())
    slow = {**on_cuda, "rates": [{**row, "per_s": 4_999.0, "ms": {"p50": 10.1}} for row in rates]}
    assert [row["met"] for row in targets(canned() | {"gpu": slow}) if "GPU" in row["what"]][:5] == [False] * 5


def test_without_a_gpu_it_is_said_before_anything_is_measured(folder: Path, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = Bench(BenchSettings(model=folder, effort=0.001, gpu=True))
    with pytest.raises(InputError, match=r"--gpu: torch .* sees no CUDA GPU; look at nvidia-smi"):
        run.steps()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match=r"model\.safetensors is not there"):
        Bench(BenchSettings(model=folder, effort=0.001, gpu=True, stage4=tmp_path)).steps()
    assert len(run.steps()) > len(Bench(BenchSettings(model=folder, effort=0.001)).steps())
