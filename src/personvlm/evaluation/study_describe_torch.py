"""How the models of the study describe and how likely they find the references, edge through its exported graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from personvlm.base.images import decode
from personvlm.data.sample import Sample
from personvlm.data.sources import read_training
from personvlm.data.transform import Transform
from personvlm.evaluation.facts import values_of_annotations
from personvlm.evaluation.study_plan import spread
from personvlm.evaluation.study_score import Said, reference_of
from personvlm.language.cleanup import clean
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import Tokenizer
from personvlm.models import load
from personvlm.models.edge import EdgeVLM
from personvlm.models.generate import GREEDY, write
from personvlm.models.person_vlm import PersonVLM
from personvlm.models.prefix import encode_values
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.describer import Describer
from personvlm.runtime.generate import generate, score
from personvlm.runtime.torch_engine import TorchEngine
from personvlm.schema import values_of
from personvlm.training.budget import validated_on
from personvlm.training.captions import taught_values
from personvlm.training.run import domain_vocabulary
from personvlm.training.study_objective import NO_TARGET, encoded

BATCH = 32

NEIGHBORS = 2000
"""Training pictures among which the nearest caption is looked for, of as many people as possible."""


def describe_stage(folder: Path, samples: Sequence[Sample], quiet: bool) -> list[Said]:
    """Greedy, without penalties for repetition, then the seed's six steps of clean-up."""
    model, tokenizer, transform = load(folder)
    assert isinstance(model, PersonVLM)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    said = []
    for group in _batches(samples, quiet):
        pixels = torch.from_numpy(transform([decode(sample.image) for sample in group])).to(device)
        raw = write(model, pixels, tokenizer, GREEDY)
        references = [reference_of(sample) for sample in group]
        nll = nll_of(model, pixels, references, tokenizer)
        said += [Said(str(sample.image), clean(text), text, each, len(reference)) for sample, text, each, reference
                 in zip(group, raw, nll.tolist(), references, strict=True)]  # fmt: skip
    return said


def describe_edge(folder: Path, samples: Sequence[Sample], quiet: bool, data: Path,
                  neighbors: bool = False, everything: bool = False) -> list[Said]:  # fmt: skip
    """The most probable value of every group, in words (``--say all``), but for values that the validation labels
    never show by themselves: stages learn from captions what a caption of this data speaks of, edge is told.

    Args:
        data: the training folder.
        neighbors: whether the nearest training captions are noted too.
        everything: say what the validation labels never show as well.
    """
    describer = Describer.load(folder)
    train, val = read_training(data)
    asked = taught_values([sample.annotations for sample in (train if everything else val)])
    asked.pop("visibility", None)
    captions, embeddings = _neighbors(describer, train) if neighbors else ([], None)
    said = []
    for group in _batches(samples, quiet):
        seen = describer.engine.encode(describer.transform([decode(sample.image) for sample in group]))
        decided = [describer.calibration.decide(describer.calibration.scores(row), "all")
                   for row in describer.calibration.probabilities(seen.logits)]  # fmt: skip
        values = [{name: kept for name, several in values_of(one).items()
                   if (kept := tuple(value for value in several if value in asked.get(name, ())))}
                  for one in decided]  # fmt: skip
        texts = generate(describer.engine, seen.tokens, values, describer.tokenizer, describer.max_words)
        references = [reference_of(sample) for sample in group]
        nll = score(describer.engine, seen.tokens, values, references, describer.tokenizer).tolist()
        near = [""] * len(group) if embeddings is None else [
            captions[row] for row in (seen.embedding @ embeddings.T).argmax(1).tolist()
        ]  # fmt: skip
        said += [Said(str(sample.image), text, text, each * len(reference), len(reference), realise(one), caption)
                 for sample, text, each, reference, one, caption
                 in zip(group, texts, nll, references, values, near, strict=True)]  # fmt: skip
    return said


def describe_by_sight(folder: Path, samples: Sequence[Sample], quiet: bool) -> list[Said]:
    """An edge that was trained without its attribute prefix: greedy, and no word is masked."""
    model, tokenizer, transform = load(folder)
    assert isinstance(model, EdgeVLM)
    engine = TorchEngine(model)
    said = []
    for group in _batches(samples, quiet):
        tokens = engine.encode(transform([decode(sample.image) for sample in group])).tokens
        raw = _freely(model, torch.from_numpy(tokens), tokenizer)
        references = [reference_of(sample) for sample in group]
        nll = score(engine, tokens, [{}] * len(group), references, tokenizer)
        said += [Said(str(sample.image), clean(text), text, each * len(reference), len(reference)) for sample, text,
                 each, reference in zip(group, raw, nll.tolist(), references, strict=True)]  # fmt: skip
    return said


@torch.no_grad()
def nll_of(model: PersonVLM, pixels: Tensor, texts: list[str], tokenizer: Tokenizer) -> NDArray[np.float64]:
    """Negative log-likelihood ``[N]`` of texts in nats, the end included, without smoothing."""
    words, targets = encoded(texts, tokenizer, model.config.max_text)
    logits = model(pixels, words.to(pixels.device)).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.to(pixels.device).flatten(), ignore_index=NO_TARGET,
                             reduction="none")  # fmt: skip
    sums: NDArray[np.float64] = losses.view(len(texts), -1).sum(1).double().cpu().numpy()
    return sums


def edge_validation(data: Path, with_prefix: bool = True) -> Callable[[EdgeVLM], dict[str, float]]:
    """A figure for edge's curve that the stages have too: ``nll_per_character`` of the canonical captions, given what
    the heads decide without any calibration."""
    train, val = read_training(data)
    samples = [sample for sample in validated_on(val) if sample.annotations.known]
    calibration = Calibration.plain(taught_values([sample.annotations for sample in train]))
    tokenizer = domain_vocabulary()
    texts = [reference_of(sample) for sample in samples]

    def judged(model: EdgeVLM) -> dict[str, float]:
        transform = Transform(height=model.config.height, width=model.config.width)
        engine = TorchEngine(model, str(next(model.parameters()).device))
        nats = 0.0
        for start in range(0, len(samples), BATCH):
            own = texts[start : start + BATCH]
            seen = engine.encode(transform([decode(each.image) for each in samples[start : start + BATCH]]))
            rows = calibration.probabilities(seen.logits)
            values = [values_of(calibration.decide(calibration.scores(row), "all")) if with_prefix else {}
                      for row in rows]  # fmt: skip
            nats += float(score(engine, seen.tokens, values, own, tokenizer) @ np.array([len(text) for text in own]))
        return {"nll_per_character": nats / sum(map(len, texts))}

    return judged


@torch.no_grad()
def _freely(model: EdgeVLM, tokens: Tensor, tokenizer: Tokenizer) -> list[str]:
    """Greedy texts after visual tokens ``[N, K, D]`` and empty attribute slots."""
    count = len(tokens)
    prefix = torch.from_numpy(encode_values({})).expand(count, -1)
    words = torch.full((count, 1), tokenizer.bos_id)
    logits, cache = model.decode(tokens, prefix, words, model.decoder.empty_cache(count))
    written: list[Tensor] = []
    ended = torch.zeros(count, dtype=torch.bool)
    while not bool(ended.all()) and len(written) < GREEDY.max_length:
        words = torch.where(ended, tokenizer.eos_id, logits[:, -1].argmax(1))
        ended |= words == tokenizer.eos_id
        written.append(words)
        logits, cache = model.decode(tokens[:, :0], prefix[:, :0], words[:, None], cache)
    return [tokenizer.decode(row) for row in torch.stack(written, 1).tolist()]


def _neighbors(describer: Describer, train: Sequence[Sample]) -> tuple[list[str], NDArray[np.float32]]:
    """Captions of training pictures and their embeddings ``[T, E]``."""
    samples = [sample for sample in train if values_of_annotations(sample.annotations)]
    samples = spread([sample for sample in samples if sample.identity], 0, NEIGHBORS) or samples[:NEIGHBORS]
    parts = [describer.engine.encode(describer.transform([decode(sample.image) for sample in group])).embedding
             for group in _batches(samples, True)]  # fmt: skip
    return [reference_of(sample) for sample in samples], np.concatenate(parts)


def _batches(samples: Sequence[Sample], quiet: bool) -> Iterator[Sequence[Sample]]:
    groups = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    yield from track(groups, "describing", disable=quiet or len(groups) < 4)
