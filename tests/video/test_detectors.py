from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.schema import Detection
from personvlm.video.detectors import Detector, GivenDetector, MotionDetector
from personvlm.video.files import VideoFile
from personvlm.video.frame import Frame
from personvlm.video.onnx_detectors import YOLOX_NANO, OnnxDetector, decode_yolox

onnx = pytest.importorskip("onnx", reason="the tiny detectors are made with onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def frame(image: NDArray[np.uint8], index: int = 0, given: tuple[Detection, ...] | None = None) -> Frame:
    return Frame("c", index, index / 10, image, given)


def gray(height: int = 48, width: int = 96, color: tuple[int, int, int] = (90, 90, 90)) -> NDArray[np.uint8]:
    return np.full((height, width, 3), color, np.uint8)


def save(path: Path, nodes: list, inputs: list, outputs: list, constants: dict[str, NDArray]) -> Path:
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def channel_nodes(channel: int, divide: float) -> tuple[list, dict[str, NDArray]]:
    """Nodes that compute ``level [N, 1]``: the largest value of one channel of ``images`` over ``divide``."""
    nodes = [
        helper.make_node("Gather", ["images", "channel"], ["one"], axis=1),
        helper.make_node("ReduceMax", ["one"], ["most"], axes=[2, 3], keepdims=0),
        helper.make_node("Div", ["most", "divide"], ["level"]),
    ]
    return nodes, {"channel": np.array([channel], np.int64), "divide": np.array(divide, np.float32)}


def tiny_yolox(path: Path, batch: int | str, channel: int = 0) -> Path:
    """64x64 input, 84 cells, 3 classes. Cell (column 2, row 3) of stride 16 finds class 1 with objectness 0.9 times
    the largest value of one channel; its neighbor finds nearly the same with less; class 0 is nowhere.
    """
    output = np.zeros((1, 84, 8), np.float32)
    first = 64 + 3 * 4 + 2
    output[0, first] = [0.5, 0.25, np.log(1.5), np.log(2.0), 0, 0.0, 0.8, 0.0]
    output[0, first + 1] = [-0.45, 0.25, np.log(1.5), np.log(2.0), 0, 0.0, 0.5, 0.0]
    objectness = np.zeros((1, 84, 8), np.float32)
    objectness[0, first : first + 2, 4] = 0.9
    nodes, constants = channel_nodes(channel, 255.0)
    nodes += [
        helper.make_node("Unsqueeze", ["level", "last"], ["scale"]),
        helper.make_node("Mul", ["objectness", "scale"], ["found"]),
        helper.make_node("Add", ["found", "base"], ["output"]),
    ]
    constants |= {"base": output, "objectness": objectness, "last": np.array([2], np.int64)}
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 64, 64])
    result = helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 84, 8])
    return save(path, nodes, [image], [result], constants)


@pytest.mark.parametrize("batch", [1, "n"])
def test_yolox_does_not_mix_up_the_pictures_of_a_batch(tmp_path: Path, batch: int | str) -> None:
    detector = OnnxDetector(tiny_yolox(tmp_path / "m.onnx", batch), person=1)
    levels = (255, 20, 128)
    frames = [frame(gray(64 * (index + 1), 64 * (index + 1), (0, 0, level)))  # blue: channel 0 of BGR
              for index, level in enumerate(levels)]  # fmt: skip
    found = detector.detect(frames)
    assert [len(one) for one in found] == [1, 0, 1]
    np.testing.assert_allclose(found[2].confidence, [0.72 * 128 / 255], atol=1e-5)
    np.testing.assert_allclose(found[2].xyxy, 3 * found[0].xyxy, atol=1e-3)


def test_a_class_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"person_class 3, but it has 3 classes, from 0 to 2"):
        OnnxDetector(tiny_yolox(tmp_path / "m.onnx", 1), person=3)
    with pytest.raises(InputError, match="person_class 2, but it has 2 classes"):
        OnnxDetector(tiny_detr(tmp_path / "d.onnx"), person=2)


def test_yolox_geometry(tmp_path: Path) -> None:
    detector = OnnxDetector(tiny_yolox(tmp_path / "m.onnx", "n"), person=1)
    square = detector.detect([frame(gray(128, 128, (0, 0, 255)))])[0]
    np.testing.assert_allclose(square.xyxy, [[56, 72, 104, 128]], atol=1e-3)  # (28, 36, 52, 68) twice, cut at 128
    np.testing.assert_allclose(square.confidence, [0.72], atol=1e-5)
    assert square.class_id is not None
    assert list(square.class_id) == [0]
    assert len(detector.detect([frame(gray(128, 128, (0, 0, 20)))])[0]) == 0  # 0.72 * 20 / 255 is too little
    assert len(OnnxDetector(tiny_yolox(tmp_path / "m.onnx", 1)).detect([frame(gray(128, 128, (0, 0, 255)))])[0]) == 0
    assert detector.detect([]) == []


def test_yolox_pads_at_right_and_bottom_with_114(tmp_path: Path) -> None:
    """The largest green value of a black frame is that of the padding, if there is padding."""
    detector = OnnxDetector(tiny_yolox(tmp_path / "m.onnx", "n", channel=1), person=1)
    tall, square = detector.detect([frame(gray(200, 160, (0, 0, 0))), frame(gray(64, 64, (0, 0, 0)))])
    assert len(square) == 0
    np.testing.assert_allclose(tall.confidence, [0.72 * 114 / 255], atol=1e-5)
    np.testing.assert_allclose(tall.xyxy, [[28 * 3.125, 36 * 3.125, 160, 200]], atol=1e-3)


def test_decode_yolox_follows_the_paper() -> None:
    output = np.zeros((84, 6), np.float32)
    output[:, 4:] = 0.5
    boxes, scores = decode_yolox(output, (64, 64))
    np.testing.assert_allclose(scores, 0.25)
    np.testing.assert_allclose(boxes[0], [-4, -4, 4, 4])
    np.testing.assert_allclose(boxes[9], [4, 4, 12, 12])  # column 1, row 1 of stride 8
    np.testing.assert_allclose(boxes[83], [3 * 0 + 16, 16, 48, 48])  # column 1, row 1 of stride 32


def tiny_detr(path: Path, swapped: bool = False) -> Path:
    logits = np.full((1, 3, 2), -9, np.float32)
    logits[0, 0, 0], logits[0, 1, 1] = 0.0, 5.0
    boxes = np.array([[[0.5, 0.5, 0.5, 1.0], [0.2, 0.2, 0.1, 0.1], [0, 0, 0, 0]]], np.float32)
    nodes, constants = channel_nodes(0, 1.0)
    nodes += [
        helper.make_node("Unsqueeze", ["level", "last"], ["scale"]),
        helper.make_node("Add", ["base", "scale"], ["logits"]),
        helper.make_node("Mul", ["scale", "zero"], ["nothing"]),
        helper.make_node("Add", ["boxes", "nothing"], ["pred_boxes"]),
    ]
    constants |= {"base": logits, "boxes": boxes, "last": np.array([2], np.int64), "zero": np.array(0, np.float32)}
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])
    results = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3, 2]),
               helper.make_tensor_value_info("pred_boxes", TensorProto.FLOAT, ["n", 3, 4])]  # fmt: skip
    return save(path, nodes, [image], results[::-1] if swapped else results, constants)


@pytest.mark.parametrize("swapped", [False, True])
def test_rt_detr_of_transformers(tmp_path: Path, swapped: bool) -> None:
    detector = OnnxDetector(tiny_detr(tmp_path / "m.onnx", swapped))
    red, black = detector.detect([frame(gray(100, 200, (255, 0, 0))), frame(gray(50, 80, (0, 0, 0)))])
    np.testing.assert_allclose(red.xyxy, [[50, 0, 150, 100]], atol=1e-3)
    np.testing.assert_allclose(red.confidence, [1 / (1 + np.exp(-1.0))], atol=1e-5)  # red is channel 0, and 1.0
    np.testing.assert_allclose(black.xyxy, [[20, 0, 60, 50]], atol=1e-3)
    np.testing.assert_allclose(black.confidence, [0.5], atol=1e-5)


def test_rt_detr_of_its_authors(tmp_path: Path) -> None:
    """Boxes come in pixels of the frame, whose width and height the network is told."""
    nodes = [
        helper.make_node("Cast", ["sizes"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["zeros", "float"], ["corner"], axis=1),
        helper.make_node("Unsqueeze", ["corner", "one"], ["first"]),
        helper.make_node("Concat", ["first", "first"], ["boxes"], axis=1),
        helper.make_node("Identity", ["two_labels"], ["labels"]),
        helper.make_node("Identity", ["two_scores"], ["scores"]),
    ]
    constants = {
        "zeros": np.zeros((1, 2), np.float32), "one": np.array([1], np.int64),
        "two_labels": np.array([[0, 7]], np.int64), "two_scores": np.array([[0.6, 0.9]], np.float32),
    }  # fmt: skip
    inputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64]),
              helper.make_tensor_value_info("sizes", TensorProto.INT64, [1, 2])]  # fmt: skip
    outputs = [helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 2]),
               helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4]),
               helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])]  # fmt: skip
    path = save(tmp_path / "m.onnx", nodes, inputs, outputs, constants)
    found = OnnxDetector(path).detect([frame(gray(100, 200)), frame(gray(30, 40))])
    np.testing.assert_allclose(found[0].xyxy, [[0, 0, 200, 100]])
    np.testing.assert_allclose(found[0].confidence, [0.6])
    np.testing.assert_allclose(found[1].xyxy, [[0, 0, 40, 30]])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        OnnxDetector(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(InputError, match="onnxruntime cannot load it"):
        OnnxDetector(tmp_path / "text.onnx")
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])
    result = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, 8, 8])
    path = save(tmp_path / "id.onnx", [helper.make_node("Identity", ["images"], ["out"])], [image], [result], {})
    with pytest.raises(InputError, match="neither the form of YOLOX nor of RT-DETR"):
        OnnxDetector(path)


def test_given_boxes_are_taken_and_cut_to_the_frame() -> None:
    boxes = (Detection(box=(-5, 10, 20, 90), confidence=0.8), Detection(box=(200, 0, 210, 10), confidence=1))
    found = GivenDetector().detect([frame(gray(), given=boxes), frame(gray(), given=())])
    np.testing.assert_allclose(found[0].xyxy, [[0, 10, 20, 48]])
    np.testing.assert_allclose(found[0].confidence, [0.8])
    assert len(found[1]) == 0
    with pytest.raises(InputError, match="c: no boxes come with this source"):
        GivenDetector().detect([frame(gray())])


def moving(index: int, size: tuple[int, int] = (120, 160)) -> Frame:
    rng = np.random.default_rng(index)
    image = np.clip(rng.normal(100, 3, (*size, 3)), 0, 255).astype(np.uint8)
    if index >= 30:
        left = 2 * (index - 30)
        image[40:100, left : left + 24] = (200, 40, 40)
    return frame(image, index)


def test_motion_finds_what_moves_and_is_shaped_like_a_person() -> None:
    detector = MotionDetector()
    found = [detector.detect([moving(index)])[0] for index in range(80)]
    assert sum(len(one) for one in found[5:30]) == 0
    assert all(len(one) == 1 for one in found[40:])
    for index in range(40, 80):
        truth = np.array([[2 * (index - 30), 40, 2 * (index - 30) + 24, 100]], float)
        assert sv.box_iou_batch(truth, found[index].xyxy.astype(float))[0, 0] > 0.6
    # Another size is another background; two cameras do not disturb each other.
    assert len(detector.detect([moving(81, (240, 320))])[0]) == 0


def test_motion_ignores_a_light_that_is_switched() -> None:
    detector = MotionDetector()
    for index in range(30):
        detector.detect([moving(index)])
    assert len(detector.detect([frame(gray(120, 160, (250, 250, 250)), 30)])[0]) == 0


@pytest.fixture(scope="module")
def yolox(videos: Path) -> Detector:
    if not (videos.parents[1] / YOLOX_NANO.path).is_file():
        pytest.skip("PERSONVLM_ASSETS has no yolox_nano.onnx")
    return OnnxDetector.yolox_nano(threads=1)


def test_yolox_nano_finds_the_shoppers(yolox: Detector, videos: Path) -> None:
    first = next(VideoFile(videos / "store-aisle-detection.gif", "aisle").frames())
    found = yolox.detect([first])[0]
    sure = found[found.confidence > 0.5]
    by_eye = np.array([[272, 62, 320, 228], [345, 86, 418, 270]], float)  # a man with a hat, a woman in green
    overlap = sv.box_iou_batch(by_eye, sure.xyxy.astype(float))
    assert len(sure) == 2
    assert (overlap.max(1) > 0.6).all()


def test_yolox_nano_finds_nobody_in_an_empty_room(yolox: Detector, videos: Path) -> None:
    first = next(VideoFile(videos / "one-by-one-person-detection.mp4", "room").frames())
    assert not (yolox.detect([first])[0].confidence > 0.3).any()


def test_what_onnxruntime_refuses_is_a_fault_of_the_file(tmp_path: Path) -> None:
    detector = OnnxDetector(tiny_yolox(tmp_path / "four.onnx", 4), person=1)
    with pytest.raises(InputError, match=r"four\.onnx: onnxruntime cannot run it with 1 pictures at a time"):
        detector.detect([frame(gray())])
