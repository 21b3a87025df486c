"""What is known about a person from labels: values that hold, values that do not, and everything left open.

"Not annotated" is different from "absent". A data set that never labels gloves says nothing about gloves, and
neither the loss nor a metric may treat its silence as "no gloves". A coarse label ("Adult") is a partial one: it
leaves several values admissible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from personvlm.schema.groups import GROUP, GROUPS, column_slices, columns


@dataclass(frozen=True)
class Known:
    """Knowledge about one group.

    In an exclusive group exactly one of ``present`` holds (one value: fully known; several: a partial label) and
    ``absent`` is empty. In a set every value of ``present`` holds, none of ``absent`` does, and the others are open.
    """

    present: frozenset[str]
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Annotations:
    """Known groups of one person; a group that is not in ``known`` was not annotated."""

    known: Mapping[str, Known] = field(default_factory=dict)

    @classmethod
    def build(cls, values: Mapping[str, str | Iterable[str]]) -> Annotations:
        """From plain values: a string is one value (a parent: its leaves); several are admissible values of an
        exclusive group, or the present values of a set, whose other values are then absent; the kinds of a parent
        that is given alone stay open.

        Raises:
            KeyError: a group or value does not exist; the message lists the legal ones.
        """
        known = {}
        for name, given in values.items():
            if name not in GROUP:
                raise KeyError(f"{name!r} is not an attribute group; legal: {', '.join(GROUP)}")
            group = GROUP[name]
            names = (given,) if isinstance(given, str) else tuple(given)
            present = frozenset().union(*(group.leaves(value) for value in names)) if names else frozenset()
            if group.kind == "set":
                present |= {parent for parent, leaves in group.parents.items() if present & set(leaves)}
                # "A bag", and nothing finer: which kind of bag stays open.
                coarse = [set(leaves) for parent, leaves in group.parents.items()
                          if parent in present and not present & set(leaves)]  # fmt: skip
                known[name] = Known(present, frozenset(group.columns) - present - set().union(*coarse))
            elif present:
                known[name] = Known(present)
        return cls(known)

    def values(self) -> dict[str, tuple[str, ...]]:
        """What is known for certain, in the order of the schema: single values of exclusive groups (a parent, where
        exactly its leaves are admissible) and the present values of sets, a parent only where no leaf is known."""
        values = {}
        for group in GROUPS:
            fact = self.known.get(group.name)
            if fact is None:
                continue
            present = tuple(value for value in group.values if value in fact.present)
            if group.kind == "exclusive" and len(present) > 1:
                present = tuple(parent for parent, leaves in group.parents.items() if fact.present == set(leaves))
            present = tuple(value for value in present if not set(group.parents.get(value, ())) & set(present))
            if present:
                values[group.name] = present
        return values

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Targets and mask over :func:`~personvlm.schema.groups.columns`, each ``float32 [C]`` of 0 and 1.

        In an exclusive group the mask is 1 on all of its columns when the group is known, and the target is 1 on the
        admissible ones. In a set the mask is 1 on the values that are known to be present or absent.
        """
        target = np.zeros(len(columns()), np.float32)
        mask = np.zeros(len(columns()), np.float32)
        for name, where in column_slices().items():
            if name not in self.known:
                continue
            group, fact = GROUP[name], self.known[name]
            target[where] = [value in fact.present for value in group.columns]
            if group.kind == "exclusive":
                mask[where] = 1.0
            else:
                mask[where] = [value in fact.present or value in fact.absent for value in group.columns]
        return target, mask
