"""``personvlm adapt``: eyes, heads and calibration fitted to one's own cameras, only where people who were left out are
told better and the reference set is not forgotten."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from personvlm import __version__
from personvlm.base.errors import InputError
from personvlm.base.folders import check_free
from personvlm.data.lines import to_json
from personvlm.data.sample import Sample
from personvlm.data.splits import split_by_identity
from personvlm.data.transform import Transform
from personvlm.evaluation.adapt_gate import judge_own
from personvlm.evaluation.adapt_judge_torch import (
    calibrated,
    fitted_logits,
    judge_eyes,
    judging_of,
    settled_groups,
    six_groups,
)
from personvlm.models.edge import EdgeVLM
from personvlm.models.own import FILE as OWN
from personvlm.models.own import WEIGHTS as OWN_WEIGHTS
from personvlm.models.own import OwnHeads, Words, own_values
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.export import export
from personvlm.schema import GROUP
from personvlm.training.adapt import LEAST_PEOPLE, Change, apply, changes, labelled_groups
from personvlm.training.adapt_eyes import LEAST_CROPS, Eyes, cross_tuned, stitched
from personvlm.training.adapt_look import Looked, Shown, look
from personvlm.training.adapt_own import OwnFit, fit_own
from personvlm.training.adapt_own import heads as own_heads
from personvlm.training.adapt_versions import copy_model, keep, whole_or_nothing
from personvlm.training.captions import taught_values
from personvlm.training.drawn import drawn_people

REPORT = "adapted.json"
MOST = 600
"""Pictures of the reference set that are looked at; half to hold the model, half to judge it."""

DRAWN = 200
Note = Callable[[str], None]


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
        judge_on = seen(model, judging, "Looking at the reference set")
        tried: Eyes | None = None
        told_eyes: dict[str, Any] = {"change": "none", "why": _no_eyes(eyes, samples, known)}
        if not told_eyes["why"]:
            note("training the eyes: three times to judge them, then on everybody")
            tried = cross_tuned(model, transform, new, holding, known, cache=Path(folder), shown=shown)
            after = seen(tried.model, judging, "Looking at the reference set")
            told_eyes = judge_eyes(before, known, (new, tried.new), (judge_on, after))
            note(f"eyes: {told_eyes['why'] or 'better'}")
            tried = None if told_eyes["why"] else tried
        hold = seen(model, holding, "Looking at the reference set") if tried is None else None
    old = np.concatenate([new.logits, judge_on.logits])
    if tried is not None:
        model, new, judge_on = tried.model, tried.new, after
    movable = groups if tried is None else [name for name in groups if name not in known]
    note(f"fitting {len(movable) + len(words)} groups")
    found = _changes(new, hold, tried, before, movable, shown)
    own = _own(new, tried, words, model.config.grid)
    own_told = {name: judge_own(fitted, new.identities) for name, fitted in own.items()}
    own = {name: replace(fitted, why=own_told[name]["why"]) for name, fitted in own.items()}
    judged = judging_of(new, judge_on, old, groups, reference is None)
    taught = _taught(before.taught, samples, groups)
    report, settled = settled_groups(found, judged, before, taught, groups, tried is not None)
    heads = {name: change for name, change in found.items() if report[name]["change"] == "head"}
    learned = [name for name, item in own.items() if not item.why]
    changed = [name for name in groups if report[name]["change"] != "none"]
    note(f"changed: {', '.join([*changed, *learned]) or 'nothing'}")
    logits = fitted_logits(heads, judged, before)
    learned_from = [name for name in groups if report[name]["change"] in ("head", "eyes")]
    after_taught = {**before.taught, **{name: taught[name] for name in learned_from}}
    six = six_groups(logits, judged, before, after_taught, settled, samples, judging)
    final = calibrated(logits, judged, before, after_taught, settled, np.ones(len(logits), bool))
    result: dict[str, Any] = {
        "from": str(source), "model": "", "personvlm": __version__,
        "data": {"crops": len(samples), "people": int(new.people.max()) + 1},
        "reference": {"what": "drawn people" if reference is None else "labelled pictures", "crops": len(judging),
                      "people": int(judge_on.people.max()) + 1},
        "eyes": told_eyes, "six": six, "groups": {name: report[name] for name in groups}, "own": own_told,
    }  # fmt: skip
    learned_heads = own_heads(own, words, model.config.grid)
    with whole_or_nothing(out):
        result["model"] = _write(source, out, model, heads, final, learned_heads, tried is not None)
        result["seconds"] = round(time.perf_counter() - began, 1)
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


def _some(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most ``most`` of them, drawn at random, in their order."""
    rows = np.random.default_rng(0).permutation(len(samples))[:most]
    return [samples[row] for row in sorted(rows)]


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
    differs = [repr(asdict(calibration)).encode()]
    for name, change in sorted(heads.items()):
        differs.append(name.encode() + change.bias.tobytes() + change.pooled.tobytes())
    if eyes:
        differs += model.weight_bytes()
    if own.words:
        before = OwnHeads.load(source)
        own = own if before is None else before.with_others(own)
        own.save(out)
        differs.append((out / OWN).read_bytes() + (out / OWN_WEIGHTS).read_bytes())
    model.config = model.config.told_apart(*differs)
    if heads or eyes:
        model.save(out)
        export(out)
    else:
        model.config.save(out)
    return model.config.title
