"""Two models as one: it finds what both find on average, and is saved, loaded, refused and exported as any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.models.codes import round_large  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.models.encoder import build_encoder  # noqa: E402
from personvlm.models.pair import paired  # noqa: E402
from personvlm.runtime.engine import DECODER, VISION  # noqa: E402
from personvlm.runtime.export import export  # noqa: E402

TINY = EdgeConfig(50, height=96, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2)


def made(seed: int, encoder: str = "mobilenet_v2") -> EdgeVLM:
    torch.manual_seed(seed)
    return EdgeVLM(replace(TINY, encoder=encoder)).eval()


@pytest.fixture(scope="module")
def models() -> tuple[EdgeVLM, EdgeVLM]:
    return made(1), made(2, "efficientnet_lite0")


@torch.no_grad()
def test_what_a_pair_finds_is_the_mean_and_all_else_the_first_ones(models: tuple[EdgeVLM, EdgeVLM]) -> None:
    first, second = models
    both = paired(first, second)
    assert both.config.encoder == "mobilenet_v2+efficientnet_lite0"
    assert not both.training
    pixels = torch.rand(3, 3, 96, 32)
    seen, mine, its = (model.see(pixels) for model in (both, first, second))
    assert not torch.allclose(mine.logits, its.logits, atol=1e-2)
    assert torch.allclose(seen.logits, (mine.logits + its.logits) / 2, atol=1e-5)
    for field in ("tokens", "embedding", "quality"):
        assert torch.equal(getattr(seen, field), getattr(mine, field)), field
    again = both.heads.read(both.heads.search(*both.encoder(pixels)), both.encoder(pixels)[1].mean((2, 3)))
    assert torch.equal(again, seen.logits), "adapting changes the heads by these"


def test_a_pair_is_kept_in_a_folder_and_in_graphs(models: tuple[EdgeVLM, EdgeVLM], tmp_path: Path) -> None:
    both = paired(*models)
    round_large(both)
    both.save(tmp_path)
    sizes = export(tmp_path)
    assert sizes[VISION] < 9_000_000, "the eyes of two are kept in 8 bits"
    again = EdgeVLM.load(tmp_path)
    pixels = torch.rand(2, 3, 96, 32)
    with torch.no_grad():
        seen = again.see(pixels)
    session = onnxruntime.InferenceSession(tmp_path / VISION, providers=["CPUExecutionProvider"])
    tokens, logits, embedding, _ = session.run(None, {"pixels": pixels.numpy()})
    assert np.abs(logits - seen.logits.numpy()).max() < 1e-3
    assert np.abs(tokens - seen.tokens.numpy()).max() < 1e-3
    assert np.abs(embedding - seen.embedding.numpy()).max() < 1e-3
    decoder = onnxruntime.InferenceSession(tmp_path / DECODER, providers=["CPUExecutionProvider"])
    assert {each.name for each in decoder.get_inputs()} == {"tokens", "prefix", "words", "places", "mask", "past"}


def test_stages_that_two_have_in_common_are_kept_and_computed_once(tmp_path: Path) -> None:
    first, second = made(1), made(2)
    second.share_below(first, 4)
    assert not any(weight.requires_grad for weight in second.encoder.backbone.conv_stem.parameters())
    second.train()
    norms = [norm.training for norm in second.encoder.norms()]
    assert norms == sorted(norms), "norms of the shared stages keep their statistics"
    assert norms.count(False) == 12, "three a stage"
    second.eval()
    both, apart = paired(first, second), paired(first, made(2))
    assert both.config.encoder == "mobilenet_v2+mobilenet_v2@4"
    assert apart.config.encoder == "mobilenet_v2+mobilenet_v2"
    looks: list[int] = []
    for name, module in both.encoder.named_modules():
        if name.endswith("conv_stem"):
            module.register_forward_hook(lambda *_: looks.append(1))
    pixels = torch.rand(3, 3, 96, 32)
    with torch.no_grad():
        seen, mine, its = (model.see(pixels) for model in (both, first, second))
    assert len(looks) == 1
    assert torch.allclose(seen.logits, (mine.logits + its.logits) / 2, atol=1e-5)
    assert torch.equal(seen.tokens, mine.tokens)
    counts = [sum(weight.numel() for weight in model.parameters()) for model in (apart, both)]
    assert counts[0] - counts[1] == sum(w.numel() for stage in first.encoder.lower(4) for w in stage.parameters())
    both.save(tmp_path)
    export(tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / VISION, providers=["CPUExecutionProvider"])
    assert np.abs(session.run(["logits"], {"pixels": pixels.numpy()})[0] - seen.logits.numpy()).max() < 0.02
    with torch.no_grad():
        assert torch.allclose(EdgeVLM.load(tmp_path).see(pixels).logits, seen.logits, atol=0.02)


def test_stages_that_cannot_be_shared_are_refused(models: tuple[EdgeVLM, EdgeVLM]) -> None:
    with pytest.raises(InputError, match="no stages in common"):
        models[0].share_below(models[1], 2)
    with pytest.raises(InputError, match="14 lower stages of an encoder cannot be shared; legal: 1 to 13"):
        models[0].share_below(models[0], 14)
    with pytest.raises(InputError, match="legal: none of this encoder, mobilenet_v2's"):
        models[1].share_below(models[1], 1)
    for name in ("mobilenet_v2+mobilenet_v2@", "mobilenet_v2+mobilenet_v2@x", "mobilenet_v2+efficientnet_lite0@3"):
        with pytest.raises(InputError, match="two of one kind may share"):
            build_encoder(name)


def test_what_is_no_pair_is_refused(models: tuple[EdgeVLM, EdgeVLM], tmp_path: Path) -> None:
    first, second = models
    with pytest.raises(InputError, match="a pair already"):
        paired(paired(first, second), second)
    torch.manual_seed(0)
    with pytest.raises(InputError, match="more than their encoders"):
        paired(first, EdgeVLM(replace(TINY, head_dim=64)))
    with pytest.raises(InputError, match="train two models, and join them"):
        build_encoder("mobilenet_v2+mobilenet_v2").load_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"encoder 'x' is not offered"):
        build_encoder("mobilenet_v2+x")
