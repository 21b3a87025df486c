"""Tokenizers: one interface, round trips, determinism, and clear refusals."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.language.tokenizer import DomainBPE, GPT2Tokenizer, PersonVocabulary, Tokenizer, load_tokenizer

CAPTIONS = [
    "The image shows a young adult male. He is wearing a dark-blue coat.",
    "The image shows an elderly woman, seen from the back. She's carrying a bag.",
    "The image shows a male child. He is walking.",
]
ASSETS = os.environ.get("PERSONVLM_ASSETS", "")
GPT2 = Path(ASSETS) / "weights" / "gpt2_tokenizer"
MSP60K = Path(ASSETS) / "data" / "msp60k" / "captions.jsonl"
needs_gpt2 = pytest.mark.skipif(not ASSETS or not GPT2.is_dir(), reason="PERSONVLM_ASSETS has no GPT-2 tokenizer")
needs_msp60k = pytest.mark.skipif(not ASSETS or not MSP60K.is_file(), reason="PERSONVLM_ASSETS has no data/msp60k")


@pytest.fixture(params=["words", "bpe", pytest.param("gpt2", marks=needs_gpt2)])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param == "words":
        return PersonVocabulary.from_corpus(CAPTIONS, min_freq=1)
    if request.param == "bpe":
        return DomainBPE.from_corpus(CAPTIONS, vocab_size=300)
    return GPT2Tokenizer.load(GPT2)


@pytest.mark.parametrize("text", CAPTIONS)
def test_round_trip(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text
    ids = tokenizer.encode(text, ends=True)
    assert (ids[0], ids[-1]) == (tokenizer.bos_id, tokenizer.eos_id)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode([*ids, tokenizer.pad_id, tokenizer.encode("walking")[0]]) == text


def test_words_are_the_surfaces(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.words) == len(tokenizer)
    ids = tokenizer.encode("He is walking.")
    separator = " " if isinstance(tokenizer, PersonVocabulary) else ""
    assert separator.join(tokenizer.words[index] for index in ids).lower().replace(" .", ".") == "he is walking."


def test_save_and_load_give_the_same_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "new" / "folder")
    loaded = load_tokenizer(tmp_path / "new" / "folder")
    assert type(loaded) is type(tokenizer)
    assert loaded.words == tokenizer.words
    text = "The image shows someone with a çöp bag."
    assert loaded.encode(text, ends=True) == tokenizer.encode(text, ends=True)
    assert (loaded.pad_id, loaded.bos_id, loaded.eos_id, loaded.unk_id) == (
        tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id)  # fmt: skip


def test_text_is_never_read_as_a_special_token(tokenizer: Tokenizer) -> None:
    for mark in ("<eos>", "<pad>", "<|endoftext|>"):
        assert tokenizer.eos_id not in tokenizer.encode(f"He {mark} is")
        assert tokenizer.pad_id not in tokenizer.encode(f"He {mark} is")


def test_ids_outside_are_refused(tokenizer: Tokenizer) -> None:
    for index in (-1, len(tokenizer)):
        with pytest.raises(InputError, match=f"{index} lies outside"):
            tokenizer.decode([index])


def test_any_text_has_ids_and_nothing_crashes(tokenizer: Tokenizer) -> None:
    for text in ("", "   ", "zyx 𝕏 \x00 ñandú 漢字 🙂", "a" * 5000):
        ids = tokenizer.encode(text, ends=True)
        assert all(0 <= index < len(tokenizer) for index in ids)
        decoded = tokenizer.decode(ids)
        assert isinstance(tokenizer, PersonVocabulary) or decoded == text


def test_unknown_words_go_through_unk() -> None:
    vocabulary = PersonVocabulary.from_corpus(CAPTIONS, min_freq=1)
    ids = vocabulary.encode("He is juggling.")
    assert ids.count(vocabulary.unk_id) == 1
    assert vocabulary.decode(ids) == "He is."


def test_vocabulary_order_minimum_and_maximum() -> None:
    vocabulary = PersonVocabulary.from_corpus(["b b b a a c c d"], min_freq=2)
    assert vocabulary.words == ("<pad>", "<bos>", "<eos>", "<unk>", "b", "a", "c")
    assert PersonVocabulary.from_corpus(["b b b a a c c d"], min_freq=2, max_vocab_size=6).words[4:] == ("b", "a")
    with pytest.raises(InputError, match="no word occurs 4 times"):
        PersonVocabulary.from_corpus(["b b b"], min_freq=4)


@needs_msp60k
def test_vocabulary_of_real_captions_is_deterministic_and_round_trips(tmp_path: Path) -> None:
    captions = [json.loads(line)["answer"] for line in MSP60K.read_text().splitlines()]
    shuffled = random.Random(0).sample(captions, len(captions))
    for name, texts in (("a", captions), ("b", shuffled)):
        PersonVocabulary.from_corpus(texts).save(tmp_path / name)
    assert (tmp_path / "a/vocabulary.json").read_bytes() == (tmp_path / "b/vocabulary.json").read_bytes()
    vocabulary = PersonVocabulary.load(tmp_path / "a")
    assert 1000 < len(vocabulary) <= 5000
    for caption in captions[:200]:
        ids = vocabulary.encode(caption)
        if vocabulary.unk_id not in ids:
            assert vocabulary.encode(vocabulary.decode(ids)) == ids


@needs_gpt2
def test_gpt2_has_its_published_ids() -> None:
    tokenizer = GPT2Tokenizer.load(GPT2)
    assert len(tokenizer) == 50_257
    assert tokenizer.eos_id == tokenizer.bos_id == tokenizer.pad_id == 50_256
    assert tokenizer.encode("Hello world") == [15496, 995]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocabulary.json", "{", "not JSON"),
        ("vocabulary.json", "[]", "not a PersonVLM vocabulary"),
        ("vocabulary.json", '{"format": "personvlm.vocabulary", "version": 99, "words": []}', "version 99"),
        ("vocabulary.json", '{"format": "personvlm.vocabulary", "version": 1, "words": [1]}', "list of words"),
        ("vocabulary.json", '{"format": "personvlm.vocabulary", "version": 1, "words": ["a"]}', "starts with"),
        ("tokenizer.json", "{}", "cannot be read"),
        ("vocab.json", '{"a": 0}', "merges.txt: does not exist"),
        ("nothing.txt", "", "holds no tokenizer"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_word_twice_is_refused(tmp_path: Path) -> None:
    PersonVocabulary.from_corpus(CAPTIONS, min_freq=1).save(tmp_path)
    path = tmp_path / "vocabulary.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "words": [*content["words"], content["words"][-1]]}))
    with pytest.raises(InputError, match="more than once"):
        load_tokenizer(tmp_path)


def test_another_tokenizer_is_not_taken_for_gpt2(tmp_path: Path) -> None:
    DomainBPE.from_corpus(CAPTIONS, vocab_size=300).backend.model.save(str(tmp_path))
    with pytest.raises(InputError, match="not GPT-2's tokenizer"):
        load_tokenizer(tmp_path)


def test_the_word_level_needs_only_the_standard_library(tmp_path: Path) -> None:
    PersonVocabulary.from_corpus(CAPTIONS, min_freq=1).save(tmp_path)
    program = (
        "import sys; from personvlm.language.tokenizer import load_tokenizer\n"
        f"load_tokenizer({str(tmp_path)!r}).encode('He is walking.')\n"
        "print(sorted({'tokenizers', 'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
