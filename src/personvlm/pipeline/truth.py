"""An answer beside the truth, where the truth is known whole, as of a rendered person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from personvlm.schema import GROUP, NONE, Attribute, Values, values_of

Verdict = Literal["right", "wrong", "silent", "absent"]


def judge(attributes: Mapping[str, Attribute], truth: Values) -> dict[str, Verdict]:
    """A verdict per group whose truth is known, in the order of the schema.

    What is said is right when every value of it is true or a coarser word for something true ("bag" for a backpack,
    "adult" for somebody in their thirties). To say nothing is ``silent``, and no verdict at all where nothing is
    there: absence is not said unless asked for. Absence that is known rightly is ``absent``, a verdict of its own:
    eight groups in which hardly anybody wears anything would make every score look good.
    """
    said = values_of(attributes)
    verdicts: dict[str, Verdict] = {}
    for name, group in GROUP.items():
        true, answer = tuple(truth.get(name, ())), said.get(name, ())
        if not true or (not answer and true == (NONE,)):
            continue
        if not answer:
            verdicts[name] = "silent"
        elif answer == true == (NONE,):
            verdicts[name] = "absent"
        else:
            fits = all(any(group.covers(value, fact) for fact in true) for value in answer)
            verdicts[name] = "right" if fits else "wrong"
    return verdicts


@dataclass(frozen=True)
class Score:
    """Counts over all people, absence that is known rightly left out."""

    right: int
    wrong: int
    silent: int

    @property
    def said(self) -> int:
        """Facts that were said and can be judged."""
        return self.right + self.wrong

    @property
    def known(self) -> int:
        """Facts that could have been said."""
        return self.said + self.silent


def count(verdicts: Iterable[Mapping[str, Verdict]]) -> Score:
    """Add verdicts up."""
    every = [verdict for each in verdicts for verdict in each.values()]
    return Score(every.count("right"), every.count("wrong"), every.count("silent"))
