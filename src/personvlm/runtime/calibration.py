"""From logits to probabilities that mean something, and from probabilities to decisions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.runtime.precision import LEVELS, Curve, thresholds_at
from personvlm.schema import GROUP, NONE, Attribute
from personvlm.schema.groups import Group, column_slices, columns

FILE = "calibration.json"
Say = Literal["confident", "all"]
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Calibration:
    """What the validation split says about the heads; saved with the model.

    Attributes:
        taught: group -> values that some label showed; nothing else is ever decided.
        scale, shift: per column of the logits: the calibrated logit is ``scale * logit + shift``.
        confident: group -> value -> probability from which the value is stated at the default setting.
        likely: the same for the values of sets under ``--say all`` (exclusive groups then state their most probable).
        benchmark: PETA's 35 label names -> threshold for counting a label as predicted.
        precise: group -> value -> threshold at each precision that can be asked for
            (:data:`~personvlm.runtime.precision.LEVELS`); values that validation could not judge are missing.
        track: what calibrated logits of fused crops are multiplied with (:mod:`personvlm.runtime.fusion`).
        people: how many people the calibration was fitted on.
    """

    taught: Mapping[str, tuple[str, ...]]
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    confident: Mapping[str, Mapping[str, float]]
    likely: Mapping[str, Mapping[str, float]]
    benchmark: Mapping[str, float]
    precise: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)
    track: float = 1.0
    people: int = 0

    @classmethod
    def plain(cls, taught: Mapping[str, tuple[str, ...]], threshold: float = 0.5) -> Calibration:
        """No correction, one threshold for everything: where a model stands before it is calibrated."""
        thresholds = {name: dict.fromkeys(GROUP[name].values, threshold) for name in taught}
        count = len(columns())
        return cls(taught, (1.0,) * count, (0.0,) * count, thresholds, thresholds, {})

    def save(self, directory: Path) -> None:
        """Write ``calibration.json`` into ``directory``."""
        (directory / FILE).write_text(_lines(asdict(self)) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Calibration:
        """Read ``calibration.json`` from ``directory``.

        Raises:
            InputError: the file is absent or of another schema.
        """
        path = directory / FILE
        try:
            raw = json.loads(path.read_text())
            raw["taught"] = {name: tuple(values) for name, values in raw["taught"].items()}
            raw["scale"], raw["shift"] = tuple(raw["scale"]), tuple(raw["shift"])
            raw["track"] = float(raw.get("track", 1.0))
            raw["precise"] = {name: {value: tuple(map(float, curve)) for value, curve in curves.items()}
                              for name, curves in raw.get("precise", {}).items()}  # fmt: skip
            loaded = cls(**raw)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}: not a calibration ({error}); calibrate the model again") from error
        if len(loaded.scale) != len(columns()) or set(loaded.taught) - set(GROUP):
            raise InputError(f"{path}: made for another schema ({len(loaded.scale)} columns, not {len(columns())})")
        if problem := loaded._problem():
            raise InputError(f"{path}: not a calibration ({problem}); calibrate the model again")
        return loaded

    def _problem(self) -> str:
        """What :meth:`probabilities` or :meth:`decide` would stumble over; empty where nothing is wrong."""
        if not all(map(_finite, (*self.scale, *self.shift, self.track))) or len(self.shift) != len(self.scale):
            return f"scale and shift must be {len(self.scale)} numbers each, and track one"
        if not isinstance(self.benchmark, Mapping):
            return "benchmark must be thresholds by label"
        for name, values in self.taught.items():
            if not set(values) & set(GROUP[name].columns):
                return f"no value of {name} is taught"
            parts = {"confident": (self.confident, GROUP[name].values), "likely": (self.likely, GROUP[name].columns)}
            for part, (thresholds, needed) in parts.items():
                given = thresholds.get(name) if isinstance(thresholds, Mapping) else None
                if part == "likely" and GROUP[name].kind == "exclusive":
                    continue
                if not isinstance(given, Mapping) or not all(_finite(given.get(value)) for value in needed):
                    return f"{part} has no threshold for a value of {name}"
        return ""

    def at_precision(self, precision: float) -> Calibration:
        """A calibration whose ``confident`` states only what holds at ``precision``.

        Every value that it lets pass is right in that share of cases by a lower bound of validation; a value that
        validation could not judge passes never. Parents and sets are judged as :meth:`decide` says them.

        Raises:
            InputError: ``precision`` is not one of 0.5 to 0.99, or the model was calibrated before this existed.
        """
        if not self.precise:
            raise InputError(f"{FILE} has no thresholds for a stated precision; `personvlm calibrate` makes them")
        known = self._at.get(precision)
        if known is None:
            known = replace(self, confident=thresholds_at(self.precise, self._values(), precision))
            if len(self._at) >= len(LEVELS):  # what anybody asks for can be anything
                self._at.clear()
            self._at[precision] = known
        return known

    @cached_property
    def _at(self) -> dict[float, Calibration]:
        """What :meth:`at_precision` gave lately."""
        return {}

    def for_tracks(self) -> Calibration:
        """The calibration of logits that :func:`~personvlm.runtime.fusion.fuse` made of several crops of a person."""
        scale, shift = (tuple(self.track * value for value in part) for part in (self.scale, self.shift))
        return replace(self, scale=scale, shift=shift, track=1.0)

    def _values(self) -> dict[str, tuple[str, ...]]:
        """Every value of the taught groups, parents too."""
        return {name: GROUP[name].values for name in self.taught}

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated ``[N, C]`` from logits ``[N, C]``: softmax in exclusive groups, sigmoid in sets."""
        x = logits * np.asarray(self.scale, np.float32) + np.asarray(self.shift, np.float32)
        starts, group, exclusive = _layout()
        exp = np.exp(x - np.maximum.reduceat(x, starts, 1)[:, group])
        softmax = exp / np.add.reduceat(exp, starts, 1)[:, group]
        with np.errstate(over="ignore"):  # the logit of an exclusive value may be as low as it likes
            return np.where(exclusive, softmax, 1.0 / (1.0 + np.exp(-x)))

    def scores(self, row: NDArray[np.float32], without: frozenset[str] = frozenset()) -> Scores:
        """One row of :meth:`probabilities` by name, taught groups only, those of ``without`` left out."""
        values = row.tolist()
        return {name: dict(zip(asked.columns, values[asked.where], strict=True))
                for name, asked in self._asked.items() if name not in without}  # fmt: skip

    def decide(self, scores: Scores, say: Say) -> dict[str, Attribute]:
        """What is asserted, group by group; a group in which nothing passes is missing.

        ``confident``: the most probable value if it passes its threshold, else a parent that passes ("adult").
        ``all``: the most probable value of every exclusive group, the most probable color, sets at ``likely``.
        """
        decided = {}
        for name, probabilities in scores.items():
            asked = self._asked[name]
            pick = self._exclusive if asked.group.kind == "exclusive" else self._set
            attribute = pick(asked, probabilities, say)
            if attribute is not None:
                decided[name] = attribute
        return decided

    @cached_property
    def _asked(self) -> dict[str, _Asked]:
        """The taught groups, in the order of their columns."""
        return {name: _Asked(GROUP[name], GROUP[name].columns, where,
                             tuple(value for value in GROUP[name].columns if value in self.taught[name]))
                for name, where in column_slices().items() if name in self.taught}  # fmt: skip

    def _exclusive(self, asked: _Asked, probabilities: dict[str, float], say: Say) -> Attribute | None:
        thresholds = self.confident[asked.group.name]
        best = max(asked.taught, key=probabilities.__getitem__)
        if say == "all" or probabilities[best] >= thresholds[best]:
            return _attribute(best, probabilities[best])
        for parent, leaves in asked.group.parents.items():
            if best in leaves:
                together = sum(probabilities[leaf] for leaf in leaves)
                if together >= thresholds[parent]:
                    return _attribute(parent, together)
        return None

    def _set(self, asked: _Asked, probabilities: dict[str, float], say: Say) -> Attribute | None:
        group, taught = asked.group, asked.taught
        thresholds = (self.likely if say == "all" else self.confident)[group.name]
        passed = [value for value in taught if value != NONE and probabilities[value] >= thresholds[value]]
        passed.sort(key=probabilities.__getitem__, reverse=True)
        if not passed and say == "all" and group.name.endswith(".color"):
            passed = sorted(taught, key=probabilities.__getitem__, reverse=True)[:1]
        if say == "all":  # whether there is a bag at all is decided by `bag`, which kind by its leaves
            missing = [parent for parent in group.parents if parent in taught and parent not in passed]
            passed = [value for value in passed if not any(group.covers(parent, value) for parent in missing)]
        # A bag of a kind is a bag: the parent is not named beside its leaf.
        passed = [value for value in passed if not set(group.parents.get(value, ())) & set(passed)]
        passed = passed[: group.max_said]
        if passed:
            return _attribute(tuple(passed), min(probabilities[value] for value in passed))
        if NONE in taught and probabilities[NONE] >= thresholds[NONE]:
            return _attribute((NONE,), probabilities[NONE])
        return None


class _Asked(NamedTuple):
    """A taught group: its columns, where they stand, and which of them were taught."""

    group: Group
    columns: tuple[str, ...]
    where: slice
    taught: tuple[str, ...]


@lru_cache(maxsize=1)
def _layout() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where each group starts; of each column ``[C]`` the number of its group, and whether that is exclusive."""
    slices = column_slices()
    sizes = [where.stop - where.start for where in slices.values()]
    exclusive = [GROUP[name].kind == "exclusive" for name in slices]
    starts = np.array([where.start for where in slices.values()])
    return starts, np.repeat(np.arange(len(sizes)), sizes), np.repeat(exclusive, sizes)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _lines(value: object, depth: int = 2, indent: str = "") -> str:
    """JSON with a line for each entry of the first levels, so that a file can be read and compared."""
    if not isinstance(value, dict) or not depth or not value:
        return json.dumps(value)
    entries = [f"{indent} {json.dumps(name)}: {_lines(part, depth - 1, indent + ' ')}" for name, part in value.items()]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"


def _attribute(value: str | tuple[str, ...], confidence: float) -> Attribute:
    return Attribute(value=value, confidence=min(1.0, max(0.0, confidence)))
