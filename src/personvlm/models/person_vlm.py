"""PersonVLM, the model of the study's four stages, put together from encoder, projection and decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.presets import StageConfig
from personvlm.models.pretrained import fill, read_weights
from personvlm.models.projection import Projection
from personvlm.models.text_decoder import CrossDecoder
from personvlm.models.vision import VisionEncoder

WEIGHTS = "model.safetensors"


class PersonVLM(nn.Module):
    """See :class:`~personvlm.models.presets.StageConfig` for the parts.

    Blocks that the config freezes have ``requires_grad`` off from the start, and batch norms never leave their stored
    statistics.

    Example:
        >>> import torch
        >>> from personvlm.models.presets import PRESETS
        >>> model = PersonVLM(PRESETS["stage1"])
        >>> sum(p.numel() for p in model.parameters())
        7257136
        >>> model(torch.zeros(1, 3, 256, 128), torch.tensor([[1, 7, 9]])).shape
        torch.Size([1, 3, 3179])
    """

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = VisionEncoder(config.encoder, config.vision_dim)
        tokens = config.visual_tokens if config.visual == "pooled" else 1  # a grid has one token for each cell
        self.projection = Projection(config.vision_dim, config.projection_hidden, tokens, config.dim)
        decoder = CrossDecoder if config.decoder == "cross" else GPT2Decoder
        self.decoder = decoder(config.vocabulary, config.dim, config.layers, config.heads, config.ffn,
                               config.positions, config.dropout)  # fmt: skip
        self.encoder.freeze(config.frozen_through)
        self.decoder.freeze(config.frozen_layers)

    def see(self, pixels: Tensor) -> Tensor:
        """``float [N, 3, H, W]``, as the transform gives it -> visual tokens ``[N, K, D]``."""
        if self.config.visual == "pooled":
            tokens: Tensor = self.projection(self.encoder(pixels))
            return tokens
        cells = self.encoder.cells(pixels)
        each: Tensor = self.projection(cells.flatten(0, 1))
        return each.reshape(len(cells), cells.shape[1], -1)

    def begin(self, visual: Tensor) -> Any:
        """Visual tokens ``[N, K, D]`` -> the decoder's cache before the first word. A cache is used once."""
        return self.decoder.begin(visual)

    def decode(self, words: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Words ``int64 [N, T]`` after what the cache holds -> logits of the next word after each, ``[N, T, V]``, and
        the longer cache."""
        logits, longer = self.decoder(words, cache)
        return logits, longer

    def forward(self, pixels: Tensor, words: Tensor) -> Tensor:
        """Training: logits ``[N, T, V]`` that predict the word after each of ``words int64 [N, T]``."""
        return self.decode(words, self.begin(self.see(pixels)))[0]

    def save(self, directory: Path, *, half: bool = False) -> None:
        """``config.json`` and ``model.safetensors`` (float16 if ``half``) into ``directory``."""
        directory.mkdir(parents=True, exist_ok=True)
        self.config.save(directory)
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        if half:
            state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        save_file(state, directory / WEIGHTS)

    @classmethod
    def load(cls, directory: Path) -> PersonVLM:
        """The model in ``directory``, in float32 and evaluation mode.

        Raises:
            InputError: a file is absent, truncated, or does not fit the config; the message names it.
        """
        model = cls(StageConfig.load(directory))
        path, state = read_weights(directory)
        fill(model, state, path)
        return model.eval()
