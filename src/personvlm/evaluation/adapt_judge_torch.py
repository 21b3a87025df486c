"""How an adaptation is judged: calibrations and figures by people whom no fit had seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.data.sample import Sample
from personvlm.evaluation.adapt_gate import FORGET, Labels, State, compare, headline, kept
from personvlm.metrics.scaling import losses
from personvlm.runtime.calibrate import Labelled, fit
from personvlm.runtime.calibration import Calibration
from personvlm.schema import GROUP, Values, values_of
from personvlm.schema.groups import column_slices
from personvlm.training.adapt import Change
from personvlm.training.adapt_fit import parts, surely
from personvlm.training.adapt_look import Looked

FOLDS = 3
"""Parts of the people by which a calibration is judged on people whom it was not fitted to."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judging:
    """Pictures on which a change is judged: one's own first, then those of the reference set.

    Attributes:
        own: how many of the first are one's own.
        looked: all of them, by the model that comes out; one's own logits by eyes that never saw the person.
        old: logits ``[N, C]`` of the model as it came.
        fits: ``[N]``, whether a calibration may be fitted to the picture; drawn people say nothing about cameras.
        labels: of all groups.
    """

    own: int
    looked: Looked
    old: Floats
    fits: NDArray[np.bool_]
    labels: Labels


def judging_of(new: Looked, reference: Looked, old: Floats, groups: Sequence[str], drawn: bool) -> Judging:
    """One's own pictures and those of the reference set, with the labels of ``groups`` alone; see :class:`Judging`."""
    # Somebody of the same name is somebody else there.
    looked = new.joined(replace(reference, samples=tuple(replace(sample, source=f"{sample.source}, reference")
                                                         for sample in reference.samples)))  # fmt: skip
    weights = looked.weights
    mine, theirs = weights[: len(new)].sum(), weights[len(new) :].sum()
    weights[len(new) :] *= min(1.0, mine / max(1e-9, theirs))  # a calibration is for one's own cameras first
    fits = np.ones(len(looked), bool)
    fits[len(new) :] = not drawn
    labels = Labels(looked.target, _only(looked.mask, groups), weights, looked.identities)
    return Judging(len(new), looked, old, fits, labels)


def fitted_logits(found: Mapping[str, Change], judged: Judging, before: Calibration) -> Floats:
    """Logits ``[N, C]`` of the changed heads: one's own pictures by fits that never saw their person."""
    result, own = judged.looked.logits.copy(), judged.own
    others = judged.looked.take(range(own, len(result)))
    scale, shift = np.array(before.scale), np.array(before.shift)
    for name, change in found.items():
        where = column_slices()[name]
        a, b = (1.0, 0.0) if change.afresh else (scale[where], shift[where])
        result[:own, where] = (change.held_out - b) / a
        result[own:, where] = change.of(others, name)
    return result


def judge_eyes(before: Calibration, known: Sequence[str], new: tuple[Looked, Looked],
               reference: tuple[Looked, Looked]) -> dict[str, Any]:  # fmt: skip
    """Other eyes under the old calibration, before and after: ``change``, ``why`` they must not be taken, ``gain`` (the
    fall of the negative log-likelihood per person of one's own, all labelled groups together), and the mean of the
    headline groups on one's own people (``new``) and on the reference set."""
    scale, shift = np.array(before.scale), np.array(before.shift)
    labels, gain = new[0], np.zeros(len(new[0]))
    for name in known:
        where = column_slices()[name]
        told = (labels.target[:, where], labels.mask[:, where], labels.weights, GROUP[name].kind)
        lost, left = (losses(each.logits[:, where] * scale[where] + shift[where], *told) for each in new)
        gain += lost - left
    people = np.bincount(labels.people, gain).astype(np.float64)
    six = [headline(values_said(before, old.logits), values_said(before, now.logits), old.samples).get("mean")
           for old, now in (new, reference)]  # fmt: skip
    why = ""
    if surely(people) <= 0:
        why = "people left out are not told better"
    elif six[1] is not None and six[1]["difference"] < -FORGET:
        why = "they forget too much elsewhere"
    return {"change": "none" if why else "eyes", "why": why, "gain": float(people.mean()), "new": six[0],
            "reference": six[1]}  # fmt: skip


def settled_groups(found: Mapping[str, Change], judged: Judging, before: Calibration,
                   taught: Mapping[str, tuple[str, ...]], groups: Sequence[str],
                   eyes: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:  # fmt: skip
    """What happens to each group, with the figures of it, and the groups whose calibration is fitted anew.

    Args:
        found: how heads would change.
        before: the calibration of the model as it came.
        taught: values that it, or the new labels, taught.
        groups: labelled ones.
        eyes: whether the model has other eyes.
    """
    report: dict[str, dict[str, Any]] = {}
    settled: list[str] = []
    moved = [name for name in groups if name in found and found[name].strength is not None]
    tries = (("head", fitted_logits(found, judged, before), moved),
             ("calibration", judged.looked.logits, [name for name in groups if name in before.taught]))  # fmt: skip
    for kind, logits, names in tries:
        waiting = [name for name in names if name not in settled]
        if not waiting:
            continue
        trial = _crossed(logits, judged, before, taught if kind == "head" or eyes else before.taught)
        for name in waiting:
            told = _told(name, before, trial, logits, judged)
            why = kept(*told) if name in before.taught else _worth(name, told, found[name], judged)
            change, strength = kind if not why else "none", found[name].strength if name in found else None
            if eyes and kind == "calibration":
                change = "eyes"
                if why:  # what they see is told with the confidence of before
                    told, change = _told(name, before, [before] * FOLDS, logits, judged), "eyes alone"
            report[name] = {"change": change, "why": why if change == "none" else "",
                            "strength": strength.name if change == "head" and strength else None,
                            "new": told[0], "reference": told[1]}  # fmt: skip
            if not why:
                settled.append(name)
    for name in groups:
        report.setdefault(name, {"change": "none", "why": "nothing to learn from so few labels", "strength": None,
                                 "new": None, "reference": None})  # fmt: skip
    return report, [name for name in groups if name in settled]


def _only(mask: Floats, groups: Sequence[str]) -> Floats:
    """``mask [N, C]`` where nothing is known but ``groups``."""
    known = np.zeros_like(mask)
    for name in groups:
        known[:, column_slices()[name]] = mask[:, column_slices()[name]]
    return known


def _rows(judged: Judging) -> NDArray[np.int64]:
    """The part that each picture belongs to ``[N]``, by person."""
    people = judged.looked.people
    return parts(people, np.unique(people), FOLDS)[people]


def calibrated(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
               groups: Sequence[str], only: NDArray[np.bool_]) -> Calibration:  # fmt: skip
    """The calibration of ``groups`` fitted to those pictures of ``only`` that may be used; other groups keep theirs."""
    rows = np.flatnonzero(only & judged.fits)
    labels, looked = judged.labels, judged.looked
    data = Labelled(logits[rows], looked.quality[rows], labels.target[rows], _only(labels.mask[rows], groups),
                    labels.weights[rows], tuple(labels.identities[row] for row in rows.tolist()))  # fmt: skip
    plain = Calibration.plain(taught)
    widened = replace(before, taught=dict(taught), confident={**plain.confident, **before.confident},
                      likely={**plain.likely, **before.likely})  # fmt: skip
    fitted = fit(data, taught, widened)
    precise = {name: (fitted if name in groups else before).precise.get(name, {}) for name in taught}
    return replace(fitted, track=before.track, precise=precise)


def _crossed(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
             groups: Sequence[str] | None = None) -> list[Calibration]:  # fmt: skip
    """A calibration for each part of the people, fitted to the others."""
    names, rows = list(taught) if groups is None else groups, _rows(judged)
    return [calibrated(logits, judged, before, taught, names, rows != part) for part in range(FOLDS)]


def _told(name: str, before: Calibration, trial: Sequence[Calibration], logits: Floats,
          judged: Judging) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """One group on one's own pictures and on the reference set."""
    rows = _rows(judged)
    first = _state(name, [before] * FOLDS, judged.old, rows)
    then = _state(name, trial, logits, rows)
    result = []
    for part in (slice(judged.own), slice(judged.own, None)):
        labels = Labels(judged.labels.target[part], judged.labels.mask[part], judged.looked.weights[part],
                        judged.labels.identities[part])  # fmt: skip
        was, is_now = (State(state.logits[part], state.said[part], state.taught) for state in (first, then))
        result.append(compare(name, was, is_now, labels))
    return result[0], result[1]


def _state(name: str, parts: Sequence[Calibration], logits: Floats, rows: NDArray[np.int64]) -> State:
    where, group = column_slices()[name], GROUP[name]
    scaled = np.zeros((len(logits), len(group.columns)))
    said = np.zeros(scaled.shape, bool)
    for part, calibration in enumerate(parts):
        mine = rows == part
        scaled[mine] = logits[mine, where] * np.array(calibration.scale[where]) + np.array(calibration.shift[where])
        cuts = calibration.likely.get(name) or {}
        limits = np.array([cuts.get(value, 0.5) for value in group.columns])
        said[mine] = 1.0 / (1.0 + np.exp(-scaled[mine].clip(-60, 60))) >= limits
    known = parts[0].taught.get(name, group.columns)
    return State(scaled, said, np.array([value in known for value in group.columns]))


def _worth(name: str, told: tuple[dict[str, Any], dict[str, Any]], change: Change, judged: Judging) -> str:
    """Why a group that nobody taught before must not be said; empty where it may.

    What is common does not count as a gain: the head must surpass the most frequent value.
    """
    where = column_slices()[name]
    if change.strength is None or told[0]["after"] is None:
        return "nothing to learn from so few labels"
    constant = 0.5
    if GROUP[name].kind == "exclusive":
        own = slice(judged.own)
        known = judged.labels.mask[own, where].max(1) > 0
        share = judged.looked.weights[own][known] @ judged.labels.target[own, where][known]
        constant = float(share.max() / judged.looked.weights[own][known].sum())
    told[0]["before"], told[0]["difference"] = constant, told[0]["after"] - constant
    told[0]["interval"] = [None, None]
    return "" if told[0]["after"] > constant + (told[0]["error"] or 0.0) else "no better than its most frequent value"


def six_groups(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
               groups: Sequence[str], samples: Sequence[Sample],
               reference: Sequence[Sample]) -> dict[str, Any]:  # fmt: skip
    """The headline groups as they are said with ``--say all``, before and after."""
    after, rows = _crossed(logits, judged, before, taught, groups), _rows(judged)
    was = values_said(before, judged.old)
    is_now: list[Values] = [{} for _ in rows]
    for part, calibration in enumerate(after):
        mine = np.flatnonzero(rows == part)
        for row, values in zip(mine, values_said(calibration, logits[mine]), strict=True):
            is_now[row] = values
    own = judged.own
    return {"new": headline(was[:own], is_now[:own], samples),
            "reference": headline(was[own:], is_now[own:], reference)}  # fmt: skip


def values_said(calibration: Calibration, logits: Floats) -> list[Values]:
    """What is said with ``--say all`` of logits ``[N, C]``."""
    probabilities = calibration.probabilities(logits.astype(np.float32))
    return [values_of(calibration.decide(calibration.scores(row), "all")) for row in probabilities]
