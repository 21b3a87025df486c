"""How a model is trained: one frozen dataclass, saved beside the weights that come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.splits import Part
from personvlm.data.transform import Augment

FILE = "recipe.json"
PRECISIONS = ("bf16", "fp16", "no")
_ORDER = MappingProxyType({"phases": -1, "vision": 0, "steps": 2})
"""Of settings that are about one another: ``steps`` scales the phases that the others have left."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one resolution.

    Attributes:
        steps: optimizer steps.
        height, width: input in pixels.
        text: whether the decoder is trained too.
    """

    steps: int
    height: int
    width: int
    text: bool

    @classmethod
    def parse(cls, text: str) -> Phase:
        """``STEPSxHEIGHTxWIDTH``, with ``+text`` behind it where the decoder learns too, as in ``700x256x128+text``.

        Raises:
            ValueError: it is not written so.
        """
        numbers, plus, words = text.partition("+")
        cells = [int(cell) for cell in numbers.split("x")]
        if len(cells) != 3 or words != ("text" if plus else "") or min(cells) < 1:
            raise ValueError(f"{text!r} is no phase; write STEPSxHEIGHTxWIDTH or STEPSxHEIGHTxWIDTH+text")
        steps, height, width = cells
        if min(height, width) < 32:
            raise ValueError(f"{text!r}: height and width must be 32 at least, as a cell of the encoder's grid")
        return cls(steps, height, width, bool(plus))


def check_numbers(settings: Any, *, least: Mapping[str, float] = MappingProxyType({}),
                  most: Mapping[str, float] = MappingProxyType({}), prefix: str = "") -> None:  # fmt: skip
    """Refuse numbers of a dataclass that no training can be done with.

    Args:
        settings: whose fields that are numbers are looked at.
        least, most: by field; from 0 to 4e9 (what a seed may be) where nothing is said.
        prefix: what the command line puts before a name.

    Raises:
        InputError: one of them is out of range, or not a number.
    """
    for each in fields(settings):
        value, low, high = getattr(settings, each.name), least.get(each.name, 0), most.get(each.name, 4e9)
        if type(value) in (int, float) and not low <= value <= high:
            raise InputError(f"{prefix}{each.name}={value}: must be from {low:g} to {high:g}")


def check_precision(name: str) -> None:
    """Refuse what training cannot compute in.

    Raises:
        InputError: it is none of bf16, fp16 and no.
    """
    if name not in PRECISIONS:
        raise InputError(f"precision={name}: legal: {', '.join(PRECISIONS)}")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a run but the data.

    Attributes:
        phases: run one after the other under one learning-rate schedule.
        batch: crops per step over all processes; half as many people, two crops each.
        lr: peak learning rate of new parts; the encoder takes ``encoder_lr`` times it, and the decoder, which starts
            when the schedule has come down already, ``decoder_lr`` times.
        warmup: share of all steps.
        ema: decay of the averaged weights, which are the ones that are kept.
        label_smoothing: of the text loss.
        weights: what each loss counts for.
        identity_power: a person with n crops is drawn in proportion to n to this power (0: all people alike).
        source_weight: multiplies that, by source.
        rendered: how many drawn people are added to the data.
        vision: False trains the decoder alone, on frozen eyes, in the text phases only.
        random_text: share of text rows whose attributes are drawn at random instead of read from labels.
        crossed: share of crops that get the legs of another one, and what its labels say of them, before the text
            phases (:func:`personvlm.training.mixing.crossed`).
        shared: lower stages of the encoder that are taken from the model to go on from and stay as they are; all else
            is new. The two can be joined as one (:mod:`personvlm.models.pair`), which then computes them once.
        encoder: what edge sees with, a name of :func:`personvlm.models.encoder.build_encoder`; a model to go on from
            keeps its own.
        left_out: a part of the people that are not trained on, as in ``1/2`` (:class:`personvlm.data.splits.Part`):
            what such a model says of them it has not learned by heart, and a student can be told.
        attribute_prefix: False hides decided attributes from the decoder, which then has to see for itself.
        checkpoint_minutes: time between checkpoints.
    """

    phases: tuple[Phase, ...] = (Phase(4400, 192, 96, False), Phase(700, 256, 128, True))
    batch: int = 64
    lr: float = 1e-3
    encoder_lr: float = 0.5
    decoder_lr: float = 4.0
    weight_decay: float = 0.02
    warmup: float = 0.04
    clip: float = 1.0
    ema: float = 0.997
    label_smoothing: float = 0.05
    weight_text: float = 1.0
    weight_identity: float = 0.3
    weight_quality: float = 0.2
    identity_power: float = 0.5
    source_weight: tuple[tuple[str, float], ...] = (
        ("orientation", 3.0), ("ccp", 0.35), ("clothing_attribute", 0.3), ("rendered", 0.4),
    )  # fmt: skip
    rendered: int = 1000
    vision: bool = True
    random_text: float = 0.3
    attribute_prefix: bool = True
    crossed: float = 0.0
    shared: int = 0
    encoder: str = "efficientnet_lite0"
    left_out: str = ""
    precision: str = "bf16"
    seed: int = 0
    checkpoint_minutes: float = 4.0
    evaluate_every: int = 400
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        if self.left_out:
            Part.parse(self.left_out)
        if not self.phases:
            raise InputError("a recipe without a phase; vision=false keeps those with +text alone, so name one, as in "
                             "phases=450x256x128+text")  # fmt: skip
        check_numbers(self, least={"batch": 1, "evaluate_every": 1, "clip": 1e-6},
                      most={"ema": 1, "label_smoothing": 1, "crossed": 1})  # fmt: skip
        check_numbers(self.augment, prefix="augment.")
        check_precision(self.precision)

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> Phase:
        """The phase that step number ``step`` (from 0) belongs to."""
        for phase in self.phases:
            if step < phase.steps:
                return phase
            step -= phase.steps
        return self.phases[-1]

    def with_settings(self, settings: dict[str, str]) -> Recipe:
        """A copy with ``name=value`` settings as the command line gives them, in whatever order.

        ``steps=N`` scales the phases, ``phases=A,B`` sets them (:meth:`Phase.parse`), ``augment.NAME=V`` sets a
        strength of :class:`~personvlm.data.transform.Augment`.

        Raises:
            InputError: a name does not exist, or a value is not of its kind.
        """
        recipe = self
        kinds = {f.name: type(getattr(self, f.name)) for f in fields(self)}
        strengths = {f"augment.{f.name}" for f in fields(Augment)}
        for name, text in sorted(settings.items(), key=lambda item: _ORDER.get(item[0], 1)):
            try:
                if name == "steps":
                    if int(text) < len(recipe.phases):
                        raise ValueError(f"there are {len(recipe.phases)} phases, and each takes a step")
                    ratio = int(text) / recipe.steps
                    counts = [max(1, round(phase.steps * ratio)) for phase in recipe.phases]
                    left = int(text) - sum(counts)
                    counts[-1 if counts[-1] + left > 0 else counts.index(max(counts))] += left
                    pairs = zip(recipe.phases, counts, strict=True)
                    recipe = replace(recipe, phases=tuple(replace(phase, steps=n) for phase, n in pairs))
                elif name == "phases":
                    recipe = replace(recipe, phases=tuple(Phase.parse(phase) for phase in text.split(",")))
                elif name in strengths:
                    changed = {name.removeprefix("augment."): float(text)}
                    recipe = replace(recipe, augment=replace(recipe.augment, **changed))
                elif kinds.get(name) is bool:
                    if text not in ("true", "false"):
                        raise InputError(f"--set {name}={text}: true or false")
                    switched: dict[str, Any] = {name: text == "true"}
                    recipe = replace(recipe, **switched)
                    if not recipe.vision:
                        recipe = replace(recipe, phases=tuple(phase for phase in recipe.phases if phase.text))
                elif kinds.get(name) in (int, float, str):
                    recipe = replace(recipe, **{name: kinds[name](text)})
                else:
                    legal = [key for key, kind in kinds.items() if kind in (bool, int, float, str)]
                    raise InputError(f"--set {name}: no such setting; legal: steps, phases, "
                                     f"{', '.join([*legal, *sorted(strengths)])}")  # fmt: skip
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"--set {name}={text}: {error}") from error
        return recipe

    def save(self, directory: Path) -> None:
        """Write ``recipe.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> Recipe:
        """Read ``recipe.json`` from ``directory``.

        Raises:
            InputError: the file is absent or does not hold a recipe of edge.
        """
        path = directory / FILE
        try:
            raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
            raw["phases"] = tuple(Phase(**phase) for phase in raw["phases"])
            raw["source_weight"] = tuple((name, weight) for name, weight in raw["source_weight"])
            raw["augment"] = Augment(**raw["augment"])
            return cls(**raw)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: not the recipe of a run of edge ({error}); take another folder") from error
