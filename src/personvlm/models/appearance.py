"""The appearance vector from all that is seen of a person: one linear layer, fitted in closed form after training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from personvlm.models.appearance_inputs import kept_columns, striped
from personvlm.models.config import EdgeConfig


class Appearance(nn.Module):
    """The trained vector says how people differ; what else is seen (stripes of the picture, attributes) says it again
    in other terms, and :func:`personvlm.training.appearance.fit_appearance` weighs how far each can be trusted.

    Raises:
        ValueError: the grid has too few rows for three stripes.
    """

    kept: Tensor

    def __init__(self, config: EdgeConfig) -> None:
        super().__init__()
        self.grid = config.grid
        if self.grid[0] < 3:
            raise ValueError(f"the appearance layer wants three rows of visual tokens, not {self.grid[0]}")
        self.register_buffer("kept", torch.tensor(kept_columns()), persistent=False)
        self.linear = nn.Linear(config.embedding_dim + 3 * config.dim + len(kept_columns()), config.embedding_dim)

    def blocks(self, embedding: Tensor, tokens: Tensor, logits: Tensor) -> list[Tensor]:
        """What goes in: the trained vector ``[N, E]``, means of three stripes ``[N, 3D]`` of the visual tokens
        ``[N, h*w, D]``, and logits ``[N, C]`` without gender and age."""
        return [embedding, torch.cat(striped(tokens, self.grid), 1), logits[:, self.kept]]

    def forward(self, embedding: Tensor, tokens: Tensor, logits: Tensor) -> Tensor:
        """The vector ``[N, E]``, L2-normalised."""
        return F.normalize(self.linear(torch.cat(self.blocks(embedding, tokens, logits), 1)), dim=1)
