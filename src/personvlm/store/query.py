"""What is asked for, as terms that every person fits with some probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from personvlm.schema import GROUP
from personvlm.store.near import weights


@dataclass(frozen=True)
class Wanted:
    """One of ``values`` in one group: ``upper.color`` red or orange.

    Attributes:
        shares: how much of each value's probability counts; by default that of :func:`personvlm.store.near.weights`.
    """

    group: str
    values: tuple[str, ...]
    shares: Mapping[str, float] | None = None

    @cached_property
    def counted(self) -> dict[str, float]:
        """Value -> share of its probability that counts."""
        if self.shares is not None:
            return dict(self.shares)
        found: dict[str, float] = {}
        for value in self.values:
            for near, weight in weights(self.group, value).items():
                found[near] = max(weight, found.get(near, 0.0))
        return found

    @property
    def adds_up(self) -> bool:
        """Whether the values exclude each other, so that their probabilities are added."""
        return GROUP[self.group].kind == "exclusive"

    def __str__(self) -> str:
        return f"{self.group}: {' or '.join(self.values)}"


@dataclass(frozen=True)
class Term:
    """One thing that is asked for, judged by itself and named in the reasons.

    Attributes:
        alternatives: any of these fits; everything inside one of them must hold.
        absent: that it does not hold is asked for.
    """

    alternatives: tuple[tuple[Wanted, ...], ...]
    absent: bool = False

    @classmethod
    def of(cls, group: str, *values: str) -> Term:
        """One of ``values`` in one group."""
        return cls(((Wanted(group, values),),))

    def __str__(self) -> str:
        said = " or ".join(" and ".join(str(wanted) for wanted in each) for each in self.alternatives)
        return f"not {said}" if self.absent else said


@dataclass(frozen=True)
class Query:
    """A question in parts.

    Attributes:
        text: as it was asked.
        terms: what attributes can tell; all of them are wanted.
        words: what only the full text can tell.
        phrases: words that must follow each other in the text, from quotation marks.
        notes: what was read otherwise than it was written, or not at all; for whoever asked.
    """

    text: str = ""
    terms: tuple[Term, ...] = ()
    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def has_words(self) -> bool:
        """Whether the full text is asked for anything."""
        return bool(self.words or self.phrases)
