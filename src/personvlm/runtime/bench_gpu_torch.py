"""What a GPU does: edge and stage 4 on torch by batch, from decoded pictures and from the bytes of JPEGs."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.language.parser import parse
from personvlm.models import Loaded
from personvlm.models.person_vlm import WEIGHTS, PersonVLM
from personvlm.models.prefix import encode_values
from personvlm.models.presets import PRESETS, StageConfig
from personvlm.runtime.backend import Precision
from personvlm.runtime.bench_compare_torch import SHORT, made_up
from personvlm.runtime.bench_load import quantiles
from personvlm.runtime.describer import Describer
from personvlm.runtime.engine import available_cores
from personvlm.runtime.stage_torch import TorchStage
from personvlm.runtime.torch_engine import TorchEngine

BATCHES = (1, 8, 32, 128, 512)
MEMORY_BATCH = 32
"""Pictures in the batch for which memory is read."""

EDGE, STAGE4 = "edge", "stage 4"

SENTENCE = ("The image shows a young adult male with short black hair, seen from the back. He is wearing a dark blue "
            "long-sleeved jacket, gray jeans and black sneakers. He is carrying a backpack.")  # fmt: skip
"""What edge's engine reads where it runs alone: one run of the decoder, as most descriptions take."""

Describe = Callable[[Sequence[bytes]], int]
"""Describes one batch from the bytes of its JPEGs, and returns how many."""


class GpuBench:
    """Edge and a stage 4, each by batch, and the memory that each takes. Edge's engine is timed alone too: pixels in,
    logits of a sentence out, none of Python's decisions between.

    Args:
        describer: edge; what else it needs than an engine is taken from it.
        folder: edge's ``model.safetensors``.
        jpegs: pictures.
        stage4: a folder with a trained stage 4, with its table of drafts where one lies in it (``personvlm compress``);
            None: random weights of its size. Every text has ``words`` words. JPEGs are decoded by a thread per core.
        result: gets ``gpu``.
        device: ``cuda``; others, and the arguments after it, are for tests.

    Raises:
        InputError: there is no CUDA GPU that torch can use, or ``stage4`` holds no stage.
    """

    def __init__(self, describer: Describer, folder: Path, jpegs: Sequence[bytes], stage4: Path | None,
                 result: dict[str, Any], device: str = "cuda", precision: Precision = "bfloat16",
                 size: StageConfig = PRESETS["stage4"], words: int = SHORT,
                 batches: Sequence[int] = BATCHES) -> None:  # fmt: skip
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError(f"--gpu: torch {torch.__version__} sees no CUDA GPU; look at nvidia-smi, install "
                             "torch for CUDA (https://pytorch.org/get-started), or leave --gpu out")  # fmt: skip
        if stage4 is not None and not (stage4 / WEIGHTS).is_file():
            raise InputError(f"{stage4}: {WEIGHTS} is not there; --gpu runs a stage 4 as `personvlm train` leaves it")
        self.device, self.precision = torch.device(device), precision
        self.describer, self.folder, self.stage4, self.result = describer, folder, stage4, result
        self.size, self.words, self.batches = size, words, batches
        self.jpegs = list(jpegs)
        self.images = {jpeg: describer._read(jpeg) for jpeg in self.jpegs}
        self.memory: dict[str, dict[str, float] | None] = {}
        self.measured: dict[tuple[str, str, int], list[float]] = {}  # model, source, batch -> ms of each batch
        self._models: dict[str, dict[str, Describe]] = {}
        self._written, self._steps, self._drafted = 0, 0, False  # by stage 4, one picture at a time
        self._decoders = available_cores()
        self._threads = ThreadPoolExecutor(self._decoders)

    def steps(self, rounds: int, seconds: float) -> Iterator[Callable[[], None]]:
        """Making both models ready, each round, the result; a round gives every batch size ``seconds``."""
        yield lambda: self.prepare(EDGE, self._edge)
        yield lambda: self.prepare(STAGE4, self._stage4)
        for _ in range(rounds):
            yield lambda: self.round(seconds)
        yield self.finish

    def prepare(self, name: str, make: Callable[[], dict[str, Describe]]) -> None:
        """Load, read the memory of a batch while no larger one has been, and run every size twice: what is captured is
        captured now."""
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        self._models[name] = make()
        for _ in range(2):
            self._models[name]["pictures"](self._batch(MEMORY_BATCH))
        self.memory[name] = None
        if cuda:
            allocated = torch.cuda.max_memory_allocated() - before[0]
            # A later model may find room in what an earlier one holds: what it allocated counts at least.
            reserved = max(allocated, torch.cuda.max_memory_reserved() - before[1])
            self.memory[name] = {"allocated_mb": round(allocated / 1e6, 1), "reserved_mb": round(reserved / 1e6, 1)}
        for size in self.batches:
            for describe in self._models[name].values():
                describe(self._batch(size))
                describe(self._batch(size))

    def round(self, seconds: float) -> None:
        """Each model, source and batch size for ``seconds``, one batch at least."""
        for name, sources in self._models.items():
            for source, describe in sources.items():
                for size in self.batches:
                    times = self.measured.setdefault((name, source, size), [])
                    end = time.perf_counter() + seconds
                    while True:
                        batch = self._batch(size, len(times))
                        began = time.perf_counter()
                        describe(batch)
                        done = time.perf_counter()
                        times.append(1000 * (done - began))
                        if done >= end:
                            break

    def finish(self) -> None:
        """Rates, times and memory, and what they were measured on."""
        self._threads.shutdown()
        cuda = self.device.type == "cuda"
        facts = torch.cuda.get_device_properties(self.device) if cuda else None
        rows = [{"model": name, "source": source, "batch": size, "n": len(times), "ms": quantiles(times),
                 "per_s": round(1000 * size * len(times) / sum(times), 1)}
                for (name, source, size), times in self.measured.items()]  # fmt: skip
        self.result["gpu"] = {
            "kind": self.device.type, "name": facts.name if facts else self.device.type,
            "memory_gb": round(facts.total_memory / 1e9, 1) if facts else None,
            "torch": torch.__version__, "cuda": torch.version.cuda, "precision": self.precision, "graphs": cuda,
            "words": self.words, "stage4": str(self.stage4) if self.stage4 else None, "drafts": self._drafted,
            "words_per_step": round(self._written / self._steps, 2) if self._steps else None,
            "decoders": self._decoders,
            "memory_batch": MEMORY_BATCH, "memory": self.memory, "rates": rows,
        }  # fmt: skip

    def _batch(self, size: int, turn: int = 0) -> list[bytes]:
        return [self.jpegs[(turn * 7 + index) % len(self.jpegs)] for index in range(size)]

    def _decoded(self, jpegs: Sequence[bytes]) -> list[NDArray[np.uint8]]:
        """As they were decoded beforehand."""
        return [self.images[jpeg] for jpeg in jpegs]

    def _edge(self) -> dict[str, Describe]:
        edge = copy.copy(self.describer)
        edge.engine = TorchEngine(self.folder, self.device.type, self.precision)
        pixels = {jpeg: edge.transform([image])[0] for jpeg, image in self.images.items()}
        text = np.array(edge.tokenizer.encode(SENTENCE, ends=True)[:-1])
        prefix = encode_values(parse(SENTENCE))

        def alone(jpegs: Sequence[bytes]) -> int:
            seen, count = edge.engine.encode(np.stack([pixels[jpeg] for jpeg in jpegs])), len(jpegs)
            cache = edge.engine.begin(seen.tokens, np.stack([prefix] * count))
            return len(edge.engine.extend(cache, np.stack([text] * count), [0] * count))

        return {"engine alone": alone,
                "pictures": lambda jpegs: len(edge.describe_images(self._decoded(jpegs))),
                "JPEGs": lambda jpegs: len(edge.describe(jpegs, batch=len(jpegs)))}  # fmt: skip

    def _stage4(self) -> dict[str, Describe]:
        stage = self._loaded()
        self._drafted = stage.drafts is not None

        def write(images: Sequence[NDArray[np.uint8]]) -> int:
            rows = stage.generate(stage.fit(images), max_new=self.words, ignore_end=True)
            if len(rows) == 1:
                self._written, self._steps = self._written + len(rows[0].ids), self._steps + rows[0].steps
            return len([stage.tokenizer.decode(row.ids) for row in rows])

        def seen(jpeg: bytes) -> NDArray[np.uint8]:
            return stage.transform.fit(decode(jpeg))

        def read(jpegs: Sequence[bytes]) -> list[NDArray[np.uint8]]:
            return [seen(jpegs[0])] if len(jpegs) == 1 else list(self._threads.map(seen, jpegs))

        return {"pictures": lambda jpegs: write(self._decoded(jpegs)), "JPEGs": lambda jpegs: write(read(jpegs))}

    def _loaded(self) -> TorchStage:
        if self.stage4 is not None:
            return TorchStage.load(self.stage4, self.device.type, self.precision)
        torch.manual_seed(0)
        loaded = Loaded(PersonVLM(self.size).eval(), made_up(self.size.vocabulary), self.size.transform)
        return TorchStage(loaded, self.device.type, self.precision)
