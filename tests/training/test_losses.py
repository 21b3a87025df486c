"""Losses against numbers worked by hand, and augmentation against labels that it must not break."""

from __future__ import annotations

import math

import pytest
import torch

from personvlm.data.transform import Augment, Transform
from personvlm.schema import Annotations, Known
from personvlm.schema.groups import columns
from personvlm.training.augment import augment
from personvlm.training.captions import labelled_values, taught_values, text_batch
from personvlm.training.losses import attribute_loss, identity_loss, text_loss
from personvlm.training.run import domain_vocabulary


def arrays(annotations: Annotations) -> tuple[torch.Tensor, torch.Tensor]:
    target, mask = annotations.arrays()
    return torch.from_numpy(target)[None], torch.from_numpy(mask)[None]


def test_what_is_not_annotated_teaches_nothing() -> None:
    logits = torch.randn(1, len(columns()), requires_grad=True)
    attribute_loss(logits, *arrays(Annotations.build({"gender": "male"}))).backward()
    assert logits.grad is not None
    touched = {columns()[i][0] for i in torch.nonzero(logits.grad[0]).flatten().tolist()}
    assert touched == {"gender"}


def test_partial_label_adds_its_values() -> None:
    logits = torch.zeros(1, len(columns()))
    adult = attribute_loss(logits, *arrays(Annotations.build({"age": "adult"})))
    assert adult.item() == pytest.approx(-math.log(3 / 5))
    child = attribute_loss(logits, *arrays(Annotations.build({"age": "child"})))
    assert child.item() == pytest.approx(-math.log(1 / 5))


def test_set_loss_counts_known_values_only() -> None:
    logits = torch.zeros(1, len(columns()))
    known = Annotations({"carrying": Known(frozenset({"backpack"}), frozenset({"suitcase"}))})
    assert attribute_loss(logits, *arrays(known)).item() == pytest.approx(2 * math.log(2))


def test_identity_loss_pulls_the_same_person_together() -> None:
    close = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    apart = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    who = torch.tensor([0, 0, 1, 1])
    assert identity_loss(close, who) < 0.01 < identity_loss(apart, who)
    assert identity_loss(close, torch.tensor([-1, -1, -1, -1])).item() == 0.0


def test_first_word_and_end_are_in_the_text_loss() -> None:
    vocabulary = domain_vocabulary()
    words = torch.tensor([vocabulary.encode("The image shows a person.", ends=True)])
    logits = torch.zeros(1, words.shape[1] - 1, len(vocabulary), requires_grad=True)
    text_loss(logits, words, vocabulary.pad_id, 0.0).backward()
    assert logits.grad is not None
    pushed = logits.grad[0].argmin(1)
    assert pushed[0] == words[0, 1]
    assert pushed[-1] == vocabulary.eos_id


def test_captions_say_what_their_prefix_holds_and_no_more() -> None:
    from personvlm.language.parser import parse
    from personvlm.models.prefix import encode_values

    vocabulary = domain_vocabulary()
    known = Annotations.build({"gender": "female", "upper.color": ("red", "white"), "carrying": ("backpack",)})
    prefix, words = text_batch([known] * 40, vocabulary, (1, 2), 0.5, 120)
    assert vocabulary.unk_id not in words
    for slots, row in zip(prefix, words, strict=True):
        read = parse(vocabulary.decode(row.tolist()))
        # What a sentence says of a set may come in another order, but for colors.
        assert sorted(encode_values(read).tolist())[:3] == sorted(slots.tolist())[:3]


def test_labels_to_values_drops_parents_and_none() -> None:
    import random

    values = labelled_values(Annotations.build({"carrying": ("backpack",), "headwear": "none"}), random.Random(0))
    assert values == {"carrying": ("backpack",)}
    taught = taught_values([Annotations.build({"age": "adult"}), Annotations.build({"gender": "male"})])
    assert "age" not in taught
    assert taught["gender"] == ("male",)


def test_a_cut_crop_hides_the_lower_part_and_colors_survive() -> None:
    images = torch.zeros(64, 64, 32, 3, dtype=torch.uint8)
    images[:, :32, :, 0] = 200  # red above, blue below
    images[:, 32:, :, 2] = 200
    seen = augment(images, (64, 32), Augment(cut=1.0, erase=0.0), Transform(), torch.Generator().manual_seed(0))
    assert seen.cut.all()
    assert (seen.quality < 0.8).all()
    colors = seen.pixels.mean((2, 3))
    assert (colors[:, 0] > colors[:, 2]).all(), "most of what is left of a cut crop is its upper part"
    again = augment(images, (64, 32), Augment(cut=1.0, erase=0.0), Transform(), torch.Generator().manual_seed(0))
    assert torch.equal(seen.pixels, again.pixels)
