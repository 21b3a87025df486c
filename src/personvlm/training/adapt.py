"""Heads that fit one's own cameras: re-fitted on a few hundred labelled crops, with everything else left as it is.

The encoder, the decoder and every group that nobody labelled stay bit for bit. How far a head may move, and whether it
moves at all, is decided by people who were left out of the fit; what the whole procedure gains is measured on people
who took no part in that decision either (nested cross-validation: Varma and Simon, "Bias in error estimation when using
cross-validation for model selection", 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.models.edge import EdgeVLM
from personvlm.schema import GROUP, GROUPS
from personvlm.schema.groups import column_slices
from personvlm.training.adapt_fit import Group, Strength, coordinates, parts
from personvlm.training.adapt_look import Looked

Floats = NDArray[np.float64]

FOLDS = 4
"""Parts of the people, of which each is measured once by a fit that never saw them."""

INNER = 3
"""Parts of the others, by which the strength is chosen."""

LEAST_PEOPLE = 8
"""Fewer people with a label of the group say nothing about it."""


@dataclass(frozen=True)
class Change:
    """What happens to one group.

    Attributes:
        strength: None where nothing helps and the head stays.
        found, pooled, bias: what is added to the head's weights, ``[K, D]``, ``[K, F]`` and ``[K]``.
        held_out: calibrated logits ``[N, K]`` of the new pictures, each by a fit that never saw its person.
        logits: calibrated logits ``[N, K]`` by the fit on all of them.
        afresh: nothing had been taught of this group: its old weights go.
    """

    strength: Strength | None
    found: Floats
    pooled: Floats
    bias: Floats
    held_out: Floats
    logits: Floats
    afresh: bool = False

    def of(self, looked: Looked, name: str) -> Floats:
        """Logits ``[N, K]`` of the changed head for group ``name``, before any calibration."""
        where, index = column_slices()[name], [group.name for group in GROUPS].index(name)
        old = 0.0 if self.afresh else looked.logits[:, where]
        return np.asarray(old + looked.found[:, index] @ self.found.T + looked.pooled @ self.pooled.T + self.bias)


def labelled_groups(samples: Sequence[Sample]) -> list[str]:
    """Groups of which enough people have a label that tells something, in the order of the schema."""
    people: dict[str, set[object]] = {}
    for row, sample in enumerate(samples):
        for name, fact in sample.annotations.known.items():
            known = fact.present | fact.absent
            if known and (GROUP[name].kind == "set" or len(known) < len(GROUP[name].columns)):
                people.setdefault(name, set()).add(row if sample.identity is None else (sample.source, sample.identity))
    return [name for name in GROUP if len(people.get(name, ())) >= LEAST_PEOPLE]


def changes(new: Looked, kept: Looked | None, scale: Floats, shift: Floats, taught: Mapping[str, Sequence[str]], *,
            groups: Sequence[str], progress: Callable[[Sequence[str]], Iterable[str]] = lambda names: names,
            ) -> dict[str, Change]:  # fmt: skip
    """How each of ``groups`` changes.

    Args:
        new: pictures of one's own cameras.
        kept: others, on which the model should stay as it is.
        scale, shift: calibration of the columns ``[C]``: a calibrated logit is ``scale * logit + shift``.
        taught: group -> values of which the model had labels.
        groups: those that ``new`` labels.
        progress: passes on the groups.
    """
    return {name: _change(name, new, kept, scale, shift, name in taught) for name in progress(groups)}


def apply(model: EdgeVLM, found: Mapping[str, Change]) -> None:
    """Add changes to the heads of a model."""
    slices, heads = column_slices(), model.heads
    with torch.no_grad():
        for name, change in found.items():
            where = slices[name]
            if change.strength is None:
                continue
            for weights, added in ((heads.weight, change.found), (heads.pooled.weight, change.pooled),
                                   (heads.pooled.bias, change.bias)):  # fmt: skip
                if change.afresh:
                    weights[where] = 0.0
                weights[where] += torch.from_numpy(added).to(weights)


def _change(name: str, new: Looked, kept: Looked | None, scale: Floats, shift: Floats, known: bool) -> Change:
    where, index = column_slices()[name], [group.name for group in GROUPS].index(name)
    both = [new] if kept is None else [kept, new]
    blocks = [np.concatenate([part.found[:, index] for part in both]), np.concatenate([part.pooled for part in both])]
    few = 0 if kept is None else len(kept)
    features, turn, offset = coordinates(blocks, few or len(new))
    scales, shifts = (scale[where], shift[where]) if known else (np.ones(where.stop - where.start), 0.0)
    old = np.concatenate([part.logits[:, where] for part in both]) * scales + shifts
    if not known:
        old[:] = 0.0
    group = Group(GROUP[name].kind, features[few:], old[few:], new.target[:, where], new.mask[:, where],
                  new.weights * _labelled(new, name, where), new.people,
                  features[:few] if known else features[:0], old[:few] if known else old[:0], not known)  # fmt: skip
    strength, added, held_out = settled(group)
    weights = turn @ added[:-1]
    width = blocks[0].shape[1]
    return Change(strength, weights[:width].T / scales[:, None], weights[width:].T / scales[:, None],
                  (added[-1] + offset @ added[:-1]) / scales, held_out, group.logits + group.features @ added,
                  not known)  # fmt: skip


def settled(group: Group) -> tuple[Strength | None, Floats, Floats]:
    """The strength, the map that is added by it ``[D, K]``, and logits ``[N, K]`` of people who took no part."""
    everyone = np.ones(len(group.weights), bool)
    labelled = np.unique(group.people[group.weights > 0])
    part = parts(group.people, labelled, FOLDS)
    held_out = group.logits.copy()
    for fold in range(FOLDS):
        out = part[group.people] == fold
        chosen = group.chosen(INNER, ~out)
        if chosen is not None:
            held_out[out] += (group.features @ group.fit(chosen, group.weights * ~out))[out]
    strength = group.chosen(INNER, everyone)
    if strength is None:
        return None, np.zeros((group.features.shape[1], group.logits.shape[1])), group.logits
    return strength, group.fit(strength, group.weights), held_out


def _labelled(looked: Looked, name: str, where: slice) -> NDArray[np.bool_]:
    """``[N]``: whether the label tells anything of the group."""
    target, mask = looked.target[:, where], looked.mask[:, where] > 0
    if GROUP[name].kind == "set":
        return np.asarray(mask.any(1), np.bool_)
    return np.asarray(mask.any(1) & (target > 0).any(1) & ~(target > 0).all(1), np.bool_)
