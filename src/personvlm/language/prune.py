"""A GPT-2 vocabulary cut down to what texts need. Nothing becomes unsayable: every byte stays a piece of its own."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable

from personvlm.base.errors import InputError
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import GPT2Tokenizer

REALISED = 6000
"""Random attribute sets, each realised canonically and paraphrased, that stand for all that the realiser can say."""


def realised_texts(count: int = REALISED) -> list[str]:
    """Sentences for ``count`` random attribute sets, two each; the same on every machine."""
    rng = random.Random(0)
    drawn = [random_values(rng) for _ in range(count)]
    return [text for seed, values in enumerate(drawn) for text in (realise(values), realise(values, seed=seed))]


def pruned(tokenizer: GPT2Tokenizer, texts: Iterable[str]) -> GPT2Tokenizer:
    """The tokenizer with the pieces that ``texts`` are made of, the 256 bytes and the end, in their old order.

    A merge is kept where it makes a kept piece, and with it the pieces that it merges, down to bytes. In GPT-2 every
    piece has one merge, so that a kept text is merged step by step as before: it is encoded into the same pieces. Any
    other text is encoded too, into shorter pieces.

    Raises:
        InputError: there are no texts.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    if isinstance(texts, str):
        raise InputError("texts must be a list of texts, not one text: pass [text]")
    listed = list(texts)
    if not any(listed):
        raise InputError("there are no texts to prune a vocabulary for")
    model = json.loads(tokenizer.backend.to_str())["model"]
    old: dict[str, int] = model["vocab"]
    merges: list[tuple[str, str]] = [(left, right) for left, right in model["merges"]]
    parts = {left + right: (left, right) for left, right in merges}
    surfaces = {index: piece for piece, index in old.items()}
    used = {index for encoded in tokenizer.backend.encode_batch(listed, add_special_tokens=False)
            for index in encoded.ids}  # fmt: skip
    open_pieces = [surfaces[index] for index in used]
    kept = {*pre_tokenizers.ByteLevel.alphabet(), surfaces[tokenizer.eos_id]}
    while open_pieces:
        piece = open_pieces.pop()
        if piece not in kept:
            kept.add(piece)
            open_pieces += parts[piece]
    ordered = sorted(kept, key=old.__getitem__)
    vocabulary = {piece: index for index, piece in enumerate(ordered)}
    backend = Tokenizer(models.BPE(vocabulary, [pair for pair in merges if "".join(pair) in kept]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    before = tokenizer.kept or range(len(tokenizer))
    return GPT2Tokenizer._wrap(backend, "the pruned vocabulary", tuple(before[old[piece]] for piece in ordered))
