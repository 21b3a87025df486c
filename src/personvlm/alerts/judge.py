"""Applies the condition of a rule to one description: does it hold, and how probable is it that it is true.

Probabilities are the calibrated ones of the description. They are combined as if attributes were independent of each
other, exactly within an exclusive group. What the description says nothing about is unknown: its probability may be
anything from 0 to 1, so that neither the thing nor its negation holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from personvlm.alerts.rule import (
    And,
    At,
    Clear,
    Crops,
    During,
    Has,
    Node,
    Not,
    On,
    Or,
    Stays,
    Sure,
    attributes,
    parts,
)
from personvlm.schema import Attribute, Described, PersonDescription
from personvlm.schema.groups import GROUP

CONFIDENCE = 0.5
"""Least probability of a condition that states none."""

CROPS = Crops(3, 5)
"""Evidence of a rule that states none: on development scenes nothing was missed for it, and fewest alerts were wrong
(docs/alerts.md)."""


@dataclass(frozen=True)
class Verdict:
    """What a condition comes to.

    Attributes:
        holds: it is true with at least the probability that the rule asks for.
        low, high: bounds of that probability; they differ where something is unknown.
    """

    holds: bool
    low: float
    high: float


@dataclass(frozen=True)
class _Weight:
    low: float
    high: float
    holds: bool | None = None  # decided already, by a `confidence` of its own


def judge(condition: Node, described: Described, zone: tzinfo | None = None) -> Verdict:
    """Whether ``condition`` holds for ``described``.

    Args:
        zone: for times of day and days of the week; None: that of this machine.
    """
    weight = _weigh(condition, described, CONFIDENCE, zone)
    return Verdict(_decided(weight, CONFIDENCE), weight.low, weight.high)


def reasons(condition: Node, description: PersonDescription) -> dict[str, float]:
    """The probability of every attribute that the condition asks about, under its text; unknown ones are missing."""
    bounds = {str(has): probability(description, has) for has in attributes(condition)}
    return {term: round(low, 4) for term, (low, high) in bounds.items() if low == high or low > 0}


def _decided(weight: _Weight, least: float) -> bool:
    return weight.holds if weight.holds is not None else weight.low > 0 and weight.low >= least


def _weigh(node: Node, described: Described, least: float, zone: tzinfo | None) -> _Weight:
    if isinstance(node, Has):
        return _Weight(*probability(described.description, node))
    if isinstance(node, Not):
        weight = _weigh(node.part, described, least, zone)
        return _Weight(1 - weight.high, 1 - weight.low)
    if isinstance(node, And):
        sure = [part.least for part in node.parts if isinstance(part, Sure)]
        least = sure[0] if sure else least
        weights = [_weigh(part, described, least, zone) for part in _together(node) if not isinstance(part, Sure)]
        weight = _Weight(math.prod(each.low for each in weights), math.prod(each.high for each in weights))
        if not sure and all(each.holds is None for each in weights):
            return weight
        own = _Weight(math.prod(each.low for each in weights if each.holds is None), 1.0)
        holds = _decided(own, least) and not any(each.holds is False for each in weights)
        return _Weight(weight.low, weight.high, holds)
    if isinstance(node, Or):
        weights = [_weigh(part, described, least, zone) for part in _together(node)]
        weight = _Weight(_either(each.low for each in weights), _either(each.high for each in weights))
        if all(each.holds is None for each in weights):
            return weight
        own = _Weight(_either(each.low for each in weights if each.holds is None), 1.0)
        return _Weight(weight.low, weight.high, _decided(own, least) or any(each.holds for each in weights))
    certain = 1.0 if _circumstance(node, described, zone) else 0.0
    return _Weight(certain, certain)


def _either(probabilities: Iterable[float]) -> float:
    return 1 - math.prod(1 - each for each in probabilities)


def _together(node: And | Or) -> list[Node]:
    """Parts, with those of one exclusive group made one: hat or cap is a sum, neither hat nor cap what that leaves."""
    merged: dict[str, list[str]] = {}
    rest: list[Node] = []
    for part in parts(node):
        has = part.part if isinstance(node, And) and isinstance(part, Not) else part if isinstance(node, Or) else None
        if isinstance(has, Has) and GROUP[has.group].kind == "exclusive":
            merged.setdefault(has.group, []).extend(has.values)
        else:
            rest.append(part)
    ones: list[Node] = [Has(group, tuple(dict.fromkeys(values))) for group, values in merged.items()]
    return [*rest, *(ones if isinstance(node, Or) else map(Not, ones))]


def probability(description: PersonDescription, has: Has) -> tuple[float, float]:
    """Bounds of the probability that the person has what ``has`` says."""
    group, scores = GROUP[has.group], description.scores.get(has.group)
    if scores is None:
        return _from_decision(description.attributes.get(has.group), has)
    if group.kind == "exclusive":
        leaves = frozenset().union(*(group.leaves(value) for value in has.values))
        total = min(1.0, sum(scores.get(leaf, 0.0) for leaf in leaves))
        return total, total
    # A parent is true whenever one of its leaves is.
    each = [max(scores.get(name, 0.0) for name in (value, *group.parents.get(value, ()))) for value in has.values]
    together = math.prod(each) if has.every else _either(each)
    return together, together


def _from_decision(decided: Attribute | None, has: Has) -> tuple[float, float]:
    """Where only decisions are given, as in descriptions from elsewhere."""
    if decided is None:
        return 0.0, 1.0
    group = GROUP[has.group]
    told = [any(group.covers(value, said) for said in decided.values) for value in has.values]
    if (all if has.every else any)(told):
        return decided.confidence, decided.confidence
    if group.kind == "set" or any(group.covers(said, value) for said in decided.values for value in has.values):
        return 0.0, 1.0  # a backpack does not exclude an umbrella, nor does an adult exclude somebody in their thirties
    return 0.0, 1.0 - decided.confidence


def _circumstance(node: Node, described: Described, zone: tzinfo | None) -> bool:
    request = described.request
    if isinstance(node, At):
        return request.camera in node.cameras
    if isinstance(node, Clear):
        return described.description.quality >= node.least
    if isinstance(node, Stays):
        return request.frame_time - request.seen_since >= node.seconds
    local = datetime.fromtimestamp(request.frame_time, zone)
    if isinstance(node, On):
        return local.weekday() in node.days
    assert isinstance(node, During)
    now = 60 * local.hour + local.minute
    if node.start < node.end:
        return node.start <= now < node.end
    return now >= node.start or now < node.end
