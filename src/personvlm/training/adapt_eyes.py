"""Eyes that fit one's own cameras: encoder and heads trained on, a few passes over some hundred labelled crops.

What is learned elsewhere is held in two ways. Half of every batch are other people: of them, and of groups that nobody
labelled, the model goes on saying what it said (Li and Hoiem, "Learning without forgetting", 2016). And only a part of
the way to the new weights is gone (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.models.codes import round_large
from personvlm.models.edge import EdgeVLM
from personvlm.schema.groups import column_slices
from personvlm.training.adapt_fit import parts
from personvlm.training.adapt_look import Looked, Shown, look
from personvlm.training.augment import augment
from personvlm.training.dataset import TrainingSet
from personvlm.training.distill import soft_loss
from personvlm.training.loop import Losses, fast_precision, make_accelerator, train
from personvlm.training.losses import attribute_loss
from personvlm.training.objective import after_cut
from personvlm.training.recipe import Phase, Recipe

FOLDS = 3
"""Parts of the people, of which each is judged by eyes that never saw them."""

LEAST_CROPS = 64
"""Fewer cannot judge what so many weights have learned."""

PASSES, MOST_STEPS = 8, 200
"""Over the labelled crops, and at most so many steps."""

WAY = 0.5
"""Of the way to the new weights: most of the gain, and hardly anything forgotten (docs/experiments.md)."""

HOLD = 2.0
"""Weight of staying the same, a mean over all crops, of which half are others: those count as if they were alone."""

RECIPE = Recipe(phases=(Phase(1, 256, 128, False),), batch=32, lr=5e-4, encoder_lr=0.5, warmup=0.1, ema=0.98,
                rendered=0, checkpoint_minutes=60.0)  # fmt: skip
"""Half of a batch are one's own crops."""


@dataclass(frozen=True)
class Eyes:
    """A model with other eyes, and what it and those that judge it see in one's own pictures.

    Attributes:
        model: trained on all of them.
        seen: what that model sees in pictures that it has learned from.
        folds: what each of those that judge sees in all pictures.
        part: which of them never saw the person ``[N]``.
    """

    model: EdgeVLM
    seen: Looked
    folds: tuple[Looked, ...]
    part: NDArray[np.int64]

    @property
    def new(self) -> Looked:
        """The same with ``logits`` by eyes that never saw the person."""
        return replace(self.seen, logits=stitched([each.logits for each in self.folds], self.part))


class EyesObjective:
    """The losses of one step; everything random in it follows from the step's number."""

    def __init__(self, before: EdgeVLM, transform: Transform, mine: TrainingSet, others: TrainingSet,
                 groups: Sequence[str], recipe: Recipe) -> None:  # fmt: skip
        self.before, self.transform, self.mine, self.others, self.recipe = before, transform, mine, others, recipe
        self.learned = torch.zeros(mine.mask.shape[1])
        for name in (*groups, "visibility"):
            self.learned[column_slices()[name]] = 1.0

    def __call__(self, model: nn.Module, step: int) -> Losses:
        assert isinstance(model, EdgeVLM)
        model.encoder.eval()  # so few pictures would only spoil the statistics of its norms
        half, recipe = self.recipe.batch // 2, self.recipe
        mine, others = (part.draw(half, recipe.seed + number, step) for number, part in
                        enumerate((self.mine, self.others)))  # fmt: skip
        phase = recipe.phase_at(step)
        generator = torch.Generator().manual_seed(recipe.seed * 7_919 + step)
        seen = augment(torch.cat([mine.images, others.images]), (phase.height, phase.width), recipe.augment,
                       self.transform, generator)  # fmt: skip
        target, mask = after_cut(torch.cat([mine.target, others.target]), torch.cat([mine.mask, others.mask]), seen.cut)
        device = next(model.parameters()).device
        pixels = seen.pixels.to(device, memory_format=torch.channels_last)
        nothing = torch.zeros(len(pixels), 0, dtype=torch.int64, device=device)
        out, _ = model(pixels, nothing, nothing)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=fast_precision("bf16") == "bf16"):
            old = self.before.see(pixels).logits
        held = (self.learned == 0).repeat(len(pixels), 1)
        held[half:] = True
        losses = {
            "attributes": attribute_loss(out.logits, target.to(device), (mask * self.learned).to(device)),
            "soft": soft_loss(out.logits, old, 1.0, held.to(device)),
        }
        return {"loss": losses["attributes"] + HOLD * losses["soft"], **losses}


def tuned(model: EdgeVLM, transform: Transform, samples: Sequence[Sample], others: Sequence[Sample],
          groups: Sequence[str], *, cache: Path, shown: Shown = lambda steps, total, what: steps,
          what: str = "Training") -> EdgeVLM:  # fmt: skip
    """A copy of ``model`` whose encoder and heads have learned ``groups`` from ``samples``; the rest is the same.

    Args:
        model: in evaluation mode.
        transform: the model's.
        samples: labelled pictures of one's own cameras.
        others: labelled pictures of other people, of whom the model should go on saying what it says.
        groups: that labels of ``samples`` teach.
        cache: folder for decoded pictures.
        shown: passes on steps, of so many, under the name ``what``.
    """
    steps = min(MOST_STEPS, max(1, round(PASSES * len(samples) / (RECIPE.batch // 2))))
    recipe = replace(RECIPE, phases=(Phase(steps, transform.height, transform.width, False),))
    mine, replayed = (TrainingSet(part, transform, cache, quiet=True) for part in (samples, others))
    student = copy.deepcopy(model)
    for part in (student.decoder, student.attributes, student.projection, student.embedding, student.quality,
                 *([student.appearance] if student.appearance is not None else [])):  # fmt: skip
        part.requires_grad_(False)
    accelerator = make_accelerator(recipe)
    before = copy.deepcopy(model).to(accelerator.device)
    objective = EyesObjective(before, transform, mine, replayed, groups, recipe)
    clock = iter(shown(range(steps), steps, what))

    def step(trained: nn.Module, number: int) -> Losses:
        next(clock, None)
        return objective(trained, number)

    with tempfile.TemporaryDirectory() as folder:
        average = train(student.to(memory_format=torch.channels_last), step, recipe, Path(folder),  # type: ignore[call-overload]
                        accelerator=accelerator, quiet=True)  # fmt: skip
    next(clock, None)
    result = copy.deepcopy(model)
    result.load_state_dict({name: old.lerp(average[name].to(old), WAY) if old.is_floating_point() else old
                            for name, old in model.state_dict().items()})  # fmt: skip
    round_large(result.encoder)
    return result.eval()


def cross_tuned(model: EdgeVLM, transform: Transform, new: Looked, others: Sequence[Sample], groups: Sequence[str], *,
                cache: Path, shown: Shown = lambda steps, total, what: steps) -> Eyes:  # fmt: skip
    """Eyes tuned to all of one's own pictures, and to all but a third of the people, three times.

    Args:
        new: one's own pictures as ``model`` sees them.
        model, transform, others, groups, cache, shown: see :func:`tuned`.
    """
    people = new.people
    part = parts(people, np.unique(people), FOLDS)[people]

    def seen(by: EdgeVLM) -> Looked:
        return look(by, transform, new.samples, lambda steps, total: shown(steps, total, "Looking at your people"))

    folds = []
    for fold in range(FOLDS):
        known = [new.samples[row] for row in np.flatnonzero(part != fold)]
        judge = tuned(model, transform, known, others, groups, cache=cache, shown=shown,
                      what=f"Training, to be judged, {fold + 1} of {FOLDS}")  # fmt: skip
        folds.append(seen(judge))
    final = tuned(model, transform, new.samples, others, groups, cache=cache, shown=shown, what="Training on everybody")
    return Eyes(final, seen(final), tuple(folds), part)


def stitched(values: Sequence[NDArray[np.float64]], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Row by row ``[N, ...]`` from the array of the row's ``part [N]``."""
    return np.stack(values)[part, np.arange(len(part))]
