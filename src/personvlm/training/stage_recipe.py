"""How a stage of the study is trained: one YAML file each (``recipes/``), read into one frozen dataclass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from personvlm.base.errors import InputError
from personvlm.models.presets import TRANSFORMS, StageConfig, preset
from personvlm.models.vision import VisionEncoder
from personvlm.training.recipe import FILE, Phase, Recipe, check_numbers, check_precision

SMALLEST_SCALED = 32
"""Crops per step of the study's smallest batch."""

T = TypeVar("T", "StageRecipe", StageConfig)


@dataclass(frozen=True)
class StageRecipe:
    """Everything that decides the outcome of a stage's run but model and data.

    Attributes:
        epochs: passes over the training samples.
        batch_size: crops per step and process.
        learning_rate: peak rate at ``reference_batch`` crops per step over all processes.
        reference_batch: with another number of crops the rate is scaled in proportion (linear scaling rule, Goyal et
            al., 2017), but not below that of one process's 32: smaller batches are none the rule was made for, and
            would hardly learn; 0: the rate is taken as it is.
        scratch_rate: peak rate, not scaled, in place of ``learning_rate`` where nothing that is to be pretrained is:
            GPT-2 in stages 3 and 4, the encoder in stages 1 and 2. The study's rates are for pretrained parts; from
            random numbers they would hardly move in a short run. 0: the same.
        weight_decay: of AdamW.
        warmup: share of all steps.
        patience: epochs without a lower validation loss after which the run ends; 0: it never does.
        steps: optimizer steps in all; 0: ``epochs`` decides.
        min_freq, max_vocab_size: of the word vocabulary made from given captions.
        trained_ends: False leaves the first word and the end without a loss, as the published study did.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 32
    reference_batch: int = 0
    scratch_rate: float = 0.0
    weight_decay: float = 0.01
    warmup: float = 0.1
    patience: int = 0
    steps: int = 0
    label_smoothing: float = 0.1
    clip: float = 1.0
    precision: str = "no"
    seed: int = 0
    min_freq: int = 5
    max_vocab_size: int = 5000
    checkpoint_minutes: float = 4.0
    trained_ends: bool = True

    def __post_init__(self) -> None:
        check_numbers(self, least={"epochs": 1, "batch_size": 1, "clip": 1e-6, "min_freq": 1, "max_vocab_size": 1},
                      most={"label_smoothing": 1})  # fmt: skip
        check_precision(self.precision)

    @classmethod
    def of(cls, stage: str) -> StageRecipe:
        """The recipe that comes with the package."""
        preset(stage)  # says which names are legal
        return cls.read(Path(str(files("personvlm.training").joinpath("recipes", f"{stage}.yaml"))))

    @classmethod
    def read(cls, path: Path) -> StageRecipe:
        """A recipe from a YAML file.

        Raises:
            InputError: the file is absent, not YAML, or has other fields than a recipe's.
        """
        import yaml  # type: ignore[import-untyped]

        try:
            return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
            raise InputError(f"{path}: not a recipe ({error}); legal: {', '.join(_kinds(cls))}") from error

    def scaled_rate(self, processes: int) -> float:
        """The peak learning rate with ``processes`` of ``batch_size`` crops each."""
        if self.reference_batch == 0:
            return self.learning_rate
        return self.learning_rate * max(self.batch_size * processes, SMALLEST_SCALED) / self.reference_batch

    def from_scratch(self) -> StageRecipe:
        """The recipe where the parts that it takes to be pretrained start from random numbers."""
        if self.scratch_rate == 0:
            return self
        return replace(self, learning_rate=self.scratch_rate, reference_batch=0)

    def for_loop(self, samples: int, processes: int, config: StageConfig, precision: str) -> Recipe:
        """The same in the terms of :mod:`personvlm.training.loop`: steps instead of epochs, no averaging of weights,
        one rate for all parts, an evaluation after each epoch."""
        batch = self.batch_size * processes
        per_epoch = max(1, samples // batch)
        steps = self.steps or self.epochs * per_epoch
        return Recipe(
            phases=(Phase(steps, config.height, config.width, True),), batch=batch, lr=self.scaled_rate(processes),
            encoder_lr=1.0, decoder_lr=1.0, weight_decay=self.weight_decay, warmup=self.warmup, clip=self.clip, ema=0.0,
            label_smoothing=self.label_smoothing, precision=precision, seed=self.seed,
            checkpoint_minutes=self.checkpoint_minutes, evaluate_every=min(per_epoch, steps),
        )  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write ``recipe.json`` into ``directory``."""
        (directory / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, directory: Path) -> StageRecipe:
        """Read ``recipe.json`` from ``directory``.

        Raises:
            InputError: the file is absent or does not hold a stage's recipe.
        """
        path = directory / FILE
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: not the recipe of a stage ({error})") from error

    def differences(self, other: StageRecipe) -> str:
        """What ``other`` had before and this one has now, as in ``epochs 20, now 5``."""
        mine, before = asdict(self), asdict(other)
        return ", ".join(f"{name} {before[name]}, now {mine[name]}" for name in mine if mine[name] != before[name])


def with_settings(recipe: StageRecipe, config: StageConfig,
                  settings: Mapping[str, str]) -> tuple[StageRecipe, StageConfig]:  # fmt: skip
    """Recipe and model with ``name=value`` settings as the command line gives them.

    A learning rate that is given is taken as it is, without the scaling rule unless ``reference_batch`` is given
    too, and from whatever weights unless ``scratch_rate`` is.
    Another ``encoder`` brings its own input size, and of its blocks as large a share is frozen.

    Raises:
        InputError: a name does not exist, or a value is not of its kind.
    """
    of_recipe, of_config = _kinds(StageRecipe), _kinds(StageConfig)
    for name in settings:
        if name not in of_recipe and name not in of_config:
            raise InputError(f"--set {name}: no such setting; legal: {', '.join((*of_recipe, *of_config))}")
    mine = {name: text for name, text in settings.items() if name in of_recipe}
    if "learning_rate" in mine:
        mine = {"reference_batch": "0", "scratch_rate": "0", **mine}
    if "encoder" in settings:
        config = with_encoder(config, settings["encoder"])
    theirs = {name: text for name, text in settings.items() if name in of_config and name != "encoder"}
    return _replaced(recipe, mine), _replaced(config, theirs)


def with_encoder(config: StageConfig, encoder: str) -> StageConfig:
    """``config`` with another encoder at its own input size; whole blocks are frozen up to the same share of it."""
    if encoder == config.encoder:
        return config
    changed = replace(config, encoder=encoder, frozen_through="", height=256, width=128)  # refuses unknown names
    own = TRANSFORMS[encoder]
    import torch

    with torch.device("meta"):
        share = VisionEncoder(config.encoder, 1).share_through(config.frozen_through)
        through = VisionEncoder(encoder, 1).block_at(share)
    return replace(changed, height=own.height, width=own.width, frozen_through=through)


def _kinds(cls: type) -> dict[str, str]:
    """Settable fields and the names of their types. How many words there are, the tokenizer says."""
    fixed = ("kind", "schema_version", "vocabulary")
    return {each.name: str(each.type) for each in fields(cls) if each.name not in fixed}


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _replaced(settings: T, texts: Mapping[str, str]) -> T:
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": _truth}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        kind = _kinds(type(settings))[name]
        try:
            values[name] = kinds[kind](text)
        except ValueError as error:
            raise InputError(f"--set {name}={text}: not of the kind {kind}") from error
    return replace(settings, **values)
