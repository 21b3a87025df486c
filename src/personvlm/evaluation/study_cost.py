"""What a described picture costs: time and memory of a process of its own that does nothing else. Torch-free, as a
deployed describer is: the stages, too, run on their exported graphs, in float32."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from personvlm.models.config import FILE
from personvlm.runtime.engine import available_cores

CROPS = 24
"""Pictures that are timed, one after the other; the first :data:`WARM` do not count."""

WARM = 4
GRAPHS = "graphs"


def cost_of(folder: Path, pictures: Sequence[Path]) -> dict[str, Any]:
    """``latency_ms`` (median and 95th percentile, one picture at a time, decoding included), ``memory_mb`` (the
    process's peak), ``crops``, ``threads``, ``runtime``.

    Args:
        folder: a trained model; edge has its graphs, those of a stage are made here and removed again.
        pictures: at least one more than :data:`WARM`, or they are taken several times.
    """
    stage = json.loads((folder / FILE).read_text("utf-8")).get("kind") == "stage"
    graphs = folder / GRAPHS
    if stage:
        from personvlm.runtime.stage_export import export_stage

        export_stage(folder, graphs, "fp32")
        for path in folder.glob("*.json"):
            shutil.copy(path, graphs / path.name)
        for path in folder.glob("*.txt"):
            shutil.copy(path, graphs / path.name)
    try:
        paths = [str(picture) for picture in pictures]
        while len(paths) < CROPS:
            paths += paths
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_measured, str(graphs if stage else folder), stage, paths[:CROPS]).result()
    finally:
        shutil.rmtree(graphs, ignore_errors=True)


def _measured(folder: str, stage: bool, pictures: list[str]) -> dict[str, Any]:
    describe = _stage(folder) if stage else _edge(folder)
    times = []
    for picture in pictures:
        began = time.perf_counter()
        describe(picture)
        times.append(1000 * (time.perf_counter() - began))
    kept = times[WARM:]
    return {"latency_ms": {"median": float(np.median(kept)), "p95": float(np.quantile(kept, 0.95))},
            "memory_mb": _peak_mb(), "crops": len(kept), "threads": available_cores(),
            "runtime": "onnxruntime, float32"}  # fmt: skip


def _edge(folder: str) -> Callable[[str], object]:
    from personvlm.runtime.describer import Describer

    describer = Describer.load(folder)
    return lambda picture: describer.describe(picture, say="all")


def _stage(folder: str) -> Callable[[str], object]:
    from personvlm.base.images import decode
    from personvlm.data.transform import Transform
    from personvlm.language.cleanup import clean
    from personvlm.runtime.stage_engine import StageEngine

    engine, transform = StageEngine.load(folder), Transform.load(Path(folder))
    return lambda picture: [clean(text) for text in engine.write(transform([decode(Path(picture))]))]


def _peak_mb() -> float | None:
    """The process's own peak; what ``resource`` tells includes that of the process that started it."""
    if sys.platform != "linux":
        return None
    status = Path("/proc/self/status").read_text("utf-8")
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "")
    return int(line.split()[1]) / 1024 if line else None
