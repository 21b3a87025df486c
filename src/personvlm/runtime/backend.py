"""Which engine runs a model here, and why."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import onnxruntime

from personvlm.base.errors import InputError
from personvlm.runtime.engine import CPU, Engine, OnnxEngine

Backend = Literal["auto", "onnx", "cuda", "tensorrt", "torch"]
"""``onnx`` runs on the cores, ``cuda`` and ``tensorrt`` are onnxruntime's on a GPU, ``torch`` is the model itself."""

BACKENDS: tuple[str, ...] = get_args(Backend)

Precision = Literal["float32", "bfloat16"]
"""What torch computes in."""

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_GPU = ("/dev/nvidia0", "/dev/dxg")


class Chosen(NamedTuple):
    """An engine, what it is, and why it was taken."""

    engine: Engine
    name: str
    why: str


def choose_backend(directory: Path, backend: Backend = "auto", threads: int | None = None,
                   precision: Precision = "float32") -> Chosen:  # fmt: skip
    """The engine for the model in ``directory``.

    Args:
        precision: ``bfloat16`` is asked for together with ``torch``: half the memory and time of matrix products on a
            GPU that has it, for scores that differ in their third digit.

    ``auto`` takes the GPU where there is one, with torch or else with onnxruntime, and the cores where there is none.
    Torch is only imported where a GPU is seen: a describer on the cores never loads it.

    Raises:
        InputError: there is no such backend, or what it needs is not installed; the message says what would be.
    """
    if backend not in BACKENDS:
        raise InputError(f"{backend!r} is no backend; legal: {', '.join(BACKENDS)}")
    if precision not in get_args(Precision):
        raise InputError(f"{precision!r} is no precision; legal: {', '.join(get_args(Precision))}")
    if backend == "torch":
        return _torch(directory, "asked for", precision, needs_gpu=False)
    if precision != "float32":
        raise InputError(f"{precision} is torch's: choose the backend torch with it")
    if backend != "auto":
        return _open(backend, directory, threads, "asked for")
    if not any(Path(device).exists() for device in _GPU):
        return _open("onnx", directory, threads, "no GPU is here")
    reasons = []
    if (directory / "model.safetensors").is_file() and importlib.util.find_spec("torch"):
        try:
            return _torch(directory, "a GPU is here, and torch that can use it", precision, needs_gpu=True)
        except InputError as error:
            reasons.append(str(error))
    if _PROVIDERS["cuda"] in onnxruntime.get_available_providers():
        try:
            return _open("cuda", directory, threads, "a GPU is here, and onnxruntime that can use it")
        except InputError as error:
            reasons.append(str(error))
    missing = "; ".join(reasons) or "neither torch nor onnxruntime-gpu is installed"
    return _open("onnx", directory, threads, f"a GPU is here, but {missing}")


def _open(backend: Backend, directory: Path, threads: int | None, why: str) -> Chosen:
    if backend == "onnx":
        engine = OnnxEngine(directory, threads)
        return Chosen(engine, f"onnx on {engine.threads} cores" if engine.threads > 1 else "onnx on 1 core", why)
    provider = _PROVIDERS[backend]
    if provider not in onnxruntime.get_available_providers():
        raise InputError(f"onnxruntime here has no {provider}; install onnxruntime-gpu in its place, or choose another "
                         "backend")  # fmt: skip
    engine = OnnxEngine(directory, threads, (provider, CPU))
    if provider not in engine.in_use:  # onnxruntime falls back in silence
        raise InputError(f"onnxruntime cannot start its {provider} here (driver, CUDA or cuDNN are missing)")
    return Chosen(engine, backend, why)


def _torch(directory: Path, why: str, precision: Precision, *, needs_gpu: bool) -> Chosen:
    try:
        from personvlm.runtime.torch_engine import TorchEngine
    except ModuleNotFoundError as error:
        raise InputError(f"the backend torch needs the train extra: pip install 'personvlm[train]' ({error})") from None
    engine = TorchEngine(directory, None, precision)
    if needs_gpu and engine.device.type == "cpu":
        raise InputError("torch here cannot use it")
    return Chosen(engine, f"torch on {engine.device.type}{'' if precision == 'float32' else f', {precision}'}", why)
