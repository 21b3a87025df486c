"""``personvlm train stage1`` to ``stage4``: from captions and pictures to a folder with a model of the study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from personvlm.base.errors import InputError
from personvlm.language.tokenizer import GPT2Tokenizer, Tokenizer, load_tokenizer
from personvlm.language.vocabulary import PersonVocabulary
from personvlm.models.gpt2 import GPT2Decoder
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.presets import StageConfig, preset
from personvlm.models.pretrained import load_pretrained
from personvlm.models.sizes import check_budget
from personvlm.training.augment import augment
from personvlm.training.curves import plot
from personvlm.training.loop import finish, make_accelerator, train
from personvlm.training.recipe import FILE, Recipe
from personvlm.training.run import domain_vocabulary
from personvlm.training.stage_recipe import StageRecipe, with_settings
from personvlm.training.stopping import EarlyStopping
from personvlm.training.study_data import CaptionSet, read_study
from personvlm.training.study_objective import AUGMENT, StudyObjective, Validation

RANDOM = "random"
MEASURED_ON = 128
"""Pictures that the norms of an encoder without weights are measured on."""


@dataclass(frozen=True)
class StageStart:
    """Where weights and tokenizer come from: a folder, ``hub``, ``repository@commit``, or (weights) ``random``.

    Stages 1 and 2 have no pretrained decoder; ``decoder`` and ``tokenizer`` are of stages 3 and 4. Pretrained GPT-2
    needs GPT-2's tokenizer; a decoder that starts at random takes any.
    """

    encoder: str = "hub"
    decoder: str = "hub"
    tokenizer: str = "hub"


def run_stage(stage: str, data: Path, out: Path, settings: Mapping[str, str] | None = None,
              start: StageStart | None = None, *, recipe: StageRecipe | None = None, images: Path | None = None,
              cache: Path | None = None, quiet: bool = False) -> None:  # fmt: skip
    """Train a stage and leave the model in ``out``; goes on where a killed run stopped. Under ``torchrun`` every
    process calls it.

    Args:
        stage: ``stage1`` to ``stage4``.
        data: see :func:`~personvlm.training.study_data.read_study`.
        out: gets ``config.json``, ``model.safetensors`` (the best by validation loss), the tokenizer,
            ``transform.json``, ``recipe.json``, ``curves.csv`` and ``curves.png``.
        settings: changes of recipe and model by name, as in ``{"epochs": "5", "encoder": "mobilenet_v2"}``.
        recipe: in place of the one that comes with the package.
        images: the folder that MSP60K's image paths start from.
        cache: folder for decoded pictures; ``out/cache`` by default.

    Raises:
        InputError: settings, data, weights or what stands in ``out`` do not fit, or the model is over the budget.
    """
    start = start or StageStart()
    recipe, config = with_settings(recipe or StageRecipe.of(stage), preset(stage), settings or {})
    check_budget(config)
    train_samples, val_samples = read_study(data, images)
    accelerator = make_accelerator(Recipe(precision=recipe.precision if torch.cuda.is_available() else "no"))
    with accelerator.main_process_first():  # decodes the pictures; the others find them
        out.mkdir(parents=True, exist_ok=True)
        cache = cache or out / "cache"
        training = CaptionSet(train_samples, config.transform, cache, quiet)
        validation = CaptionSet(val_samples, config.transform, cache, quiet)
    tokenizer = make_tokenizer(config, recipe, start, training)
    config = replace(config, vocabulary=len(tokenizer))
    check_budget(config)
    with accelerator.main_process_first():  # writes what the others compare with
        _check_same_run(out, recipe, config, accelerator.is_main_process)
    torch.manual_seed(recipe.seed)
    model = initial_model(config, start, training)
    loop = recipe.for_loop(len(training), accelerator.num_processes, config, accelerator.mixed_precision)
    objective = StudyObjective(training, loop, config.transform, tokenizer, accelerator, config.max_text)
    evaluate = Validation(model, validation, config.transform, tokenizer, config.max_text)
    stopping = EarlyStopping(out, "val.loss", recipe.patience)
    train(model, objective, loop, out, evaluate=evaluate, accelerator=accelerator, stopping=stopping, quiet=quiet)
    if accelerator.is_main_process:
        model.load_state_dict(stopping.best_weights())
        model.save(out)
        tokenizer.save(out)
        config.transform.save(out)
        recipe.save(out)
        plot(out / "curves.csv", out / "curves.png")
    finish(accelerator)


def make_tokenizer(config: StageConfig, recipe: StageRecipe, start: StageStart, data: CaptionSet) -> Tokenizer:
    """GPT-2's for GPT-2, or what the given folder holds; else the words of the given captions, or where all are
    realised, the realiser's words."""
    if config.decoder == "gpt2":
        if start.tokenizer == "hub":
            return GPT2Tokenizer.from_hub()
        return load_tokenizer(start.tokenizer)
    captions = list(data.corpus())
    if not captions:
        return domain_vocabulary()
    words = PersonVocabulary.from_corpus(captions, recipe.min_freq, recipe.max_vocab_size)
    if len(captions) == len(data):
        return words
    both = dict.fromkeys((*words.words, *domain_vocabulary().words))
    return PersonVocabulary(tuple(both)[: recipe.max_vocab_size])


def initial_model(config: StageConfig, start: StageStart, data: CaptionSet) -> PersonVLM:
    """The model with the weights that ``start`` names; without any, the encoder's norms fit the first pictures."""
    model = PersonVLM(config)
    if start.encoder != RANDOM:
        load_pretrained(model.encoder.backbone, start.encoder, config.encoder)
    else:
        rows = np.sort(np.random.default_rng(0).permutation(len(data))[:MEASURED_ON])
        images, size = torch.from_numpy(data.pixels[rows]), (config.height, config.width)
        seen = augment(images, size, AUGMENT, config.transform, torch.Generator().manual_seed(0))
        model.encoder.measure(seen.pixels)
    if isinstance(model.decoder, GPT2Decoder) and start.decoder != RANDOM:
        load_pretrained(model.decoder.body, start.decoder, "gpt2")
    return model.train()


def _check_same_run(out: Path, recipe: StageRecipe, config: StageConfig, write: bool) -> None:
    """A checkpoint is only continued under the recipe and for the model that it was made with."""
    path = out / FILE
    if path.is_file() and json.loads(path.read_text()) != asdict(recipe):
        raise InputError(f"{out}: holds a run with another recipe; take another --out, or remove it")
    if (out / "config.json").is_file() and StageConfig.load(out) != config:
        raise InputError(f"{out}: holds a run of another model; take another --out, or remove it")
    if write:
        recipe.save(out)
        config.save(out)
