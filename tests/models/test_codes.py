"""Weights on 8-bit grids: near what they were, exact in float16, found again, and the same model in ONNX."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from torch import nn  # noqa: E402

from personvlm.models.codes import coded, exactly_coded, round_large  # noqa: E402


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(64, 32, 1, 1), (7, 5), (300, 3)])
def test_rounded_weights_are_near_and_found_again(seed: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    weights = (rng.normal(size=shape) * np.exp(rng.normal(size=(shape[0], *[1] * (len(shape) - 1))))).astype(np.float32)
    codes, scales = coded(weights)
    rounded = codes * scales
    assert np.abs(rounded - weights).max(initial=0) <= scales.max() / 2
    assert (np.abs(rounded - weights) <= scales / 2 * 1.000001).all()
    # 1/127 of the largest, at most an eighth more for a scale of four bits.
    largest = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True)
    assert (scales <= largest / 127 * 1.126).all()
    assert np.array_equal(rounded.astype(np.float16).astype(np.float32), rounded)
    again = exactly_coded(rounded)
    assert again is not None
    assert np.array_equal(again.codes * again.scales, rounded)


def test_other_weights_are_on_no_grid() -> None:
    assert exactly_coded(np.random.default_rng(0).normal(size=(4, 50)).astype(np.float32)) is None


def test_channels_without_weight_stay_empty() -> None:
    weights = np.zeros((2, 6), np.float32)
    weights[1, 0] = 127 * 2.0**-7
    found = exactly_coded(weights)
    assert found is not None
    assert np.array_equal(found.codes * found.scales, weights)
    tiny = np.full((1, 4), 1e-7, np.float32)
    codes, scales = coded(tiny)
    assert np.array_equal((codes * scales).astype(np.float16).astype(np.float32), codes * scales)


def test_only_large_products_are_rounded() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(64, 64, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(64, 64, 3), nn.Linear(64, 64),
                           nn.Linear(8, 8), nn.Embedding(64, 64))  # fmt: skip
    before = [layer.weight.detach().clone() for layer in layers]
    assert round_large(layers, least=64 * 64) == 2 * 64 * 64
    changed = [not torch.equal(layer.weight, old) for layer, old in zip(layers, before, strict=True)]
    assert changed == [True, False, False, True, False, False]
    assert exactly_coded(layers[0].weight.detach().numpy()) is not None
    once = layers[0].weight.detach().clone()
    round_large(layers, least=64 * 64)
    assert torch.equal(layers[0].weight, once), "a second time changes nothing"
