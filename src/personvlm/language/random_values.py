"""Random legal attribute sets: what the decoder reads before it sees people, and what the parser is tested on."""

from __future__ import annotations

import random

from personvlm.schema.groups import GROUPS, NONE, Group


def random_values(
    rng: random.Random, *, share: float | None = None, absent: bool = False
) -> dict[str, tuple[str, ...]]:
    """Draw decided values that a sentence can state.

    Args:
        rng: source of chance.
        share: probability that a group is decided at all; None draws it from 0.15 to 0.85 for every set, so that
            short and long sentences both occur (13 of 28 groups on average).
        absent: let ``none`` be drawn too; only ``realise(..., say_absent=True)`` says it.

    Returns:
        Group -> values: one of an exclusive group, one to ``max_said`` of a set, never a parent beside its leaf.
    """
    if share is None:
        share = rng.uniform(0.15, 0.85)
    return {group.name: _draw(group, rng, absent) for group in GROUPS if rng.random() < share}


def _draw(group: Group, rng: random.Random, absent: bool) -> tuple[str, ...]:
    values = list(group.sayable)
    if absent and NONE in group.values and rng.random() < 0.3:
        return (NONE,)
    if group.kind == "exclusive":
        return (rng.choice(values),)
    chosen: list[str] = []
    for value in rng.sample(values, min(len(values), group.max_said)):
        if not any(group.covers(value, other) or group.covers(other, value) for other in chosen):
            chosen.append(value)
    most = rng.choice((1, *range(1, group.max_said + 1)))  # one thing is the commonest
    return tuple(chosen[:most])
