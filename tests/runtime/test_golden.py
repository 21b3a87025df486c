"""Two runtimes, one answer: torch and ONNX give the same tokens and the same confidences (after llama2.c)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.runtime.describer import Describer, shipped

People = list[NDArray[np.uint8]]


def _compare(directory: Path, people: People) -> None:
    from personvlm.runtime.torch_engine import TorchEngine

    onnx = Describer.load(directory)
    torch = Describer(TorchEngine(directory), onnx.transform, onnx.tokenizer, onnx.calibration, onnx.name,
                      onnx.max_words)  # fmt: skip
    for say in ("confident", "all"):
        for ours, reference in zip(onnx.describe(people, say=say), torch.describe(people, say=say), strict=True):  # type: ignore[arg-type]
            assert ours.text == reference.text
            for group, scores in reference.scores.items():
                for value, probability in scores.items():
                    assert ours.scores[group][value] == pytest.approx(probability, abs=1e-3)
            np.testing.assert_allclose(ours.embedding, reference.embedding, atol=1e-3)  # type: ignore[arg-type]


def test_tiny_model(folder: Path, people: People) -> None:
    _compare(folder, people)


def test_shipped_model(people: People) -> None:
    pytest.importorskip("torch", reason="the reference needs torch")
    _compare(shipped(), people)
