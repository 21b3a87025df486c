"""Distillation: what a teacher's opinion costs, that a student takes it over, and that labels count all the same."""

from __future__ import annotations

import json
import shutil
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
from personvlm.data.splits import Part
from personvlm.data.transform import Augment, Transform
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM, Seen
from personvlm.schema import Annotations
from personvlm.schema.groups import GROUP, column_slices, columns
from personvlm.training import objective as objective_module
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
from personvlm.training.mixing import mixed
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


def test_a_teacher_is_asked_about_the_people_that_it_never_saw(folder: Path, teacher: Path, tmp_path: Path) -> None:
    samples, _ = read_training(folder)
    samples = [*samples, Sample(samples[0].image, Annotations({}), source="unlabelled")]
    folders = []
    for number in (1, 2):
        out = shutil.copytree(teacher, tmp_path / f"without-{number}")
        model = EdgeVLM.load(out)
        with torch.no_grad():
            model.heads.weight.mul_(number)
        model.save(out)
        Recipe(left_out=f"{number}/2").save(out)
        folders.append(str(out))
    both, student = Teachers(folders), Transform(height=64, width=32)
    asked = [both.asked_about(sample) for sample in samples]
    assert asked == [*((0,) if Part(1, 2).holds(sample) else (1,) for sample in samples[:-1]), (0, 1)]
    assert set(asked[:-1]) == {(0,), (1,)}
    data = TrainingSet(samples, student, tmp_path / "cache", quiet=True)
    logits = whole_logits(both, data, student, tmp_path / "cache", quiet=True)
    alone = torch.stack([whole_logits(Teachers([str(plain_copy(path))]), data, student, tmp_path / "cache", quiet=True)
                         for path in folders])  # fmt: skip
    for row, chosen in enumerate(asked):
        torch.testing.assert_close(logits[row], alone[list(chosen), row].mean(0), rtol=0.05, atol=0.2)  # bfloat16

    recipe = Recipe(phases=(Phase(2, 64, 32, False),), batch=8, precision="no", rendered=0, evaluate_every=1000)
    with pytest.raises(InputError, match="takes --whole"):
        train_edge(folder, tmp_path / "a", recipe, Start(), distillation=Distillation(tuple(folders)), quiet=True)
    with pytest.raises(InputError, match=r"without 1/2 of the people, and it takes one for every part"):
        train_edge(folder, tmp_path / "b", recipe, Start(), distillation=Distillation((folders[0],), whole=True),
                   quiet=True)  # fmt: skip
    train_edge(folder, tmp_path / "c", recipe, Start(), distillation=Distillation(tuple(folders), whole=True),
               quiet=True)  # fmt: skip


def plain_copy(path: str) -> Path:
    """The same model, of which nothing says whom it left out."""
    out = Path(path).with_name(f"{Path(path).name}-plain")
    shutil.copytree(path, out, ignore=shutil.ignore_patterns("recipe.json"))
    return out


def test_people_who_are_left_out_are_not_trained_on(folder: Path, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    seen: list[list[Sample]] = []

    class Watched(TrainingSet):
        def __init__(self, samples: list[Sample], *rest: Any, **more: Any) -> None:
            seen.append(list(samples))
            super().__init__(samples, *rest, **more)

    monkeypatch.setattr("personvlm.training.run.TrainingSet", Watched)
    recipe = Recipe(phases=(Phase(1, 64, 32, False),), batch=8, precision="no", rendered=0, evaluate_every=1000)
    everybody = read_training(folder)[0]
    for number in (1, 2):
        train_edge(folder, tmp_path / str(number), replace(recipe, left_out=f"{number}/2"), Start(), quiet=True)
        part = Part(number, 2)
        assert seen[0] == [sample for sample in everybody if not part.holds(sample)]
        assert 0 < len(seen[0]) < len(everybody)
        seen.clear()
    with pytest.raises(InputError, match="'3/2' is no part of the people"):
        Recipe().with_settings({"left_out": "3/2"})


def test_crops_laid_over_others_keep_no_label() -> None:
    pixels = torch.arange(8.0)[:, None, None, None].expand(8, 3, 4, 2)
    same, plain = mixed(pixels, 0.0, torch.Generator().manual_seed(0))
    assert same is pixels
    assert plain.all()
    blend, plain = mixed(pixels, 1.0, torch.Generator().manual_seed(0))
    assert plain.tolist() == [True] + [False] * 7
    assert torch.equal(blend[0], pixels[0])
    values = blend[:, 0, 0, 0]
    assert torch.equal(blend, values[:, None, None, None].expand_as(blend)), "all of a crop at one strength"
    assert ((values >= 0) & (values <= 7)).all()
    assert not torch.equal(values[1:], pixels[1:, 0, 0, 0])
    again, _ = mixed(pixels, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(again, blend)
    shares = [float((~mixed(pixels, 0.5, torch.Generator().manual_seed(seed))[1]).float().mean()) for seed in range(99)]
    assert np.mean(shares) == pytest.approx(0.5 * 7 / 8, abs=0.05)
    for wrong in ({"mix": 0.5, "whole": True}, {"mix": 1.5}, {"mix": 0.5, "teachers": (), "looks": ("osnet.onnx",)}):
        with pytest.raises(InputError, match="share of mixed crops"):
            Distillation(**{"teachers": ("there",), **wrong})  # type: ignore[arg-type]


def test_labels_of_mixed_crops_teach_nothing(folder: Path, teacher: Path, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """With every crop but the first mixed, labels are known of one row, identities of one; the teacher of all."""
    known: list[Tensor] = []
    people: list[Tensor] = []
    taught_rows: list[int] = []
    real = objective_module.attribute_loss, objective_module.identity_loss

    def attributes(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        known.append(mask.amax(1))
        return real[0](logits, target, mask)

    def identity(embedding: Tensor, person: Tensor) -> Tensor:
        people.append(person)
        return real[1](embedding, person)

    def soft(logits: Tensor, *rest: Any) -> Tensor:
        taught_rows.append(len(logits))
        return soft_loss(logits, *rest)

    monkeypatch.setattr(objective_module, "attribute_loss", attributes)
    monkeypatch.setattr(objective_module, "identity_loss", identity)
    monkeypatch.setattr("personvlm.training.distill.soft_loss", soft)
    recipe = Recipe(phases=(Phase(2, 64, 32, False),), batch=8, precision="no", rendered=0, evaluate_every=1000)
    train_edge(folder, tmp_path, recipe, Start(), distillation=Distillation((str(teacher),), mix=1.0), quiet=True)
    assert [rows.tolist() for rows in known] == [[1.0] + [0.0] * 7] * 2
    assert all((rows[1:] == -1).all() and rows[0] >= 0 for rows in people)
    assert taught_rows == [8, 8]
    assert all(np.isfinite(value) for _, _, value in read_curves(tmp_path / "curves.csv"))


def test_teachers_and_pictures_of_a_run_are_known_by_what_they_hold(tmp_path: Path) -> None:
    def sources(*pictures: str) -> dict[str, str]:
        samples = [Sample(tmp_path / name, Annotations({})) for name in pictures]
        return {name: each.content for name, each in Distillation((str(tmp_path),)).sources(samples).items()}

    for name in ("model.safetensors", "a.png", "b.png"):
        (tmp_path / name).write_text(name)
    first = sources("a.png")
    assert first == sources("a.png")
    assert [name for name in first if first[name] != sources("b.png")[name]] == ["unlabelled"]
    (tmp_path / "model.safetensors").write_text("trained anew")
    assert [name for name in first if first[name] != sources("a.png")[name]] == ["teachers"]
    assert "unlabelled" not in sources()
