"""Distillation: what a teacher's opinion costs, that a student takes it over, and that labels count all the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.data.transform import Augment, Transform
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM, Seen
from personvlm.schema import Annotations
from personvlm.schema.groups import GROUP, column_slices, columns
from personvlm.training.dataset import TrainingSet
from personvlm.training.distill import (
    Distillation,
    DistillObjective,
    Taught,
    Teachers,
    compared,
    converted,
    similarity_loss,
    soft_loss,
    whole_logits,
)
from personvlm.training.loop import read_curves
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import Start, domain_vocabulary, train_edge


def test_soft_loss_is_the_divergence_of_every_group() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(3, len(columns())), torch.randn(3, len(columns()))
    assert float(soft_loss(teacher, teacher, 2.0)) == pytest.approx(0.0, abs=1e-5)
    expected = 0.0
    for name, where in column_slices().items():
        p, q = teacher[:, where].double() / 2, student[:, where].double() / 2
        if GROUP[name].kind == "exclusive":
            p, q = p.softmax(1), q.softmax(1)
        else:
            p, q = (torch.stack([x.sigmoid(), 1 - x.sigmoid()]) for x in (p, q))
        expected += float((p * (p / q).log()).sum()) / 3
    assert float(soft_loss(student, teacher, 2.0)) == pytest.approx(4 * expected, rel=1e-4)


def test_similarity_asks_who_looks_like_whom_not_for_the_same_vectors() -> None:
    teacher = torch.nn.functional.normalize(torch.randn(6, 32), dim=1)
    turned = teacher @ torch.linalg.qr(torch.randn(32, 32))[0]
    assert float(similarity_loss(turned, teacher @ teacher.T)) < 1e-6
    other = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    assert float(similarity_loss(other, teacher @ teacher.T)) > 0.01


def test_a_teacher_sees_the_crop_in_its_own_terms() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 32, 3)).astype(np.uint8)
    mine = Transform(height=64, width=32)
    theirs = Transform(64, 32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), "BGR")
    given = torch.from_numpy(mine([image]))
    np.testing.assert_allclose(converted(given, mine, theirs), theirs([image]), atol=1e-5)
    assert converted(given, mine, replace(mine, height=96, width=48)).shape == (1, 3, 96, 48)
    assert converted(given, mine, mine) is given


class Fixed:
    """Teachers that see the same in everything, every value more than the one before."""

    def see(self, pixels: Tensor, transform: Transform) -> Taught:
        return Taught(torch.arange(len(columns())).expand(len(pixels), -1) / 9.0, torch.eye(len(pixels)))


def test_the_losses_of_labels_stay_and_are_added_to() -> None:
    logits = torch.zeros(2, len(columns()), requires_grad=True)
    seen = Seen(torch.zeros(2, 1, 4), logits, torch.eye(2), torch.zeros(2))

    def inner(model: Any, step: int) -> dict[str, Tensor]:
        out, _ = model(torch.zeros(2, 3, 8, 8), torch.zeros(2, 1), torch.zeros(2, 1))
        loss = (out.logits**2).sum() + 7.0 * step
        return {"loss": loss, "attributes": loss}

    settings = Distillation(("there",), weight=0.5, weight_similarity=2.0)
    objective = DistillObjective(inner, Fixed(), settings, Transform())  # type: ignore[arg-type]
    losses = objective(lambda *given: (seen, None), 1)  # type: ignore[arg-type]
    values = {name: loss.item() for name, loss in losses.items()}
    assert values["attributes"] == 7.0
    assert values["loss"] == pytest.approx(7.0 + 0.5 * values["soft"] + 2.0 * values["similarity"])
    losses["loss"].backward()
    assert logits.grad is not None
    first, *_, last = range(len(columns()))[next(iter(column_slices().values()))]
    assert bool((logits.grad[:, first] > 0).all()), "the student is pulled to the teacher"
    assert bool((logits.grad[:, last] < 0).all())


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that sees something in every crop; of another size and with other vectors than the student."""
    out = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(1)
    vocabulary = domain_vocabulary()
    config = EdgeConfig(len(vocabulary), height=96, width=64, dim=48, heads=2, layers=1, ffn=48, embedding_dim=24)
    model = EdgeVLM(config)
    with torch.no_grad():
        model.heads.weight.mul_(20.0)
    model.save(out)
    vocabulary.save(out)
    Transform(height=96, width=64).save(out)
    return out


def test_a_student_comes_to_agree_with_its_teacher_and_learns_its_labels(folder: Path, teacher: Path,
                                                                        tmp_path: Path) -> None:  # fmt: skip
    recipe = Recipe(phases=(Phase(48, 64, 32, False), Phase(2, 64, 32, True)), batch=24, precision="no", rendered=0,
                    evaluate_every=1000, checkpoint_minutes=60)  # fmt: skip
    unlabelled = [Sample(path, Annotations({}), source="unlabelled") for path in sorted(folder.glob("*.png"))[:20]]
    # A random teacher contradicts the labels: with the usual weight nobody could follow both.
    taught = Distillation((str(teacher), str(teacher)), weight=0.1)
    train_edge(folder, tmp_path, recipe, Start(), distillation=taught, unlabelled=unlabelled, quiet=True)
    curves = read_curves(tmp_path / "curves.csv")
    for name in ("soft", "attributes", "similarity"):
        values = [value for _, series, value in curves if series == name]
        assert len(values) == 50
        assert np.mean(values[-10:]) < 0.9 * np.mean(values[:10]), name
    saved = json.loads((tmp_path / "distillation.json").read_text())
    assert saved["teachers"] == [str(teacher)] * 2
    with pytest.raises(InputError, match="distillation"):
        train_edge(folder, tmp_path, recipe, Start(), distillation=replace(taught, weight=2.0), unlabelled=unlabelled,
                   quiet=True)  # fmt: skip
    samples = [Sample(path, Annotations.build({"gender": ("male",)})) for path in sorted(folder.glob("*.png"))[:4]]
    rows = compared([("teacher", teacher), ("student", tmp_path)], samples, tmp_path / "cache", runs=3)
    assert [row["name"] for row in rows] == ["teacher", "student"]
    assert all(row["ms"] > 0 and 0 <= row["facts"]["gender"] <= 1 for row in rows)


def test_what_cannot_teach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        Teachers([str(tmp_path)])
    with pytest.raises(InputError, match="leave --whole out"):
        Distillation(looks=("osnet.onnx",), whole=True)
    for wrong in ({"teachers": ()}, {"temperature": 0.0}, {"weight": -1.0}):
        with pytest.raises(InputError, match="distillation"):
            Distillation(**{"teachers": ("there",), **wrong})  # type: ignore[arg-type]


def test_teachers_that_look_at_the_whole_picture_teach_what_the_student_can_still_see(
    folder: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(phases=(Phase(4, 64, 32, False),), batch=8, precision="no", rendered=0, evaluate_every=1000,
                    checkpoint_minutes=60, augment=Augment(cut=0.5))  # fmt: skip
    asked: list[tuple[Tensor, Tensor, Tensor]] = []

    def watched(logits: Tensor, taught: Tensor, temperature: float, visible: Tensor | None = None) -> Tensor:
        assert visible is not None
        asked.append((logits.detach(), taught, visible))
        return soft_loss(logits, taught, temperature, visible)

    monkeypatch.setattr("personvlm.training.distill.soft_loss", watched)
    taught = Distillation((str(teacher),), whole=True)
    train_edge(folder, tmp_path, recipe, Start(), distillation=taught, quiet=True)
    assert len(asked) == 4
    slices = column_slices()
    for _, _, visible in asked:
        assert not visible[:, slices["visibility"]].any()
        assert visible[:, slices["gender"]].all()
    lower = torch.cat([visible[:, slices["lower.color"]] for _, _, visible in asked])
    assert 0 < int(lower.all(1).sum()) < len(lower)
    assert torch.equal(lower.all(1), lower.any(1))

    # What was taught is what the teacher says of both sides of the picture as it is, and it was worked out once.
    samples, _ = read_training(folder)
    student = Transform(height=64, width=32)
    data = TrainingSet(samples, student, tmp_path / "cache", quiet=True)
    (kept,) = (tmp_path / "cache").glob("teachers-*.npy")
    before = kept.stat().st_mtime_ns
    logits = whole_logits(Teachers([str(teacher)]), data, student, tmp_path / "cache", quiet=True)
    assert kept.stat().st_mtime_ns == before
    pixels = torch.from_numpy(student.normalize(data.pixels[:3]))
    sides = [Teachers([str(teacher)]).see(side, student).logits for side in (pixels, pixels.flip(3))]
    torch.testing.assert_close(logits[:3], torch.stack(sides).mean(0), rtol=0.05, atol=0.2)  # bfloat16
    rows = data.rows(8, recipe.seed, 2)
    torch.testing.assert_close(asked[2][1], logits[torch.from_numpy(rows)])


def test_what_cannot_be_seen_is_not_taught() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(4, len(columns())), torch.randn(4, len(columns()))
    everything = torch.ones_like(student, dtype=torch.bool)
    whole = float(soft_loss(student, teacher, 2.0))
    assert float(soft_loss(student, teacher, 2.0, everything)) == pytest.approx(whole)
    half = everything.clone()
    half[2:] = False
    assert float(soft_loss(student, teacher, 2.0, half)) == pytest.approx(
        float(soft_loss(student[:2], teacher[:2], 2.0)) / 2, rel=1e-5)  # fmt: skip
