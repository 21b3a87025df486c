"""Detectors as ONNX files: YOLOX and RT-DETR, ours or the user's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnxruntime
import supervision as sv
from numpy.typing import NDArray

from personvlm.base.assets import Asset
from personvlm.base.errors import InputError
from personvlm.video.detectors import Floats, detections
from personvlm.video.frame import Frame, Report

_log = logging.getLogger(__name__)

YOLOX_NANO = Asset(
    path="weights/yolox_nano/yolox_nano.onnx",
    sha256=("695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",),
    urls=("https://github.com/Kazuhito00/YOLOX-ONNX-TFLite-Sample/raw/ac07155e3ac8a531d89d24204e50f364d3444275/"
          "model/yolox_nano.onnx",),
    credit="YOLOX-nano by Megvii, Apache-2.0",
    max_bytes=16 * 1024 * 1024,
)  # fmt: skip
"""YOLOX-nano, 0.9M parameters, trained on COCO. This export of the published weights takes one picture at a time."""

STRIDES = (8, 16, 32)
_LIKELY = 0.1
_OVERLAP = 0.6

Layout = Literal["yolox", "detr", "detr-decoded"]


class OnnxDetector:
    """An ONNX file whose outputs have one of three forms, with P pictures of HxW pixels:

    - YOLOX: ``[P, A, 5 + classes]``, A the cells of the strides 8, 16 and 32: center, log size, objectness, classes.
      Input BGR 0..255, aspect kept, padded with 114 at right and bottom. Score = objectness x class.
    - RT-DETR as exported by `transformers`: logits ``[P, Q, classes]`` and boxes ``[P, Q, 4]`` (center and size, 0..1).
      Input RGB 0..1, stretched to HxW.
    - RT-DETR as exported by its authors: inputs pictures and their sizes, outputs labels, boxes and scores.

    Args:
        path: the file.
        person: number of the class that is a person.
        threads: cores to use; onnxruntime's choice by default.

    Raises:
        InputError: it cannot be loaded, has another form or no such class; the message names what it has.
    """

    def __init__(self, path: Path, *, person: int = 0, threads: int | None = None) -> None:
        if not path.is_file():
            raise InputError(f"{path}: no such file; give an ONNX file with a detector")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise InputError(f"{path}: onnxruntime cannot load it ({error})") from error
        self._path, self._person = path, person
        self._inputs = [item.name for item in self._session.get_inputs()]
        batch, channels, height, width = (*self._session.get_inputs()[0].shape, 0, 0, 0, 0)[:4]
        self._layout = _layout(path, self._session)
        classes = _classes(self._layout, self._session)
        if not 0 <= person < (classes or person + 1):
            raise InputError(f"{path}: person_class {person}, but it has {classes} classes, from 0 to {classes - 1}")
        if channels != 3 or not isinstance(height, int) or not isinstance(width, int):
            if self._layout == "yolox" or channels != 3:
                raise InputError(f"{path}: its input is {self._session.get_inputs()[0].shape}; "
                                 "[N, 3, height, width] with fixed height and width is needed")  # fmt: skip
            height = width = 640  # what RT-DETR is trained with
        self._size = (height, width)
        self._one_at_a_time = batch == 1

    @classmethod
    def yolox_nano(cls, *, threads: int | None = None, report: Report = _log.info) -> OnnxDetector:
        """The detector that is used where none is chosen.

        Raises:
            AssetError: it is nowhere to be had.
        """
        return cls(YOLOX_NANO.resolve(report=report), threads=threads)

    def detect(self, frames: Sequence[Frame]) -> list[sv.Detections]:
        """See :class:`personvlm.video.detectors.Detector`."""
        if not frames:
            return []
        if self._one_at_a_time and len(frames) > 1:
            return [found for frame in frames for found in self.detect([frame])]
        sizes = [frame.image.shape[:2] for frame in frames]
        pixels = np.stack([self._prepare(frame.image) for frame in frames])
        feeds: dict[str, Any] = {self._inputs[0]: pixels}
        if self._layout == "detr-decoded":
            feeds[self._inputs[1]] = np.array([(width, height) for height, width in sizes], np.int64)
        try:
            outputs = self._session.run(None, feeds)
        except Exception as error:  # as above; a batch of another size than it was exported for, 16-bit numbers
            raise InputError(f"{self._path}: onnxruntime cannot run it with {len(frames)} pictures at a time "
                             f"({error}); export it for one picture of 32-bit numbers") from error  # fmt: skip
        found = []
        for index, size in enumerate(sizes):
            boxes, scores = self._decode([np.asarray(output[index]) for output in outputs], size)
            likely = scores >= _LIKELY
            people = detections(boxes[likely], scores[likely], size)
            found.append(people.with_nms(_OVERLAP) if self._layout == "yolox" else people)
        return found

    def _prepare(self, image: NDArray[np.uint8]) -> Floats:
        height, width = self._size
        if self._layout != "yolox":
            stretched = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            return np.ascontiguousarray(stretched.transpose(2, 0, 1), np.float32) / np.float32(255)
        scale = _scale(self._size, image.shape[:2])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        canvas = np.full((height, width, 3), 114, np.uint8)
        canvas[: size[1], : size[0]] = resized[..., ::-1]
        return np.ascontiguousarray(canvas.transpose(2, 0, 1), np.float32)

    def _decode(self, outputs: list[NDArray[Any]], size: tuple[int, int]) -> tuple[Floats, Floats]:
        """Boxes ``[N, 4]`` in the frame's pixels and scores ``[N]`` of one picture."""
        height, width = size
        if self._layout == "yolox":
            boxes, scores = decode_yolox(outputs[0], self._size, self._person)
            return boxes / np.float32(_scale(self._size, size)), scores
        if self._layout == "detr":
            logits, boxes = (outputs if outputs[1].shape[-1] == 4 else outputs[::-1])[:2]
            scores = np.asarray(1 / (1 + np.exp(-logits[:, self._person].astype(np.float32))), np.float32)
            return _corners(boxes.astype(np.float32) * np.array((width, height) * 2, np.float32)), scores
        labels, boxes, scores = outputs[:3]
        mine = labels.astype(int) == self._person
        return boxes[mine].astype(np.float32), scores[mine].astype(np.float32)


def decode_yolox(output: NDArray[Any], size: tuple[int, int], person: int = 0) -> tuple[Floats, Floats]:
    """Corner boxes ``[A, 4]`` in pixels of the network's input and scores ``[A]``.

    YOLOX (Ge et al. 2021), section 2.1: center = (output + cell) x stride, size = exp(output) x stride. Objectness and
    classes come out of the export as probabilities.

    Args:
        output: ``[A, 5 + classes]`` as the network gives it.
        size: height and width of its input.
        person: number of the class.
    """
    cells = [np.stack(np.meshgrid(np.arange(size[1] // s), np.arange(size[0] // s)), -1).reshape(-1, 2)
             for s in STRIDES]  # fmt: skip
    strides = np.repeat(np.array(STRIDES, np.float32), [len(cell) for cell in cells])[:, None]
    centers = (output[:, :2] + np.concatenate(cells)) * strides
    sizes = np.exp(output[:, 2:4]) * strides
    boxes = _corners(np.concatenate([centers, sizes], 1).astype(np.float32))
    return boxes, (output[:, 4] * output[:, 5 + person]).astype(np.float32)


def _corners(boxes: Floats) -> Floats:
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


def _scale(network: tuple[int, int], frame: tuple[int, int]) -> float:
    return min(network[0] / frame[0], network[1] / frame[1])


def _classes(layout: Layout, session: onnxruntime.InferenceSession) -> int:
    """How many classes it tells apart, 0 where it does not say."""
    outputs = [item.shape[-1] for item in session.get_outputs()]
    if layout == "detr-decoded":
        return 0
    count = outputs[0] if layout == "yolox" or outputs[1] == 4 else outputs[1]
    return 0 if not isinstance(count, int) else count - 5 if layout == "yolox" else count


def _layout(path: Path, session: onnxruntime.InferenceSession) -> Layout:
    inputs = [item.shape for item in session.get_inputs()]
    outputs = [item.shape for item in session.get_outputs()]
    if len(inputs) == 1 and len(outputs) == 1 and len(outputs[0]) == 3:
        height, width = inputs[0][-2:]
        if isinstance(height, int) and isinstance(width, int):
            anchors = sum((height // stride) * (width // stride) for stride in STRIDES)
            if outputs[0][1] == anchors and (not isinstance(outputs[0][2], int) or outputs[0][2] > 5):
                return "yolox"
    if len(inputs) == 1 and len(outputs) >= 2 and all(len(shape) == 3 for shape in outputs[:2]):
        last = [shape[-1] for shape in outputs[:2]]
        if 4 in last:
            return "detr"
    if len(inputs) == 2 and [len(shape) for shape in outputs[:3]] == [2, 3, 2]:
        return "detr-decoded"
    raise InputError(f"{path}: inputs {inputs}, outputs {outputs}: neither the form of YOLOX nor of RT-DETR; "
                     "see personvlm.video.onnx_detectors.OnnxDetector")  # fmt: skip
