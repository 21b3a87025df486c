"""Forms of edge: what they weigh, what is in 8 bits, that a row stands for itself, and that a folder describes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx", reason="exporting a model needs the train extra")
torch = pytest.importorskip("torch", reason="exporting a model needs the train extra")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.cli import main  # noqa: E402
from personvlm.data.transform import Transform  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.runtime.compress_torch import write_edge  # noqa: E402
from personvlm.runtime.describer import Describer  # noqa: E402
from personvlm.runtime.engine import DECODER, VISION, OnnxEngine  # noqa: E402
from personvlm.runtime.export import edge_graphs, export, halve  # noqa: E402
from personvlm.runtime.export_forms import FORMS, eighth  # noqa: E402

People = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def lively(folder: Path, people: People, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with batch norms measured on pictures; as it is drawn, nothing of a picture comes through."""
    directory = tmp_path_factory.mktemp("lively")
    shutil.copytree(folder, directory, dirs_exist_ok=True)
    model = EdgeVLM.load(directory)
    for norm in model.encoder.norms():
        norm.momentum = None  # a plain average over what is seen
        norm.reset_running_stats()
    with torch.no_grad():
        model.encoder.train()(torch.from_numpy(Transform.load(folder)(people)))
    model.save(directory)
    export(directory)
    return directory


@pytest.fixture(scope="module")
def written(lively: Path, people: People, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The model in every form."""
    graphs, pixels = edge_graphs(lively), Transform.load(lively)(people)
    parent = tmp_path_factory.mktemp("forms")
    for form in FORMS:
        size = write_edge(lively, parent / form, graphs, form, pixels)
        assert size == sum((parent / form / name).stat().st_size for name in (VISION, DECODER))
    return {form: parent / form for form in FORMS}


def test_float16_is_what_export_writes(lively: Path, written: dict[str, Path]) -> None:
    for name in (VISION, DECODER):
        assert (written["float16"] / name).read_bytes() == (lively / name).read_bytes()
        assert (written["bfloat16"] / name).read_bytes() != (lively / name).read_bytes()


def test_each_form_is_as_small_as_its_name_says(written: dict[str, Path]) -> None:
    def size(form: str, name: str) -> int:
        return (written[form] / name).stat().st_size

    for name in (VISION, DECODER):
        assert size("bfloat16", name) == size("float16", name) < 0.6 * size("float32", name)
    assert size("int8-vision", VISION) == size("int8-weights", VISION) < 0.7 * size("float16", VISION)
    assert size("int8-decoder", DECODER) == size("int8-weights", DECODER) < size("float16", DECODER)
    assert size("int8-static", VISION) < 0.7 * size("float16", VISION)


@pytest.mark.parametrize("form", FORMS)
def test_a_row_is_the_same_alone_and_among_others(form: str, written: dict[str, Path], people: People) -> None:
    engine = OnnxEngine(written[form], threads=1)
    pixels = Transform.load(written[form])(people)[:4]
    pixels[3] *= 3.0  # a range taken from the whole batch would be this one's
    together = engine.encode(pixels)
    assert np.ptp(together.logits, axis=0).max() > 0.01, "the rows are different to begin with"
    for row in range(len(pixels)):
        for alone, among in zip(engine.encode(pixels[row : row + 1]), together, strict=True):
            np.testing.assert_allclose(alone[0], among[row], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_written_folder_describes(form: str, written: dict[str, Path], people: People) -> None:
    describer = Describer.load(written[form])
    assert not describer.backend.startswith("torch"), "it would run other weights; they are not there"
    together = describer.describe(people[:3], batch=3)
    assert (together[0].model == "edge-1") == (form in ("float32", "float16", "int8-decoder")), "vectors do not compare"
    assert together == [describer.describe(picture)[0] for picture in people[:3]]


def test_static_ranges_are_for_1x1_convolutions_after_the_first_four(written: dict[str, Path]) -> None:
    model = onnx.load(str(written["int8-static"] / VISION))
    made = {name: node.op_type for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    rounded = [made.get(node.input[0]) == "DequantizeLinear" for node in convolutions]
    groups = [next((item.i for item in node.attribute if item.name == "group"), 1) for node in convolutions]
    assert rounded == [index >= 4 and group == 1 for index, group in enumerate(groups)]
    assert sum(rounded) > 30
    assert {tensor.data_type for tensor in model.graph.initializer} >= {TensorProto.INT8, TensorProto.INT32}


def test_bfloat16_is_rounded_as_torch_does() -> None:
    values = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    values[0, :4] = [1.00390625, 1.01171875, -1.00390625, 0.0]  # halfway between two
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [output],
                              [numpy_helper.from_array(values, "w")])  # fmt: skip
    model = helper.make_model(graph)
    halve(model, kind=TensorProto.BFLOAT16)
    (stored,) = model.graph.initializer
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy()
    np.testing.assert_array_equal(np.frombuffer(stored.raw_data, np.int16).reshape(40, 50), expected)


def test_weights_in_8_bits_move_by_half_a_step_of_their_own_channel() -> None:
    rng = np.random.default_rng(1)
    axes = {"conv": 0, "product": 1, "gemm": 0, "turned": 0}
    shapes = {"conv": (9, 8, 3, 3), "product": (30, 9), "gemm": (9, 30), "turned": (9, 30), "twice": (9, 30),
              "model.appearance.linear.weight": (9, 30), "small": (2, 30)}  # fmt: skip
    exact = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    for name, axis in axes.items():  # channels of very different size: one scale for all would lose the small ones
        shape = [-1 if index == axis else 1 for index in range(exact[name].ndim)]
        exact[name] *= (10.0 ** -np.arange(9, dtype=np.float32)).reshape(shape)
    nodes = [
        helper.make_node("Conv", ["p", "conv"], ["a"]), helper.make_node("MatMul", ["x", "product"], ["b"]),
        helper.make_node("Gemm", ["x", "gemm"], ["c"], transB=1),
        helper.make_node("Transpose", ["turned"], ["d"], perm=[1, 0]),
        helper.make_node("Gemm", ["x", "twice"], ["e"], transB=1), helper.make_node("MatMul", ["u", "twice"], ["f"]),
        helper.make_node("Gemm", ["x", "model.appearance.linear.weight"], ["g"], transB=1),
        helper.make_node("Gemm", ["x", "small"], ["h"], transB=1),
    ]  # fmt: skip
    tensors = [numpy_helper.from_array(values, name) for name, values in exact.items()]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [], tensors))
    assert eighth(model, least=200) == len(axes)
    halve(model, least=9)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name in axes:
        codes, scales = stored[f"{name}.codes"], stored[f"{name}.scales"]
        assert (codes.dtype, scales.dtype, scales.size) == (np.int8, np.float32, 9)
        assert (np.abs(codes * scales - exact[name]) <= 0.5001 * scales).all()
    others = {name.removesuffix(".half") for name, values in stored.items() if values.dtype == np.float16}
    assert others == {"twice", "small", "model.appearance.linear.weight"}, "left to 16 bits"


def test_a_model_is_not_written_over(folder: Path, people: People, tmp_path: Path) -> None:
    graphs, pixels = edge_graphs(folder), Transform.load(folder)(people)
    with pytest.raises(InputError, match="written over"):
        write_edge(folder, folder, graphs, "float32", pixels)
    (tmp_path / "model.safetensors").write_bytes(b"of another model")
    with pytest.raises(InputError, match="another model"):
        write_edge(folder, tmp_path, graphs, "float32", pixels)


def called(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(each) for each in arguments])
    return int(done.value.code or 0)


def test_compress_compares_all_forms_and_writes_one(
    lively: Path, written: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    assert called("compress", lively, "--out", out, "--form", "int8-decoder", "--pictures", "3", "--json", "-q") == 0
    result = json.loads(capfd.readouterr().out)
    assert [row["name"] for row in result["forms"]] == [*FORMS, "bfloat16, torch"]
    rows = {row["name"]: row for row in result["forms"]}
    for exact in ("float32", "float16"):  # the model was saved in float16: nothing is lost by storing it so
        assert (rows[exact]["same"], rows[exact]["apart"], rows[exact]["holds"]) == (1.0, 0.0, True)
    assert all(rows[name]["apart"] > 0 for name in ("bfloat16", "int8-vision", "int8-static", "bfloat16, torch"))
    assert rows["int8-decoder"]["apart"] == 0, "the eyes are those of float16"
    assert (result["n"], result["form"]) == (3, "int8-decoder")
    assert (out / DECODER).read_bytes() == (written["int8-decoder"] / DECODER).read_bytes()
    assert called("compress", lively, "--out", tmp_path / "plain", "--pictures", "0") == 0
    assert capfd.readouterr().out.strip().endswith("plain (float16)")


def test_options_of_stages_are_refused(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert called("compress", folder, "--out", tmp_path / "out", "--keep-vocabulary") == 1
    assert "are for stages" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()
