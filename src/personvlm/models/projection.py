"""From the pooled vector of a picture to the visual tokens that the decoder reads."""

from __future__ import annotations

from torch import Tensor, nn


class Projection(nn.Module):
    """Two linear layers; the second is read as ``tokens`` vectors, each normalised.

    Args:
        vision: width of the pooled vector.
        hidden: width between the layers.
        tokens: number of visual tokens.
        dim: width of the decoder.

    Example:
        >>> import torch
        >>> Projection(256, 512, tokens=8, dim=256)(torch.zeros(2, 256)).shape
        torch.Size([2, 8, 256])
    """

    def __init__(self, vision: int, hidden: int, tokens: int, dim: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.hidden = nn.Linear(vision, hidden)
        self.activation = nn.GELU()
        self.out = nn.Linear(hidden, tokens * dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, pooled: Tensor) -> Tensor:
        """``[N, vision]`` -> ``[N, tokens, dim]``."""
        x: Tensor = self.out(self.activation(self.hidden(pooled)))
        tokens: Tensor = self.norm(x.reshape(-1, self.tokens, x.shape[1] // self.tokens))
        return tokens
