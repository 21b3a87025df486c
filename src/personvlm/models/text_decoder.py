"""The study's own decoder: words look at each other and, by cross attention, at the visual tokens."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class CrossCache(NamedTuple):
    """What the decoder keeps between words, for every layer: P words seen, K visual tokens, heads of size d.

    Keys and values of the visual tokens are computed once for a picture.
    """

    seen: tuple[tuple[Tensor, Tensor], ...]  # keys, values [N, heads, K, d]
    past: tuple[tuple[Tensor, Tensor], ...]  # keys, values [N, heads, P, d]


class CrossBlock(nn.Module):
    """Pre-norm self-attention, cross attention and feed-forward (Vaswani et al., NIPS 2017; norms as in GPT-2)."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.self_norm, self.cross_norm, self.ffn_norm = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.self_qkv, self.self_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.cross_q, self.cross_kv, self.cross_out = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn), nn.GELU(), nn.Linear(ffn, dim))
        self.dropout = nn.Dropout(dropout)

    def look(self, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Visual tokens ``[N, K, D]`` -> keys and values ``[N, heads, K, d]`` of the cross attention."""
        key, value = self._split(self.cross_kv(visual), 2).chunk(2, dim=1)
        return key, value

    def forward(self, x: Tensor, mask: Tensor, seen: tuple[Tensor, Tensor],
                past: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        """``x [N, T, D]``, ``mask [T, P+T]`` (True = may look) -> x and the longer past."""
        query, key, value = self._split(self.self_qkv(self.self_norm(x)), 3).chunk(3, dim=1)
        key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.dropout(self.self_out(found.transpose(1, 2).flatten(2)))
        found = F.scaled_dot_product_attention(self._split(self.cross_q(self.cross_norm(x)), 1), *seen)
        x = x + self.dropout(self.cross_out(found.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.ffn(self.ffn_norm(x))), (key, value)

    def _split(self, x: Tensor, parts: int) -> Tensor:
        """``[N, T, parts*D]`` -> ``[N, parts*heads, T, d]``."""
        size = x.shape[2] // (parts * self.heads)
        return x.reshape(-1, x.shape[1], parts * self.heads, size).transpose(1, 2)


class CrossDecoder(nn.Module):
    """Word embeddings shared with the output layer (which has no bias), learned positions, :class:`CrossBlock` s."""

    def __init__(self, vocabulary: int, dim: int, layers: int, heads: int, ffn: int, positions: int,
                 dropout: float) -> None:  # fmt: skip
        super().__init__()
        self.words = nn.Embedding(vocabulary, dim)
        self.positions = nn.Parameter(torch.randn(positions, dim) * 0.02)
        self.blocks = nn.ModuleList(CrossBlock(dim, heads, ffn, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.words.weight, std=0.02)

    def freeze(self, layers: int) -> None:
        """Do not train the bottom ``layers``, nor the embeddings below them."""
        if layers > 0:
            self.words.requires_grad_(False)
            self.positions.requires_grad_(False)
        for block in self.blocks[:layers]:
            block.requires_grad_(False)

    def begin(self, visual: Tensor) -> CrossCache:
        """Visual tokens ``[N, K, D]`` -> a cache that has looked at them and holds no word yet."""
        seen = tuple(block.look(visual) for block in self._blocks())
        empty = tuple((key[:, :, :0], value[:, :, :0]) for key, value in seen)
        return CrossCache(seen, empty)

    def forward(self, words: Tensor, cache: CrossCache) -> tuple[Tensor, CrossCache]:
        """Words ``int64 [N, T]`` after the P of the cache -> logits ``[N, T, V]`` and the longer cache.

        Prefill gives T words at once; decoding gives one word a step, and the mask is then a row of True.
        """
        past, length = cache.past[0][0].shape[2], words.shape[1]
        place = torch.arange(past + length, device=words.device)
        mask = place[None, :] <= place[past:, None]
        x = self.dropout(self.words(words) + self.positions[past : past + length])
        longer = []
        for block, seen, before in zip(self._blocks(), cache.seen, cache.past, strict=True):
            x, after = block(x, mask, seen, before)
            longer.append(after)
        return F.linear(self.norm(x), self.words.weight), CrossCache(cache.seen, tuple(longer))

    def _blocks(self) -> list[CrossBlock]:
        return [block for block in self.blocks if isinstance(block, CrossBlock)]
