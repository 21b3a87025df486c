"""One rule for how long every model of a comparison is trained: so many minutes, or so many passes over the data.

Torch-free. A run of so many minutes cannot know its number of steps beforehand, and a guess from a few timed steps
is wrong as soon as something else wants the machine. So the schedule follows the time that is used up: learning rate,
phases and evaluations come when that share of the minutes has passed, and the run ends on time.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.training.recipe import Recipe

Clock = Literal["wall", "cpu"]

NOMINAL = 10_000
"""Marks on the way of a run of so many minutes: where a recipe counts steps, they are steps of the clock."""

EVALUATIONS = 8
"""Evaluations on the validation split on the way, so that one sees whether it was still getting better."""

VALIDATED = 256
"""Pictures that these evaluations look at: enough for a curve, and little beside a budget of minutes."""

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*(m|min|minutes?|e|epochs?|)", re.IGNORECASE)


class Pace:
    """How far a run has come, in steps of its recipe.

    Args:
        steps: of the recipe.
        minutes: 0: every optimizer step is one step of the recipe; else the recipe's steps pass with the time that
            training takes, validation and checkpoints left out.
        clock: ``wall``, or ``cpu``: the processor time of all threads divided by ``threads``, which other work on the
            machine does not change.
        threads: that training computes on.
        samples: training samples, so that crops can be told in epochs; 0: not known.
    """

    def __init__(self, steps: int, minutes: float = 0.0, clock: Clock = "wall", threads: int = 1,
                 samples: int = 0) -> None:  # fmt: skip
        self.steps, self.minutes, self.clock, self.threads, self.samples = steps, minutes, clock, threads, samples
        self.seconds = self.cpu_seconds = 0.0
        self.crops = self.taken = 0

    @property
    def timed(self) -> bool:
        """Whether the time decides."""
        return self.minutes > 0

    def at(self, step: int) -> int:
        """The recipe's step before optimizer step ``step`` (from 0); ``steps`` when the run is over."""
        if not self.timed:
            return step
        used = self.seconds if self.clock == "wall" else self.cpu_seconds / self.threads
        return min(self.steps, int(self.steps * used / (60.0 * self.minutes)))

    @contextmanager
    def step(self, crops: int) -> Iterator[None]:
        """Around one optimizer step: counts its time and its crops."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu
        self.crops += crops
        self.taken += 1

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps and curves show: what was used so far, and how many samples there are."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "crops": self.crops, "steps": self.taken,
                "samples": self.samples}  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` gave."""
        self.seconds, self.cpu_seconds = float(state.get("seconds", 0.0)), float(state.get("cpu_seconds", 0.0))
        self.crops, self.taken = int(state.get("crops", 0)), int(state.get("steps", 0))


@dataclass(frozen=True)
class Budget:
    """So many minutes of training, or so many epochs: crops seen, in passes over the training samples.

    Example:
        >>> Budget.parse("10").name, Budget.parse("0.5 epochs").name
        ('10m', '0.5e')
    """

    amount: float
    unit: Literal["minutes", "epochs"]
    clock: Clock = "wall"

    @classmethod
    def parse(cls, text: str, clock: Clock = "wall") -> Budget:
        """``10m``, ``10 min``, ``10`` (minutes), ``1e``, ``0.5 epochs``.

        Raises:
            InputError: it is none of these, or not above 0.
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None or float(found[1]) <= 0:
            raise InputError(f"budget {text!r}: give minutes per model, as in 10m, or epochs, as in 1e or 0.5e")
        return cls(float(found[1]), "epochs" if found[2][:1].lower() == "e" else "minutes", clock)

    @property
    def name(self) -> str:
        """``10m``, ``0.5e``: for folders and tables."""
        return f"{self.amount:g}{self.unit[0]}"

    @property
    def title(self) -> str:
        """``10 minutes``, ``1 epoch``: for readers."""
        return f"{self.amount:g} {self.unit if self.amount != 1 else self.unit[:-1]}"

    def fitted(self, recipe: Recipe, samples: int, threads: int) -> tuple[Recipe, Pace]:
        """``recipe`` at the length of this budget, and the pace that it runs at.

        The recipe's phases keep their shares: of the steps, or of the time.
        """
        epochs = self.unit == "epochs"
        steps = max(1, round(self.amount * samples / recipe.batch)) if epochs else NOMINAL
        every = max(1, steps // EVALUATIONS)
        long = recipe.with_settings({"steps": str(steps), "evaluate_every": str(every)})
        return long, Pace(long.steps, 0.0 if epochs else self.amount, self.clock, threads, samples)


def validated_on(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that a run under a budget is validated on: :data:`VALIDATED` pictures at most, each of another
    person where there are as many."""
    order = random.Random(0).sample(range(len(samples)), len(samples))
    seen: dict[str, int] = {}
    rank = {}
    for index in order:
        person = samples[index].identity or f"#{index}"
        rank[index] = seen[person] = seen.get(person, 0) + 1
    chosen = sorted(order, key=lambda index: rank[index])[:VALIDATED]
    return [samples[index] for index in sorted(chosen)]


def parse_budgets(texts: Sequence[str], clock: Clock = "wall") -> list[Budget]:
    """Several, each of which may hold several with commas between; a repeated one counts once.

    Raises:
        InputError: see :meth:`Budget.parse`; or there is none.
    """
    parts = [part for text in texts for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError("no budget: give minutes per model, as in 10m, or epochs, as in 1e")
    return list(dict.fromkeys(Budget.parse(part, clock) for part in parts))
