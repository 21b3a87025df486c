"""A model over a pruned vocabulary says what the whole model would say if it could only choose among the kept ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="models need the train extra")

from lively_stages import tiny_gpt2_tokenizer  # noqa: E402
from personvlm.base.errors import InputError  # noqa: E402
from personvlm.language.vocabulary import PersonVocabulary  # noqa: E402
from personvlm.models import Loaded, load  # noqa: E402
from personvlm.models.person_vlm import PersonVLM  # noqa: E402
from personvlm.models.presets import PRESETS  # noqa: E402
from personvlm.models.prune import prune  # noqa: E402

TEXTS = ["a man", "a man, a man"]
TINY = replace(PRESETS["stage4"], encoder="mobilenet_v3_small", frozen_through="", projection_hidden=32, vision_dim=24,
               dim=32, layers=2, heads=4, ffn=48, positions=48, max_text=20, visual_tokens=3, height=64, width=64,
               dropout=0.0)  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    tokenizer = tiny_gpt2_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    torch.manual_seed(0)
    config = replace(TINY, vocabulary=len(tokenizer))
    return Loaded(PersonVLM(config).eval(), tokenizer, config.transform)


def test_logits_are_the_old_ones_at_the_kept_ids(loaded: Loaded) -> None:
    smaller = prune(loaded, TEXTS)
    assert 257 < len(smaller.tokenizer) < len(loaded.tokenizer)
    rows = torch.tensor([loaded.tokenizer.backend.token_to_id(smaller.tokenizer.backend.id_to_token(index))
                         for index in range(len(smaller.tokenizer))])  # fmt: skip
    words = torch.randint(0, len(smaller.tokenizer), (4, 9))
    pixels = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(smaller.model(pixels, words), loaded.model(pixels, rows[words])[..., rows])
    text = "a man and a coat"
    assert loaded.tokenizer.encode("a man") == [int(rows[index]) for index in smaller.tokenizer.encode("a man")]
    assert smaller.tokenizer.decode(smaller.tokenizer.encode(text)) == text


def test_it_is_saved_and_loaded_like_any_model(loaded: Loaded, tmp_path: Path) -> None:
    smaller = prune(loaded, TEXTS)
    assert isinstance(smaller.model, PersonVLM)
    smaller.model.save(tmp_path)
    smaller.tokenizer.save(tmp_path)
    smaller.transform.save(tmp_path)
    again = load(tmp_path)
    assert again.model.config == replace(TINY, vocabulary=len(smaller.tokenizer))
    pixels, words = torch.rand(1, 3, 64, 64), torch.tensor([[5, 258]])
    with torch.no_grad():
        assert torch.equal(again.model(pixels, words), smaller.model(pixels, words))


def test_models_with_words_of_their_own_are_refused(loaded: Loaded) -> None:
    words = PersonVocabulary.from_corpus(["a man"], min_freq=1)
    config = replace(PRESETS["stage1"], encoder="mobilenet_v3_small", frozen_through="", vocabulary=len(words), dim=32,
                     layers=1, ffn=32, projection_hidden=16, height=64, width=64)  # fmt: skip
    with pytest.raises(InputError, match="only a stage with GPT-2's vocabulary"):
        prune(Loaded(PersonVLM(config), words, config.transform), TEXTS)
