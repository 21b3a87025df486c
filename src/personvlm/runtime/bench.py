"""The benchmark: how fast a model describes here, from the bytes of a JPEG to JSON, and how much it can carry.

Everything is measured, nothing divided out: docs/bench.md says what each figure means.
"""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from PIL import Image

from personvlm.base.errors import InputError, PersonVLMError, extra
from personvlm.base.images import ENDINGS, decode
from personvlm.data.rendered import rendered_samples
from personvlm.data.transform import Transform
from personvlm.runtime import bench_hardware
from personvlm.runtime.batching_describer import Ask, BatchDescriber, Stopwatch
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import BatchSettings
from personvlm.runtime.bench_load import Load, arrivals, largest, offer, quantiles, saturate
from personvlm.runtime.bench_report import targets
from personvlm.runtime.describer import Describer, model_folder
from personvlm.runtime.engine import Engine, available_cores
from personvlm.schema import PersonDescription

SEED = 20_260
CROP = Transform(256, 128)
LIMIT_MS = 500.0
"""A camera is carried while 99 of 100 descriptions come within this time of their event."""


@dataclass(frozen=True)
class BenchSettings:
    """What to measure.

    Attributes:
        model: a folder; None: the model that ships.
        pictures: a folder of crops; None: people are rendered.
        effort: scales how often and how long things are measured; 0.1 is quick, and its figures scatter more.
        cameras: search for the number of cameras.
        compare: see :mod:`.bench_compare_torch`.
        stage4: a folder with a trained stage 4, for ``compare`` and ``gpu``; None: random weights of its size.
        workers: describers that share the cores under load; None: each number of them is tried, the best is kept.
        gpu: see :mod:`.bench_gpu_torch`.
    """

    model: Path | None = None
    pictures: Path | None = None
    effort: float = 1.0
    cameras: bool = False
    compare: bool = False
    stage4: Path | None = None
    workers: int | None = None
    gpu: bool = False


@dataclass
class Bench:
    """A run of the benchmark: :meth:`steps` in their order, after which ``result`` is fit for JSON."""

    settings: BenchSettings
    result: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.describer = Describer.load(self.settings.model)
        self.jpegs = jpegs(self.settings.pictures, self._times(96, 8))
        self._elsewhere, self._began = bench_hardware.Elsewhere(), time.perf_counter()
        source = str(self.settings.pictures) if self.settings.pictures else "rendered people"
        self.result = {
            "format": "personvlm.bench", "version": 1, "began": bench_hardware.now(), "effort": self.settings.effort,
            "line": bench_hardware.hardware_line(), "hardware": bench_hardware.hardware(),
            "versions": bench_hardware.versions(), "load_average_before": bench_hardware.load_average(),
            "model": {"name": self.describer.name, "parameters": self.describer.metrics.get("parameters"),
                      "backend": type(self.describer.engine).__name__,
                      "folder": str(self.settings.model) if self.settings.model else None},
            "pictures": {"source": source, "count": len(self.jpegs),
                         "mean_bytes": round(sum(map(len, self.jpegs)) / len(self.jpegs))},
        }  # fmt: skip

    def steps(self) -> list[Callable[[], None]]:
        """What is left to do, each of them some seconds; the last one finishes the result."""
        steps: list[Callable[[], None]] = [self.start_up, self.memory, self.one_at_a_time, self.batches, self.capacity]
        steps += [partial(self.load, share) for share in ((0.2, 0.4, 0.6, 0.8, 0.9, 1.1) if self._full else (0.5, 0.8))]
        if self.settings.cameras:
            steps.append(self.cameras)
        if self.settings.compare:  # last, since torch takes memory and threads that it does not give back
            steps += self._comparison()
        if self.settings.gpu:
            steps += self._on_gpu()
        return [*steps, self.finish]

    def start_up(self) -> None:
        """Whole processes that describe one picture, from their start to their end."""
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "one.jpg"
            picture.write_bytes(self.jpegs[0])
            command = [sys.executable, "-m", "personvlm", "describe", str(picture), *self._model("--model")]
            seconds = []
            for _ in range(self._times(7, 2)):
                began = time.perf_counter()
                _run(command)
                seconds.append(round(time.perf_counter() - began, 4))
        self.result["start_up_s"] = {"runs": seconds, **quantiles(seconds)}

    def memory(self) -> None:
        """A process that loads the model and describes all pictures in batches of 16."""
        with tempfile.TemporaryDirectory() as folder:
            for index, jpeg in enumerate(self.jpegs):
                (Path(folder) / f"{index:04}.jpg").write_bytes(jpeg)
            out = _run([sys.executable, "-m", "personvlm.runtime.bench_process", folder, *self._model()])
        self.result["memory"] = json.loads(out)

    def one_at_a_time(self) -> None:
        """Batch 1: whole descriptions, and then their stages."""
        count = self._times(400, 10)
        for jpeg in self.jpegs[:8]:
            describe_one(self.describer, jpeg)
        milliseconds, answers, energy, began = [], [], bench_hardware.Energy(), time.perf_counter()
        for index in range(count):
            start = time.perf_counter()
            answers.append(describe_one(self.describer, self.jpegs[index % len(self.jpegs)]))
            milliseconds.append(1000 * (time.perf_counter() - start))
        seconds, joules = time.perf_counter() - began, energy.joules()
        tokens = [len(self.describer.tokenizer.encode(answer.text, ends=True)) - 1 for answer in answers]
        self.result["latency_ms"] = {"n": count, **quantiles(milliseconds),
                                     "mean": round(sum(milliseconds) / count, 3)}  # fmt: skip
        self.result["tokens"] = {"mean": round(sum(tokens) / count, 2), "min": min(tokens), "max": max(tokens)}
        self.result["stages_ms"] = stages(self.describer, self.jpegs, count // 2)
        self.result["energy"] = (
            {"readable": False, "why": energy.why} if joules is None
            else {"readable": True, "joules_per_description": round(joules / count, 4),
                  "watts": round(joules / seconds, 2)})  # fmt: skip

    def batches(self) -> None:
        """Throughput of one describer that uses all cores, by batch size; sizes take turns."""
        sizes = (1, 2, 4, 8, 16, 32, 64) if self._full else (1, 16)
        counts, seconds = dict.fromkeys(sizes, 0), dict.fromkeys(sizes, 0.0)
        for turn in range(self._times(6, 1)):
            for size in sizes:
                pictures = [self.jpegs[(turn * 7 + index) % len(self.jpegs)] for index in range(max(size, 16))]
                began = time.perf_counter()
                for result in self.describer.results(pictures, batch=size):
                    assert result.description is not None
                    result.description.model_dump_json()
                seconds[size] += time.perf_counter() - began
                counts[size] += len(pictures)
        self.result["batches"] = [
            {"batch": size, "per_s": round(counts[size] / seconds[size], 2),
             "ms_per_batch": round(1000 * size * seconds[size] / counts[size], 2)} for size in sizes]  # fmt: skip

    def capacity(self) -> None:
        """The batch engine with more requests than it can answer, by workers and batch; and a lone request."""
        cores, rows = available_cores(), []
        # Loads are put on what users get; the other rows say what else could be had.
        usual = (self.settings.workers or cores, BatchSettings().batch)
        for workers, batch in sorted({(self.settings.workers or count, batch)
                                      for count, batch in ((1, usual[1]), (cores, usual[1]), (cores, 4))}):  # fmt: skip
            self._work_with(workers, batch)
            rows.append({"workers": workers, "threads": max(1, cores // workers), "batch": batch,
                         **saturate(self._make(256), self.asks, self._seconds(10.0), finish=to_json)})  # fmt: skip
        best = next(row for row in rows if (row["workers"], row["batch"]) == usual)
        self._work_with(int(best["workers"]), int(best["batch"]))
        waits: list[Timing] = []
        with self._make(64)(waits.append) as engine:
            for ask in self.asks[: self._times(50, 5)]:
                engine.submit(ask).result()
                time.sleep(0.02)
        lone = quantiles([1000 * (each.started - each.submitted) for each in waits])
        self.result["capacity"] = {**best, "window_ms": BatchSettings().window_ms, "tried": rows, "lone_wait_ms": lone}

    def load(self, share: float) -> None:
        """Poisson arrivals at a share of the capacity."""
        seconds = self._seconds(60.0 if share == 0.8 else 15.0)  # 80 % is what the batch engine's promise is about
        rate = share * self.result["capacity"]["per_s"]
        load = self._offered(rate, seconds, round(1000 * share))
        self.result.setdefault("load", []).append({"share": share, **load.as_dict()})

    def cameras(self) -> None:
        """The largest number of cameras, each with one event a second at random moments, found by trying."""
        tried: list[dict[str, Any]] = []

        def fits(cameras: int, seconds: float) -> bool:
            load = self._offered(float(cameras), seconds, 7 * len(tried) + cameras)
            good = not load.gave_up and load.answered == load.sent and load.total_ms["p99"] < LIMIT_MS
            tried.append({"cameras": cameras, "seconds": seconds, "fits": good, "p99_ms": load.total_ms.get("p99"),
                          "per_s": load.per_s, "mean_batch": load.mean_batch})  # fmt: skip
            return good

        probe, proof = self._seconds(15.0), self._seconds(60.0)
        found = largest(lambda cameras: fits(cameras, probe), max(1, int(self.result["capacity"]["per_s"] * 0.8)))
        while found and not fits(found, proof):  # a short trial is kinder than a long one
            found -= max(1, found // 30)
        self.result["cameras"] = {"cameras": found, "limit_ms": LIMIT_MS, "workers": len(self.workers), "tried": tried}

    def finish(self) -> None:
        """How long it took, and what else the machine did meanwhile."""
        self.result["seconds"] = round(time.perf_counter() - self._began, 1)
        self.result["busy_elsewhere"] = self._elsewhere.share()
        self.result["targets"] = targets(self.result)

    @property
    def _full(self) -> bool:
        return self.settings.effort >= 1

    def _times(self, count: int, least: int) -> int:
        return max(least, round(self.settings.effort * count))

    def _seconds(self, seconds: float) -> float:
        return max(0.3, self.settings.effort * seconds)

    def _comparison(self) -> list[Callable[[], None]]:
        with extra("--compare", "train"):
            from personvlm.runtime.bench_compare_torch import Comparison
        comparison = Comparison(self.describer, self.jpegs, self.settings.stage4, self.result)
        return list(comparison.steps(self._times(5, 1)))

    def _on_gpu(self) -> list[Callable[[], None]]:
        with extra("--gpu", "train"):
            from personvlm.runtime.bench_gpu_torch import GpuBench
        folder = model_folder(self.settings.model)
        gpu = GpuBench(self.describer, folder, self.jpegs, self.settings.stage4, self.result)
        return list(gpu.steps(self._times(4, 1), self._seconds(0.5)))

    def _model(self, *option: str) -> list[str]:
        return [*option, str(model_folder(self.settings.model).resolve())] if self.settings.model else []

    def _work_with(self, workers: int, batch: int) -> None:
        self._batch = batch
        self.workers = [Describer.load(self.settings.model, threads=max(1, available_cores() // workers))] * workers

    @property
    def asks(self) -> list[Ask]:
        return [Ask(jpeg) for jpeg in self.jpegs]

    def _make(self, queue: int) -> Callable[[Callable[[Timing], None]], BatchDescriber]:
        settings = BatchSettings(batch=self._batch, queue=queue)
        return lambda observe: BatchDescriber(self.workers, settings, observe=observe)

    def _offered(self, rate: float, seconds: float, seed: int) -> Load:
        make = self._make(round(100 + 4 * rate))  # more than ``give_up_s`` lets come together: nothing is refused
        return offer(make, self.asks, arrivals(rate, seconds, SEED + seed), finish=to_json, give_up_s=2.0)


def describe_one(describer: Describer, jpeg: bytes) -> PersonDescription:
    """From bytes to JSON, which is made and thrown away."""
    description = describer.describe(jpeg)[0]
    to_json(description)
    return description


def to_json(description: PersonDescription) -> str:
    """All of it: text, attributes, every score, the appearance vector."""
    return description.model_dump_json()


def stages(describer: Describer, pictures: Sequence[bytes], count: int) -> dict[str, dict[str, float]]:
    """Quantiles of each stage at batch 1 in milliseconds: ``decode``, ``resize``, ``vision``, ``words``, ``json``."""
    watch = Stopwatch(describer.engine)
    timed = copy.copy(describer)
    timed.engine = cast(Engine, watch)
    rows: dict[str, list[float]] = {name: [] for name in ("decode", "resize", "vision", "words", "json")}
    for index in range(count):
        watch.reset()
        times = [time.perf_counter()]
        image = decode(pictures[index % len(pictures)])
        times.append(time.perf_counter())
        image = timed.transform.fit(image)
        times.append(time.perf_counter())
        description = timed.describe_images([image])[0]
        times.append(time.perf_counter())
        to_json(description)
        times.append(time.perf_counter())
        decoded, resized, described, json_ = (after - before for before, after in pairwise(times))
        for name, seconds in (("decode", decoded), ("resize", resized), ("vision", watch.seconds),
                              ("words", described - watch.seconds), ("json", json_)):  # fmt: skip
            rows[name].append(1000 * seconds)
    return {name: quantiles(values) for name, values in rows.items()}


def jpegs(folder: Path | None, most: int) -> list[bytes]:
    """JPEGs of 256×128, whatever the model makes of that, quality 90: rendered people, or a folder's pictures.

    Raises:
        InputError: the folder holds no picture, or one that cannot be read.
    """
    if folder is None:
        images: Iterator[Any] = (image for image, _ in rendered_samples(most, SEED))
    else:
        endings = {ending for each in ENDINGS.values() for ending in each}
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in endings) if folder.is_dir() else []
        if not files:
            raise InputError(f"{folder}: holds no pictures; give a folder with crops of people")
        step = max(1, len(files) // most)  # from all over the folder
        images = (decode(path) for path in files[::step][:most])
    encoded = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(CROP.fit(image)).save(stream, "JPEG", quality=90)
        encoded.append(stream.getvalue())
    return encoded


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise PersonVLMError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
