"""What a stage is trained for: the next word of a caption, the first word and the end among them."""

from __future__ import annotations

import math

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from personvlm.data.transform import Augment, Transform
from personvlm.language.tokenizer import Tokenizer
from personvlm.training.augment import augment
from personvlm.training.recipe import Recipe
from personvlm.training.study_data import CaptionSet

AUGMENT = Augment(cut=0.0)
"""A picture is not cut: its caption would speak of what is no longer there."""

NO_TARGET = -100


def encoded(texts: list[str], tokenizer: Tokenizer, longest: int) -> tuple[Tensor, Tensor]:
    """Texts between both ends -> what the model reads and what it is to say, each ``int64 [N, T]``.

    The target of the beginning is the first word, that of the last word is the end. After it there is no target:
    told by length and not by the padding's id, which in GPT-2 is the end's too. A text that is too long is cut, and
    then has no end to learn.
    """
    rows = [torch.tensor(tokenizer.encode(text, ends=True)[:longest]) for text in texts]
    pad = torch.nn.utils.rnn.pad_sequence
    words = pad([row[:-1] for row in rows], batch_first=True, padding_value=tokenizer.pad_id)
    return words, pad([row[1:] for row in rows], batch_first=True, padding_value=NO_TARGET)


def without_ends(targets: Tensor, end: int) -> Tensor:
    """Targets ``int64 [N, T]`` without the first word and the end, as the published study trained."""
    kept = torch.where(targets == end, NO_TARGET, targets)
    kept[:, 0] = NO_TARGET
    return kept


def caption_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """Sum over all targets of the smoothed cross-entropy: ``[N, T, V]`` and ``int64 [N, T]`` -> a scalar, in nats."""
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=NO_TARGET,
                           label_smoothing=smoothing, reduction="sum")  # fmt: skip


class StudyObjective:
    """Loss of one step. Every process makes the whole batch and takes its share, so that several compute what one
    would; everything random follows from the recipe's seed and the step's number."""

    def __init__(self, data: CaptionSet, recipe: Recipe, transform: Transform, tokenizer: Tokenizer,
                 accelerator: Accelerator, longest: int, ends: bool = True) -> None:  # fmt: skip
        self.ends = ends
        self.data, self.recipe, self.transform, self.tokenizer = data, recipe, transform, tokenizer
        self.accelerator, self.longest = accelerator, longest

    def __call__(self, model: nn.Module, step: int) -> dict[str, Tensor]:
        """Mean loss per token, also under the name that curves are drawn by.

        Each process divides by the tokens of all, times their number, because gradients are averaged over processes.
        """
        recipe, device = self.recipe, self.accelerator.device
        rows = self.data.rows_at(step, recipe.batch, recipe.seed)
        generator = torch.Generator().manual_seed(recipe.seed * 7_919 + step)
        images = torch.from_numpy(self.data.pixels[rows])
        size = self.transform.height, self.transform.width
        seen = augment(images, size, AUGMENT, self.transform, generator)
        texts = [self.data.text(int(row), recipe.seed * 1_000_003 + step, bool(flipped))
                 for row, flipped in zip(rows, seen.flipped, strict=True)]  # fmt: skip
        words, targets = encoded(texts, self.tokenizer, self.longest)
        if not self.ends:
            targets = without_ends(targets, self.tokenizer.eos_id)
        count = int((targets != NO_TARGET).sum())
        share = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        logits = model(seen.pixels[share].to(device), words[share].to(device))
        loss = caption_loss(logits, targets[share].to(device), recipe.label_smoothing)
        loss = loss * (self.accelerator.num_processes / count)
        return {"loss": loss, "text": loss}


class Validation:
    """Loss of weights on samples, without smoothing, each told the first or canonical caption of its picture."""

    def __init__(self, model: nn.Module, data: CaptionSet, transform: Transform, tokenizer: Tokenizer,
                 longest: int, batch: int = 32) -> None:  # fmt: skip
        self.model, self.data, self.transform, self.batch = model, data, transform, batch
        self.texts = [data.text(row, None) for row in range(len(data))]
        self.tokenizer, self.longest = tokenizer, longest

    @torch.no_grad()
    def __call__(self, weights: dict[str, Tensor]) -> dict[str, float]:
        """``val.loss`` (nats per token) and ``val.bits_per_byte``, which may be compared across vocabularies."""
        was_training, nats, count = self.model.training, 0.0, 0
        self.model.eval()
        device = next(iter(weights.values())).device
        for start in range(0, len(self.data), self.batch):
            pixels = torch.from_numpy(self.transform.normalize(self.data.pixels[start : start + self.batch]))
            words, targets = encoded(self.texts[start : start + self.batch], self.tokenizer, self.longest)
            logits = functional_call(self.model, weights, (pixels.to(device), words.to(device)))
            nats += float(caption_loss(logits, targets.to(device), 0.0))
            count += int((targets != NO_TARGET).sum())
        self.model.train(was_training)
        size = sum(len(text.encode()) for text in self.texts)
        return {"val.loss": nats / count, "val.bits_per_byte": nats / math.log(2) / size}
