"""Weights that 8 bits hold exactly: per output channel, whole multiples (-127 .. 127) of a scale.

The scale has four significant bits, so that every multiple of it is a float16 too: a model whose large weights lie on
such a grid is the same model in ``model.safetensors``, in torch, and in an ONNX graph of half the bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

_MOST = 127
_BITS = 4
_SMALLEST = 2.0**-20
"""Multiples of smaller scales would be too small for float16's full precision."""

Floats = NDArray[np.float32]


class Codes(NamedTuple):
    """``codes * scales`` is the weight."""

    codes: NDArray[np.int8]  # [N, ...], output channels first
    scales: Floats  # [N, 1, ...]


def coded(weights: Floats) -> Codes:
    """The nearest weights on a grid, of any ``float32 [N, ...]``; no weight moves by more than half a scale."""
    scales = _scales(weights)
    return Codes(np.rint(weights / scales).astype(np.int8), scales)


def exactly_coded(weights: Floats) -> Codes | None:
    """The codes of weights ``[N, ...]`` that lie on a grid; None where they do not."""
    first = _scales(weights)
    for scales in (first, _scales(weights, 1)):
        found = weights / scales
        on = (found == np.rint(found)).all(axis=tuple(range(1, weights.ndim)), keepdims=True)
        first = np.where(on, scales, first)
    codes = weights / first
    if not (codes == np.rint(codes)).all():
        return None
    return Codes(codes.astype(np.int8), first.astype(np.float32))


def round_large(module: nn.Module, least: int = 1 << 14) -> int:
    """Move 1x1 convolutions and linear layers of at least ``least`` weights in ``module`` onto their grids, in place;
    returns how many weights that are."""
    total = 0
    for layer in module.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear) or layer.weight.numel() < least:
            continue
        if isinstance(layer, nn.Linear) or layer.kernel_size == (1, 1):
            weights = layer.weight.detach().float().cpu().numpy()
            codes, scales = exactly_coded(weights) or coded(weights)
            layer.weight.data.copy_(layer.weight.data.new_tensor(codes * scales))
            total += layer.weight.numel()
    return total


def _scales(weights: Floats, further: int = 0) -> Floats:
    """Per output channel the smallest number of four significant bits by which the largest weight is at most 127; or
    the one ``further`` up."""
    most = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True) / _MOST
    mantissa, exponent = np.frexp(np.maximum(most, _SMALLEST).astype(np.float64))
    whole = np.ceil(mantissa * 2**_BITS) + further
    return np.asarray(np.ldexp(whole, exponent - _BITS), np.float32)
