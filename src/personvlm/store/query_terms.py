"""What was read of a question, as terms that all must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from math import prod

from personvlm.store.query import Term, Wanted

_MOST = 16
"""Alternatives that several people may come to, each with everything that is asked of them."""


@dataclass
class Unit:
    """What one noun, with its adjectives, or one fact asks for; or several of them joined by "or"."""

    alternatives: list[list[Wanted]]
    absent: bool
    region: str = ""
    name: str = ""  # of a noun that asks for nothing by itself
    first: bool = False


def terms_of(units: Sequence[Unit]) -> tuple[Term, ...]:
    """Everything that is asked for, each once."""
    terms: list[Term] = []
    for unit in sorted(units, key=lambda unit: not unit.first):
        alternatives = _merged([each for each in unit.alternatives if each])
        if not alternatives:
            continue
        if unit.absent:
            terms += [Term((tuple(each),), absent=True) for each in unit.alternatives if each]
        elif len(alternatives) == 1:
            terms += [Term(((wanted,),)) for wanted in alternatives[0]]
        else:
            terms.append(Term(tuple(map(tuple, alternatives))))
    unique: dict[str, Term] = {}
    for term in terms:
        unique.setdefault(str(term), term)
    return tuple(unique.values())


def _merged(alternatives: list[list[Wanted]]) -> list[list[Wanted]]:
    """Alternatives that differ in the value of one group as one: "jacket or coat"."""
    merged: list[list[Wanted]] = []
    for each in alternatives:
        last = merged[-1] if merged else None
        if last is not None and [one.group for one in last] == [one.group for one in each]:
            different = [place for place, (one, other) in enumerate(zip(last, each, strict=True)) if one != other]
            if len(different) == 1 and last[different[0]].shares is None and each[different[0]].shares is None:
                place = different[0]
                values = tuple(dict.fromkeys((*last[place].values, *each[place].values)))
                last[place] = Wanted(last[place].group, values)
                continue
        merged.append(list(each))
    return merged


def either(people: Sequence[Sequence[Term]]) -> Term | None:
    """One term that any of ``people`` fits; None where it cannot be said, as of what must be absent."""
    if any(not terms or any(term.absent for term in terms) for terms in people):
        return None
    if sum(prod(len(term.alternatives) for term in terms) for terms in people) > _MOST:
        return None
    return Term(tuple(tuple(chain(*each)) for terms in people
                      for each in product(*(term.alternatives for term in terms))))  # fmt: skip
