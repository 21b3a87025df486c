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
from personvlm.evaluation.study_score import Said, reference_of
from personvlm.language.cleanup import clean
from personvlm.language.tokenizer import Tokenizer
from personvlm.models import load
from personvlm.models.edge import EdgeVLM
from personvlm.models.generate import GREEDY, write
from personvlm.models.person_vlm import PersonVLM
from personvlm.runtime.calibration import Calibration
from personvlm.runtime.describer import Describer
from personvlm.runtime.generate import score
from personvlm.runtime.torch_engine import TorchEngine
from personvlm.schema import values_of
from personvlm.training.budget import validated_on
from personvlm.training.captions import taught_values
from personvlm.training.run import domain_vocabulary
from personvlm.training.study_objective import NO_TARGET, encoded

BATCH = 32


def describe_stage(folder: Path, samples: Sequence[Sample], *, quiet: bool = False) -> list[Said]:
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


def describe_edge(folder: Path, samples: Sequence[Sample], *, quiet: bool = False) -> list[Said]:
    """The most probable value of every group, in words: ``--say all``."""
    describer = Describer.load(folder)
    said = []
    for group in _batches(samples, quiet):
        images = [sample.image for sample in group]
        texts = [description.text for description in describer.describe(images, say="all", batch=len(images))]
        references = [reference_of(sample) for sample in group]
        nll = describer.score(images, references, batch=len(images))
        said += [Said(str(sample.image), text, text, each * len(reference), len(reference)) for sample, text, each,
                 reference in zip(group, texts, nll.tolist(), references, strict=True)]  # fmt: skip
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


def edge_validation(data: Path) -> Callable[[EdgeVLM], dict[str, float]]:
    """A figure for edge's curve that the stages have too: ``nll_per_character`` of the canonical captions, given what
    the heads decide without any calibration."""
    train, val = read_training(data)
    samples = validated_on(val)
    calibration = Calibration.plain(taught_values([sample.annotations for sample in train]))
    tokenizer = domain_vocabulary()
    samples = [sample for sample in samples if sample.annotations.known]
    texts = [reference_of(sample) for sample in samples]

    def judged(model: EdgeVLM) -> dict[str, float]:
        transform = Transform(height=model.config.height, width=model.config.width)
        engine = TorchEngine(model, str(next(model.parameters()).device))
        nats = 0.0
        for start in range(0, len(samples), BATCH):
            own = texts[start : start + BATCH]
            seen = engine.encode(transform([decode(each.image) for each in samples[start : start + BATCH]]))
            rows = calibration.probabilities(seen.logits)
            values = [values_of(calibration.decide(calibration.scores(row), "all")) for row in rows]
            nats += float(score(engine, seen.tokens, values, own, tokenizer) @ np.array([len(text) for text in own]))
        return {"nll_per_character": nats / sum(map(len, texts))}

    return judged


def _batches(samples: Sequence[Sample], quiet: bool) -> Iterator[Sequence[Sample]]:
    groups = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    yield from track(groups, "describing", disable=quiet or len(groups) < 4)
