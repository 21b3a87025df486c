"""Edge, the model we ship: encoder, attribute heads, appearance vector, and a decoder over what they saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from personvlm.base.errors import InputError
from personvlm.models.appearance import Appearance
from personvlm.models.config import EdgeConfig
from personvlm.models.decoder import Cache, PrefixDecoder
from personvlm.models.encoder import build_encoder
from personvlm.models.heads import AttributeHeads, resized
from personvlm.models.prefix import entries, slots

WEIGHTS = "model.safetensors"


class Seen(NamedTuple):
    """What the eyes of the model give for N crops."""

    tokens: Tensor  # [N, h*w, D] visual tokens for the decoder
    logits: Tensor  # [N, C] over schema.groups.columns()
    embedding: Tensor  # [N, E], L2-normalised
    quality: Tensor  # [N] logit of how much of the person the crop shows


class EdgeVLM(nn.Module):
    """See :class:`~personvlm.models.config.EdgeConfig` for the parts."""

    def __init__(self, config: EdgeConfig) -> None:
        super().__init__()
        self.config = config
        self.frozen: list[nn.Module] = []
        rows, cols = config.grid
        self.encoder = build_encoder(config.encoder)
        self.heads = AttributeHeads(self.encoder.parts, config.grid, config.head_dim, config.head_heads)
        self.width = self.encoder.parts[0][1]
        self.embedding = nn.Linear(self.width, config.embedding_dim)
        self.quality = nn.Linear(self.width, 1)
        self.projection = nn.Sequential(nn.Linear(self.width, config.dim), nn.LayerNorm(config.dim))
        self.attributes = nn.Embedding(len(entries()), config.dim)
        nn.init.normal_(self.attributes.weight, std=0.02)
        positions = rows * cols + len(slots()) + config.max_text
        self.decoder = PrefixDecoder(config.vocabulary, config.dim, config.layers, config.heads, config.ffn, positions)
        self.appearance = Appearance(config) if config.appearance else None

    def freeze_eyes(self) -> None:
        """Only the decoder learns from here on."""
        self._freeze(self.encoder, self.heads, self.embedding, self.quality)

    def share_below(self, other: EdgeVLM, count: int) -> None:
        """See with the first ``count`` stages of another model's encoder from here on; they are frozen.

        Raises:
            InputError: the encoders are of two kinds, or do not have so many.
        """
        if self.config.encoder != other.config.encoder:
            raise InputError(f"{self.config.encoder} and {other.config.encoder} have no stages in common")
        for mine, its in zip(self.encoder.lower(count), other.encoder.lower(count), strict=True):
            mine.load_state_dict(its.state_dict())
            self._freeze(mine)

    def _freeze(self, *parts: nn.Module) -> None:
        """They learn no more; their batch norms stay as they are in training mode too."""
        for part in parts:
            part.requires_grad_(False)
        self.frozen += parts

    def train(self, mode: bool = True) -> EdgeVLM:
        """As in torch, but for what is frozen."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def see(self, pixels: Tensor) -> Seen:
        """``float [N, 3, H, W]``, as the transform gives it -> :class:`Seen`.

        Pictures of another size than the config's, in training, give as many tokens, each at its place.
        """
        return self.read(*self.encoder(pixels))

    def read(self, fine: Tensor, coarse: Tensor) -> Seen:
        """The same from the encoder's maps, ``[N, Cf, 2h, 2w]`` and ``[N, Cc, h, w]``."""
        logits = self.heads(fine, coarse)
        if coarse.shape[1] > self.width:  # the second of a pair has a say in the attributes alone
            coarse = coarse[:, : self.width]
        pooled = coarse.mean((2, 3))
        tokens = self.projection(resized(coarse, self.config.grid).flatten(2).transpose(1, 2))
        embedding = F.normalize(self.embedding(pooled), dim=1)
        if self.appearance is not None:
            embedding = self.appearance(embedding, tokens, logits)
        return Seen(tokens, logits, embedding, self.quality(pooled).squeeze(1))

    def with_appearance(self, layer: Appearance | None) -> EdgeVLM:
        """This model with another appearance layer, or without one: then the trained vector is the appearance."""
        self.config = replace(self.config, appearance=layer is not None)
        self.appearance = layer
        return self

    def decode(self, tokens: Tensor, prefix: Tensor, words: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        """Continue: visual tokens ``[N, Tv, D]``, attribute slots ``int64 [N, Ta]`` and words ``int64 [N, Tw]``, each
        possibly of length 0, after what ``cache`` holds -> logits of the words ``[N, Tw, V]`` and the longer cache.
        """
        embedded = torch.cat([tokens, self.attributes(prefix), self.decoder.words(words)], dim=1)
        logits, cache = self.decoder(embedded, cache)
        return logits[:, logits.shape[1] - words.shape[1] :], cache

    def forward(self, pixels: Tensor, prefix: Tensor, words: Tensor) -> tuple[Seen, Tensor]:
        """Training: what is seen, and logits ``[N, T, V]`` that predict the word after each of ``words [N, T]``.

        With T = 0 only the eyes run.
        """
        seen = self.see(pixels)
        if words.shape[1] == 0:
            return seen, seen.tokens.new_zeros((len(words), 0, self.config.vocabulary))
        logits, _ = self.decode(seen.tokens, prefix, words, self.decoder.empty_cache(len(words)))
        return seen, logits

    def weight_bytes(self) -> Iterator[bytes]:
        """All weights, tensor by tensor, as a digest takes them."""
        for tensor in self.state_dict().values():
            yield tensor.cpu().contiguous().numpy().tobytes()

    def save(self, directory: Path, *, half: bool = True) -> None:
        """``config.json`` and ``model.safetensors`` (float16 unless ``half`` is False) into ``directory``."""
        directory.mkdir(parents=True, exist_ok=True)
        self.config.save(directory)
        state = {name: tensor.detach().cpu() for name, tensor in self.state_dict().items()}
        if half:
            state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, directory / WEIGHTS)

    @classmethod
    def load(cls, directory: Path) -> EdgeVLM:
        """The model in ``directory``, in float32 and evaluation mode.

        Raises:
            InputError: a file is absent, truncated, or does not fit the config.
        """
        model = cls(EdgeConfig.load(directory))
        path = directory / WEIGHTS
        if not path.is_file():
            raise InputError(f"{path}: no such file; without its weights a model describes on onnxruntime and nothing "
                             "else")  # fmt: skip
        try:
            state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
            model.load_state_dict(state, strict=True)
        except Exception as error:  # safetensors raises its own SafetensorError, torch a RuntimeError
            raise InputError(f"{path}: not the weights of this model ({error})") from error
        return model.eval()
