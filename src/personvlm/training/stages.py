"""``personvlm train stage1`` to ``stage4``: from captions and pictures to a folder with a model of the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from personvlm.base.errors import InputError
from personvlm.models.presets import StageConfig, preset
from personvlm.models.sizes import check_budget
from personvlm.training.budget import Budget, validated_on
from personvlm.training.curves import plot
from personvlm.training.loop import finish, make_accelerator, train
from personvlm.training.origin import Source, check_origin, data_source
from personvlm.training.recipe import FILE, Recipe
from personvlm.training.stage_recipe import StageRecipe, with_settings
from personvlm.training.stage_start import RANDOM, StageStart
from personvlm.training.stopping import EarlyStopping
from personvlm.training.study_data import CaptionSet, read_study
from personvlm.training.study_objective import StudyObjective, Validation

__all__ = ["RANDOM", "StageStart", "run_stage"]


def run_stage(stage: str, data: Path, out: Path, settings: Mapping[str, str] | None = None,
              start: StageStart | None = None, *, recipe: StageRecipe | None = None, images: Path | None = None,
              cache: Path | None = None, budget: Budget | None = None, quiet: bool = False,
              report: Callable[[str], None] = lambda sentence: None) -> None:  # fmt: skip
    """Train a stage and leave the model in ``out``; goes on where a killed run stopped. Under ``torchrun`` every
    process calls it.

    Args:
        stage: ``stage1`` to ``stage4``.
        data: see :func:`~personvlm.training.study_data.read_study`.
        out: gets ``config.json``, ``model.safetensors`` (the best by validation loss), the tokenizer,
            ``transform.json``, ``recipe.json``, ``origin.json``, ``curves.csv`` and ``curves.png``.
        settings: changes of recipe and model by name, as in ``{"epochs": "5", "encoder": "mobilenet_v2"}``.
        recipe: in place of the one that comes with the package.
        images: the folder that MSP60K's image paths start from.
        cache: folder for decoded pictures; ``out/cache`` by default.
        budget: decides the length of the run in place of the recipe's epochs, steps and patience; the validation loss
            is then that of a part of the split (:func:`~personvlm.training.budget.validated_on`).
        report: told what the user should know and did not ask for, such as weights that could not be had.

    Raises:
        InputError: settings, data, weights or what stands in ``out`` do not fit, or the model is over the budget.
    """
    start = start or StageStart()
    recipe, config = with_settings(recipe or StageRecipe.of(stage), preset(stage), settings or {})
    check_budget(config)
    train_samples, val_samples = read_study(data, images)
    accelerator = make_accelerator(Recipe(precision=recipe.precision))
    tell = report if accelerator.is_main_process else lambda sentence: None
    with accelerator.main_process_first():  # fetches what is on the hub; the others find it
        found = start.found(config, tell)
    if found.nothing_pretrained(config) and recipe.scratch_rate:
        tell(f"{stage} is not pretrained: its peak learning rate is {recipe.scratch_rate:g}, where the recipe for "
             f"pretrained parts has {recipe.learning_rate:g}; --learning-rate sets another")  # fmt: skip
        recipe = recipe.from_scratch()
    if budget is not None:
        recipe, val_samples = replace(recipe, patience=0), validated_on(val_samples)
    with accelerator.main_process_first():  # decodes the pictures; the others find them
        out.mkdir(parents=True, exist_ok=True)
        cache = cache or out / "cache"
        training = CaptionSet(train_samples, config.transform, cache, quiet)
        validation = CaptionSet(val_samples, config.transform, cache, quiet)
    tokenizer = found.make_tokenizer(recipe, training)
    config = replace(config, vocabulary=len(tokenizer))
    check_budget(config)
    sources = {"data": data_source(data, training.samples, validation.samples), **found.sources(tokenizer),
               "processes": Source(str(accelerator.num_processes))}  # fmt: skip
    if budget is not None:
        sources["budget"] = Source(f"{budget.name} {budget.clock}")
    with accelerator.main_process_first():  # writes what the others compare with
        _check_same_run(out, recipe, config, sources, accelerator.is_main_process)
    torch.manual_seed(recipe.seed)
    model = found.initial_model(config, training)
    loop = recipe.for_loop(len(training), accelerator.num_processes, config, accelerator.mixed_precision)
    pace = None
    if budget is not None:
        loop, pace = budget.fitted(loop, len(training), torch.get_num_threads())
    objective = StudyObjective(training, loop, config.transform, tokenizer, accelerator, config.max_text,
                               recipe.trained_ends)  # fmt: skip
    evaluate = Validation(model, validation, config.transform, tokenizer, config.max_text)
    stopping = EarlyStopping(out, "val.loss", recipe.patience)
    train(model, objective, loop, out, evaluate=evaluate, accelerator=accelerator, stopping=stopping, pace=pace,
          quiet=quiet)  # fmt: skip
    if accelerator.is_main_process:
        model.load_state_dict(stopping.best_weights())
        model.save(out)
        tokenizer.save(out)
        config.transform.save(out)
        recipe.save(out)
        plot(out / "curves.csv", out / "curves.png")
    finish(accelerator)


def _check_same_run(out: Path, recipe: StageRecipe, config: StageConfig, sources: Mapping[str, Source],
                    write: bool) -> None:  # fmt: skip
    """A run is only continued under the recipe, for the model and with the data and weights that it was begun with."""
    if (out / FILE).is_file() and (before := StageRecipe.load(out)) != recipe:
        raise InputError(f"{out}: holds a run with another recipe ({recipe.differences(before)}); take another --out, "
                         "or remove it")  # fmt: skip
    if (out / "config.json").is_file() and StageConfig.load(out) != config:
        raise InputError(f"{out}: holds a run of another model; take another --out, or remove it")
    check_origin(out, sources, write)
    if write:
        recipe.save(out)
        config.save(out)
