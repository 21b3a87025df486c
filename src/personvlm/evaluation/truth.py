"""What labels say about every value that a text could state, as arrays: made once, asked by every row of a table.

``N`` is samples, ``V`` the values of :data:`VALUES` (every value of every group, parents too), ``C`` the columns of
the schema that a sentence may state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.metrics.facts import identity_weights
from personvlm.schema import GROUP, GROUPS, NONE, OTHER, UNKNOWN, Known, Values
from personvlm.schema.groups import columns

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

VALUES: tuple[tuple[str, str], ...] = tuple((group.name, value) for group in GROUPS for value in group.values)
"""Every (group, value), in the order of the schema."""

COLUMNS: tuple[tuple[str, str], ...] = tuple(pair for pair in columns() if pair[1] not in (NONE, OTHER))
"""The columns that a sentence may state when absence is not asked for."""


@dataclass(frozen=True)
class Truth:
    """Labels of a set of samples.

    Attributes:
        identities: whose picture it is ``[N]``; None is a person of its own.
        weights: ``[N]``, so that a person counts once.
        verdict: ``int8 [N, V]``, whether a text that states the value is right (1), wrong (-1), or nobody knows (0).
        labelled: ``[N, V]``, the values that are there and can be said, a parent only where no leaf is known.
        targets: ``[N, C]``, which columns hold.
        known: ``[N, C]``, where the label decides; several admissible values leave each of them open.
    """

    identities: tuple[str | None, ...]
    weights: Floats
    verdict: NDArray[np.int8]
    labelled: Bools
    targets: Bools
    known: Bools

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Truth:
        """The labels of samples; pictures with equal labels are judged once."""
        index: dict[frozenset[tuple[str, Known]], int] = {}
        where = [index.setdefault(frozenset(sample.annotations.known.items()), len(index)) for sample in samples]
        first = dict(zip(reversed(where), reversed(samples), strict=True))
        different = [first[row] for row in range(len(index))]
        verdict = np.array([[_sign(verdict_on(group, value, sample.annotations.known.get(group)))
                             for group, value in VALUES] for sample in different], np.int8)  # fmt: skip
        there = [labelled_values(sample) for sample in different]
        labelled = np.array([[value in values.get(group, ()) for group, value in VALUES] for values in there], bool)
        arrays = [sample.annotations.arrays() for sample in different]
        targets, known = (np.stack([pair[side] for pair in arrays]) > 0 for side in (0, 1))
        known &= ~(targets & left_open(different))
        kept = np.array([pair in set(COLUMNS) for pair in columns()])
        identities = tuple(sample.identity for sample in samples)
        return cls(identities, identity_weights(identities), verdict[where], labelled[where], targets[where][:, kept],
                   known[where][:, kept])  # fmt: skip


def stated(said: Sequence[Values]) -> Bools:
    """What texts state ``[N, V]``; ``unknown`` states nothing."""
    return np.array([[value in values.get(group, ()) for group, value in VALUES] for values in said], bool)


def as_columns(statements: Bools) -> Bools:
    """Statements ``[N, V]`` as columns ``[N, C]``: a backpack is a bag as well, dark blue is blue."""
    return np.asarray(statements.astype(np.float32) @ _covered() > 0, bool)


def verdict_on(name: str, value: str, fact: Known | None) -> bool | None:
    """Whether stating ``value`` is right; None where the label cannot tell.

    A value of an exclusive group is right when it, its parent or its child is admissible. A value of a set is wrong
    when it or its parent is labelled absent, and is not judged when it was not annotated.
    """
    if fact is None:
        return None
    if related(name, value, fact.present):
        return True
    if GROUP[name].kind == "exclusive":
        return False if fact.present else None
    absent = any(GROUP[name].covers(other, value) for other in fact.absent)
    return False if absent else None


def related(name: str, value: str, others: frozenset[str]) -> bool:
    """Whether one of ``others`` is the value, its parent ("blue" for "dark blue") or its child."""
    covers = GROUP[name].covers
    return any(covers(value, other) or covers(other, value) for other in others)


def labelled_values(sample: Sample) -> Mapping[str, tuple[str, ...]]:
    """What there is to say: labelled values without absence ("no hat") and without what has no word."""
    return {name: tuple(value for value in values if value in GROUP[name].sayable)
            for name, values in sample.annotations.values().items()}  # fmt: skip


def left_open(samples: Sequence[Sample]) -> Bools:
    """Columns ``[N, all columns]`` of exclusive groups whose label admits several values."""
    return np.array([[group in (known := sample.annotations.known) and GROUP[group].kind == "exclusive"
                      and len(known[group].present) > 1 for group, _ in columns()] for sample in samples])  # fmt: skip


@lru_cache(maxsize=1)
def of_group() -> Floats:
    """Which value belongs to which group: 0/1 ``[V, groups]``."""
    return np.array([[name == group.name for group in GROUPS] for name, _ in VALUES], np.float64)


@lru_cache(maxsize=1)
def relations() -> Floats:
    """Which values of one group are the same, parent or child: 0/1 ``[V, V]``."""
    return np.array([[name == other and related(name, value, frozenset({second})) for other, second in VALUES]
                     for name, value in VALUES], np.float64)  # fmt: skip


@lru_cache(maxsize=1)
def _covered() -> NDArray[np.float32]:
    return np.array([[name == group and GROUP[group].covers(column, value) for group, column in COLUMNS]
                     for name, value in VALUES if value != UNKNOWN], np.float32)  # fmt: skip


def _sign(verdict: bool | None) -> int:
    return 0 if verdict is None else 1 if verdict else -1
