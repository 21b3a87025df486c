"""A pruned GPT-2 vocabulary: kept texts in the same pieces, every other text sayable all the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvlm.base.errors import InputError
from personvlm.language.normalise import normalise
from personvlm.language.prune import pruned, realised_texts
from personvlm.language.tokenizer import GPT2Tokenizer, load_tokenizer

ASSETS = Path(os.environ.get("PERSONVLM_ASSETS", "/nowhere"))
GPT2 = ASSETS / "weights" / "gpt2_tokenizer"
CAPTIONS = ASSETS / "data" / "msp60k" / "captions.jsonl"
needs_gpt2 = pytest.mark.skipif(not GPT2.is_dir(), reason="PERSONVLM_ASSETS has no GPT-2 tokenizer")


@pytest.fixture(scope="module")
def whole() -> GPT2Tokenizer:
    return GPT2Tokenizer.load(GPT2)


@pytest.fixture(scope="module")
def small(whole: GPT2Tokenizer) -> GPT2Tokenizer:
    return pruned(whole, realised_texts(300))


@needs_gpt2
def test_kept_texts_have_the_same_pieces(whole: GPT2Tokenizer, small: GPT2Tokenizer) -> None:
    assert small.kept is not None
    assert 256 < len(small) == len(small.kept) < 1200
    for text in realised_texts(300):
        assert [small.kept[index] for index in small.encode(text, ends=True)] == whole.encode(text, ends=True)


@needs_gpt2
@pytest.mark.skipif(not CAPTIONS.is_file(), reason="PERSONVLM_ASSETS has no captions of MSP60K")
def test_real_captions_have_the_same_pieces(whole: GPT2Tokenizer) -> None:
    lines = CAPTIONS.read_text(encoding="utf-8").splitlines()[:400]
    captions = [normalise(json.loads(line)["answer"]) for line in lines]
    tokenizer = pruned(whole, captions)
    assert tokenizer.kept is not None
    for text in captions:
        assert [tokenizer.kept[index] for index in tokenizer.encode(text)] == whole.encode(text)


@needs_gpt2
@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_encoded_and_comes_back(small: GPT2Tokenizer, text: str) -> None:
    ids = small.encode(text, ends=True)
    assert ids[0] == ids[-1] == len(small) - 1
    assert small.decode(ids) == text


@needs_gpt2
def test_every_byte_is_a_piece_and_no_piece_is_out_of_reach(small: GPT2Tokenizer) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    model = json.loads(small.backend.to_str())["model"]
    assert set(ByteLevel.alphabet()) <= set(model["vocab"])
    made = {left + right for left, right in model["merges"]} | set(ByteLevel.alphabet())
    assert set(model["vocab"]) == made | {"<|endoftext|>"}


@needs_gpt2
def test_it_is_saved_with_its_old_ids_and_pruned_again(whole: GPT2Tokenizer, small: GPT2Tokenizer,
                                                      tmp_path: Path) -> None:  # fmt: skip
    small.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert isinstance(again, GPT2Tokenizer)
    assert again.kept == small.kept
    assert again.words == small.words
    assert again.encode("A zebra, žebra 斑馬.") == small.encode("A zebra, žebra 斑馬.")
    text = "The image shows a man."
    smaller = pruned(again, [text])
    assert smaller.kept is not None
    assert [smaller.kept[index] for index in smaller.encode(text)] == whole.encode(text)
    whole.save(tmp_path)
    assert not (tmp_path / "kept.json").exists()


@needs_gpt2
@pytest.mark.parametrize("content", ["[1, 2, 3]", "[5, 4, 50256]", "{}", '["a", 50256]', "nonsense", "[]"])
def test_a_damaged_mapping_is_refused_by_name(small: GPT2Tokenizer, tmp_path: Path, content: str) -> None:
    small.save(tmp_path)
    (tmp_path / "kept.json").write_text(content)
    with pytest.raises(InputError, match=r"kept\.json"):
        load_tokenizer(tmp_path)


@needs_gpt2
def test_without_texts_nothing_is_pruned(whole: GPT2Tokenizer) -> None:
    with pytest.raises(InputError, match="no texts"):
        pruned(whole, [])
    with pytest.raises(InputError, match="not one text"):
        pruned(whole, "a man")
