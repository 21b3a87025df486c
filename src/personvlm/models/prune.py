"""Vocabulary pruning of a GPT-2 model: the rows of its tied word embeddings that no text needs are taken out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch

from personvlm.base.errors import InputError
from personvlm.language.prune import pruned
from personvlm.language.tokenizer import GPT2Tokenizer
from personvlm.models import Loaded
from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM


def prune(loaded: Loaded, texts: Iterable[str]) -> Loaded:
    """The same model over the pieces that ``texts`` need (:func:`personvlm.language.prune.pruned`).

    Its logits are the old ones at the kept ids: what it says is what the whole model would say if it could only choose
    among them. ``loaded`` stays as it is.

    Raises:
        InputError: the model's decoder is not GPT-2, whose words alone can be spelled by bytes; or no texts.
    """
    model, tokenizer, transform = loaded
    if not isinstance(model, PersonVLM) or not isinstance(tokenizer, GPT2Tokenizer):
        raise InputError(f"{model.config.title}: only a stage with GPT-2's vocabulary can be pruned; words of the "
                         "domain's own vocabularies come from its texts already")  # fmt: skip
    assert isinstance(model.decoder, GPT2Decoder)
    smaller = pruned(tokenizer, texts)
    assert smaller.kept is not None
    before = {original: row for row, original in enumerate(tokenizer.kept or range(len(tokenizer)))}
    rows = torch.tensor([before[original] for original in smaller.kept])
    state = dict(model.state_dict())
    state["decoder.body.wte.weight"] = state["decoder.body.wte.weight"][rows]
    result = PersonVLM(replace(model.config, vocabulary=len(smaller)))
    result.load_state_dict(state, strict=True)
    return Loaded(result.eval(), smaller, transform)
