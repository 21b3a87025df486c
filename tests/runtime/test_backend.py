"""What runs a model: by what is asked for, and by what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.cli.describe import describe
from personvlm.runtime import backend as module
from personvlm.runtime.backend import BACKENDS, choose_backend
from personvlm.runtime.describer import Describer
from personvlm.runtime.engine import OnnxEngine


def test_the_cores_where_there_is_no_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GPU", ("/dev/no-gpu",))
    chosen = choose_backend(folder, threads=1)
    assert isinstance(chosen.engine, OnnxEngine)
    assert (chosen.name, chosen.why) == ("onnx on 1 core", "no GPU is here")
    assert Describer.load(folder, threads=2).backend == "onnx on 2 cores (no GPU is here)"


def test_a_gpu_that_nothing_here_can_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GPU", ("/dev/null",))
    torch = pytest.importorskip("torch", reason="torch must be there and unable")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = choose_backend(folder)
    assert isinstance(chosen.engine, OnnxEngine)
    assert chosen.why == "a GPU is here, but torch here cannot use it"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert choose_backend(folder).why == "a GPU is here, but neither torch nor onnxruntime-gpu is installed"


def test_torch_says_the_same_as_onnx(folder: Path) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    chosen = choose_backend(folder, "torch")
    assert chosen.name.startswith("torch on ")
    assert chosen.why == "asked for"
    assert chosen.engine.workers == 0


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_what_is_not_installed_is_said(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="onnxruntime-gpu"):
        choose_backend(folder, name)  # type: ignore[arg-type]
    monkeypatch.setattr(module.onnxruntime, "get_available_providers", lambda: list(module._PROVIDERS.values()))
    with pytest.raises(InputError, match="cannot start its"):
        choose_backend(folder, name)  # type: ignore[arg-type]


def test_the_command_offers_what_there_is(folder: Path) -> None:
    with pytest.raises(InputError, match="legal: auto, onnx"):
        choose_backend(folder, "abacus")  # type: ignore[arg-type]
    offered = str(describe.__annotations__["backend"])
    assert all(f"'{name}'" in offered for name in BACKENDS)
