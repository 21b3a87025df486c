"""Pictures that come one by one, from any number of threads or coroutines, described in batches."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.runtime.batching import BatchEngine
from personvlm.runtime.batching_metrics import Timing
from personvlm.runtime.batching_queue import BatchSettings, Priority
from personvlm.runtime.batching_work import Work
from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer, Picture
from personvlm.runtime.engine import Engine, Floats, Seen, available_cores
from personvlm.runtime.generate import Sampling
from personvlm.schema import PersonDescription

Prepared = tuple[NDArray[np.uint8], tuple[tuple[str, Any], ...]]


@dataclass(frozen=True)
class Ask:
    """One picture to describe; the rest as in :meth:`Describer.describe`."""

    picture: Picture
    say: Say = "confident"
    min_precision: float | None = None
    gender: bool = True
    age: bool = True
    sampling: Sampling | None = None
    candidates: int = 1

    def options(self) -> tuple[tuple[str, Any], ...]:
        """What differs from the defaults."""
        found = ((each.name, getattr(self, each.name), each.default) for each in fields(self)[1:])
        return tuple((name, value) for name, value, default in found if value != default)


class BatchDescriber(BatchEngine[Ask, PersonDescription]):
    """A :class:`BatchEngine` whose workers are describers. An answer is what the describer says of the picture alone.

    Besides ``queue`` and ``batch`` its stages are ``decode`` (per picture: decoding, resizing), ``vision`` and
    ``words`` (per batch: the encoder; decisions and sentences).

    Args:
        describers: one per worker; the same one may serve several.

    Example:
        >>> with BatchDescriber.load() as people:  # doctest: +SKIP
        ...     future = people.submit(Ask("a.jpg", say="all"), priority=Priority.REID_REQUEST)
        ...     print(future.result().text)
    """

    def __init__(self, describers: Sequence[Describer], settings: BatchSettings | None = None, *,
                 observe: Callable[[Timing], None] | None = None) -> None:  # fmt: skip
        self._reader = describers[0] if describers else None
        work = [self._describing(describer) for describer in describers]
        super().__init__(work, settings, prepare=self._decoded, observe=observe)

    @classmethod
    def load(cls, path: str | Path | None = None, settings: BatchSettings | None = None, *, workers: int | None = None,
             observe: Callable[[Timing], None] | None = None) -> BatchDescriber:  # fmt: skip
        """Workers that share the available cores, and one copy of the model of ``path`` (by default what ships).

        Args:
            workers: one per core by default.

        Raises:
            InputError: fewer than one worker, or a folder that holds no model.
        """
        workers = available_cores() if workers is None else workers
        if workers < 1:
            raise InputError(f"at least one worker is needed, not {workers}")
        describer = Describer.load(path, threads=max(1, available_cores() // workers))
        return cls([describer] * workers, settings, observe=observe)

    async def describe_async(self, picture: Picture, *, priority: Priority = Priority.NEW_TRACK,
                             key: Hashable | None = None, timeout_s: float | None = None,
                             **options: Any) -> PersonDescription:  # fmt: skip
        """Describe one picture without blocking the event loop; ``options`` are the other fields of :class:`Ask`.

        Raises:
            InputError: the picture cannot be read.
            NotAnsweredError: full, too late, shed or closed; the subclass and its message say which.
        """
        return await self.submit_async(Ask(picture, **options), priority=priority, key=key, timeout_s=timeout_s)

    def _decoded(self, ask: Ask) -> Prepared:
        began = time.perf_counter()
        assert self._reader is not None
        image = self._reader.transform.fit(self._reader._read(ask.picture))
        self.time_stage("decode", time.perf_counter() - began)
        return image, ask.options()

    def _describing(self, describer: Describer) -> Work[PersonDescription]:
        watch = Stopwatch(describer.engine)
        timed = copy.copy(describer)
        timed.engine = cast(Engine, watch)

        def work(items: list[Prepared]) -> list[PersonDescription]:
            answers: dict[int, PersonDescription] = {}
            watch.reset()
            began = time.perf_counter()
            for options in dict.fromkeys(options for _, options in items):  # those who ask alike share a batch
                rows = [row for row, (_, each) in enumerate(items) if each == options]
                described = timed.describe_images([items[row][0] for row in rows], **dict(options))
                answers.update(zip(rows, described, strict=True))
            whole = time.perf_counter() - began
            vision = min(whole, watch.seconds / max(1, min(len(items), describer.engine.workers)))
            self.time_stage("vision", vision)
            self.time_stage("words", whole - vision)
            return [answers[row] for row in range(len(items))]

        return work


class Stopwatch:
    """An engine that knows how long its eyes took: ``seconds``, summed over the threads that use it."""

    def __init__(self, engine: Engine, spent: list[float] | None = None) -> None:
        self._engine, self._spent = engine, [] if spent is None else spent

    @property
    def seconds(self) -> float:
        """Since the beginning, or since :meth:`reset`."""
        return sum(self._spent)

    def reset(self) -> None:
        """Begin again at 0."""
        self._spent.clear()

    def encode(self, pixels: Floats) -> Seen:
        """See :class:`Engine`."""
        began = time.perf_counter()
        seen = self._engine.encode(pixels)
        self._spent.append(time.perf_counter() - began)
        return seen

    @property
    def single(self) -> Engine:
        """See :class:`Engine`; its time counts here too."""
        return cast(Engine, Stopwatch(self._engine.single, self._spent))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
