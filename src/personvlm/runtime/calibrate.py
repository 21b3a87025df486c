"""Fit a calibration on the validation split: scales and shifts, then the thresholds from which a value is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.metrics.facts import best_thresholds, expected_thresholds, identity_weights
from personvlm.metrics.scaling import Scaling, fit_scaling, losses
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.engine import Engine
from personvlm.runtime.fusion import drawn_tracks, track_factor
from personvlm.runtime.precision import LOWEST, NEVER, PLAIN, Curve, precision_curves, threshold_at
from personvlm.schema import GROUP, NONE, OTHER
from personvlm.schema.groups import column_slices
from personvlm.schema.mappings import peta

PRECISION = 0.8
"""What is said at the default setting should be right at least this often, value by value, on validation."""

LEAST = 8
"""Fewer people than this with a value, or without it, say nothing about its shift or its threshold in a set."""

FOLDS = 5

F1_WORTH = 1.4
"""What a point of F1 is worth over PETA's 35 labels, in points of mA: as much as leaves mA above .74 on validation."""

SURE = 2.0
"""Standard errors that a gain must exceed before a group gets shifts."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labelled:
    """What a model sees in labelled pictures, and what is known about them: all that calibrating needs.

    Attributes:
        logits: ``[N, C]`` over :func:`~personvlm.schema.groups.columns`.
        quality: ``[N]``.
        target, mask: ``[N, C]``, see :meth:`~personvlm.schema.annotations.Annotations.arrays`.
        weights: ``[N]``, a person counts once.
        identities: ``[N]``.
        peta: all pictures are PETA's, so that they can be judged by its 35 labels.
    """

    logits: Floats
    quality: Floats
    target: Floats
    mask: Floats
    weights: Floats
    identities: tuple[str | None, ...]
    peta: bool = False

    @classmethod
    def of(cls, logits: NDArray[np.float32], quality: NDArray[np.float32], samples: Sequence[Sample]) -> Labelled:
        """Logits of samples, in their order."""
        arrays = [sample.annotations.arrays() for sample in samples]
        target, mask = (np.stack([pair[side] for pair in arrays]).astype(np.float64) for side in (0, 1))
        identities = tuple(sample.identity for sample in samples)
        return cls(logits.astype(np.float64), quality.astype(np.float64), target, mask, identity_weights(identities),
                   identities, all(sample.source == "peta" for sample in samples))  # fmt: skip

    @property
    def people(self) -> list[int]:
        """A number for whom each picture shows, ``[N]``."""
        index: dict[str | int, int] = {}
        return [index.setdefault(row if name is None else name, len(index)) for row, name in enumerate(self.identities)]


def calibrate(
    engine: Engine, transform: Transform, samples: Sequence[Sample], taught: Mapping[str, tuple[str, ...]], *,
    before: Calibration | None = None, batch: int = 32,
    progress: Callable[[Iterable[int], int], Iterable[int]] = lambda steps, total: steps,
) -> Calibration:  # fmt: skip
    """Look at ``samples`` and fit a calibration to them, every person counted once.

    Args:
        engine, transform: of the model.
        samples: pictures of people whom the model was not trained on.
        taught: group -> values with at least one training label.
        before: see :func:`fit`.
        batch: pictures per call of the model.
        progress: passes on the start of each batch, of so many.

    Raises:
        InputError: there are no samples, or a picture cannot be decoded.
    """
    if not samples:
        raise InputError("no samples to calibrate on: the data hold no picture")
    starts = range(0, len(samples), batch)
    seen = [engine.encode(transform([decode(sample.image) for sample in samples[start : start + batch]]))
            for start in progress(starts, len(starts))]  # fmt: skip
    logits, quality = (np.concatenate([part[index] for part in seen]) for index in (1, 3))
    return fit(Labelled.of(logits, quality, samples), taught, before)


def fit(data: Labelled, taught: Mapping[str, tuple[str, ...]], before: Calibration | None = None) -> Calibration:
    """The calibration of a model that sees ``data``.

    Args:
        data: what it sees.
        taught: group -> values with at least one training label.
        before: a calibration from other people. What it says of groups that ``data`` do not label is kept, except for
            what holds at a stated precision: that is only known of these people.
    """
    plain = before or Calibration.plain(taught)
    scale, shift = list(plain.scale), list(plain.shift)
    labelled = {name for name, where in column_slices().items() if data.mask[:, where].any()}
    scalings = {name: _scaling(name, data) for name in column_slices() if name in labelled}
    for name, scaling in scalings.items():
        where = column_slices()[name]
        scale[where] = [round(scaling.scale, 5)] * (where.stop - where.start)
        shift[where] = [round(value, 5) for value in scaling.shift.tolist()]
    factor = track_factor(data.logits, data.quality, data.target, data.mask, drawn_tracks(data.identities), scalings)
    fitted = replace(plain, scale=tuple(scale), shift=tuple(shift), track=factor, people=len({*data.people}))
    probability = fitted.probabilities(data.logits.astype(np.float32)).astype(np.float64)
    precise: dict[str, dict[str, Curve]] = {}
    confident: dict[str, Mapping[str, float]] = {}
    likely: dict[str, Mapping[str, float]] = {}
    for name, where in column_slices().items():
        if name in taught and name not in labelled and before is not None:
            precise[name], confident[name], likely[name] = {}, before.confident[name], before.likely[name]
        elif name in taught:
            part = (probability[:, where], data.target[:, where], data.mask[:, where], data.weights)
            precise[name] = precision_curves(GROUP[name], taught[name], *part)
            confident[name] = _confident(name, precision_curves(GROUP[name], taught[name], *part, PLAIN))
            likely[name] = _likely(name, *part)
    return replace(fitted, confident=confident, likely=likely, precise=precise,
                   benchmark=_benchmark(fitted, probability) if data.peta else plain.benchmark)  # fmt: skip


def _scaling(name: str, data: Labelled) -> Scaling:
    """One scale for the group, and shifts too where they help people who were left out of the fit.

    Simpler wins: the gain over :data:`FOLDS` folds of people must exceed :data:`SURE` of its own standard errors.
    Isotonic regression was tried on PETA's 452 people and lost to both (docs/confidence.md).
    """
    where, kind = column_slices()[name], GROUP[name].kind
    x, t, m, w = data.logits[:, where], data.target[:, where], data.mask[:, where], data.weights
    settled = m > 0 if kind == "set" else (m > 0) & (t.sum(1, keepdims=True) == 1)
    shown = [(w[:, None] * settled * (t == held)).sum(0) >= LEAST for held in (0, 1)]
    shifted = shown[0] & shown[1]
    people = np.array(data.people)
    gain = np.zeros(people.max() + 1)
    if shifted.any():
        for fold in range(FOLDS):
            left_out = people % FOLDS == fold
            learn = w * ~left_out
            for chosen, sign in ((None, 1.0), (shifted, -1.0)):
                scaled = fit_scaling(x, t, m, learn, kind, shifted=chosen)(x)
                np.add.at(gain, people, sign * losses(scaled, t, m, w * left_out, kind))
    helps = gain.sum() > SURE * np.sqrt((gain**2).sum())
    return fit_scaling(x, t, m, w, kind, shifted=shifted if helps else None)


def _confident(name: str, curves: Mapping[str, Curve]) -> dict[str, float]:
    """Thresholds of the default setting; where nothing was judged, the probability itself must reach the precision."""
    thresholds = {value: threshold_at(curves[value], PRECISION) if value in curves else PRECISION
                  for value in GROUP[name].values}  # fmt: skip
    if name == "visibility":  # that nothing is missing is not worth a word
        thresholds["full"] = NEVER
    return thresholds


def _likely(name: str, probability: Floats, target: Floats, mask: Floats, weights: Floats) -> dict[str, float]:
    """Thresholds of a set for ``--say all``: what a judge would say to whom a hit and a false alarm count alike; of
    whether there is a bag, one to whom both kinds of people do. A second color must be probable.

    Of calibrated probabilities the balanced cut is their mean. Searched, it follows the chance of 452 people: on the
    other half of them it was .8 to 1.3 points worse (docs/experiments.md).
    """
    group = GROUP[name]
    if group.kind == "exclusive":
        return {}
    if name.endswith(".color"):
        return dict.fromkeys(group.values, LOWEST)
    thresholds = {}
    for index, value in enumerate(group.columns):
        known = mask[:, index] > 0
        people = weights[known & (target[:, index] > 0)].sum()
        if people < LEAST or value in (NONE, OTHER):
            thresholds[value] = 0.5
        elif value == "bag":
            thresholds[value] = round(float(np.average(probability[known, index], weights=weights[known])), 3)
        else:
            cut = best_thresholds(np.round(probability[known, index], 2)[:, None], target[known, index][:, None],
                                  weights=weights[known], balance=0.0)  # fmt: skip
            thresholds[value] = float(cut[0])
    return thresholds


def _benchmark(fitted: Calibration, probability: Floats) -> dict[str, float]:
    scores = np.stack([peta.benchmark_scores(fitted.scores(row)) for row in probability.astype(np.float32)])
    cuts = expected_thresholds(scores, f1=F1_WORTH)
    return dict(zip(peta.BENCHMARK, (round(cut, 5) for cut in cuts.tolist()), strict=True))
