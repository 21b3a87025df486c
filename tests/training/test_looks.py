"""Models of looks as teachers: both layouts are read, and only who is more alike than others is taught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from personvlm.base.errors import InputError
from personvlm.data.readers import read_samples
from personvlm.data.transform import Transform
from personvlm.training.dataset import TrainingSet
from personvlm.training.distill import Distillation
from personvlm.training.looks import Looks, neighbor_loss
from personvlm.training.loop import read_curves
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import Start, train_edge


def mean_color(path: Path, shape: list[int]) -> Path:
    """A model of looks whose vector is the mean color, in the order in which it is given the channels."""
    axes = [2, 3] if shape[1] == 3 else [1, 2]
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)
    graph = helper.make_graph(
        [node], "looks", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def test_both_layouts_are_given_the_pixels_in_their_own_terms(folder: Path, tmp_path: Path) -> None:
    data = TrainingSet(read_samples(folder / "train.jsonl", "personvlm")[:6], Transform(height=64, width=32), tmp_path,
                       quiet=True)  # fmt: skip
    means = np.stack([picture.reshape(-1, 3).mean(0) for picture in data.pixels])
    bgr = means[:, ::-1] / np.linalg.norm(means, axis=1, keepdims=True)
    standard = (means / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    rgb = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    rows = np.arange(6)
    for shape, wanted in (([1, 64, 32, 3], bgr), ([1, 3, 64, 32], rgb), ([1, 3, 32, 16], rgb)):
        model = mean_color(tmp_path / f"{shape[1]}-{shape[2]}.onnx", shape)
        found = Looks([str(model)], data, tmp_path, quiet=True).similarity(rows).numpy()
        assert found == pytest.approx(wanted @ wanted.T, abs=0.02)


def test_only_differences_between_neighbors_count() -> None:
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    cosines = vectors @ vectors.T
    assert float(neighbor_loss(vectors, cosines, 0.1, 0.1)) == pytest.approx(0.0, abs=1e-6)
    assert float(neighbor_loss(vectors, 0.4 + cosines, 0.1, 0.1)) == pytest.approx(0.0, abs=1e-5)
    assert float(neighbor_loss(vectors, cosines.flip(0).flip(1), 0.1, 0.1)) > 0.1


def test_vectors_come_to_agree_with_the_teacher() -> None:
    torch.manual_seed(0)
    wanted = torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    free = torch.randn(12, 4, requires_grad=True)
    losses = []
    for _ in range(200):
        loss = neighbor_loss(torch.nn.functional.normalize(free, dim=1), wanted @ wanted.T)
        losses.append(float(loss.detach()))
        (gradient,) = torch.autograd.grad(loss, free)
        free = (free - 2.0 * gradient).detach().requires_grad_()
    assert losses[-1] < 0.5 * losses[0]


def test_a_run_is_taught_by_the_very_pictures_that_it_sees(folder: Path, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    asked: list[list[int]] = []
    drawn: list[list[int]] = []
    similarity, take = Looks.similarity, TrainingSet.take
    monkeypatch.setattr(Looks, "similarity",
                        lambda self, rows: (asked.append(rows.tolist()), similarity(self, rows))[1])  # fmt: skip
    monkeypatch.setattr(TrainingSet, "take", lambda self, rows: (drawn.append(rows.tolist()), take(self, rows))[1])
    model = mean_color(tmp_path / "looks.onnx", [1, 3, 64, 32])
    recipe = Recipe(phases=(Phase(3, 64, 32, False), Phase(1, 64, 32, True)), batch=8, precision="no", rendered=0,
                    evaluate_every=1000, checkpoint_minutes=60)  # fmt: skip
    train_edge(folder, tmp_path / "out", recipe, Start(), distillation=Distillation(looks=(str(model),)), quiet=True)
    assert len(asked) == 4
    assert asked == [rows for rows in drawn if len(rows) == 8][:4]
    curves = read_curves(tmp_path / "out" / "curves.csv")
    values = {name: [value for _, series, value in curves if series == name] for name in ("looks", "loss")}
    assert len(values["looks"]) == 4
    assert all(0 < look < loss for look, loss in zip(values["looks"], values["loss"], strict=True))


def test_what_is_no_model_of_looks_is_refused(folder: Path, tmp_path: Path) -> None:
    data = TrainingSet(read_samples(folder / "train.jsonl", "personvlm")[:2], Transform(height=64, width=32), tmp_path,
                       quiet=True)  # fmt: skip
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"no\.onnx"):
        Looks([str(tmp_path / "no.onnx")], data, tmp_path, quiet=True)
    wrong = mean_color(tmp_path / "wrong.onnx", [1, 64, 32, 3])
    proto = onnx.load(wrong)
    proto.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 5
    onnx.save(proto, wrong)
    with pytest.raises(InputError, match="takes"):
        Looks([str(wrong)], data, tmp_path, quiet=True)
