"""From which probability on a value is right as often as asked, judged by a validation split of a few hundred people.

A share of right answers among few people says little, and the best of many thresholds looks better than it is. So the
calibrated probabilities speak as if a few more people had been seen, and for a stated precision a threshold counts by
a lower bound of its precision. A value that hardly anybody shows is then not said at any precision: nobody can tell.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.schema import NONE
from personvlm.schema.groups import Group

LEVELS = tuple(round(0.50 + 0.01 * step, 2) for step in range(50))
"""Precisions that can be asked for: 0.50, 0.51 ... 0.99."""

LOWEST = 0.45
"""Nothing less probable than this is said, however well it did on validation."""

NEVER = 1.01
"""A threshold that no probability reaches."""

@dataclass(frozen=True)
class Rule:
    """How the precision beyond a threshold is estimated.

    Attributes:
        prior: how many people the calibrated probabilities weigh as much as.
        depth: standard errors between the estimate and the bound that counts (Wilson's).
        least: people who must show a value, and of whom it must be said, before anything is known about it.
        trust: whether a probability above all that were seen counts as it is; it is never said otherwise.
    """

    prior: float = 10.0
    depth: float = 1.28
    least: float = 10.0
    trust: bool = False


STATED = Rule()
"""For a stated precision: the bound holds for about nine of ten values."""

PLAIN = Rule(depth=0.0, least=1.0, trust=True)
"""For the default setting: the estimate itself, and rare values by their calibrated probability."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Curve = tuple[float, ...]
"""Thresholds at :data:`LEVELS`, from the first on; :data:`NEVER` where nothing reaches a level, and past its end."""


def threshold_at(curve: Curve, precision: float) -> float:
    """The threshold of a curve at the lowest level that is not below ``precision``; :data:`NEVER` past its end.

    Raises:
        InputError: ``precision`` lies outside the levels.
    """
    index = math.ceil(round((precision - LEVELS[0]) * 100, 6)) if math.isfinite(precision) else -1
    if not 0 <= index < len(LEVELS):
        raise InputError(f"a precision of {precision} cannot be asked for; give one from {LEVELS[0]} to {LEVELS[-1]}")
    return curve[index] if index < len(curve) else NEVER


def precision_curves(group: Group, taught: Collection[str], probability: Floats, target: Floats, mask: Floats,
                     weights: Floats, rule: Rule = STATED) -> dict[str, Curve]:  # fmt: skip
    """Curves of the values of one group that the labels can judge, parents too.

    A value is judged among the people of whom it would be said: of an exclusive group the most probable one; a parent
    where no value below it is said at the same level; absence where nothing else is. A partial label ("collar, or
    round, or something else") cannot tell whether a value is right, so it only refutes.

    Args:
        group: the group.
        taught: its values that some training label showed.
        probability: calibrated, ``[N, K]`` over the group's columns.
        target, mask: labels ``[N, K]`` (:meth:`~personvlm.schema.annotations.Annotations.arrays`).
        weights: ``[N]``, one per person.
        rule: see there.
    """
    columns = {value: index for index, value in enumerate(group.columns)}
    leaves = [value for value in group.columns if value in taught and value != NONE and value not in group.parents]
    parents = [value for value in group.parents if group.kind == "exclusive" or value in taught]
    said: dict[str, Bools] = {}  # value -> [levels, N]
    curves: dict[str, Curve] = {}
    nothing: Bools = np.zeros((len(LEVELS), len(probability)), bool)
    everyone: Bools = np.ones(len(probability), bool)
    best = everyone[:, None]
    if group.kind == "exclusive":
        leaves = [value for value in group.columns if value in taught]
        best = np.zeros(probability.shape, bool)
        asked = [columns[value] for value in leaves]
        best[np.arange(len(best)), np.array(asked)[probability[:, asked].argmax(1)]] = True

    def add(value: str, open_to: Bools) -> None:
        """``open_to``: bool ``[levels, N]``, of whom the value can be said."""
        members = [columns[leaf] for leaf in sorted(group.leaves(value))]
        claimed, admissible = probability[:, members].sum(1), target[:, members].sum(1)
        known = mask[:, members[0]] > 0
        if group.kind == "exclusive":
            known &= (admissible == 0) | (admissible == target.sum(1))
            open_to = open_to & best[:, members].any(1)
        right = admissible > 0
        curve: Curve = ()
        if weights[known & right].sum() >= rule.least:
            curve = _curve(claimed, right, weights * known, open_to, rule)
            curves[value] = curve
        cuts = np.array([*curve, *[NEVER] * (len(LEVELS) - len(curve))])
        said[value] = open_to & (claimed >= cuts[:, None])

    for value in leaves:
        add(value, ~nothing)
    for value in parents:
        below = [said[leaf] for leaf in group.parents[value] if leaf in said]
        add(value, ~np.logical_or.reduce([nothing, *below]))
    if group.kind == "set" and NONE in taught:
        add(NONE, ~np.logical_or.reduce([nothing, *said.values()]))
    return curves


def thresholds_at(precise: Mapping[str, Mapping[str, Curve]], values: Mapping[str, Collection[str]],
                  precision: float) -> dict[str, dict[str, float]]:  # fmt: skip
    """Thresholds of ``values`` (group -> values) at a precision; :data:`NEVER` for those without a curve."""
    return {name: {value: threshold_at(precise.get(name, {}).get(value, ()), precision) for value in group}
            for name, group in values.items()}  # fmt: skip


def lower_bound(share: Floats, people: Floats, depth: float) -> Floats:
    """Wilson's lower bound of a share observed among ``people``.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    square = depth**2
    spread = depth * np.sqrt(share * (1.0 - share) / people + square / (4.0 * people**2))
    return np.asarray((share + square / (2.0 * people) - spread) / (1.0 + square / people), np.float64)


def _curve(claimed: Floats, right: Bools, weights: Floats, open_to: Bools, rule: Rule) -> Curve:
    """The lowest threshold whose bound reaches each level."""
    order = np.argsort(-claimed, kind="stable")
    order = order[(weights[order] > 0) & (claimed[order] >= LOWEST)]
    claimed, right, weights, open_to = claimed[order], right[order], weights[order], open_to[:, order]
    curve: list[float] = []
    for level, candidates in zip(LEVELS, open_to, strict=True):
        p, weight, hit = claimed[candidates], weights[candidates], right[candidates]
        people = weight.cumsum()
        total = people + rule.prior
        share = ((weight * hit).cumsum() + rule.prior * (weight * p).cumsum() / people) / total
        last_of_ties = np.append(p[:-1] > p[1:], True)[: len(p)]
        bound = lower_bound(np.minimum(share, 1.0), total, rule.depth)
        reached = np.flatnonzero(last_of_ties & (people >= rule.least) & (bound >= level))
        if reached.size:  # rounded up, so that no more is said than was counted
            curve.append(math.ceil(round(p[reached[-1]] * 1000, 6)) / 1000)
        else:
            curve.append(level if rule.trust and p.max(initial=0.0) < level else NEVER)
    while curve and curve[-1] == NEVER:
        curve.pop()
    return tuple(curve)
