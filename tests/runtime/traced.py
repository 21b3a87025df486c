"""A stand-in for CUDA graphs where there is no GPU: what ran once on tensors runs again, and Python is not asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.equal", "aten.masked_select", "aten.lift_fresh")
"""Operations that need a value of the device on the host, or bring one of Python's to it: a capture would fail."""


class Traced:
    """As :class:`personvlm.runtime.torch_engine.Captured`. Whatever Python knew when it ran (how many words there were,
    which tensors) is part of what is repeated, as it is in a CUDA graph."""

    made = 0

    def __init__(self, run: Callable[[], Any]) -> None:
        Traced.made += 1
        for _ in range(3):
            run()
        with _Recorder() as recorder:
            self._out = run()
        self._launched = recorder.launched

    def __call__(self) -> Any:
        now: dict[int, Any] = {}

        def current(item: Any) -> Any:
            return now.get(id(item), item)

        for operation, args, options, out in self._launched:
            again = operation(*tree_map(current, args), **tree_map(current, options))
            tree_map(lambda old, new: now.__setitem__(id(old), new), out, again)
        return current(self._out)


class _Recorder(TorchDispatchMode):
    """Keeps every operation with its arguments and what came out."""

    def __init__(self) -> None:
        super().__init__()
        self.launched: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not str(func).startswith(WAITS), f"{func} cannot be captured"
        out = func(*args, **(kwargs or {}))
        self.launched.append((func, args, kwargs or {}, out))
        return out
