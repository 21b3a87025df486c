"""Edge: what goes in comes out in the right shape, a cache changes nothing, and files are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.edge import EdgeVLM  # noqa: E402
from personvlm.models.prefix import encode_values, entries, slots  # noqa: E402
from personvlm.schema.groups import columns  # noqa: E402

TINY = EdgeConfig(50, height=64, width=32, dim=48, heads=2, layers=2, ffn=96, head_dim=32, head_heads=2)


@pytest.fixture(scope="module")
def model() -> EdgeVLM:
    torch.manual_seed(0)
    return EdgeVLM(TINY).eval()


def test_a_budget_of_fifteen_million() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in EdgeVLM(EdgeConfig(300)).parameters())
    assert count < 7_000_000


def test_models_that_see_otherwise_are_told_apart() -> None:
    config = EdgeConfig(50, version="2")
    ours, theirs = config.told_apart(b"ours"), config.told_apart(b"theirs")
    assert len({config.title, ours.title, theirs.title, ours.told_apart(b"ours").title}) == 4
    assert config.told_apart(b"ours") == ours
    assert ours.told_apart(b"theirs").title.startswith("edge-2+")
    assert ours.told_apart(b"theirs").title.count("+") == 1


def test_shapes(model: EdgeVLM) -> None:
    seen = model.see(torch.zeros(3, 3, 64, 32))
    assert seen.tokens.shape == (3, 2, 48)
    assert seen.logits.shape == (3, len(columns()))
    assert seen.embedding.norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-5)


def test_word_by_word_equals_all_at_once(model: EdgeVLM) -> None:
    with torch.no_grad():
        tokens = model.see(torch.rand(2, 3, 64, 32)).tokens
        prefix = torch.randint(len(entries()), (2, len(slots())))
        words = torch.randint(50, (2, 6))
        whole, _ = model.decode(tokens, prefix, words, model.decoder.empty_cache(2))
        steps = []
        logits, cache = model.decode(tokens, prefix, words[:, :1], model.decoder.empty_cache(2))
        steps.append(logits)
        for position in range(1, 6):
            logits, cache = model.decode(tokens[:, :0], prefix[:, :0], words[:, position : position + 1], cache)
            steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-4)


def test_later_words_do_not_reach_back(model: EdgeVLM) -> None:
    with torch.no_grad():
        tokens, prefix = torch.rand(1, 2, 48), torch.zeros(1, len(slots()), dtype=torch.int64)
        first, _ = model.decode(tokens, prefix, torch.tensor([[1, 2, 3]]), model.decoder.empty_cache(1))
        other, _ = model.decode(tokens, prefix, torch.tensor([[1, 2, 9]]), model.decoder.empty_cache(1))
    torch.testing.assert_close(first[:, :2], other[:, :2])


def test_restored_batch_norm_computes_the_same(model: EdgeVLM) -> None:
    encoder = EdgeVLM(TINY).encoder.eval()
    pixels = torch.rand(8, 3, 64, 32)
    with torch.no_grad():
        before = encoder(pixels)[1]
        encoder.restore_batch_norm(pixels)
        torch.testing.assert_close(encoder(pixels)[1], before, atol=1e-4, rtol=1e-3)
        norm = next(encoder.norms())
        assert norm.momentum == 0.01
        assert norm.running_mean is not None
        assert norm.running_mean.abs().sum() > 0


def test_saved_and_loaded_it_is_the_same(model: EdgeVLM, tmp_path: Path) -> None:
    model.save(tmp_path, half=False)
    loaded = EdgeVLM.load(tmp_path)
    assert loaded.config == TINY
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_broken_files_are_refused_by_name(model: EdgeVLM, tmp_path: Path) -> None:
    model.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        EdgeVLM.load(tmp_path)
    EdgeVLM(EdgeConfig(60, height=64, width=32)).save(tmp_path)
    TINY.save(tmp_path)
    with pytest.raises(InputError, match=r"model\.safetensors"):
        EdgeVLM.load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json"):
        EdgeVLM.load(tmp_path)
    for wrong in ("256", None, 0, 2.0, True):
        (tmp_path / "config.json").write_text(json.dumps({"vocabulary": 60, "height": wrong}))
        with pytest.raises(InputError, match=r"config\.json.*height"):
            EdgeConfig.load(tmp_path)


def test_prefix_slots() -> None:
    empty = encode_values({})
    said = encode_values({"gender": ("male",), "upper.color": ("red", "white"), "headwear": ("none",)})
    assert len(empty) == len(slots())
    changed = [slot for slot, a, b in zip(slots(), empty, said, strict=True) if a != b]
    assert changed == [("gender", 0), ("upper.color", 0), ("upper.color", 1)]
