"""The four stages: counts to the last digit, what is frozen, what a cache must not change, files that are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from safetensors.torch import load_file, save_file  # noqa: E402

from personvlm.base.errors import InputError  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models import load  # noqa: E402
from personvlm.models.convert import convert  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS, TRANSFORMS, StageConfig, preset  # noqa: E402
from personvlm.models.pretrained import load_pretrained  # noqa: E402
from personvlm.models.sizes import check_budget, size_of, sizes  # noqa: E402
from personvlm.models.vision import VisionEncoder, build  # noqa: E402

TINY = replace(PRESETS["stage1"], vocabulary=30, projection_hidden=32, vision_dim=24, dim=32, layers=2, heads=4, ffn=48,
               positions=20, max_text=20, visual_tokens=3, height=64, width=64)  # fmt: skip
TINY_GPT2 = replace(TINY, name="tiny", decoder="gpt2", positions=40, frozen_layers=1)


@pytest.mark.parametrize(
    ("name", "total", "trainable"),
    [("stage1", 7_257_136, 5.7e6), ("stage2", 33_838_640, 32e6), ("stage3", 93_783_600, 31.9e6),
     ("stage4", 98_505_264, 97.6e6)],
)  # fmt: skip
def test_parameters_to_the_last_digit(name: str, total: int, trainable: float) -> None:
    row = next(row for row in sizes() if row["name"] == name)
    assert row["parameters"] == total == sum(row["parts"].values())
    assert abs(row["trainable"] - trainable) <= 0.15e6
    assert row["budget"] == pytest.approx(total / 100e6, abs=1e-4)


def test_a_model_over_the_budget_is_refused() -> None:
    assert check_budget(PRESETS["stage4"]) == 98_505_264
    with pytest.raises(InputError, match="budget is 100,000,000"):
        check_budget(replace(PRESETS["stage4"], visual_tokens=16))
    assert size_of(replace(PRESETS["stage4"], visual_tokens=16))["budget"] > 1


@pytest.mark.parametrize(("name", "parameters"), [
    ("mobilevit_xs", 1_932_848), ("mobilevit_s", 4_937_632), ("mobilenet_v2", 2_223_872),
    ("mobilenet_v3_small", 927_008), ("efficientnet_b0", 4_007_548), ("dinov2_small", 22_056_576),
])  # fmt: skip
def test_encoders_have_their_published_sizes_and_blocks(name: str, parameters: int) -> None:
    with torch.device("meta"):
        encoder = VisionEncoder(name, 16)
        pooled = encoder(torch.zeros(2, 3, TRANSFORMS[name].height, TRANSFORMS[name].width))
    assert sum(each.numel() for each in encoder.backbone.parameters()) == parameters
    assert sum(each.numel() for _, block in encoder.blocks() for each in block.parameters()) == parameters
    assert pooled.shape == (2, 16)
    half = encoder.block_at(0.5)
    assert 0.1 < encoder.share_through(half) <= 0.5
    encoder.freeze(half)
    assert encoder.block_at(encoder.share_through(half)) == half
    frozen = sum(each.numel() for each in encoder.backbone.parameters() if not each.requires_grad)
    assert frozen == pytest.approx(encoder.share_through(half) * parameters)


@pytest.mark.parametrize("name", ["mobilevit_xs", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_an_encoder_from_random_numbers_lets_the_picture_through(name: str) -> None:
    torch.manual_seed(0)
    encoder = VisionEncoder(name, 16).eval()
    coarse = torch.rand(8, 3, 4, 2)  # what tells pictures apart is large
    pixels = torch.nn.functional.interpolate(coarse, (128, 64)) + 0.02 * torch.rand(8, 3, 128, 64)
    encoder.measure(pixels)
    features = encoder.features(pixels)
    assert features.std(0).mean() > 0.1 * features.abs().mean()
    norms = [module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all((norm.weight == 1).all() for norm in norms)


@pytest.mark.parametrize("name", ["mobilevit_xs", "efficientnet_b0"])
def test_an_encoder_drops_nothing_in_training(name: str) -> None:
    encoder, pixels = VisionEncoder(name, 16).train(), torch.rand(2, 3, 64, 64)
    encoder.measure(pixels)
    assert encoder.training
    assert torch.equal(encoder(pixels), encoder(pixels))
    torch.testing.assert_close(encoder(pixels)[:1], encoder(pixels[:1]), atol=1e-5, rtol=1e-4)


def test_frozen_parts_stay_what_they_were() -> None:
    torch.manual_seed(0)
    model = PersonVLM(TINY_GPT2).train()
    model.encoder.measure(torch.rand(8, 3, 128, 64))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert not any(norm.training for norm in model.modules() if isinstance(norm, torch.nn.BatchNorm2d))
    assert model.decoder.body.h[1].training
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.5)
    model(torch.rand(4, 3, 128, 64), torch.randint(0, 30, (4, 7))).logsumexp(-1).sum().backward()
    optimizer.step()
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    trainable = {name for name, each in model.named_parameters() if each.requires_grad}
    assert changed <= trainable
    assert all(name.endswith("key.bias") for name in trainable - changed)  # which softmax cannot feel
    assert not any(name.startswith(("decoder.body.h.0", "decoder.body.w", "encoder.backbone.conv_stem"))
                   for name in changed)  # fmt: skip
    assert any(name.startswith("decoder.body.h.1") for name in changed)
    with pytest.raises(InputError, match="conv_stem"):
        model.encoder.freeze("layer.99")


@pytest.mark.parametrize("config", [TINY, TINY_GPT2], ids=["cross", "gpt2"])
def test_word_by_word_equals_all_at_once(config: StageConfig) -> None:
    torch.manual_seed(0)
    model = PersonVLM(config).eval()
    pixels, words = torch.rand(3, 3, 64, 64), torch.randint(0, 30, (3, 9))
    model.encoder.measure(pixels)
    whole = model(pixels, words)
    assert whole.shape == (3, 9, 30)
    cache = model.begin(model.see(pixels))
    for step in range(9):
        logits, cache = model.decode(words[:, step : step + 1], cache)
        torch.testing.assert_close(logits[:, 0], whole[:, step], atol=1e-5, rtol=1e-4)
    other = model(pixels, torch.cat([words[:, :5], words[:, :4]], 1))
    torch.testing.assert_close(other[:, :5], whole[:, :5], atol=1e-5, rtol=1e-4)  # no word sees a later one
    assert not torch.allclose(model(pixels.flip(0), words)[0], whole[0])  # and all see the picture


def test_saved_and_loaded_with_what_matches(tmp_path: Path) -> None:
    words = PersonVocabulary(("<pad>", "<bos>", "<eos>", "<unk>", *(f"w{i}" for i in range(26))))
    model = PersonVLM(TINY).eval()
    model.save(tmp_path)
    words.save(tmp_path)
    TINY.transform.save(tmp_path)
    loaded = load(tmp_path)
    assert isinstance(loaded.model, PersonVLM)
    assert loaded.model.config == TINY
    assert loaded.transform == TINY.transform
    assert loaded.transform.channels == "BGR"
    pixels, ids = torch.rand(2, 3, 64, 64), torch.tensor([[1, 5], [1, 6]])
    assert torch.equal(loaded.model(pixels, ids), model(pixels, ids))
    PersonVocabulary(words.words[:-1]).save(tmp_path)
    with pytest.raises(InputError, match="29 entries, the model 30"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match=r"config\.json"):
        load(tmp_path)


def test_configs_that_make_no_sense() -> None:
    for wrong, message in (({"encoder": "vgg"}, "mobilevit_xs"), ({"decoder": "rnn"}, "cross, gpt2"),
                           ({"heads": 3}, "heads"), ({"max_text": 400}, "positions")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            replace(TINY, **wrong)
    with pytest.raises(InputError, match="stage1, stage2"):
        preset("stage5")


def test_a_folder_that_transformers_saved_gives_the_same_logits(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, MobileViTForImageClassification, MobileViTModel

    torch.manual_seed(1)
    original = GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=40, n_embd=32, n_layer=2, n_head=4, n_inner=48,
                                          bos_token_id=29, eos_token_id=29)).eval()  # fmt: skip
    original.save_pretrained(tmp_path / "gpt2")
    model = PersonVLM(TINY_GPT2).eval()
    load_pretrained(model.decoder.body, str(tmp_path / "gpt2"), "gpt2")
    words = torch.randint(0, 30, (2, 11))
    ours, _ = model.decode(words, model.begin(torch.zeros(2, 0, 32)))
    torch.testing.assert_close(ours, original(words).logits, atol=1e-5, rtol=1e-5)

    vit, _ = build("mobilevit_xs")
    assert isinstance(vit, MobileViTModel)
    vit.save_pretrained(tmp_path / "vit")
    classifier = MobileViTForImageClassification(vit.config).eval()
    classifier.save_pretrained(tmp_path / "classifier")
    pixels = torch.rand(2, 3, 64, 64)
    for folder, source in (("vit", vit.eval()), ("classifier", classifier.mobilevit)):
        load_pretrained(model.encoder.backbone, str(tmp_path / folder), "mobilevit_xs")
        assert torch.equal(model.encoder.features(pixels), source(pixels).pooler_output)


def test_weights_that_are_refused(tmp_path: Path) -> None:
    body = PersonVLM(TINY_GPT2).decoder.body
    state = {name: tensor.clone() for name, tensor in body.state_dict().items()}
    good = tmp_path / "good" / "model.safetensors"
    good.parent.mkdir()
    save_file(state, good)
    load_pretrained(body, str(good.parent), "gpt2")

    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-100])
    save_file({**state, "wte.weight": torch.zeros(31, 32)}, tmp_path / "wide.safetensors")
    save_file({k: v for k, v in state.items() if k != "ln_f.bias"}, tmp_path / "less.safetensors")
    save_file({**state, "ln_f.bias": torch.zeros(32, dtype=torch.int64)}, tmp_path / "whole.safetensors")
    save_file({**state, "ln_f.bias": torch.full((32,), torch.nan)}, tmp_path / "nan.safetensors")
    save_file({**state, "h.2.ln_1.bias": torch.zeros(32)}, tmp_path / "more.safetensors")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    torch.save(state, pickled / "pytorch_model.bin")
    for source, message in (("cut.safetensors", "cut.safetensors.*damaged"), ("wide.safetensors", "wte.weight.*31"),
                            ("less.safetensors", "no tensor 'ln_f.bias'"), ("more.safetensors", "h.2.ln_1.bias"),
                            ("pickled", "pytorch_model.bin.*personvlm convert"),
                            ("pickled/pytorch_model.bin", "personvlm convert"),
                            ("whole.safetensors", "ln_f.bias.*finite"), ("nan.safetensors", "ln_f.bias.*finite"),
                            ("nowhere", "nowhere: no such"),
                            ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            load_pretrained(body, str(tmp_path / source), "gpt2")


def test_the_converter_reads_weights_and_runs_nothing(tmp_path: Path) -> None:
    state = {"module.a": torch.arange(4.0), "module.b": torch.ones(2, 2)}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "best_model.pt")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert convert(tmp_path / "best_model.pt", tmp_path / "out") == 2
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert torch.equal(written["a"], state["module.a"])
    assert (tmp_path / "out" / "config.json").is_file()

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "noise.pt").write_bytes(b"\x80nonsense")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    for name, message in (("bomb.pt", "weights only"), ("noise.pt", "weights only"), ("empty.pt", "no tensors"),
                          ("absent.pt", "no such file")):  # fmt: skip
        with pytest.raises(InputError, match=f"{name}.*{message}"):
            convert(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_the_convert_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from personvlm.cli import main

    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    with pytest.raises(SystemExit) as done:
        main(["convert", str(tmp_path / "a.pt"), str(tmp_path / "out")])
    assert done.value.code in (0, None)
    assert "1 tensors" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main(["convert", str(tmp_path / "b.pt"), str(tmp_path / "out")])
    assert refused.value.code == 1
    assert "b.pt: no such file" in capsys.readouterr().err
