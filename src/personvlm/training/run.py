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
from personvlm.models.pair import paired
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
from personvlm.training.objective import EdgeObjective, process_share
from personvlm.training.origin import Source, check_origin, data_source, weights_source
from personvlm.training.recipe import Recipe
from personvlm.training.validate import headline, logits_of

Judged = Callable[[EdgeVLM], dict[str, float]]
"""The averaged model -> figures by name."""

WORDS_FROM = 6000
"""Random attribute sets whose realisations, canonical and paraphrased, make the vocabulary: all words, many times."""


@dataclass(frozen=True)
class Start:
    """Where weights come from: a folder of ImageNet weights for the encoder, or a whole model to go on from.

    Attributes:
        beside: a second model, whose eyes look too from here on (:mod:`personvlm.models.pair`).
    """

    encoder: Path | None = None
    model: Path | None = None
    beside: Path | None = None

    def load(self) -> EdgeVLM | None:
        """The model to go on from, without an appearance layer, which is fitted anew to what becomes of it; None where
        there is none.

        Raises:
            InputError: a folder does not hold a model; or the two are no pair.
        """
        if self.model is None:
            return None
        model = EdgeVLM.load(self.model).with_appearance(None)
        return model if self.beside is None else paired(model, EdgeVLM.load(self.beside))


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
    if recipe.crossed and distillation is not None and (distillation.whole or distillation.looks):
        raise InputError("crossed crops show nobody whom others have seen whole: take teachers that look at each crop, "
                         "or crossed=0")  # fmt: skip
    if recipe.shared and start.model is None:
        raise InputError(f"shared={recipe.shared}: of which model? Name it with --from")
    train_samples, val_samples = read_training(data)
    begun = start.load()
    if begun is not None:
        recipe = replace(recipe, encoder=begun.config.encoder)
    sources = {
        "data": data_source(data, train_samples, val_samples),
        "encoder": weights_source(start.encoder, "random"),
        "model": weights_source(start.model, "none"),
        **({} if start.beside is None else {"beside": weights_source(start.beside, "none")}),
        **({} if budget is None else {"budget": Source(f"{budget.name} {budget.clock}")}),
        **({} if distillation is None else distillation.sources(unlabelled)),
    }  # fmt: skip
    accelerator = make_accelerator(recipe)
    size = recipe.phases[-1]
    transform, tokenizer = Transform(height=size.height, width=size.width), domain_vocabulary()
    cache = cache or out / "cache"
    with accelerator.main_process_first():  # writes, draws and decodes what the others find
        out.mkdir(parents=True, exist_ok=True)
        _check_same_run(out, recipe, sources, accelerator.is_main_process)
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
    model = initial_model(EdgeConfig(len(tokenizer), encoder=recipe.encoder, height=size.height, width=size.width),
                          start.encoder if begun is None or recipe.shared else begun, training, transform)
    if begun is not None and recipe.shared:
        model.share_below(begun, recipe.shared)
    if not recipe.vision:
        model.freeze_eyes()
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
        share: NDArray[np.int64] = process_share(recipe.batch, accelerator).numpy()

        def rows(step: int) -> NDArray[np.int64]:
            chosen: NDArray[np.int64] = training.rows(recipe.batch, recipe.seed, step)[share]
            return chosen

        def whole(step: int) -> tuple[Tensor, Tensor]:
            assert logits is not None
            visible = edge.visible.clone()
            visible[:, column_slices()["visibility"]] = False  # of the whole picture, which the student does not get
            return logits[torch.from_numpy(rows(step))], visible

        with accelerator.main_process_first():
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
        round_large(judge)
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


def initial_model(config: EdgeConfig, begun: EdgeVLM | Path | None, data: TrainingSet,
                  transform: Transform) -> EdgeVLM:  # fmt: skip
    """A model to begin with, in the memory layout that convolutions are fastest in: one to go on from, one with the
    encoder's weights from a folder, or one that knows nothing."""
    if isinstance(begun, EdgeVLM):
        model = begun
        if model.config.vocabulary != config.vocabulary:
            raise InputError(f"the model to go on from has a vocabulary of {model.config.vocabulary} words, this "
                             f"version one of {config.vocabulary}; start from ImageNet weights instead")  # fmt: skip
    else:
        model = EdgeVLM(config)
        if begun is not None:
            model.encoder.load_pretrained(begun)
            rows = np.random.default_rng(0).permutation(len(data.samples))[:128]
            model.encoder.restore_batch_norm(torch.from_numpy(transform.normalize(data.pixels[np.sort(rows)])))
    channels_last: EdgeVLM = model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return channels_last


def _check_same_run(out: Path, recipe: Recipe, sources: dict[str, Source], write: bool) -> None:
    """A run is only continued under the recipe and with the data and weights that it was begun with."""
    if (out / "recipe.json").is_file() and Recipe.load(out) != recipe:
        raise InputError(f"{out}: holds a run with another recipe; take another --out, or remove it")
    check_origin(out, sources, write)
    if write:
        recipe.save(out)
