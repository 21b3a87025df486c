"""A whole benchmark of a tiny model: every figure is there, adds up, and can be shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.runtime import bench_hardware
from personvlm.runtime.batching import BatchSettings
from personvlm.runtime.bench import Bench, BenchSettings, jpegs
from personvlm.runtime.bench_report import plot, quiet_note, tables, targets

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:  # threads that spin take long where other tests run beside them
        for module in ("engine", "bench", "bench_hardware", "batching_describer"):
            patch.setattr(f"personvlm.runtime.{module}.available_cores", lambda: 1)
        run = Bench(BenchSettings(model=folder, effort=0.001, cameras=True))
        for step in run.steps():
            step()
    return json.loads(json.dumps(run.result, allow_nan=False))  # type: ignore[no-any-return]


def test_one_description(result: dict[str, Any]) -> None:
    latency, stages = result["latency_ms"], result["stages_ms"]
    assert latency["n"] == 10
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    assert list(stages) == ["decode", "resize", "vision", "words", "json"]
    assert all(times["p50"] > 0 for times in stages.values())
    parts = sum(times["p50"] for times in stages.values())
    assert 0.1 * latency["p50"] < parts < 10 * latency["p50"], "in the same unit; other tests may run beside this one"
    assert 0 < result["tokens"]["min"] <= result["tokens"]["mean"] <= result["tokens"]["max"]


def test_processes_of_their_own(result: dict[str, Any]) -> None:
    assert len(result["start_up_s"]["runs"]) == 2
    assert result["start_up_s"]["max"] == pytest.approx(max(result["start_up_s"]["runs"]), abs=0.001)
    memory = result["memory"]
    assert memory["heavy"] == []
    assert 20 < memory["loaded_mb"] <= memory["peak_mb"] < 2_000
    assert memory["pictures"] == 8 + 8


def test_throughput_and_load(result: dict[str, Any]) -> None:
    assert [row["batch"] for row in result["batches"]] == [1, 16]
    for row in result["batches"]:
        assert row["ms_per_batch"] == pytest.approx(1000 * row["batch"] / row["per_s"], rel=0.01)
    capacity = result["capacity"]
    (usual,) = (row for row in capacity["tried"] if all(capacity[name] == value for name, value in row.items()))
    assert (usual["workers"], usual["batch"]) == (1, BatchSettings().batch), "what users get, on the one core given"
    assert all(row["per_s"] > 0 for row in capacity["tried"])
    assert capacity["mean_batch"] <= capacity["batch"]
    assert [row["share"] for row in result["load"]] == [0.5, 0.8]
    for row in result["load"]:
        chance = 5 / row["sent"] ** 0.5  # five standard errors of a rate told from so many random arrivals
        assert row["offered"] == pytest.approx(row["share"] * capacity["per_s"], rel=chance)
        assert row["sent"] == row["answered"] + row["failed"] + row["not_answered"]
        assert row["failed"] == 0


def test_cameras_are_carried_not_divided(result: dict[str, Any]) -> None:
    cameras = result["cameras"]
    last = cameras["tried"][-1]
    assert cameras["cameras"] == 0 or (last["cameras"] == cameras["cameras"] and last["fits"])
    for trial in cameras["tried"]:
        assert not trial["fits"] or trial["p99_ms"] < cameras["limit_ms"]


def test_the_run_says_what_it_was_measured_on(result: dict[str, Any]) -> None:
    assert result["line"].startswith(result["hardware"]["cpu"])
    assert "1 core," in result["line"]
    assert result["model"]["backend"].endswith("Engine")
    assert result["hardware"]["cores"] >= 1
    assert {"personvlm", "python", "onnxruntime"} <= result["versions"].keys()
    energy = result["energy"]
    assert energy["joules_per_description"] > 0 if energy["readable"] else energy["why"]
    share = result["busy_elsewhere"]
    assert share is None or 0 <= share <= 1


def test_it_can_be_shown(result: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need the train extra")
    shown = list(tables(result))
    assert [row["what"] for row in result["targets"]] == list(shown[-1].rows)
    for table in shown:
        assert table.rows
        assert {len(cells) + 1 for cells in table.rows.values()} == {len(table.header)}
    target = tmp_path / "bench.png"
    plot(result | {"compare": comparison(900.0)}, str(target))
    with Image.open(target) as image:
        assert image.width > 1000


def comparison(slow: float) -> dict[str, Any]:
    times = {"published loop": slow, "stage 4, int8": 20.0, "edge": 2.0}
    return {"contestants": [{"name": name, "about": "", "n": 3, "ms": {"p50": ms}, "tokens": 97.0}
                            for name, ms in times.items()],
            "ratios": {name: slow / ms for name, ms in times.items()}, "tokens": 97}  # fmt: skip


@pytest.mark.parametrize(("slow", "met"), [(1_200.0, [True, True]), (900.0, [True, False])])
def test_targets(result: dict[str, Any], slow: float, met: list[bool]) -> None:
    slowed = {**result, "compare": comparison(slow), "latency_ms": {"p50": 19.0, "p99": 41.0}}
    judged = {row["what"]: row["met"] for row in targets(slowed)}
    assert judged["one description, p50"]
    assert not judged["one description, p99"]
    assert judged["heavy packages imported"]
    assert [judged[f"{name}, published loop"] for name in ("edge", "stage 4")] == met
    short, whole = "stage 4, int8, 40 words", "stage 4, int8, unpruned, no drafts, 40 words"
    rows = [*comparison(slow)["contestants"], *({"name": name, "ms": {"p50": 80.0}} for name in (short, whole))]
    for stage4, found in (("runs/small", {short: False, whole: True}), (None, {whole: True})):
        raced = {**slowed, "compare": {**comparison(slow), "contestants": rows, "stage4": stage4}}
        assert {row["what"]: row["met"] for row in targets(raced) if "40 words" in row["what"]} == found


def test_a_busy_machine_is_told() -> None:
    assert quiet_note({"busy_elsewhere": None}) is None
    assert quiet_note({"busy_elsewhere": 0.01}) is None
    assert "50%" in (quiet_note({"busy_elsewhere": 0.5}) or "")


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    for index in range(10):
        Image.fromarray(np.full((90, 40, 3), 20 * index, np.uint8)).save(tmp_path / f"{index}.png")
    found = [decode(jpeg) for jpeg in jpegs(tmp_path, 5)]
    assert [image.shape for image in found] == [(256, 128, 3)] * 5
    assert [round(float(image[128, 64].mean()) / 20) for image in found] == [0, 2, 4, 6, 8], "from all over the folder"
    with pytest.raises(InputError, match="no pictures"):
        jpegs(tmp_path / "absent", 5)


def test_energy_and_memory_from_what_the_system_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_hardware, "_POWERCAP", tmp_path)
    assert "no RAPL" in bench_hardware.Energy().why
    for zone, start in (("intel-rapl:0", 5_000_000), ("intel-rapl:1", 99_000_000), ("intel-rapl:0:0", 1)):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text(str(start))
        (tmp_path / zone / "max_energy_range_uj").write_text("100000000")
    energy = bench_hardware.Energy()
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("7000000")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("3000000")
    assert energy.joules() == pytest.approx(2 + 4), "the second counter began anew; parts of a package count once"
    assert 0 < bench_hardware.memory_mb()["rss"] <= bench_hardware.memory_mb()["peak"]
