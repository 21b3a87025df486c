"""Texts to learn from, realised from labels: the decoder learns to say what its prefix holds, all of it and no more."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import Tokenizer
from personvlm.models.prefix import encode_values
from personvlm.schema import GROUP, GROUPS, NONE, OTHER, Annotations

UNLABELLED = 0.2
"""Chance of each group that nobody labelled to be decided, with a random value, in a text row."""


COARSE = 0.2
"""Chance of each group to be said by its parent, as happens where no leaf passes its threshold."""


def labelled_values(annotations: Annotations, rng: random.Random, keep: float = 1.0) -> dict[str, tuple[str, ...]]:
    """What labels allow to say: fully known exclusive groups, present values of sets; each group kept by chance.

    A parent ("bag") is dropped beside one of its leaves, and sets are cut to what a sentence states at most.
    """
    values = {}
    for group in GROUPS:
        known = annotations.known.get(group.name)
        if known is None or rng.random() > keep:
            continue
        present = [value for value in group.values if value in known.present and value not in (NONE, OTHER)]
        if group.kind == "exclusive" and len(known.present) > 1:
            parents = [parent for parent, leaves in group.parents.items() if known.present == set(leaves)]
            present = parents[:1]
        present = [value for value in present if not set(group.parents.get(value, ())) & set(present)]
        if group.kind == "set" and len(present) > 1:
            present = rng.sample(present, min(len(present), group.max_said))
        if present:
            values[group.name] = tuple(present)
    return values


def text_batch(annotations: list[Annotations], tokenizer: Tokenizer, seed: tuple[int, int], random_share: float,
               max_words: int, with_prefix: bool = True) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Prefix ``int64 [N, S]`` and words ``int64 [N, T+1]`` with both ends, padded; paraphrased by the seed.

    Without the prefix its slots are empty, and texts say all of what is labelled and nothing else: the picture has to
    tell.
    """
    rng = random.Random(f"{seed[0]} {seed[1]}")
    prefixes, rows = [], []
    for item in annotations:
        values = labelled_values(item, rng, keep=rng.uniform(0.4, 1.2) if with_prefix else 1.0)
        if not with_prefix:
            pass
        elif rng.random() < random_share or not values:
            values = random_values(rng)
        else:  # what this set never labels must be said as fluently as the rest: the view, a collar, glasses
            extra = random_values(rng, share=UNLABELLED)
            settled = {name for name, known in item.known.items() if len(known.present) == 1 or known.absent}
            values |= {name: value for name, value in extra.items() if name not in settled}
            values = {name: coarsened(name, said) if rng.random() < COARSE else said for name, said in values.items()}
        canonical = rng.random() < 0.5
        text = realise(values, seed=None if canonical else rng.getrandbits(31))
        prefixes.append(torch.from_numpy(encode_values(values if with_prefix else {})))
        rows.append(torch.tensor(tokenizer.encode(text, ends=True)[:max_words]))
    words = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_id)
    return torch.stack(prefixes), words


def coarsened(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """The same, less exactly: a parent in place of its leaves ("adult", "bag"), where there is one."""
    for parent, leaves in GROUP[name].parents.items():
        if set(values) & set(leaves):
            rest = tuple(value for value in values if value not in leaves and value != parent)
            return (parent, *rest)
    return values


def taught_values(annotations: list[Annotations]) -> dict[str, tuple[str, ...]]:
    """Per group the values that at least one label shows fully known: only these may ever be said.

    ``visibility`` is taught by augmentation, which knows what it has cut off.
    """
    taught: dict[str, set[str]] = {"visibility": set(GROUP["visibility"].values)}
    for item in annotations:
        for name, known in item.known.items():
            if GROUP[name].kind == "set" or len(known.present) == 1:
                taught.setdefault(name, set()).update(known.present)
    return {name: tuple(v for v in GROUP[name].values if v in values) for name, values in taught.items()}
