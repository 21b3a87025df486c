"""What edge is trained for in one step: attributes, identity, quality, and in text phases words."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from personvlm.data.transform import Transform
from personvlm.language.tokenizer import Tokenizer
from personvlm.models.prefix import slots
from personvlm.schema.groups import column_slices, columns
from personvlm.training.augment import augment, hidden_by_cut
from personvlm.training.budget import Pace
from personvlm.training.captions import text_batch
from personvlm.training.dataset import TrainingSet
from personvlm.training.losses import attribute_loss, identity_loss, quality_loss, text_loss
from personvlm.training.mixing import crossed, mixed
from personvlm.training.recipe import Recipe


class EdgeObjective:
    """Losses of one step; everything random in it follows from the recipe's seed and the step's number.

    ``mix`` is the share of crops that another one is laid over (:func:`mixed`): they have no labels any more, and only
    a teacher can say what is to be seen there.

    Attributes:
        visible: ``bool [N, C]`` of the last step, this process's share: the columns of
            :func:`~personvlm.schema.groups.columns` that augmentation has left to be seen.
    """

    visible: Tensor

    def __init__(self, data: TrainingSet, recipe: Recipe, transform: Transform, tokenizer: Tokenizer,
                 accelerator: Accelerator, max_words: int, pace: Pace | None = None,
                 mix: float = 0.0) -> None:  # fmt: skip
        self.pace = pace or Pace(recipe.steps)
        self.data, self.recipe, self.transform, self.tokenizer = data, recipe, transform, tokenizer
        self.accelerator, self.max_words, self.mix = accelerator, max_words, mix
        self.visible = torch.ones(0, len(columns()), dtype=torch.bool)

    def __call__(self, model: nn.Module, step: int) -> dict[str, Tensor]:
        recipe, device = self.recipe, self.accelerator.device
        phase = recipe.phase_at(self.pace.at(step))
        batch = self.data.draw(recipe.batch, recipe.seed, step)
        generator = torch.Generator().manual_seed(recipe.seed * 7_919 + step)
        seen = augment(batch.images, (phase.height, phase.width), recipe.augment, self.transform, generator)
        target, mask = after_cut(batch.target, batch.mask, seen.cut)
        pixels, target, mask, own = crossed(seen.pixels, target, mask, 0.0 if phase.text else recipe.crossed,
                                            ~seen.cut, generator)  # fmt: skip
        pixels, plain = mixed(pixels, self.mix, generator)
        mask, plain = mask * plain[:, None], plain & own
        identity = torch.where(plain, batch.identity, -1)
        prefix = torch.zeros(len(batch.rows), len(slots()), dtype=torch.int64)
        words = torch.zeros(len(batch.rows), 1, dtype=torch.int64)
        if phase.text:
            annotations = [self.data.samples[row].annotations for row in batch.rows]
            prefix, words = text_batch(annotations, self.tokenizer, (recipe.seed, step), recipe.random_text,
                                       self.max_words, recipe.attribute_prefix)  # fmt: skip
        share = process_share(recipe.batch, self.accelerator)
        target, mask, words, prefix, identity, plain, quality = (
            x[share].to(device) for x in (target, mask, words, prefix, identity, plain, seen.quality)
        )
        self.visible = ~(seen.cut[share][:, None] & hidden_by_cut())
        pixels = pixels[share].to(device, memory_format=torch.channels_last)
        out, logits = model(pixels, prefix, words[:, :-1])
        losses = {
            "attributes": attribute_loss(out.logits, target, mask),
            "identity": identity_loss(out.embedding, identity),
            "quality": quality_loss(out.quality, quality, plain),
        }  # fmt: skip
        total = (losses["attributes"] + recipe.weight_identity * losses["identity"]
                 + recipe.weight_quality * losses["quality"])  # fmt: skip
        if phase.text:
            losses["text"] = text_loss(logits, words, self.tokenizer.pad_id, recipe.label_smoothing)
            total = total + recipe.weight_text * losses["text"]
        return {"loss": total, **losses}


def process_share(count: int, accelerator: Accelerator) -> Tensor:
    """``int64``: the rows of a batch of ``count`` that this process looks at. The two pictures of a person, which stand
    side by side, stay together where there are enough: apart, nobody would be there to be known again."""
    rows = torch.arange(count)
    unit = 2 if count >= 2 * accelerator.num_processes else 1
    return rows[rows // unit % accelerator.num_processes == accelerator.process_index]


def after_cut(target: Tensor, mask: Tensor, cut: Tensor) -> tuple[Tensor, Tensor]:
    """Labels ``[N, C]`` of what augmentation has cut off (``bool [N]``) become unknown, and ``visibility`` known: what
    nothing was cut off shows what its label says, all of the person where there is none."""
    visibility = column_slices()["visibility"]
    open_ = (cut | (mask[:, visibility] == 0).all(1))[:, None]
    mask = torch.where(cut[:, None] & hidden_by_cut(), torch.zeros_like(mask), mask)
    target = target.clone()
    target[:, visibility] = torch.where(open_, torch.stack([~cut, cut], 1).float(), target[:, visibility])
    mask[:, visibility] = 1.0
    return target, mask
