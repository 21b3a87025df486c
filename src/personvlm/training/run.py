"""``personvlm train edge``: from a folder of data to a folder with weights, ready to be exported and calibrated."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from personvlm.base.errors import InputError
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.data.splits import Part
from personvlm.data.transform import Transform
from personvlm.language.random_values import random_values
from personvlm.language.realiser import realise
from personvlm.language.vocabulary import PersonVocabulary
from personvlm.models.codes import round_large
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import EdgeVLM
from personvlm.schema.groups import column_slices
from personvlm.training.appearance import fit_appearance
from personvlm.training.budget import Budget, Pace
from personvlm.training.captions import taught_values
from personvlm.training.curves import plot
from personvlm.training.dataset import TrainingSet
from personvlm.training.distill import Distillation, DistillObjective, Teachers, whole_logits
from personvlm.training.drawn import drawn_people
from personvlm.training.looks import Looks
from personvlm.training.loop import Objective, finish, make_accelerator, train
from personvlm.training.objective import EdgeObjective
from personvlm.training.origin import Source, check_origin, data_source, weights_source
from personvlm.training.recipe import Recipe
from personvlm.training.validate import headline, logits_of

Judged = Callable[[EdgeVLM], dict[str, float]]
"""The averaged model -> figures by name."""

WORDS_FROM = 6000
"""Random attribute sets whose realisations, canonical and paraphrased, make the vocabulary: all words, many times."""


@dataclass(frozen=True)
class Start:
    """Where weights come from: a folder of ImageNet weights for the encoder, or a whole model to go on from."""

    encoder: Path | None = None
    model: Path | None = None


@dataclass(frozen=True)
class Trained:
    """What is left of a run beside its files: the samples to calibrate on, and the values that had a label."""

    validation: list[Sample]
    taught: dict[str, tuple[str, ...]]


@functools.cache
def domain_corpus() -> tuple[str, ...]:
    """Random attribute sets in the realiser's words, canonical and paraphrased, the same on every machine."""
    rng = random.Random(0)
    texts = []
    for seed in range(WORDS_FROM):
        values = random_values(rng)
        texts += [realise(values), realise(values, seed=seed)]
    return tuple(texts)


def domain_vocabulary() -> PersonVocabulary:
    """Every word that the realiser uses, the same on every machine."""
    return PersonVocabulary.from_corpus(domain_corpus(), min_freq=1)


def train_edge(data: Path, out: Path, recipe: Recipe, start: Start, *, cache: Path | None = None,
               budget: Budget | None = None, judged: Judged | None = None, distillation: Distillation | None = None,
               unlabelled: Sequence[Sample] = (), quiet: bool = False) -> Trained:  # fmt: skip
    """Train edge on the folder ``data`` and leave the model in ``out``; goes on where a killed run stopped.

    Args:
        data: see :func:`personvlm.data.sources.read_training`.
        out: gets ``config.json``, ``model.safetensors``, ``vocabulary.json``, ``transform.json``, ``recipe.json``,
            ``curves.csv`` and ``curves.png``, and a checkpoint while training goes on.
        cache: folder for decoded pictures; ``out/cache`` by default.
        budget: decides the length of the run; the recipe's phases keep their shares of it.
        judged: further figures of the validation curve, asked once the decoder is being trained.
        distillation: teachers to learn from beside the labels.
        unlabelled: further pictures, of use to a distillation only.

    Returns:
        What calibration needs to know.

    Raises:
        InputError: the data, the start, or what stands in ``out`` does not fit.
    """
    train_samples, val_samples = read_training(data)
    if start.model is not None:
        recipe = replace(recipe, encoder=EdgeConfig.load(start.model).encoder)
    out.mkdir(parents=True, exist_ok=True)
    _check_same_run(out, recipe, {
        "data": data_source(data, train_samples, val_samples),
        "encoder": weights_source(start.encoder, "random"),
        "model": weights_source(start.model, "none"),
        **({} if budget is None else {"budget": Source(f"{budget.name} {budget.clock}")}),
        **({} if distillation is None else {"distillation": Source(f"{distillation}, {len(unlabelled)} unlabelled")}),
    })  # fmt: skip
    size = recipe.phases[-1]
    transform, tokenizer = Transform(height=size.height, width=size.width), domain_vocabulary()
    cache = cache or out / "cache"
    train_samples += drawn_people(cache, recipe.rendered, recipe.seed, quiet)
    if recipe.left_out:
        part = Part.parse(recipe.left_out)
        train_samples = [sample for sample in train_samples if not part.holds(sample)]
        if not train_samples:
            raise InputError(f"{data}: nobody is left to train on without part {recipe.left_out} of the people")
    training = TrainingSet([*train_samples, *unlabelled], transform, cache, recipe.source_weight,
                           recipe.identity_power, quiet)  # fmt: skip
    validation = TrainingSet(val_samples, transform, cache, quiet=quiet)
    torch.manual_seed(recipe.seed)
    model = initial_model(EdgeConfig(len(tokenizer), encoder=recipe.encoder, height=size.height,
                                     width=size.width), start, training, transform)
    if not recipe.vision:
        model.freeze_eyes()
    accelerator = make_accelerator(recipe)
    loop, pace = recipe, Pace(recipe.steps)
    if budget is not None:
        loop, pace = budget.fitted(recipe, len(training.samples), torch.get_num_threads())
    edge = EdgeObjective(training, loop, transform, tokenizer, accelerator, model.config.max_text, pace,
                         0.0 if distillation is None else distillation.mix)  # fmt: skip
    objective: Objective = edge
    if distillation is not None:
        teachers = Teachers(distillation.teachers, accelerator.device)
        if not distillation.whole and any(part is not None for _, _, part in teachers.models):
            raise InputError("teachers that left people out are asked about those alone, which takes --whole")
        share = slice(accelerator.process_index, None, accelerator.num_processes)

        def rows(step: int) -> NDArray[np.int64]:
            return training.rows(recipe.batch, recipe.seed, step)[share]

        def whole(step: int) -> tuple[Tensor, Tensor]:
            assert logits is not None
            visible = edge.visible.clone()
            visible[:, column_slices()["visibility"]] = False  # of the whole picture, which the student does not get
            return logits[torch.from_numpy(rows(step))], visible

        looks = Looks(distillation.looks, training, cache, quiet) if distillation.looks else None
        logits = whole_logits(teachers, training, transform, cache, quiet) if distillation.whole else None
        objective = DistillObjective(edge, teachers, distillation, transform,
                                     None if looks is None else lambda step: looks.similarity(rows(step)),
                                     None if logits is None else whole)  # fmt: skip
    judge = EdgeVLM(model.config).to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def evaluate(average: dict[str, Tensor]) -> dict[str, float]:
        judge.load_state_dict(average)
        figures = headline(logits_of(judge, validation, transform), validation)
        if judged is not None and loop.phase_at(pace.at(pace.taken)).text:
            figures |= judged(judge.eval())
        return {f"val.{name}": value for name, value in figures.items()}

    average = train(model, objective, loop, out, evaluate=evaluate, accelerator=accelerator, pace=pace, quiet=quiet)
    if accelerator.is_main_process:
        judge.load_state_dict(average)
        round_large(judge.encoder)
        fit_appearance(judge.eval(), train_samples, transform, quiet=quiet)
        judge.config = judge.config.told_apart(*judge.weight_bytes())
        judge.save(out)
        tokenizer.save(out)
        transform.save(out)
        recipe.save(out)
        if distillation is not None:
            distillation.save(out)
        plot(out / "curves.csv", out / "curves.png")
    finish(accelerator)
    return Trained(val_samples, taught_values([sample.annotations for sample in train_samples]))


def initial_model(config: EdgeConfig, start: Start, data: TrainingSet, transform: Transform) -> EdgeVLM:
    """A model to begin with, in the memory layout that convolutions are fastest in."""
    if start.model is not None:
        model = EdgeVLM.load(start.model).with_appearance(None)  # it is fitted anew to what the model becomes
        if model.config.vocabulary != config.vocabulary:
            raise InputError(f"{start.model}: its vocabulary has {model.config.vocabulary} words, this version's "
                             f"{config.vocabulary}; start from ImageNet weights instead")  # fmt: skip
    else:
        model = EdgeVLM(config)
        if start.encoder is not None:
            model.encoder.load_pretrained(start.encoder)
            rows = np.random.default_rng(0).permutation(len(data.samples))[:128]
            model.encoder.restore_batch_norm(torch.from_numpy(transform.normalize(data.pixels[np.sort(rows)])))
    channels_last: EdgeVLM = model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return channels_last


def _check_same_run(out: Path, recipe: Recipe, sources: dict[str, Source]) -> None:
    """A run is only continued under the recipe and with the data and weights that it was begun with."""
    if (out / "recipe.json").is_file() and Recipe.load(out) != recipe:
        raise InputError(f"{out}: holds a run with another recipe; take another --out, or remove it")
    check_origin(out, sources)
    recipe.save(out)
