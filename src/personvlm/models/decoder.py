"""A small decoder that continues a prefix: visual tokens, then attribute tokens, then words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Cache = tuple[Tensor, Tensor]
"""Keys and values of all layers, each ``[layers, N, heads, P, dim/heads]``."""


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward (Radford et al., GPT-2, 2019)."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.ffn_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn), nn.GELU(approximate="tanh"), nn.Linear(ffn, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, past_key: Tensor, past_value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``x [N, T, D]``, ``mask [T, P+T]`` (True = may look), past ``[N, heads, P, d]`` -> x and the longer past."""
        size = x.shape[2] // self.heads
        qkv = self.qkv(self.attention_norm(x)).unflatten(2, (3 * self.heads, size)).transpose(1, 2)
        query, key, value = qkv.chunk(3, dim=1)  # each [N, heads, T, d]
        key, value = torch.cat([past_key, key], dim=2), torch.cat([past_value, value], dim=2)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.dropout(self.out(found.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.ffn(self.ffn_norm(x))), key, value


class PrefixDecoder(nn.Module):
    """Decoder-only transformer with tied word embeddings, learned positions and no bias in its output layer."""

    def __init__(self, vocabulary: int, dim: int, layers: int, heads: int, ffn: int, positions: int,
                 dropout: float = 0.1) -> None:  # fmt: skip
        super().__init__()
        self.dim, self.num_heads = dim, heads
        self.words = nn.Embedding(vocabulary, dim)
        self.positions = nn.Parameter(torch.randn(positions, dim) * 0.02)
        self.blocks = nn.ModuleList(Block(dim, heads, ffn, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.words.weight, std=0.02)

    def empty_cache(self, count: int) -> Cache:
        """A cache that holds nothing yet, for ``count`` rows."""
        shape = (len(self.blocks), count, self.num_heads, 0, self.dim // self.num_heads)
        empty = self.words.weight.new_zeros(shape)
        return empty, empty

    def forward(self, embedded: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Embedded input ``[N, T, D]`` after a past of P tokens -> logits ``[N, T, V]`` and the longer cache."""
        past, length = cache[0].shape[3], embedded.shape[1]
        seen = torch.arange(past + length, device=embedded.device)
        mask = seen[None, :] <= seen[past:, None]
        x = self.dropout(embedded + self.positions[past : past + length])
        keys, values = [], []
        for index, block in enumerate(self.blocks):
            x, key, value = block(x, mask, cache[0][index], cache[1][index])
            keys.append(key)
            values.append(value)
        logits = F.linear(self.norm(x), self.words.weight)
        return logits, (torch.stack(keys), torch.stack(values))
