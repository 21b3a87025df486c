"""A learning curve: the same training on ever more of the people, and what its heads then know of others.

Each run is `personvlm train edge` on a folder with fewer people; the shares are nested, so that a point differs from
the one before it by added people only.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.data.own import write_personvlm
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.data.transform import Transform
from personvlm.models.config import EdgeConfig
from personvlm.models.edge import WEIGHTS, EdgeVLM
from personvlm.training.dataset import TrainingSet
from personvlm.training.loop import read_curves
from personvlm.training.losses import attribute_loss
from personvlm.training.origin import check_origin, data_source, weights_source
from personvlm.training.recipe import Phase, Recipe
from personvlm.training.run import Start, domain_vocabulary, initial_model, train_edge
from personvlm.training.validate import headline, logits_of

FILE = "measured.json"
RESAMPLES = 200
"""Of the validation people, the same ones for every run, so that differences between runs have intervals too."""

NORMED_ON = 128
"""Pictures by which folded batch norms are measured (:func:`~personvlm.training.run.initial_model`)."""

_GIVEN = ("phases", "steps", "vision")


@dataclass(frozen=True)
class Size:
    """What of edge can be larger or smaller.

    Attributes:
        height, width: input in pixels.
        head_dim: width of the attention by which every attribute group looks for its evidence.
        encoder: its name; ``""``: the recipe's.
    """

    height: int
    width: int
    head_dim: int = EdgeConfig.head_dim
    encoder: str = ""

    @classmethod
    def parse(cls, text: str) -> Size:
        """``HEIGHTxWIDTH``, with ``/HEAD_DIM`` and ``@ENCODER`` behind it where they differ.

        Raises:
            ValueError: it is not written so, or a number does not fit the model.
        """
        before, _, encoder = text.partition("@")
        pixels, slash, dim = before.partition("/")
        cells = [int(cell) for cell in pixels.split("x")]
        head_dim = int(dim) if slash else EdgeConfig.head_dim
        if len(cells) != 2 or min(cells) < 32 or any(cell % 32 for cell in cells):
            raise ValueError(f"{text!r}: HEIGHTxWIDTH, both multiples of 32, as in 192x96")
        if head_dim < 1 or head_dim % EdgeConfig.head_heads:
            raise ValueError(f"{text!r}: the heads' width must be a multiple of {EdgeConfig.head_heads}")
        return cls(cells[0], cells[1], head_dim, encoder)

    def __str__(self) -> str:
        wide = "" if self.head_dim == EdgeConfig.head_dim else f"/{self.head_dim}"
        return f"{self.height}x{self.width}{wide}{self.encoder and '@'}{self.encoder}"


def in_order(samples: Sequence[Sample], seed: int = 0) -> list[list[Sample]]:
    """The people of ``samples``, their pictures each, in an order whose every beginning is a fair share.

    A share holds sources, and the parts of a source that identities name (``VIPeR/0017``), in the proportions of the
    whole, to the person. Pictures without an identity are people of their own. The order follows from the order of
    ``samples`` and the seed, not from where the folder lies.
    """
    people: dict[tuple[str, str], list[Sample]] = {}
    for index, sample in enumerate(samples):
        people.setdefault((sample.source, sample.identity or f"#{index}"), []).append(sample)
    parts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for source, person in people:
        parts.setdefault((source, person.rpartition("/")[0]), []).append((source, person))
    rng = random.Random(seed)
    ranked: list[tuple[float, tuple[str, str]]] = []
    for members in parts.values():
        rng.shuffle(members)
        first = rng.random()
        ranked += [((place + first) / len(members), member) for place, member in enumerate(members)]
    return [people[member] for _, member in sorted(ranked)]


def first_share(people: Sequence[list[Sample]], share: Fraction) -> list[list[Sample]]:
    """The first people of an order, at least one.

    Raises:
        InputError: the share is not above 0, or above 1.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}: must be above 0 and at most 1, as 1/8 is")
    return list(people[: max(1, round(share * len(people)))])


def of_sources(people: Sequence[list[Sample]], like: Sequence[Sample]) -> list[list[Sample]]:
    """Those of ``people`` who come from a source that ``like`` has too: who can be compared with its people."""
    sources = {sample.source for sample in like}
    return [pictures for pictures in people if pictures[0].source in sources]


def recipe_at(size: Size, share: Fraction, steps: int, settings: dict[str, str]) -> Recipe:
    """The recipe of one run: ``steps`` at one size, no words, and drawn people as scarce as real ones, so that a batch
    holds the same mixture whatever the share.

    Raises:
        InputError: a setting that the curve decides itself, or that the recipe refuses.
    """
    for name in _GIVEN:
        if name in settings:
            raise InputError(f"--set {name}: the curve decides that; give --steps, --sizes and --shares")
    own = {"encoder": size.encoder} if size.encoder else {}
    recipe = replace(Recipe(), phases=(Phase(steps, size.height, size.width, False),)).with_settings(settings | own)
    return replace(recipe, rendered=round(recipe.rendered * share))


def learned(people: Sequence[list[Sample]], val: Sequence[Sample], seen: Sequence[Sample], out: Path, recipe: Recipe,
            size: Size, *, encoder: Path | None = None, cache: Path | None = None, machine: str = "",
            quiet: bool = False) -> dict[str, Any]:  # fmt: skip
    """Train on ``people`` in the folder ``out`` and measure; what is done is not done again.

    Args:
        people: pictures of each.
        val: samples of people that no run sees.
        seen: samples of people that every run sees.
        out: also gets ``data/``, with which `personvlm train edge` repeats the run, and ``measured.json``.
        recipe: see :func:`recipe_at`.
        size: of the model.
        encoder: folder of ImageNet weights; chance by default.
        cache: folder for decoded pictures; ``out/cache`` by default.
        machine: kept with the figures.
        quiet: no progress bars.

    Returns:
        ``size`` and ``steps``; ``people``, how many of them are ``compared``, which is of the sources of ``val``, and
        ``crops`` and ``drawn`` that were trained on; what the training took: ``seconds`` and ``crops_seen``;
        ``machine``; and what :func:`judged` gives, asked anew where ``seen`` has changed since (``measured_on``).

    Raises:
        InputError: ``out`` holds a run with another recipe, other data or other weights; or nobody to measure on has a
            label of the six.
    """
    data, cache = out / "data", cache or out / "cache"
    data.mkdir(parents=True, exist_ok=True)
    write_personvlm([sample for pictures in people for sample in pictures], data / "train.jsonl", data)
    write_personvlm(val, data / "val.jsonl", data)
    measured_on = data_source(data, val, seen).sum
    begin = _start(size, recipe, [pictures[0] for pictures in people], encoder, out / "start", cache)
    if (out / FILE).is_file():
        if Recipe.load(out) != recipe:
            raise InputError(f"{out}: holds a run with another recipe; take another --out, or remove it")
        check_origin(out, {"data": data_source(data, *read_training(data)),
                           "encoder": weights_source(begin.encoder, "random"),
                           "model": weights_source(begin.model, "none")}, write=False)  # fmt: skip
        done: dict[str, Any] = json.loads((out / FILE).read_text("utf-8"))
        if done["measured_on"] == measured_on:
            return done
        done |= {"measured_on": measured_on, **judged(out, val, seen, cache)}
    else:
        train_edge(data, out, recipe, begin, cache=cache, quiet=quiet)
        used = {name: value for _, name, value in read_curves(out / "curves.csv") if name.startswith("clock.")}
        done = {
            "size": str(size), "steps": recipe.steps, "people": len(people), "compared": len(of_sources(people, val)),
            "crops": sum(map(len, people)), "drawn": recipe.rendered,
            "seconds": used["clock.seconds"], "crops_seen": int(used["clock.crops"]), "machine": machine,
            "measured_on": measured_on, **judged(out, val, seen, cache),
        }  # fmt: skip
    part = out / f"{FILE}.part"
    part.write_text(json.dumps(done) + "\n", "utf-8")
    part.replace(out / FILE)
    return done


def judged(directory: Path, val: Sequence[Sample], seen: Sequence[Sample], cache: Path) -> dict[str, Any]:
    """What a finished model's heads know, and the ``parameters`` of its encoder and heads.

    Under ``val`` and ``seen`` stand ``people``, ``crops``, the figures of
    :func:`~personvlm.training.validate.headline`, ``loss`` (of all groups, per crop), and under ``resampled`` the
    ``mean`` and ``loss`` of :data:`RESAMPLES` bootstrap samples of the people.
    """
    model, transform = EdgeVLM.load(directory), Transform.load(directory)
    eyes = (model.encoder, model.heads)
    return {"parameters": sum(each.numel() for part in eyes for each in part.parameters()),
            "val": _known(model, transform, val, cache), "seen": _known(model, transform, seen, cache)}  # fmt: skip


def _known(model: EdgeVLM, transform: Transform, samples: Sequence[Sample], cache: Path) -> dict[str, Any]:
    data = TrainingSet(samples, transform, cache, quiet=True)
    logits = logits_of(model, data, transform)
    rng = np.random.default_rng(0)
    if np.isnan(headline(logits, data)["mean"]):
        raise InputError(f"none of the six attributes is labelled on any of {len(samples)} pictures to measure on")
    drawn = [_figures(*_resampled(logits, data, rng)) for _ in range(RESAMPLES)]
    return {"people": len(data.people), "crops": len(data.samples), **_figures(logits, data),
            "resampled": {name: [figures[name] for figures in drawn] for name in ("mean", "loss")}}  # fmt: skip


def _figures(logits: NDArray[np.float32], data: TrainingSet) -> dict[str, float]:
    loss = attribute_loss(*map(torch.from_numpy, (logits, data.target, data.mask)))
    return {**headline(logits, data), "loss": float(loss)}


def _resampled(
    logits: NDArray[np.float32], data: TrainingSet, rng: np.random.Generator
) -> tuple[NDArray[np.float32], TrainingSet]:
    """As many people, drawn with replacement; who is drawn twice counts as two."""
    chosen = [data.people[number] for number in rng.integers(0, len(data.people), len(data.people))]
    rows = np.concatenate(chosen)
    view = copy.copy(data)
    view.samples = [replace(data.samples[row], identity=str(place)) for place, group in enumerate(chosen)
                    for row in group]  # fmt: skip
    view.target, view.mask = data.target[rows], data.mask[rows]
    return logits[rows], view


def _start(size: Size, recipe: Recipe, samples: Sequence[Sample], encoder: Path | None, folder: Path,
           cache: Path) -> Start:  # fmt: skip
    """Where a run begins. The trainer knows one width of heads; another one is given to it as a model to go on from."""
    if size.head_dim == EdgeConfig.head_dim:
        return Start(encoder=encoder)
    if not (folder / WEIGHTS).is_file():
        transform = Transform(height=size.height, width=size.width)
        few = TrainingSet(samples[:NORMED_ON], transform, cache, quiet=True)
        torch.manual_seed(recipe.seed)
        config = EdgeConfig(len(domain_vocabulary()), encoder=recipe.encoder, height=size.height, width=size.width,
                            head_dim=size.head_dim)
        part = folder.with_suffix(".part")
        initial_model(config, encoder, few, transform).save(part, half=False)
        part.replace(folder)
    return Start(model=folder)
