"""GPT-2 as the decoder: visual tokens stand before the text and are read like words ("soft prompt")."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DynamicCache, GPT2Config, GPT2Model


class PrefixCache(NamedTuple):
    """What is kept between words."""

    pending: Tensor  # visual tokens [N, K, D] not read yet; K = 0 once the first words have come
    past: DynamicCache  # keys and values of all that was read


class GPT2Decoder(nn.Module):
    """``transformers``' GPT-2 (Radford et al., 2019) with its output layer tied to the word embeddings.

    DistilGPT-2 (Sanh et al., 2019) is the same with 6 layers: 81,912,576 parameters. The body's tensors have the
    names of ``GPT2Model``; the tied head has no tensor of its own, so that nothing is saved twice.
    """

    def __init__(self, vocabulary: int, dim: int, layers: int, heads: int, ffn: int, positions: int,
                 dropout: float) -> None:  # fmt: skip
        super().__init__()
        self.body = GPT2Model(GPT2Config(
            vocab_size=vocabulary, n_positions=positions, n_embd=dim, n_layer=layers, n_head=heads, n_inner=ffn,
            attn_pdrop=dropout, embd_pdrop=dropout, resid_pdrop=dropout,
            bos_token_id=vocabulary - 1, eos_token_id=vocabulary - 1,
        ))  # fmt: skip

    def freeze(self, layers: int) -> None:
        """Do not train the bottom ``layers``, nor the embeddings below them (and with those the output layer)."""
        if layers > 0:
            self.body.wte.requires_grad_(False)
            self.body.wpe.requires_grad_(False)
        for block in self.body.h[:layers]:
            block.requires_grad_(False)

    def begin(self, visual: Tensor) -> PrefixCache:
        """Visual tokens ``[N, K, D]`` -> a cache that will read them together with the first words."""
        return PrefixCache(visual, DynamicCache())

    def forward(self, words: Tensor, cache: PrefixCache) -> tuple[Tensor, PrefixCache]:
        """Words ``int64 [N, T]`` after what the cache holds -> logits ``[N, T, V]`` and the longer cache.

        The first call reads K visual tokens and T words in one pass; later calls read their words only.
        """
        embedded = torch.cat([cache.pending, self.body.wte(words)], dim=1)  # [N, K+T, D]
        # By place: the argument is `cache` since transformers 5.24, `past_key_values` before.
        read = self.body(None, cache.past, inputs_embeds=embedded, use_cache=True)
        hidden: Tensor = read.last_hidden_state[:, cache.pending.shape[1] :]
        return F.linear(hidden, self.body.wte.weight), PrefixCache(cache.pending[:, :0], cache.past)
