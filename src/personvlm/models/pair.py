"""Two models that were trained apart, as one: both look at the crop, and what they find is averaged.

What a model learned by heart about the people that it was trained on it does not share with another one, so that two
err differently on strangers (docs/experiments.md). Tokens, appearance and words stay those of the first. Of two models
whose encoders begin alike (``shared`` of a recipe) the common stages are kept, and computed, once.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from personvlm.base.errors import InputError
from personvlm.models.edge import EdgeVLM
from personvlm.models.encoder import EdgeEncoder


def paired(first: EdgeVLM, second: EdgeVLM) -> EdgeVLM:
    """One model whose logits are the means of the two models' logits, without an appearance layer.

    Raises:
        InputError: one is a pair already, or their heads or sizes of picture differ.
    """
    for model in (first, second):
        if len(model.encoder.parts) > 1:
            raise InputError(f"{model.config.encoder}: a pair already; join two models with an encoder each")
    mine, its = (replace(model.config, encoder="", name="", version="", appearance=False) for model in (first, second))
    if mine != its:
        raise InputError(f"models that differ in more than their encoders are no pair: {mine} and {its}")
    shared = alike(first.encoder, second.encoder)
    names = f"{first.config.encoder}+{second.config.encoder}" + (f"@{shared}" if shared else "")
    result, state = EdgeVLM(replace(first.config, encoder=names, appearance=False)), {}
    own = {name for name, _ in result.encoder.named_parameters()} | {name for name, _ in result.encoder.named_buffers()}
    for name, tensor in first.state_dict().items():
        part, _, rest = name.partition(".")
        if part != "appearance":
            state[f"encoder.first.{rest}" if part == "encoder" else name] = tensor
    for name, tensor in second.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "encoder":
            if f"second.{rest}" in own:
                state[f"encoder.second.{rest}"] = tensor
        elif name in ("heads.weight", "heads.pooled.weight"):
            state[name] = torch.cat([state[name], tensor], 1) / 2
        elif name == "heads.pooled.bias":
            state[name] = (state[name] + tensor) / 2
        elif part == "heads":
            state[f"heads.second.{rest}"] = tensor
    result.load_state_dict(state, strict=True)
    return result.train(first.training)


def alike(first: EdgeEncoder, second: EdgeEncoder) -> int:
    """How many stages of two encoders, from the picture upwards, are the same, weights and all."""
    count = 0
    if type(first) is type(second):
        for mine, its in zip(first.stages(), second.stages(), strict=True):
            other = its.state_dict()
            if not all(torch.equal(tensor, other[name]) for name, tensor in mine.state_dict().items()):
                break
            count += 1
    return count
