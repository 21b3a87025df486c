"""Losses against numbers worked by hand, and augmentation against labels that it must not break."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from personvlm.data.transform import Augment, Transform
from personvlm.schema import Annotations, Known
from personvlm.schema.groups import column_slices, columns
from personvlm.training.augment import augment
from personvlm.training.captions import labelled_values, taught_values, text_batch
from personvlm.training.losses import attribute_loss, identity_loss, quality_loss, text_loss
from personvlm.training.mixing import crossed
from personvlm.training.objective import after_cut, process_share
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


def test_what_is_in_the_picture_is_told_by_its_label_or_else_by_the_cut() -> None:
    where = column_slices()["visibility"]
    pairs = [arrays(Annotations.build(known)) for known in ({"visibility": "partial"}, {}, {}, {"visibility": "full"})]
    target, mask = (torch.cat([pair[side] for pair in pairs]) for side in (0, 1))
    told, known = after_cut(target, mask, torch.tensor([False, False, True, True]))
    assert told[:, where].tolist() == [[0, 1], [1, 0], [0, 1], [0, 1]]
    assert bool((known[:, where] == 1).all())


def test_whoever_gets_the_legs_of_another_gets_their_labels() -> None:
    """Above red, below each one's own brightness; two men of two ages, in trousers of two colors."""
    known = ({"gender": "male", "age": "child", "upper.color": "red", "lower.color": "blue", "lower.garment": "shorts"},
             {"gender": "male", "age": "elderly", "upper.color": "green", "lower.color": "black"})  # fmt: skip
    pairs = [arrays(Annotations.build(known[index % 2])) for index in range(8)]
    target, mask = (torch.cat([pair[side] for pair in pairs]) for side in (0, 1))
    pixels = torch.arange(8.0)[:, None, None, None].expand(8, 3, 50, 4)
    whole = torch.arange(8) != 7
    same = crossed(pixels, target, mask, 0.0, whole, torch.Generator().manual_seed(0))
    assert same[0] is pixels
    assert same[3].all()
    made, told, heard, own = crossed(pixels, target, mask, 1.0, whole, torch.Generator().manual_seed(0))
    assert own[0]
    assert own[7], "what was cut has no legs to change"
    assert not own.all()
    for row in range(8):
        above, below = made[row, 0, :20, 0].unique().tolist(), made[row, 0, 30:, 0].unique().tolist()
        assert above == [row]
        giver = int(below[0])
        assert len(below) == 1
        assert not own[row] or giver == row
        assert giver != 7 or row == 7, "nobody gets what was cut"
        where = column_slices()
        upper, lower, age = (where[name] for name in ("upper.color", "lower.color", "age"))
        garment, gender = where["lower.garment"], where["gender"]
        assert torch.equal(told[row, upper], target[row, upper])
        for legs in (lower, garment):
            assert torch.equal(heard[row, legs], mask[giver, legs])
            assert torch.equal(told[row, legs], target[giver, legs])
        assert (heard[row, gender] == 1).all(), "both are male"
        assert (heard[row, age] == (row % 2 == giver % 2)).all(), "a child's body on an old man's legs is of no age"


def test_processes_share_a_batch_and_leave_the_pictures_of_a_person_together() -> None:
    def shares(count: int, processes: int) -> list[list[int]]:
        return [process_share(count, SimpleNamespace(process_index=index, num_processes=processes)).tolist()  # type: ignore[arg-type]
                for index in range(processes)]  # fmt: skip

    assert shares(5, 1) == [[0, 1, 2, 3, 4]]
    assert shares(8, 2) == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert shares(4, 3) == [[0, 3], [1], [2]], "too few for pairs: everybody has something to do"


def test_a_process_without_a_whole_crop_has_no_quality_to_learn() -> None:
    logits, quality = torch.zeros(4), torch.ones(4)
    assert quality_loss(logits, quality, torch.zeros(4, dtype=torch.bool)).item() == 0.0
    assert quality_loss(logits, quality, torch.tensor([True, False, False, True])).item() == pytest.approx(math.log(2))
