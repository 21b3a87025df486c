"""Attribute heads: every group looks for its own evidence in the feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from personvlm.schema.groups import GROUPS, columns


class GroupSearch(nn.Module):
    """One query per attribute group attends over the fine and the coarse grid (Liu et al., "Query2Label", 2021)."""

    def __init__(self, channels: tuple[int, int], grid: tuple[int, int], dim: int, heads: int) -> None:
        super().__init__()
        fine, coarse = channels
        rows, cols = grid
        self.dim, self.num_heads = dim, heads
        self.from_fine, self.from_coarse = nn.Conv2d(fine, dim, 1), nn.Conv2d(coarse, dim, 1)
        self.fine_position = nn.Parameter(torch.randn(1, dim, 2 * rows, 2 * cols) * 0.02)
        self.coarse_position = nn.Parameter(torch.randn(1, dim, rows, cols) * 0.02)
        self.queries = nn.Parameter(torch.randn(len(GROUPS), dim) * 0.02)
        self.token_norm, self.query_norm, self.ffn_norm = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.key_value, self.query, self.out = nn.Linear(dim, 2 * dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.ffn = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.final_norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(0.2)

    def search(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """What every group found in the maps: ``[N, G, D]``."""
        count = fine.shape[0]
        tokens = torch.cat([
            (self.from_fine(fine) + resized(self.fine_position, fine.shape[2:])).flatten(2),
            (self.from_coarse(coarse) + resized(self.coarse_position, coarse.shape[2:])).flatten(2),
        ], dim=2).transpose(1, 2)  # [N, K, D]  # fmt: skip
        key, value = self._split(self.key_value(self.token_norm(tokens))).chunk(2, dim=1)
        query = self._split(self.query(self.query_norm(self.queries)).expand(count, -1, -1))
        found = F.scaled_dot_product_attention(query, key, value)  # [N, heads, G, D/heads]
        x = self.queries + self.out(found.transpose(1, 2).flatten(2))
        result: Tensor = self.dropout(self.final_norm(x + self.ffn(self.ffn_norm(x))))
        return result

    def _split(self, x: Tensor) -> Tensor:
        """``[N, K, m*D]`` -> ``[N, m*heads, K, D/heads]``."""
        count, length, width = x.shape
        size = self.dim // self.num_heads
        return x.reshape(count, length, width // size, size).transpose(1, 2)


class AttributeHeads(GroupSearch):
    """Hair lives in eight pixels and a coat in half the picture, so a pooled vector alone would serve neither: every
    group searches the maps. A linear layer on the pooled vector stays beside that: it learns fast, and keeps rare
    groups sane. Of a pair of encoders each is searched by itself (:mod:`.pair`).

    Args:
        parts: channels of the fine and the coarse map of each encoder, one or two.
    """

    group_of_column: Tensor

    def __init__(self, parts: Sequence[tuple[int, int]], grid: tuple[int, int], dim: int, heads: int) -> None:
        super().__init__(parts[0], grid, dim, heads)
        self.parts = list(zip(*parts, strict=True))
        self.weight = nn.Parameter(torch.randn(len(columns()), dim * len(parts)) * 0.02)
        self.pooled = nn.Linear(sum(self.parts[1]), len(columns()))
        index = {group.name: i for i, group in enumerate(GROUPS)}
        self.register_buffer("group_of_column", torch.tensor([index[name] for name, _ in columns()]), persistent=False)
        self.second = GroupSearch(parts[1], grid, dim, heads) if len(parts) > 1 else None

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """``[N, Cf, 2h, 2w]`` and ``[N, Cc, h, w]`` -> logits ``[N, C]`` over :func:`~.schema.groups.columns`."""
        return self.read(self.search(fine, coarse), coarse.mean((2, 3)))

    def search(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """What every group found in the maps of all encoders: ``[N, G, D]``."""
        if self.second is None:
            return super().search(fine, coarse)
        (fine, its_fine), (coarse, its_coarse) = (torch.split(maps, list(channels), 1) for maps, channels in
                                                  zip((fine, coarse), self.parts, strict=True))  # fmt: skip
        return torch.cat([super().search(fine, coarse), self.second.search(its_fine, its_coarse)], 2)

    def read(self, found: Tensor, pooled: Tensor) -> Tensor:
        """Logits ``[N, C]`` of what was found ``[N, G, D]`` and of the pooled vector ``[N, Cc]``."""
        by_query: Tensor = (found[:, self.group_of_column] * self.weight).sum(-1)
        by_pooled: Tensor = self.pooled(self.dropout(pooled))
        return by_query + by_pooled


def resized(grid: Tensor, size: Sequence[int]) -> Tensor:
    """``[N, C, h, w]`` at another size (rows, columns): training begins at a lower resolution."""
    if list(grid.shape[2:]) == list(size):
        return grid
    return F.interpolate(grid, list(size), mode="bilinear", align_corners=False)
