"""What a smaller or faster model costs in quality, beside what it gains: forms of one model on one set of crops.

Each form is measured as it would be used: one picture at a time, from pixels to words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.base.images import decode
from personvlm.data.rendered import rendered_samples
from personvlm.data.sample import Sample
from personvlm.data.transform import Transform
from personvlm.evaluation.facts import score_text, values_of_annotations
from personvlm.language.normalise import normalise
from personvlm.language.parser import parse
from personvlm.language.realiser import realise
from personvlm.language.tokenizer import GPT2Tokenizer, Tokenizer
from personvlm.schema import Annotations

Floats = NDArray[np.float32]
Item = TypeVar("Item")


class Row(Protocol):
    """Words written for a picture."""

    @property
    def ids(self) -> list[int]: ...
    @property
    def steps(self) -> int: ...


class Writer(Protocol):
    """A form of a model: ``runtime.stage_engine.StageEngine``, ``runtime.stage_torch.TorchStage``."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    def generate(self, pixels: Floats, *, allowed: NDArray[np.bool_] | None = None) -> Sequence[Row]:
        """Greedy words for pixels ``[N, 3, H, W]``, chosen among ``allowed [V]``."""
        ...

    def score(self, pixels: Floats, texts: Sequence[str]) -> NDArray[np.float64]:
        """Negative log-likelihood per character ``[N]``, in nats."""
        ...


@dataclass(frozen=True)
class Form(Generic[Item]):
    """One form of a model: of a stage a :class:`Writer`. ``bytes``: what it takes on disk."""

    name: str
    writer: Item
    bytes: int


@dataclass(frozen=True)
class Crops:
    """What forms are compared on.

    Attributes:
        pixels: ``float32 [N, 3, H, W]``, as the model's transform gives them.
        captions: a text for each, to be scored.
        samples: with labels, for the six groups; None where there are none.
        images: the same pictures as they came, ``uint8 [H, W, 3]``.
    """

    pixels: Floats
    captions: Sequence[str]
    samples: Sequence[Sample] | None = None
    images: Sequence[NDArray[np.uint8]] = ()


def labelled_crops(transform: Transform, samples: Sequence[Sample], count: int) -> Crops:
    """At most ``count`` of the samples, drawn at random but always the same; a sample without a caption is given the
    sentence of its labels.

    Raises:
        InputError: there are no samples, or a picture cannot be read.
    """
    if not samples:
        raise InputError("no pictures to compare on: the data file has no line with a picture")
    order = np.random.default_rng(0).permutation(len(samples))[:count]
    chosen = [samples[index] for index in sorted(order.tolist())]
    captions = [next(filter(None, map(normalise, sample.captions)), "") or
                realise(values_of_annotations(sample.annotations)) for sample in chosen]  # fmt: skip
    images = [decode(sample.image) for sample in chosen]
    return Crops(transform(images), captions, chosen, images)


def rendered_crops(transform: Transform, count: int, seed: int = 1) -> Crops:
    """``count`` drawn people with the sentences of what was drawn."""
    images, values = zip(*rendered_samples(count, seed=seed), strict=True)
    samples = [Sample(Path(f"rendered/{index}"), Annotations.build(each)) for index, each in enumerate(values)]
    return Crops(transform(list(images)), [realise(each) for each in values], samples, images)


def compare(forms: Sequence[Form[Writer]], crops: Crops,
            progress: Callable[[str], None] = lambda name: None) -> list[dict[str, Any]]:  # fmt: skip
    """One row per form; the first is the reference, and its vocabulary holds all others'.

    Returns:
        Per form ``name``, ``bytes``, ``vocabulary``; ``nll_per_character`` of the captions (nats); ``same``, the share
        of crops with the reference's words; ``same_restricted``, the same where the reference may only choose among
        this form's vocabulary; ``facts``, the mean of the six groups (None without labels); ``ms`` with ``p50`` and
        ``p90`` of a description; ``words`` and ``words_per_step``, means.
    """
    reference = forms[0]
    whole: list[list[int]] = []
    restricted: dict[tuple[int, ...] | None, list[list[int]]] = {}
    rows = []
    for form in forms:
        progress(form.name)
        tokenizer = form.writer.tokenizer
        written: list[Row] = []
        seconds = []
        for index in range(len(crops.pixels)):
            began = time.perf_counter()
            written += form.writer.generate(crops.pixels[index : index + 1])
            seconds.append(time.perf_counter() - began)
        ids = [_original(row.ids, tokenizer) for row in written]
        whole = whole or ids
        kept = tokenizer.kept if isinstance(tokenizer, GPT2Tokenizer) else None
        if kept not in restricted:
            restricted[kept] = _among(kept, whole, reference.writer, crops.pixels)
        p50, p90 = np.percentile(1000 * np.array(seconds), (50, 90))
        rows.append({
            "name": form.name, "bytes": form.bytes, "vocabulary": len(tokenizer),
            "nll_per_character": float(form.writer.score(crops.pixels, crops.captions).mean()),
            "same": share(ids, whole), "same_restricted": share(ids, restricted[kept]),
            "facts": facts_of([tokenizer.decode(row.ids) for row in written], crops.samples),
            "ms": {"p50": float(p50), "p90": float(p90)},
            "words": float(np.mean([len(row.ids) for row in written])),
            "words_per_step": sum(len(row.ids) for row in written) / sum(row.steps for row in written),
        })  # fmt: skip
    return rows


def _among(kept: tuple[int, ...] | None, whole: list[list[int]], writer: Writer, pixels: Floats) -> list[list[int]]:
    """What the reference says if it may only choose among ``kept``. Rows that need no other word are as they were."""
    if kept is None:
        return whole
    own = writer.tokenizer.kept if isinstance(writer.tokenizer, GPT2Tokenizer) else None
    allowed = np.isin(range(len(writer.tokenizer)) if own is None else own, kept)
    rows = list(whole)
    for index, row in enumerate(whole):
        if not {*row} <= {*kept}:
            restricted = writer.generate(pixels[index : index + 1], allowed=allowed)[0]
            rows[index] = _original(restricted.ids, writer.tokenizer)
    return rows


def _original(ids: list[int], tokenizer: Tokenizer) -> list[int]:
    """Ids as they were before the vocabulary was pruned."""
    kept = tokenizer.kept if isinstance(tokenizer, GPT2Tokenizer) else None
    return ids if kept is None else [kept[index] for index in ids]


def share(rows: Sequence[Item], reference: Sequence[Item]) -> float:
    """Of rows that equal the reference's."""
    return sum(row == other for row, other in zip(rows, reference, strict=True)) / len(rows)


def facts_of(texts: list[str], samples: Sequence[Sample] | None) -> float | None:
    """The mean of the six groups, read back from texts; None without labels."""
    if samples is None:
        return None
    mean: float | None = score_text([parse(text) for text in texts], samples, resamples=1)["mean"]["accuracy"]
    return mean
