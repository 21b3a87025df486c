"""Adapting heads: the fit finds what is there, leaves alone what is not, forgets little; versions come back whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.folders import check_free
from personvlm.data.sample import Sample
from personvlm.evaluation.adapt_judge_torch import judging_of
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.schema import GROUP, GROUPS, Annotations, Known
from personvlm.schema.groups import column_slices, columns
from personvlm.training.adapt import apply, changes, labelled_groups
from personvlm.training.adapt_fit import STRENGTHS, Group, coordinates
from personvlm.training.adapt_look import Looked
from personvlm.training.adapt_versions import (
    AFTER,
    BEFORE,
    copy_model,
    keep,
    model_files,
    switch,
    whole_or_nothing,
)

TINY = EdgeConfig(50, height=96, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2,
                  embedding_dim=16)  # fmt: skip
WIDE = 1280
"""Channels of the encoder's last map."""

Floats = NDArray[np.float64]


def people(count: int, seed: int, *, learnable: bool, place: float = 0.0) -> Looked:
    """Two pictures each. The old head of gender sees nothing; the third number that its query found tells it, if
    ``learnable``. ``place`` moves the pooled vector, as another camera would."""
    rng = np.random.default_rng(seed)
    rows = 2 * count
    found, pooled = rng.normal(size=(rows, len(GROUPS), 32)), rng.normal(size=(rows, WIDE)) + place
    male = np.repeat(rng.random(count) < 0.5, 2)
    if learnable:
        found[:, 0, 2] += np.where(male, 3.0, -3.0)
    samples = tuple(Sample(Path(f"{row}.png"), Annotations.build({"gender": "male" if male[row] else "female"}),
                           identity=f"{seed}-{row // 2}", source="own") for row in range(rows))  # fmt: skip
    arrays = [sample.annotations.arrays() for sample in samples]
    target, mask = (np.stack([pair[side] for pair in arrays]).astype(np.float64) for side in (0, 1))
    return Looked(found, pooled, 0.1 * rng.normal(size=(rows, len(columns()))), np.zeros((rows, 3, 48)),
                  np.zeros((rows, 16)), np.ones(rows), target, mask, samples)  # fmt: skip


SCALE, SHIFT = np.full(len(columns()), 2.0), np.full(len(columns()), 0.25)
WHERE = column_slices()["gender"]


def right(logits: Floats, looked: Looked) -> float:
    return float((logits.argmax(1) == looked.target[:, WHERE].argmax(1)).mean())


def test_a_head_learns_what_its_query_found_and_says_so_of_strangers() -> None:
    new, kept = people(60, 1, learnable=True), people(40, 2, learnable=False, place=3.0)
    assert labelled_groups(new.samples) == ["gender"]
    change = changes(new, kept, SCALE, SHIFT, {"gender": ("male", "female")}, groups=["gender"])["gender"]
    assert change.strength is not None
    assert not change.strength.shift
    assert right(change.held_out, new) > 0.85, "people who were left out"
    stranger = people(100, 3, learnable=True)
    assert right(change.of(stranger, "gender"), stranger) > 0.85
    # What is written into the weights, times the scale of the calibration, is what was fitted.
    np.testing.assert_allclose(change.of(new, "gender") * SCALE[WHERE] + SHIFT[WHERE], change.logits, atol=1e-6)


def test_where_nothing_can_be_learned_nothing_changes() -> None:
    new = people(40, 4, learnable=False)
    fair = new.target[:, WHERE.start].mean()
    assert 0.3 < fair < 0.7
    gained = [changes(people(40, seed, learnable=False), None, SCALE, SHIFT, {"gender": ("male", "female")},
                      groups=["gender"])["gender"].strength for seed in range(4, 10)]  # fmt: skip
    assert gained.count(None) >= 4


def test_what_must_stay_moves_less_than_it_would() -> None:
    """Other people carry the same sign in their features, and the old head is sure of the contrary there."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 6))
    features, _, _ = coordinates([rows], 120)
    new, kept = features[:60], features[60:]
    target = np.stack([rows[:60, 0] > 0, rows[:60, 0] <= 0], 1).astype(np.float64)
    sure = np.where(rows[60:, :1] > 0, [-3.0, 3.0], [3.0, -3.0])

    def moved(hold: int) -> float:
        group = Group("exclusive", new, np.zeros((60, 2)), target, np.ones((60, 2)), np.ones(60), np.arange(60),
                      kept[:hold], sure[:hold])  # fmt: skip
        return float(np.abs(kept @ group.fit(STRENGTHS[-1], np.ones(60))).mean())

    assert moved(60) < 0.8 * moved(0)


def test_a_group_that_nobody_taught_must_beat_what_is_common() -> None:
    blind, seeing = people(60, 7, learnable=False), people(60, 7, learnable=True)
    for looked in (blind, seeing):
        looked.logits[:] = 50.0 * np.random.default_rng(0).normal(size=looked.logits.shape)  # of an untrained head
    told = [changes(looked, None, SCALE, SHIFT, {}, groups=["gender"])["gender"] for looked in (blind, seeing)]
    assert told[1].afresh
    assert told[1].strength is not None
    assert right(told[1].held_out, seeing) > 0.85
    assert told[0].strength is None or not told[0].strength.shift


def test_only_heads_of_changed_groups_move() -> None:
    torch.manual_seed(0)
    model, before = EdgeVLM(TINY), EdgeVLM(TINY)
    before.load_state_dict(model.state_dict())
    change = changes(people(60, 1, learnable=True), None, SCALE, SHIFT, {"gender": ("male", "female")},
                     groups=["gender"])  # fmt: skip
    apply(model, change)
    for name, tensor in model.state_dict().items():
        old = before.state_dict()[name]
        if name in ("heads.weight", "heads.pooled.weight", "heads.pooled.bias"):
            assert not torch.equal(tensor[WHERE], old[WHERE])
            assert torch.equal(tensor[WHERE.stop :], old[WHERE.stop :])
        else:
            assert torch.equal(tensor, old), name


def test_partial_labels_and_sets_are_fitted_downhill() -> None:
    rng = np.random.default_rng(0)
    features, _, _ = coordinates([rng.normal(size=(40, 6))], 40)
    for kind, width in (("exclusive", 5), ("set", 4)):
        target = (rng.random((40, width)) < 0.4).astype(np.float64)
        target[:, 0] = 1.0
        group = Group(kind, features, np.zeros((40, width)), target, np.ones((40, width)), np.ones(40),  # type: ignore[arg-type]
                      np.arange(40), features[:0], np.zeros((0, width)))  # fmt: skip
        losses = [
            group.loss(features @ group.fit(strength, np.ones(40)), np.ones(40)).sum() for strength in STRENGTHS[1:]
        ]
        assert losses == sorted(losses, reverse=True), "the weaker the pull, the closer the fit"
        assert losses[-1] < group.loss(group.logits, np.ones(40)).sum()


def test_groups_with_few_people_are_not_touched() -> None:
    assert labelled_groups(people(7, 1, learnable=True).samples) == []
    assert labelled_groups(people(8, 1, learnable=True).samples) == ["gender"]
    assert "gender" in GROUP


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    old, new = tmp_path / "old", tmp_path / "new"
    for place, text, extra in ((old, b"\x00old", "metrics.json"), (new, b"\x01new", "adapted.json")):
        place.mkdir()
        (place / "model.safetensors").write_bytes(text)
        (place / extra).write_text("{}")
    keep(old, new)
    return new


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model_files(folder)}


def test_undo_and_redo_restore_bit_for_bit(versions: Path) -> None:
    old, new = files(versions.parent / "old"), files(versions)
    switch(versions, BEFORE)
    assert files(versions) == old
    with pytest.raises(InputError, match="--redo"):
        switch(versions, BEFORE)
    switch(versions, AFTER)
    assert files(versions) == new


def test_a_damaged_version_changes_nothing(versions: Path) -> None:
    (versions / "versions" / "before" / "model.safetensors").write_bytes(b"gnawed")
    held = files(versions)
    with pytest.raises(InputError, match=r"model\.safetensors: missing or damaged"):
        switch(versions, BEFORE)
    assert files(versions) == held


def test_what_was_changed_since_is_not_lost(versions: Path) -> None:
    (versions / "model.safetensors").write_bytes(b"calibrated since")
    with pytest.raises(InputError, match=r"model\.safetensors: was changed since"):
        switch(versions, BEFORE)
    assert (versions / "model.safetensors").read_bytes() == b"calibrated since"
    (versions / "model.safetensors").unlink()
    switch(versions, BEFORE)
    assert files(versions) == files(versions.parent / "old")


def test_a_switch_that_was_stopped_goes_on_in_either_direction(versions: Path) -> None:
    old, new = files(versions.parent / "old"), files(versions)
    for version, whole in ((AFTER, new), (BEFORE, old)):
        (versions / "model.safetensors").write_bytes(old["model.safetensors"])  # the first file of --undo
        switch(versions, version)
        assert files(versions) == whole


def test_what_is_broken_off_leaves_no_half_of_a_model(tmp_path: Path) -> None:
    with whole_or_nothing(tmp_path / "kept"):
        (tmp_path / "kept").mkdir()

    def broken_off() -> None:
        with whole_or_nothing(tmp_path / "gone"):
            copy_model(tmp_path, tmp_path / "gone")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_set_of_which_nothing_is_known_is_not_labelled() -> None:
    empty = Annotations({"carrying": Known(frozenset())})
    assert labelled_groups([Sample(Path(f"{row}.png"), empty, identity=str(row)) for row in range(9)]) == []


def test_who_has_the_same_name_in_the_reference_set_is_somebody_else() -> None:
    new, reference = people(5, 1, learnable=True), people(5, 1, learnable=True)
    judged = judging_of(new, reference, np.concatenate([new.logits, reference.logits]), ["gender"], drawn=False)
    assert judged.labels.weights.tolist() == [0.5] * 20
    assert len(set(judged.labels.identities)) == 10


def test_what_keeps_no_versions_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="keeps no versions"):
        switch(tmp_path, BEFORE)
    (tmp_path / "versions.json").write_text(json.dumps({"in_use": "after"}))
    with pytest.raises(InputError, match="keeps no versions"):
        switch(tmp_path, BEFORE)
    with pytest.raises(InputError, match="is there already"):
        check_free(tmp_path)
    copy_model(tmp_path, tmp_path / "copy")
    assert files(tmp_path / "copy") == {}
