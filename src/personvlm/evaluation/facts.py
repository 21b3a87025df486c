"""How facts are scored: read back from the generated text, with human labels as truth, every person weighted once.

Six headline groups. Gender, age (five bands), hair color, upper color and lower color by accuracy: the first value
said must be among the labelled ones, and silence is wrong. Bag by balanced accuracy: silence means none. Rows where a
group is not annotated are left out of that group, and so are rows whose age is a partial label ("adult") or whose hair
is only known not to be black, and crops that may carry a bag which nobody named. Beside each figure stands the
majority class: the best constant answer, scored in the same way on the same rows.

Inputs are what a parser read (``Values``, one mapping per text), never text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.figures import number
from personvlm.evaluation.truth import related, verdict_on
from personvlm.metrics.facts import identity_weights, nanmean, ratio
from personvlm.metrics.intervals import bootstrap_interval, sums_per_identity
from personvlm.schema import GROUP, GROUPS, NONE, OTHER, UNKNOWN, Annotations, Attribute, Known, Values

HEADLINE = ("gender", "age", "hair.color", "upper.color", "lower.color", "bag")
"""The six groups, in the order of every table."""

_TWO_COLORS = ("upper.color", "lower.color")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One group, judged row by row.

    Attributes:
        counted: bool ``[N]``, the rows that are scored.
        right: bool ``[N]``.
        stratum: int ``[N]``; the figure is the mean over strata of the share that is right. Accuracy has one
            stratum; balanced accuracy has two, the rows without (0) and with (1) the thing.
        strata: how many there are.
    """

    counted: NDArray[np.bool_]
    right: NDArray[np.bool_]
    stratum: NDArray[np.int64]
    strata: int = 1

    def sums(self, identities: Sequence[str | None]) -> Floats:
        """Per person ``[I, 2 * strata]``: weight right, weight counted, per stratum. A person's weights sum to 1."""
        rows = np.flatnonzero(self.counted).tolist()
        weights = np.zeros(len(self.counted))
        weights[rows] = identity_weights([identities[row] for row in rows])
        parts = [weights * (self.stratum == stratum) * hit for stratum in range(self.strata) for hit in (self.right, 1)]
        return sums_per_identity(identities, np.stack(parts, axis=1))


def figure(totals: Floats) -> Floats:
    """``[..., 2 * strata]`` sums to ``[...]`` figures, each the mean over strata of right / counted."""
    shares = ratio(totals[..., 0::2], totals[..., 1::2])
    return np.asarray(shares.mean(-1), np.float64)


def judge(group: str, said: Sequence[Values], samples: Sequence[Sample]) -> Judged:
    """Judge one headline group.

    Args:
        group: one of :data:`HEADLINE`.
        said: what each text states, ``[N]``.
        samples: the pictures with their labels, ``[N]``.
    """
    known = [sample.annotations.known.get("carrying" if group == "bag" else group) for sample in samples]
    if group == "bag":
        truth = [_bag(fact) for fact in known]
        stratum = np.array([bool(there) for there in truth], np.int64)
        states = np.array([states_bag(values) for values in said], bool)
        counted = np.array([there is not None for there in truth], bool)
        return Judged(counted, states == stratum.astype(bool), stratum, strata=2)
    counted = np.array([fact is not None and _names_the_answer(group, fact) for fact in known], bool)
    right = np.array([fact is not None and _first_is_right(group, values.get(group, ()), fact)
                      for values, fact in zip(said, known, strict=True)], bool)  # fmt: skip
    return Judged(counted, right, np.zeros(len(samples), np.int64))


def states_bag(values: Values) -> bool:
    """Whether a bag of any kind is stated."""
    return any(GROUP["carrying"].covers("bag", value) for value in values.get("carrying", ()))


def majority(group: str, samples: Sequence[Sample]) -> tuple[str, float]:
    """The best constant answer of a headline group and its figure. Any constant answer about bags scores 0.5."""
    if group == "bag":
        return NONE, 0.5
    identities = [sample.identity for sample in samples]
    figures = {}
    for value in GROUP[group].sayable:
        judged = judge(group, [{group: (value,)}] * len(samples), samples)
        figures[value] = float(figure(judged.sums(identities).sum(0))) if judged.counted.any() else float("nan")
    best = max(figures, key=lambda value: -1.0 if np.isnan(figures[value]) else figures[value])
    return best, figures[best]


def score_text(said: Sequence[Values], samples: Sequence[Sample], *, resamples: int = 1000) -> dict[str, Any]:
    """The ``text`` object of ``evaluate --json``: per headline group, and their ``mean``.

    Each holds ``accuracy``, ``majority``, ``interval`` (95 %, bootstrap over people) and ``n`` (rows scored); a color
    group also ``second_color`` with ``precision`` and ``n``. A figure without any row is None.

    Raises:
        ValueError: there are not as many texts as samples, or none.
    """
    if len(said) != len(samples) or not samples:
        raise ValueError(f"{len(said)} texts for {len(samples)} samples: give one text per sample, and at least one")
    identities = [sample.identity for sample in samples]
    result: dict[str, Any] = {}
    sums: list[Floats] = []
    for group in HEADLINE:
        judged = judge(group, said, samples)
        per_person = judged.sums(identities)
        sums.append(per_person)
        constant, level = majority(group, samples)
        low, high = bootstrap_interval(per_person, figure, resamples=resamples)
        result[group] = {"accuracy": number(figure(per_person.sum(0))), "majority": number(level),
                         "majority_value": constant, "interval": [number(low), number(high)],
                         "n": int(judged.counted.sum())}  # fmt: skip
        if group in _TWO_COLORS:
            result[group]["second_color"] = _second_color(group, said, samples)
    edges = np.cumsum([part.shape[1] for part in sums])[:-1]

    def mean(totals: Floats) -> Floats:
        each = np.stack([figure(part) for part in np.split(totals, edges, axis=-1)], axis=-1)
        return np.array([nanmean(row) for row in each])

    joined = np.concatenate(sums, axis=1)
    low, high = bootstrap_interval(joined, mean, resamples=resamples)
    baseline = nanmean([result[group]["majority"] for group in HEADLINE if result[group]["accuracy"] is not None])
    result["mean"] = {"accuracy": number(mean(joined.sum(0)[None])[0]), "majority": number(baseline),
                      "interval": [number(low), number(high)]}  # fmt: skip
    return result


def score_said(said: Sequence[Values], samples: Sequence[Sample]) -> dict[str, Any]:
    """The ``said`` object: how much of what is stated is right, and how much is stated, over all groups.

    ``accuracy`` is over stated values that the labels can judge. A value of an exclusive group is right when it, or a
    value below it, is admissible. A value of a set is right when it is labelled present, wrong when it or its parent
    is labelled absent, and not judged when it was not annotated. ``coverage`` is over annotated (picture, group)
    pairs that have something to state (labelled absence, "no hat", is not stated by rule). ``groups`` is the mean
    number of groups a text states.
    """
    weights = identity_weights([sample.identity for sample in samples])
    right = judged = stated = sayable = 0.0
    rows: list[list[float]] = []
    for values, sample, weight in zip(said, samples, weights, strict=True):
        verdicts = [verdict for group in GROUPS if group.name in sample.annotations.known
                    for value in values.get(group.name, ())
                    if (verdict := verdict_on(group.name, value, sample.annotations.known[group.name])) is not None]
        there = [name for name, fact in sample.annotations.known.items() if _has_something_to_say(name, fact)]
        rows.append([weight * sum(verdicts), weight * len(verdicts),
                     weight * sum(1 for name in there if values.get(name)), weight * len(there)])
    sums = sums_per_identity([sample.identity for sample in samples], rows)
    right, judged, stated, sayable = sums.sum(0)
    (low, high), (least, most) = (bootstrap_interval(part, figure) for part in (sums[:, :2], sums[:, 2:]))
    return {"accuracy": number(ratio(right, judged)), "coverage": number(ratio(stated, sayable)),
            "interval": [number(low), number(high)], "coverage_interval": [number(least), number(most)],
            "groups": float(np.mean([sum(1 for stated_values in values.values() if stated_values) for values in said]))}


def consistent(said: Values, attributes: Mapping[str, Attribute]) -> bool:
    """Whether everything that a text states also stands in the attributes, as the same value or a parent or child."""
    for name, stated in said.items():
        item = attributes.get(name)
        decided = () if item is None or item.value == UNKNOWN else item.values
        group = GROUP[name]
        if not all(any(group.covers(value, other) or group.covers(other, value) for other in decided)
                   for value in stated if value != UNKNOWN):  # fmt: skip
            return False
    return True


def values_of_annotations(annotations: Annotations) -> dict[str, tuple[str, ...]]:
    """What the labels alone would have a sentence say: the ceiling of every figure that is read from text.

    Partial labels are said where a parent stands for exactly the admissible values ("adult"), and not otherwise.
    """
    sayable = {name: tuple(value for value in values if value in GROUP[name].sayable)[: GROUP[name].max_said]
               for name, values in annotations.values().items()}  # fmt: skip
    return {name: values for name, values in sayable.items() if values}


def _bag(fact: Known | None) -> bool | None:
    """True and False as labelled; None where nobody says, or where an unnamed thing may be a bag."""
    if fact is None:
        return None
    if any(GROUP["carrying"].covers("bag", value) for value in fact.present):
        return True
    return False if "bag" in fact.absent else None


def _names_the_answer(group: str, fact: Known) -> bool:
    """Whether the label says what is there: several bands of age, or "any hair but black", do not."""
    several = len(fact.present) > 1
    return bool(fact.present) and not (several and (group == "age" or OTHER in fact.present))


def _first_is_right(group: str, stated: tuple[str, ...], fact: Known) -> bool:
    if not stated:
        return False
    if group == "age":  # "adult" is true of three bands, and names none of the five
        return stated[0] in fact.present
    return related(group, stated[0], fact.present)


def _second_color(group: str, said: Sequence[Values], samples: Sequence[Sample]) -> dict[str, Any]:
    rows = [row for row, values in enumerate(said)
            if len(values.get(group, ())) > 1 and group in samples[row].annotations.known]  # fmt: skip
    weights = identity_weights([samples[row].identity for row in rows])
    hits = [related(group, said[row][group][1], samples[row].annotations.known[group].present) for row in rows]
    return {"precision": number(ratio(float(weights @ np.array(hits, np.float64)), float(weights.sum()))),
            "n": len(rows)}  # fmt: skip


def _has_something_to_say(name: str, fact: Known) -> bool:
    return bool(fact.present & set(GROUP[name].sayable)) and not fact.present & {NONE, OTHER}
