"""``personvlm adapt``: eyes, heads and calibration fitted to one's own cameras, only where people who were left out are
told better and the reference set is not forgotten."""

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
from personvlm.evaluation.adapt_gate import FORGET, Labels, State, compare, headline, judge_own, kept
from personvlm.metrics.scaling import losses
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
from personvlm.training.adapt_eyes import LEAST_CROPS, Eyes, cross_tuned, stitched
from personvlm.training.adapt_fit import CAUTION, parts
from personvlm.training.adapt_look import Looked, look
from personvlm.training.adapt_own import OwnFit, fit_own
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


def adapt(source: Path, samples: Sequence[Sample], out: Path, reference: Sequence[Sample] | None = None, *,
          words: Words | None = None, eyes: bool = True, note: Note = lambda sentence: None,
          shown: Shown = lambda steps, total, what: steps) -> dict[str, Any]:  # fmt: skip
    """Adapt the model in ``source`` to ``samples`` and leave both versions in ``out``.

    Args:
        source: an edge model.
        samples: labelled pictures of one's own cameras; any part of the groups.
        out: a folder that is not there or is empty.
        reference: labelled pictures of other cameras, on which the model should stay as good as it is; None takes drawn
            people, who only show gross damage.
        words: groups of one's own, whose values stand among the labels of ``samples``.
        eyes: False leaves the encoder as it is and moves heads alone.
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
    groups = labelled_groups(samples)
    words = words or {}
    if not groups and not any(own_values(sample.labels, words) for sample in samples):
        raise InputError(f"nothing to adapt to: no group is labelled for {LEAST_PEOPLE} people; label more, or check "
                         "that different people have different identities")  # fmt: skip
    known = [name for name in groups if name in before.taught]

    def seen(by: EdgeVLM, part: Sequence[Sample], what: str) -> Looked:
        return look(by, transform, part, lambda steps, total: shown(steps, total, what))

    with tempfile.TemporaryDirectory() as folder:
        others = drawn_people(Path(folder), DRAWN, 0, quiet=True) if reference is None else list(reference)
        holding, judging = split_by_identity(_some(others, MOST), (0.5, 0.5))
        if not holding or not judging:
            raise InputError("the reference set needs at least two people")
        new = seen(model, samples, "Looking at your people")
        hold, judge_on = (seen(model, part, "Looking at the reference set") for part in (holding, judging))
        tried: Eyes | None = None
        told_eyes: dict[str, Any] = {"change": "none", "why": _no_eyes(eyes, samples, known)}
        if not told_eyes["why"]:
            note("training the eyes: three times to judge them, then on everybody")
            tried = cross_tuned(model, transform, new, holding, known, cache=Path(folder), shown=shown)
            after = seen(tried.model, judging, "Looking at the reference set")
            told_eyes = _judge_eyes(before, known, (new, tried.new), (judge_on, after))
            note(f"eyes: {told_eyes['why'] or 'better'}")
            tried = None if told_eyes["why"] else tried
    old, held = np.concatenate([new.logits, judge_on.logits]), hold if tried is None else None
    if tried is not None:
        model, new, judge_on = tried.model, tried.new, after
    movable = groups if tried is None else [name for name in groups if name not in known]
    note(f"fitting {len(movable) + len(words)} groups")
    found = _changes(new, held, tried, before, movable, shown)
    own = _own(new, tried, words, model.config.grid)
    own_told = {name: judge_own(fitted, new.identities) for name, fitted in own.items()}
    own = {name: replace(fitted, why=own_told[name]["why"]) for name, fitted in own.items()}
    judged = _judging(new, judge_on, old, groups, reference is None)
    taught = _taught(before.taught, samples, groups)
    report, settled = _settled(found, judged, before, taught, groups, tried is not None)
    heads = {name: change for name, change in found.items() if report[name]["change"] == "head"}
    learned = [name for name, item in own.items() if not item.why]
    changed = [name for name in groups if report[name]["change"] != "none"]
    note(f"changed: {', '.join([*changed, *learned]) or 'nothing'}")
    logits = judged.looked.logits.copy()
    for name in heads:
        where = column_slices()[name]
        logits[:, where] = _fitted(heads, judged, before)[:, where]
    learned_from = [name for name in groups if report[name]["change"] in ("head", "eyes")]
    after_taught = {**before.taught, **{name: taught[name] for name in learned_from}}
    six = _six(logits, judged, before, after_taught, settled, samples, judging)
    final = _calibrated(logits, judged, before, after_taught, settled, np.ones(len(logits), bool))
    version = _write(source, out, model, heads, final, own_heads(own, words, model.config.grid), tried is not None)
    result = {
        "from": str(source), "model": version, "personvlm": __version__,
        "data": {"crops": len(samples), "people": int(new.people.max()) + 1},
        "reference": {"what": "drawn people" if reference is None else "labelled pictures", "crops": len(judging),
                      "people": int(judge_on.people.max()) + 1},
        "eyes": told_eyes, "six": six, "groups": {name: report[name] for name in groups}, "own": own_told,
        "seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    (out / REPORT).write_text(to_json(result, indent=1) + "\n", "utf-8")
    keep(source, out)
    return result


def _no_eyes(wanted: bool, samples: Sequence[Sample], known: Sequence[str]) -> str:
    """Why the encoder stays as it is; empty where it is to be trained."""
    if not wanted:
        return "not asked for"
    if not known:
        return "no group that the model knows is labelled"
    return "" if len(samples) >= LEAST_CROPS else f"{len(samples)} crops are too few; it takes {LEAST_CROPS}"


def _judge_eyes(before: Calibration, known: Sequence[str], new: tuple[Looked, Looked],
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
    people = np.bincount(labels.people, gain)
    six = [headline(_values(before, old.logits), _values(before, now.logits), old.samples).get("mean")
           for old, now in (new, reference)]  # fmt: skip
    why = ""
    if people.sum() <= CAUTION * np.sqrt((people**2).sum()):
        why = "people left out are not told better"
    elif six[1] is not None and six[1]["difference"] < -FORGET:
        why = "they forget too much elsewhere"
    return {"change": "none" if why else "eyes", "why": why, "gain": float(people.mean()), "new": six[0],
            "reference": six[1]}  # fmt: skip


def _changes(new: Looked, hold: Looked | None, tried: Eyes | None, before: Calibration, groups: Sequence[str],
             shown: Shown) -> dict[str, Change]:  # fmt: skip
    """How the heads of ``groups`` change; with other eyes, judged by people whom those had not seen either."""
    def of(looked: Looked, kept_still: Looked | None) -> dict[str, Change]:
        return changes(looked, kept_still, np.array(before.scale), np.array(before.shift), before.taught, groups=groups,
                       progress=lambda names: shown(names, len(names), "Fitting"))  # fmt: skip

    if tried is None:
        return of(new, hold)
    by_fold = [of(each, None) for each in tried.folds]
    return {name: replace(change, held_out=stitched([each[name].held_out for each in by_fold], tried.part))
            for name, change in of(tried.seen, None).items()}  # fmt: skip


def _own(new: Looked, tried: Eyes | None, words: Words, grid: tuple[int, int]) -> dict[str, OwnFit]:
    """Heads of one's own groups, judged in the same way."""
    if tried is None:
        return fit_own(new, words, grid)
    by_fold = [fit_own(each, words, grid) for each in tried.folds]
    return {name: replace(fitted, held_out=stitched([each[name].held_out for each in by_fold], tried.part))
            for name, fitted in fit_own(tried.seen, words, grid).items()}  # fmt: skip


def _settled(found: Mapping[str, Change], judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
             groups: Sequence[str], eyes: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:  # fmt: skip
    """What happens to each group, with the figures of it, and the groups whose calibration is fitted anew."""
    report: dict[str, dict[str, Any]] = {}
    settled: list[str] = []
    for kind, logits in (("head", _fitted(found, judged, before)), ("calibration", judged.looked.logits)):
        trial = _crossed(logits, judged, before, taught if kind == "head" or eyes else before.taught)
        for name in groups:
            if name in settled or (found.get(name) is None or found[name].strength is None if kind == "head"
                                   else name not in before.taught):  # fmt: skip
                continue
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


def _some(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most ``most`` of them, drawn at random, in their order."""
    rows = np.random.default_rng(0).permutation(len(samples))[:most]
    return [samples[row] for row in sorted(rows)]


def _judging(new: Looked, reference: Looked, old: Floats, groups: Sequence[str], drawn: bool) -> Judging:
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
    return Judging(len(new), looked, old, fits, Labels(looked.target, mask, weights, looked.identities))


def _fitted(found: Mapping[str, Change], judged: Judging, before: Calibration) -> Floats:
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
             groups: Sequence[str] | None = None) -> list[Calibration]:  # fmt: skip
    """A calibration for each part of the people, fitted to the others."""
    names, rows = list(taught) if groups is None else groups, _rows(judged)
    return [_calibrated(logits, judged, before, taught, names, rows != part) for part in range(FOLDS)]


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


def _six(logits: Floats, judged: Judging, before: Calibration, taught: Mapping[str, tuple[str, ...]],
         groups: Sequence[str], samples: Sequence[Sample], reference: Sequence[Sample]) -> dict[str, Any]:  # fmt: skip
    """The headline groups as they are said with ``--say all``, before and after."""
    after, rows = _crossed(logits, judged, before, taught, groups), _rows(judged)
    was = _values(before, judged.old)
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
           own: OwnHeads, eyes: bool) -> str:  # fmt: skip
    """The adapted model into ``out``; its title.

    Args:
        eyes: whether the encoder of ``model`` is another one than that of ``source``.
    """
    copy_model(source, out, without=("metrics.json",))  # what was measured of another model
    if heads:
        apply(model, heads)
    calibration.save(out)
    told = hashlib.sha256(repr(asdict(calibration)).encode())
    for name, change in sorted(heads.items()):
        told.update(name.encode() + change.bias.tobytes() + change.pooled.tobytes())
    if eyes:
        for tensor in model.state_dict().values():
            told.update(tensor.numpy().tobytes())
    if own.words:
        before = OwnHeads.load(source)
        own = own if before is None else before.with_others(own)
        own.save(out)
        told.update((out / OWN).read_bytes() + (out / OWN_WEIGHTS).read_bytes())
    config = EdgeConfig.load(source)
    model.config = replace(model.config, version=f"{config.version.split('+')[0]}+{told.hexdigest()[:8]}")
    if heads or eyes:
        model.save(out)
        export(out)
    else:
        model.config.save(out)
    return model.config.title
