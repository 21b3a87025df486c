"""``personvlm adapt``: heads and calibration fitted to one's own cameras, group by group, each only where people who
were left out are told better and the reference set is not forgotten."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm import __version__
from personvlm.base.errors import InputError
from personvlm.data.lines import to_json
from personvlm.data.sample import Sample
from personvlm.data.splits import split_by_identity
from personvlm.data.transform import Transform
from personvlm.evaluation.adapt_gate import Labels, State, compare, headline, judge_own, kept
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.models.own import FILE as OWN
from personvlm.models.own import WEIGHTS as OWN_WEIGHTS
from personvlm.models.own import OwnHeads, Words, own_values
from personvlm.runtime.calibrate import Labelled, fit
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.export import export
from personvlm.schema import GROUP, Values, values_of
from personvlm.schema.groups import column_slices
from personvlm.training.adapt import LEAST_PEOPLE, Change, apply, changes, labelled_groups
from personvlm.training.adapt_fit import parts
from personvlm.training.adapt_look import Looked, look
from personvlm.training.adapt_own import fit_own
from personvlm.training.adapt_own import heads as own_heads
from personvlm.training.adapt_versions import check_free, copy_model, keep
from personvlm.training.captions import taught_values
from personvlm.training.drawn import drawn_people

REPORT = "adapted.json"
MOST = 600
"""Pictures of the reference set that are looked at; half to hold the model, half to judge it."""

DRAWN = 200
FOLDS = 3
"""Parts of the people by which a calibration is judged on people whom it was not fitted to."""

Floats = NDArray[np.float64]
Note = Callable[[str], None]
Shown = Callable[[Iterable[Any], int, str], Iterable[Any]]


@dataclass(frozen=True)
class Judging:
    """Pictures on which a change is judged: one's own first, then those of the reference set.

    Attributes:
        own: how many of the first are one's own.
        looked: all of them.
        fits: ``[N]``, whether a calibration may be fitted to the picture; drawn people say nothing about cameras.
        labels: of all groups.
    """

    own: int
    looked: Looked
    fits: NDArray[np.bool_]
    labels: Labels


def adapt(source: Path, samples: Sequence[Sample], out: Path, reference: Sequence[Sample] | None = None, *,
          words: Words | None = None, note: Note = lambda sentence: None,
          shown: Shown = lambda steps, total, what: steps) -> dict[str, Any]:  # fmt: skip
    """Adapt the model in ``source`` to ``samples`` and leave both versions in ``out``.

    Args:
        source: an edge model.
        samples: labelled pictures of one's own cameras; any part of the groups.
        out: a folder that is not there or is empty.
        reference: labelled pictures of other cameras, on which the model should stay as good as it is; None takes drawn
            people, who only show gross damage.
        words: groups of one's own, whose values stand among the labels of ``samples``.
        note: is told what is done.
        shown: passes on steps, of so many, under a name.

    Returns:
        The report, also ``out/adapted.json``: see ``docs/adapt.md``.

    Raises:
        InputError: ``out`` holds something, no group is labelled for enough people, or a picture cannot be read.
    """
    began = time.perf_counter()
    check_free(out)
    model, transform, before = EdgeVLM.load(source), Transform.load(source), Calibration.load(source)
    drawn = reference is None
    groups = labelled_groups(samples)
    words = words or {}
    if not groups and not any(own_values(sample.labels, words) for sample in samples):
        raise InputError(f"nothing to adapt to: no group is labelled for {LEAST_PEOPLE} people; label more, or check "
                         "that different people have different identities")  # fmt: skip

    def seen(part: Sequence[Sample], what: str) -> Looked:
        return look(model, transform, part, lambda steps, total: shown(steps, total, what))

    with tempfile.TemporaryDirectory() as folder:
        others = drawn_people(Path(folder), DRAWN, 0, quiet=True) if reference is None else list(reference)
        holding, judging = split_by_identity(_some(others, MOST), (0.5, 0.5))
        if not holding or not judging:
            raise InputError("the reference set needs at least two people")
        new = seen(samples, "Looking at your people")
        hold, judge_on = seen(holding, "Looking at the reference set"), seen(judging, "Looking at the reference set")
    note(f"fitting {len(groups) + len(words)} groups")
    own = fit_own(new, words, model.config.grid)
    own_told = {name: judge_own(fitted, new.identities) for name, fitted in own.items()}
    own = {name: replace(fitted, why=own_told[name]["why"]) for name, fitted in own.items()}
    scale, shift = np.array(before.scale), np.array(before.shift)
    found = changes(new, hold, scale, shift, before.taught, groups=groups,
                    progress=lambda names: shown(names, len(names), "Fitting"))  # fmt: skip
    judged = _judging(new, judge_on, groups, drawn)
    old = judged.looked.logits
    fitted = _fitted(old, found, model, judged, new, scale, shift)
    taught = _taught(before.taught, samples, groups)
    rows = _rows(judged)
    report: dict[str, Any] = {}
    states: dict[str, str] = {}
    for kind, logits in (("head", fitted), ("calibration", old)):
        trial = _crossed(logits, judged, before, taught if kind == "head" else before.taught, rows)
        for name in groups:
            if states.get(name) or (kind == "head" and found[name].strength is None):
                continue
            if kind == "calibration" and name not in before.taught:
                continue
            told = _told(name, before, old, trial, logits, judged, rows)
            why = kept(*told) if name in before.taught else _worth(name, told, found[name], judged)
            change = found[name].strength
            report[name] = {"change": kind if not why else "none", "why": why,
                            "strength": change.name if kind == "head" and change and not why else None,
                            "new": told[0], "reference": told[1]}  # fmt: skip
            states[name] = kind if not why else ""
    for name in groups:
        report.setdefault(name, {"change": "none", "why": "nothing to learn from so few labels", "strength": None,
                                 "new": None, "reference": None})  # fmt: skip
    heads = {name: found[name] for name in groups if states.get(name) == "head"}
    settled = [name for name in groups if states.get(name)]
    learned = [name for name, item in own.items() if not item.why]
    note(f"changed: {', '.join([*settled, *learned]) or 'nothing'}")
    logits = old.copy()
    for name in heads:
        logits[:, column_slices()[name]] = fitted[:, column_slices()[name]]
    after_taught = {**before.taught, **{name: taught[name] for name in heads}}
    six = _six(logits, judged, before, after_taught, settled, rows, samples, judging)
    final = _calibrated(logits, judged, before, after_taught, settled, np.ones(len(logits), bool))
    version = _write(source, out, model, heads, final, own_heads(own, words, model.config.grid))
    result = {
        "from": str(source), "model": version, "personvlm": __version__,
        "data": {"crops": len(samples), "people": int(new.people.max()) + 1},
        "reference": {"what": "drawn people" if drawn else "labelled pictures", "crops": len(judging),
                      "people": int(judge_on.people.max()) + 1},
        "six": six, "groups": {name: report[name] for name in groups}, "own": own_told,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    (out / REPORT).write_text(to_json(result, indent=1) + "\n", "utf-8")
    keep(source, out)
    return result


def _some(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most ``most`` of them, drawn at random, in their order."""
    rows = np.random.default_rng(0).permutation(len(samples))[:most]
    return [samples[row] for row in sorted(rows)]


def _judging(new: Looked, reference: Looked, groups: Sequence[str], drawn: bool) -> Judging:
    looked = new.joined(reference)
    mask = looked.mask.copy()
    for name, where in column_slices().items():
        if name not in groups:
            mask[:, where] = 0.0
    weights = looked.weights
    mine, theirs = weights[: len(new)].sum(), weights[len(new) :].sum()
    weights[len(new) :] *= min(1.0, mine / max(1e-9, theirs))  # a calibration is for one's own cameras first
    fits = np.ones(len(looked), bool)
    fits[len(new) :] = not drawn
    return Judging(len(new), looked, fits, Labels(looked.target, mask, weights, looked.identities))


def _fitted(old: Floats, found: Mapping[str, Change], model: EdgeVLM, judged: Judging, new: Looked, scale: Floats,
            shift: Floats) -> Floats:  # fmt: skip
    """Logits ``[N, C]`` of the changed heads: one's own pictures by fits that never saw their person."""
    result, own = old.copy(), judged.own
    for name, change in found.items():
        where = column_slices()[name]
        a, b = (1.0, 0.0) if change.afresh else (scale[where], shift[where])
        result[:own, where] = (change.held_out - b) / a
        result[own:, where] = change.of(judged.looked.take(range(own, len(old))), name)
    return result


def _taught(before: Mapping[str, tuple[str, ...]], samples: Sequence[Sample],
            groups: Sequence[str]) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """What was taught, and what the new labels teach."""
    now = taught_values([sample.annotations for sample in samples])
    taught = {}
    for name, group in GROUP.items():
        values = {*before.get(name, ()), *(now.get(name, ()) if name in groups else ())}
        if values:
            taught[name] = tuple(value for value in group.values if value in values)
    return taught


def _rows(judged: Judging) -> NDArray[np.int64]:
    """The part that each picture belongs to ``[N]``, by person."""
    people = judged.looked.people
    return parts(people, np.unique(people), FOLDS)[people]


def _calibrated(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
                groups: Sequence[str], only: NDArray[np.bool_]) -> Calibration:  # fmt: skip
    """The calibration of ``groups`` fitted to those pictures of ``only`` that may be used; other groups keep theirs."""
    rows = np.flatnonzero(only & judged.fits)
    labels, looked = judged.labels, judged.looked
    mask = labels.mask[rows].copy()
    for name, where in column_slices().items():
        if name not in groups:
            mask[:, where] = 0.0
    data = Labelled(logits[rows], looked.quality[rows], labels.target[rows], mask, labels.weights[rows],
                    tuple(labels.identities[row] for row in rows.tolist()))  # fmt: skip
    plain = Calibration.plain(taught)
    widened = replace(before, taught=dict(taught), confident={**plain.confident, **before.confident},
                      likely={**plain.likely, **before.likely})  # fmt: skip
    fitted = fit(data, taught, widened)
    precise = {name: (fitted if name in groups else before).precise.get(name, {}) for name in taught}
    return replace(fitted, track=before.track, precise=precise)


def _crossed(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
             rows: NDArray[np.int64], groups: Sequence[str] | None = None) -> list[Calibration]:  # fmt: skip
    """A calibration for each part of the people, fitted to the others."""
    names = list(taught) if groups is None else groups
    return [_calibrated(logits, judged, before, taught, names, rows != part) for part in range(FOLDS)]


def _told(name: str, before: Calibration, old: Floats, trial: Sequence[Calibration], logits: Floats, judged: Judging,
          rows: NDArray[np.int64]) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """One group on one's own pictures and on the reference set."""
    first = _state(name, [before] * FOLDS, old, rows)
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


def _six(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
         groups: Sequence[str], rows: NDArray[np.int64], samples: Sequence[Sample],
         reference: Sequence[Sample]) -> dict[str, Any]:  # fmt: skip
    """The headline groups as they are said with ``--say all``, before and after."""
    after = _crossed(logits, judged, before, taught, rows, groups)
    was = _values(before, judged.looked.logits)
    is_now: list[Values] = [{} for _ in rows]
    for part, calibration in enumerate(after):
        mine = np.flatnonzero(rows == part)
        for row, values in zip(mine, _values(calibration, logits[mine]), strict=True):
            is_now[row] = values
    own = judged.own
    return {"new": headline(was[:own], is_now[:own], samples),
            "reference": headline(was[own:], is_now[own:], reference)}  # fmt: skip


def _values(calibration: Calibration, logits: Floats) -> list[Values]:
    probabilities = calibration.probabilities(logits.astype(np.float32))
    return [values_of(calibration.decide(calibration.scores(row), "all")) for row in probabilities]


def _write(source: Path, out: Path, model: EdgeVLM, heads: Mapping[str, Change], calibration: Calibration,
           own: OwnHeads) -> str:  # fmt: skip
    """The adapted model into ``out``; its title."""
    copy_model(source, out, without=("metrics.json",))  # what was measured of another model
    if heads:
        apply(model, heads)
    calibration.save(out)
    told = hashlib.sha256(repr(asdict(calibration)).encode())
    for name, change in sorted(heads.items()):
        told.update(name.encode() + change.bias.tobytes() + change.pooled.tobytes())
    if own.words:
        before = OwnHeads.load(source)
        own = own if before is None else before.with_others(own)
        own.save(out)
        told.update((out / OWN).read_bytes() + (out / OWN_WEIGHTS).read_bytes())
    config = EdgeConfig.load(source)
    model.config = replace(model.config, version=f"{config.version.split('+')[0]}+{told.hexdigest()[:8]}")
    if heads:
        model.save(out)
        export(out)
    else:
        model.config.save(out)
    return model.config.title
