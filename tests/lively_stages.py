"""Small random stages whose next word depends strongly on picture and text, so that a wrong cache shows at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.language.tokenizer import GPT2Tokenizer, Tokenizer
from personvlm.language.vocabulary import PersonVocabulary
from personvlm.models import Loaded
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import PRESETS

WORDS = "the image shows a man woman child wearing red blue black white coat jacket jeans hat . , and"


def tiny_gpt2_tokenizer(folder: Path) -> GPT2Tokenizer:
    """256 bytes, a few merges of ``a man`` and ``coat`` and the end, with ids in GPT-2 that are made up."""
    import json

    from tokenizers.pre_tokenizers import ByteLevel

    merges = [("Ġ", "a"), ("Ġ", "c"), ("o", "a"), ("oa", "t"), ("Ġc", "oat"), ("m", "a"), ("ma", "n"), ("Ġ", "man")]
    words = [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in merges), "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(words)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, merges)) + "\n", encoding="utf-8")
    (folder / "kept.json").write_text(json.dumps([*range(len(words) - 1), 50_256]))
    return GPT2Tokenizer.load(folder)


def lively_stage(decoder: str, tokenizer: Tokenizer) -> Loaded:
    """A stage with random weights; the output is one of many, and differs from picture to picture."""
    preset = PRESETS["stage4" if decoder == "gpt2" else "stage1"]
    config = replace(preset, encoder="mobilenet_v3_small", frozen_through="", vocabulary=len(tokenizer), dim=96,
                     layers=3, heads=4, ffn=128, vision_dim=64, projection_hidden=96, height=64, width=64, max_text=48,
                     dropout=0.0)  # fmt: skip
    torch.manual_seed(3)
    model = PersonVLM(config).eval()
    model.encoder.measure(torch.from_numpy(pictures(8)))
    with torch.no_grad():
        seen = model.encoder(torch.from_numpy(pictures(8)))
        model.encoder.linear.bias -= seen.mean(0)  # what all pictures share would drown what tells them apart
        model.encoder.linear.weight /= seen.std(0).mean()
        model.encoder.linear.bias /= seen.std(0).mean()
        for name, parameter in model.decoder.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(6.0 if "wte" in name or "words" in name else 8.0)
    return Loaded(model, tokenizer, config.transform)


def save(loaded: Loaded, folder: Path) -> Path:
    """A folder as training leaves it."""
    assert isinstance(loaded.model, PersonVLM)
    loaded.model.save(folder)
    loaded.tokenizer.save(folder)
    loaded.transform.save(folder)
    return folder


def vocabulary() -> PersonVocabulary:
    """A few words."""
    return PersonVocabulary.from_corpus([WORDS], min_freq=1)


def pictures(count: int) -> NDArray[np.float32]:
    """``float32 [N, 3, 64, 64]`` of noise in different colors."""
    rng = np.random.default_rng(1)
    return (rng.random((count, 3, 64, 64)) * rng.random((count, 3, 1, 1))).astype(np.float32)
