"""The detectors of a run: each is loaded once, and shared by the cameras that ask for it."""

from __future__ import annotations

from pathlib import Path

from personvlm.base.errors import AssetError
from personvlm.runtime.engine import available_cores
from personvlm.video.detectors import Detector, GivenDetector, MotionDetector
from personvlm.video.frame import Report
from personvlm.video.onnx_detectors import OnnxDetector


class Detectors:
    """Detectors by name.

    Args:
        report: told where motion stands in for a detector that is missing.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._made: dict[tuple[str, int], Detector] = {}

    def get(self, name: str, person: int | None = None) -> Detector:
        """The one that :class:`personvlm.pipeline.run_cameras.Camera` calls ``name``.

        Args:
            name: ``auto``, ``yolox``, ``motion``, ``given``, or the path of an ONNX file.
            person: number of the class that is a person, of an ONNX file.

        Raises:
            InputError: it cannot be loaded, or has no such class.
            AssetError: ``yolox`` is nowhere to be had.
        """
        key = (name, person or 0)
        if key not in self._made:
            self._made[key] = self._make(*key)
        return self._made[key]

    def _make(self, name: str, person: int) -> Detector:
        if name == "given":
            return GivenDetector()
        if name == "motion":
            return MotionDetector()
        threads = available_cores()
        if name == "yolox":
            return OnnxDetector.yolox_nano(threads=threads)
        if name != "auto":
            return OnnxDetector(Path(name), person=person, threads=threads)
        try:
            return OnnxDetector.yolox_nano(threads=threads)
        except AssetError as error:
            self._report(f"people are told by their motion alone, because the detector is missing: {error}")
            return MotionDetector()
