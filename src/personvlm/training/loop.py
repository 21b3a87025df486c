"""The loop: one for every preset, on one process or several, killed and resumed at any step."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from personvlm.base.errors import InputError
from personvlm.base.memory import keep_memory
from personvlm.training.budget import Pace
from personvlm.training.checkpoint import load_checkpoint, save_checkpoint
from personvlm.training.recipe import Recipe
from personvlm.training.stopping import EarlyStopping

Losses = dict[str, Tensor]
Objective = Callable[[nn.Module, int], Losses]
"""(model, step) -> named losses; the one named ``loss`` is minimised, the others are logged."""


def learning_rate(step: int, recipe: Recipe) -> float:
    """Share of the peak rate at ``step``: linear warm-up, then half a cosine down to 1 %."""
    warmup = max(1, int(recipe.warmup * recipe.steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, recipe.steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW without decay on norms, biases and other vectors; encoder and decoder at rates of their own."""
    scales = {"encoder": recipe.encoder_lr, "decoder": recipe.decoder_lr}
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            scale = scales.get(name.partition(".")[0], 1.0)
            groups.setdefault((scale, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW([
        {"params": parameters, "scale": scale, "lr": recipe.lr, "weight_decay": recipe.weight_decay if decays else 0.0}
        for (scale, decays), parameters in groups.items()
    ], betas=(0.9, 0.98))  # fmt: skip


def train(model: nn.Module, objective: Objective, recipe: Recipe, out: Path, *,
          evaluate: Callable[[dict[str, Tensor]], dict[str, float]] | None = None,
          accelerator: Accelerator | None = None, stopping: EarlyStopping | None = None, pace: Pace | None = None,
          quiet: bool = False) -> dict[str, Tensor]:  # fmt: skip
    """Train ``model`` in place to the end of the recipe, from the checkpoint in ``out`` where there is one.

    Args:
        objective: gives the losses of a step; all that is random in it must follow from the step's number.
        evaluate: figures of the averaged weights, asked every ``recipe.evaluate_every`` steps and at the end.
        stopping: may end the run early on those figures, on every process at once, and keeps the best weights.
        pace: lets the recipe's steps pass with the time; one by one by default.

    Returns:
        The averaged weights of the last step, a state dict.

    Raises:
        InputError: the loss is no number any more; or the time is to decide, and there are several processes, whose
            clocks differ.
    """
    accelerator = accelerator or make_accelerator(recipe)
    pace = pace or Pace(recipe.steps)
    if pace.timed and accelerator.num_processes > 1:
        raise InputError("a budget in minutes needs one process; give epochs, or leave torchrun out")
    optimizer = make_optimizer(model, recipe)
    average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    resumed = load_checkpoint(out, model, average, optimizer)
    first = 0 if resumed is None else int(resumed["step"])
    if stopping is not None and resumed is not None:
        stopping.restore(resumed.get("stopping", {}))
    if resumed is not None:
        pace.restore(resumed.get("pace", {}))
    step, last = first, pace.at(first) >= recipe.steps or (stopping is not None and stopping.stopped)
    log = Curves(out / "curves.csv", first, accelerator.is_main_process)
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    average = {name: tensor.to(accelerator.device) for name, tensor in average.items()}
    saved = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=quiet or not accelerator.is_main_process) as progress:
        task = progress.add_task("training", total=recipe.steps, completed=pace.at(first))
        started, seen = time.monotonic(), 0
        while not last:
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            place = pace.at(step)
            factor = learning_rate(place, recipe)
            with pace.step(recipe.batch):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * factor * group["scale"]
                wrapped.train()
                losses = objective(wrapped, step)
                optimizer.zero_grad(set_to_none=True)
                accelerator.backward(losses["loss"])
                accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
                optimizer.step()
                update_average(average, model, min(recipe.ema, (1 + step) / (10 + step)))
                told = {name: float(loss.detach()) for name, loss in losses.items()}  # a GPU is waited for only here
                if not math.isfinite(told["loss"]):
                    raise InputError(f"{out}: the loss of step {step} is {told['loss']}, the run has diverged; remove "
                                     "it and train with a lower learning rate")  # fmt: skip
                log.add(step, told, recipe.lr * factor)
            seen += recipe.batch
            rate = seen / (time.monotonic() - started)
            reached = pace.at(step + 1)
            progress.update(task, completed=reached, description=f"loss {log.recent():.3f}  {rate:.0f} crops/s")
            last = reached >= recipe.steps
            if last or reached // recipe.evaluate_every > place // recipe.evaluate_every:
                figures = evaluate(average) if evaluate is not None and accelerator.is_main_process else {}
                log.note(step, {**figures, **{f"clock.{name}": value for name, value in pace.state().items()}})
                log.flush()
                if stopping is not None:
                    last = stopping.after(figures, average, accelerator) or last
            if accelerator.is_main_process and (last or time.monotonic() - saved > 60 * recipe.checkpoint_minutes):
                log.flush()
                extra = {} if stopping is None else {"stopping": stopping.state()}
                save_checkpoint(out, step + 1, model, average, _inner(optimizer), {**extra, "pace": pace.state()})
                saved = time.monotonic()
            step += 1
    accelerator.wait_for_everyone()
    return average


def make_accelerator(recipe: Recipe) -> Accelerator:
    """Device, precision and processes as they are found; parameters that a phase leaves unused are allowed.

    From here on the process keeps the memory that it frees. accelerate keeps one state for a whole process: what was
    trained before in another precision (a study's models, an adaptation) is put away first.
    """
    keep_memory()
    precision = fast_precision(recipe.precision)
    if AcceleratorState._shared_state.get("_mixed_precision", precision) != precision:
        AcceleratorState._reset_state(reset_partial_state=True)
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Without `cpu`, accelerate ignores torchrun where there is no GPU, and each process would train on its own.
    several_on_cpu = int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()
    return Accelerator(mixed_precision=precision, cpu=several_on_cpu, kwargs_handlers=[unused])


def fast_precision(asked: str) -> str:
    """``asked`` (``bf16``, ``fp16`` or ``no``), or ``no`` where the processor would only imitate it.

    Half precision is there for speed. Without instructions of its own (x86 before AVX-512) a step of edge in bfloat16
    took four times as long as in float32, one of stage 1 fifteen times.
    """
    if torch.cuda.is_available() or asked == "no":
        return asked
    built_in = torch._C._has_mkldnn
    on_cpu = asked == "bf16" and built_in and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return asked if on_cpu else "no"


def finish(accelerator: Accelerator) -> None:
    """Leave together: a process that exits while gloo's threads still run is aborted."""
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _inner(optimizer: Any) -> torch.optim.Optimizer:
    """The optimizer itself, without accelerate's wrapper, whose state dict is numbered alike on every device."""
    inner: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
    return inner


@torch.no_grad()
def update_average(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    """Exponential moving average of all floating tensors of the state; the others are copied."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor, 1.0 - decay)
        else:
            average[name].copy_(tensor)


class Curves:
    """Losses and figures of a run as CSV: step, name, value. A resumed run goes on where its checkpoint stood."""

    def __init__(self, path: Path, first: int, active: bool) -> None:
        self.path, self.active = path, active
        self.pending: list[tuple[int, str, float]] = []
        self.last: list[float] = []
        if not active:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = read_curves(path) if first and path.is_file() else []
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("step", "name", "value"), *(row for row in rows if row[0] < first)])

    def add(self, step: int, losses: dict[str, float], rate: float) -> None:
        """One step's losses."""
        self.last = [*self.last[-19:], losses["loss"]]
        self.note(step, {**losses, "lr": rate})

    def recent(self) -> float:
        """Mean loss of the last 20 steps."""
        return sum(self.last) / max(1, len(self.last))

    def note(self, step: int, figures: dict[str, float]) -> None:
        """Figures of any kind."""
        self.pending += [(step, name, value) for name, value in figures.items()]

    def flush(self) -> None:
        """Write what has gathered."""
        if self.active and self.pending:
            with self.path.open("a", newline="") as file:
                csv.writer(file).writerows((step, name, f"{value:.6g}") for step, name, value in self.pending)
        self.pending = []


def read_curves(path: Path) -> list[tuple[int, str, float]]:
    """Rows of a curves file: (step, name, value). What a kill left of a line, unended or unreadable, is no row."""
    rows = []
    for cells in csv.reader(path.read_text().split("\n")[1:-1]):
        try:
            step, name, value = cells
            rows.append((int(step), name, float(value)))
        except ValueError:
            continue
    return rows
