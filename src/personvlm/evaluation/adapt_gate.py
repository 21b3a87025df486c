"""Whether a group of an adapted model is better on one's own cameras and no worse elsewhere, by people left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.facts import HEADLINE, Judged, figure, judge
from personvlm.evaluation.figures import number
from personvlm.metrics.facts import nanmean
from personvlm.metrics.intervals import bootstrap_interval
from personvlm.metrics.scaling import losses
from personvlm.schema import GROUP, Values
from personvlm.schema.groups import column_slices

if TYPE_CHECKING:
    from personvlm.training.adapt_own import OwnFit

FORGET = 0.01
"""What a group may lose on the reference set, beside one standard error of that loss."""

LEAST = 8
"""People with a value of a set, and without it, before it is judged."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """What is known of N pictures: ``target`` and ``mask [N, C]``, ``weights [N]`` and ``identities``."""

    target: Floats
    mask: Floats
    weights: Floats
    identities: Sequence[str | None]


@dataclass(frozen=True)
class State:
    """What a model makes of one group in N pictures: calibrated logits ``[N, K]``, whether each value of a set would be
    said ``[N, K]``, and which columns were taught ``[K]``."""

    logits: Floats
    said: NDArray[np.bool_]
    taught: NDArray[np.bool_]


def compare(name: str, before: State, after: State, labels: Labels) -> dict[str, Any]:
    """One group before and after: ``before``, ``after``, ``difference`` with ``interval`` (95 %, over people) and
    standard ``error``, ``loss`` (rise of the negative log-likelihood per person; below 0 is better), ``n`` pictures.

    The figure is the accuracy of the most probable value; of a set, the mean of how often it is right of pictures with
    and without each value. All None where nobody can be judged.
    """
    old, new = (_sums(name, state, labels) for state in (before, after))
    where = column_slices()[name]
    part = (labels.target[:, where], labels.mask[:, where], labels.weights, GROUP[name].kind)
    people = max(1e-9, float(labels.weights @ (labels.mask[:, where].max(1) > 0)))
    rise = float((losses(after.logits, *part) - losses(before.logits, *part)).sum() / people)
    counted = int((labels.mask[:, where].max(1) > 0).sum())
    if old is None or new is None:
        return {"before": None, "after": None, "difference": None, "interval": [None, None], "error": None,
                "loss": number(rise), "n": counted}  # fmt: skip
    return {**paired(old, new), "loss": number(rise), "n": counted}


def paired(old: Floats, new: Floats) -> dict[str, Any]:
    """Two figures of the same people, from sums ``[I, 2 * strata]`` each, and their difference."""
    before, after = (float(figure(sums.sum(0))) for sums in (old, new))
    half = old.shape[1]
    low, high = bootstrap_interval(np.concatenate([old, new], 1),
                                   lambda totals: figure(totals[:, half:]) - figure(totals[:, :half]))  # fmt: skip
    return {"before": number(before), "after": number(after), "difference": number(after - before),
            "interval": [number(low), number(high)], "error": number((high - low) / 3.92)}  # fmt: skip


def kept(new: dict[str, Any], reference: dict[str, Any]) -> str:
    """Why a group must not change; empty where it may."""
    if new["loss"] is None or new["loss"] >= 0:
        return "people left out are not told better"
    if new["difference"] is not None and new["difference"] < 0:
        return "fewer people left out are told right"
    lost, error = reference["difference"], reference["error"] or 0.0
    if lost is not None and lost < -(FORGET + error):
        return "forgets too much elsewhere"
    return ""


def headline(before: Sequence[Values], after: Sequence[Values], samples: Sequence[Sample]) -> dict[str, Any]:
    """The six headline groups as a text would state them, and their mean: ``before``, ``after``, ``difference`` and its
    ``interval``; groups that no label can judge are missing."""
    people = [None if each.identity is None else f"{each.source}/{each.identity}" for each in samples]
    old, new = ({group: judge(group, said, samples) for group in HEADLINE} for said in (before, after))
    there = [group for group in HEADLINE
             if np.unique(old[group].stratum[old[group].counted]).size == old[group].strata]  # fmt: skip
    result = {group: paired(old[group].sums(people), new[group].sums(people)) for group in there}
    if not there:
        return result
    sums = [part[group].sums(people) for part in (old, new) for group in there]
    edges = np.cumsum([part.shape[1] for part in sums])[:-1]

    def difference(totals: Floats) -> Floats:
        each = np.stack([figure(part) for part in np.split(totals, edges, axis=-1)], axis=-1)
        return np.array([nanmean(row[len(there) :]) - nanmean(row[: len(there)]) for row in each])

    low, high = bootstrap_interval(np.concatenate(sums, 1), difference)
    means = [nanmean([result[group][when] for group in there]) for when in ("before", "after")]
    return {**result, "mean": {"before": number(means[0]), "after": number(means[1]),
                               "difference": number(means[1] - means[0]),
                               "interval": [number(low), number(high)]}}  # fmt: skip


def judge_own(fitted: OwnFit, identities: Sequence[str | None]) -> dict[str, Any]:
    """How a group of one's own does on people who were left out: the mean of how often each value is found."""
    told: dict[str, Any] = {
        "change": "none",
        "why": fitted.why,
        "after": None,
        "chance": None,
        "interval": [None, None],
    }
    if fitted.why:
        return told
    values = fitted.held_out.shape[1]
    judged = Judged(fitted.truth >= 0, fitted.held_out.argmax(1) == fitted.truth, fitted.truth.clip(0), values)
    sums = judged.sums(identities)
    low, high = bootstrap_interval(sums, figure)
    told |= {"after": number(figure(sums.sum(0))), "chance": 1 / values, "interval": [number(low), number(high)]}
    if low <= 1 / values:
        return told | {"why": "no better than chance on people left out"}
    return told | {"change": "head"}


def _sums(name: str, state: State, labels: Labels) -> Floats | None:
    """Per person ``[I, 2 * strata]``, or None where nothing can be judged."""
    where, group = column_slices()[name], GROUP[name]
    target, mask = labels.target[:, where] > 0, labels.mask[:, where] > 0
    if group.kind == "exclusive" or name.endswith(".color"):
        counted = np.asarray(mask.any(1) & target.any(1) & ~target.all(1))
        if not counted.any():
            return None
        first = np.where(state.taught, state.logits, -np.inf).argmax(1)
        right = target[np.arange(len(target)), first]
        return Judged(counted, right, np.zeros(len(target), np.int64)).sums(labels.identities)
    parts = []
    for column in range(target.shape[1]):
        known, there = mask[:, column], target[:, column]
        if min(labels.weights[known & there].sum(), labels.weights[known & ~there].sum()) >= LEAST:
            judged = Judged(known, state.said[:, column] == there, there.astype(np.int64), 2)
            parts.append(judged.sums(labels.identities))
    return np.concatenate(parts, 1) if parts else None
