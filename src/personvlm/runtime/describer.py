"""The describer: pictures of people in, descriptions out. No torch, no server, no GPU."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.base.folders import check_there
from personvlm.base.images import decode
from personvlm.data.transform import Transform
from personvlm.language.languages import ENGLISH, language, result_in_language
from personvlm.language.tokenizer import Tokenizer, load_tokenizer
from personvlm.models.config import EdgeConfig
from personvlm.models.own import OwnHeads, without_replaced
from personvlm.runtime.backend import Backend, Precision, choose_backend
from personvlm.runtime.calibration import Calibration, Say
from personvlm.runtime.engine import TOGETHER, Engine, Floats, available_cores, shared_out
from personvlm.runtime.generate import VARIED, Sampling, candidates, generate, score
from personvlm.schema import Attribute, Candidate, DescribeResult, PersonDescription, Values, values_of

Picture = str | Path | bytes | Image.Image | NDArray[np.uint8]
"""A path, encoded bytes, a PIL image, or an RGB array ``uint8 [H, W, 3]``."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")

SHIPPED = ("edge", "nano")
"""Models inside the package, the default first."""

_NEEDED = "config.json, transform.json, vocabulary.json, calibration.json, vision.onnx, decoder.onnx"


class Describer:
    """Describes crops of people.

    Attributes:
        backend: what runs the model, and why that was taken; empty where an engine was given.

    Example:
        >>> from personvlm import Describer
        >>> Describer.load().describe(["a.jpg"])[0].text  # doctest: +SKIP
        'The image shows a young adult male with short black hair. He is wearing a black jacket and blue jeans.'
    """

    def __init__(self, engine: Engine, transform: Transform, tokenizer: Tokenizer, calibration: Calibration,
                 name: str, max_words: int, metrics: dict[str, Any] | None = None,
                 own: OwnHeads | None = None) -> None:  # fmt: skip
        self._pool: ThreadPoolExecutor | None = None
        self.backend = ""
        self.engine, self.transform, self.tokenizer, self.calibration = engine, transform, tokenizer, calibration
        self.name, self.max_words, self.own = name, max_words, own
        self.metrics = metrics or {}

    @classmethod
    def load(cls, path: str | Path | None = None, *, threads: int | None = None,
             backend: Backend = "auto", precision: Precision = "float32") -> Describer:  # fmt: skip
        """The model in the folder ``path``; the one inside the package by default.

        Args:
            path: a folder, or the name of a model that ships: ``edge``, or ``nano``, which is faster (docs/engine.md).
            threads: cores to use; those available by default.
            backend, precision: what runs it; see :func:`~personvlm.runtime.backend.choose_backend`.

        Raises:
            InputError: the folder lacks a file, or one is broken; the message names it.
        """
        directory = model_folder(path)
        config = EdgeConfig.load(directory)
        chosen = choose_backend(directory, backend, threads, precision)
        describer = cls(chosen.engine, Transform.load(directory), load_tokenizer(directory),
                        Calibration.load(directory), config.title, config.max_text, _metrics(directory),
                        OwnHeads.load(directory))  # fmt: skip
        describer.backend = f"{chosen.name} ({chosen.why})"
        return describer

    def describe(self, inputs: Picture | Iterable[Picture], *, say: Say = "confident",
                 min_precision: float | None = None, gender: bool = True, age: bool = True, batch: int = 16,
                 sampling: Sampling | None = None, candidates: int = 1,
                 lang: str = ENGLISH) -> list[PersonDescription]:  # fmt: skip
        """Describe one picture or many.

        Args:
            inputs: see :data:`Picture`; an array must be RGB.
            say: ``confident`` states what passes its threshold, ``all`` the most probable value of every taught group.
            min_precision: state only what is right at least this often (0.5 to 0.99), value by value, by a lower bound
                from the people that the model was calibrated on; text and attributes hold nothing else.
            gender, age: False leaves the group out of text, attributes and scores.
            batch: pictures per batch; a result does not depend on it.
            sampling: None is greedy; of candidates other than the text it is :data:`VARIED`.
            candidates: up to so many different texts as ``.candidates``, the likeliest first; the text is one of them.
            lang: of the text: a tag such as ``de``; see :func:`personvlm.language.languages.languages`. The model says
                English; the text in another language is made of the attributes, and has no candidates.

        Raises:
            InputError: a picture cannot be read; names which. :meth:`results` goes on instead. Or the language is not
                offered.
        """
        return [_raise(result) for result in self.results(inputs, say=say, min_precision=min_precision, gender=gender,
                                                          age=age, batch=batch, sampling=sampling,
                                                          candidates=candidates, lang=lang)]  # fmt: skip

    def results(self, inputs: Picture | Iterable[Picture], *, names: Sequence[str] | None = None,
                say: Say = "confident", min_precision: float | None = None, gender: bool = True, age: bool = True,
                batch: int = 16, sampling: Sampling | None = None, candidates: int = 1,
                lang: str = ENGLISH) -> Iterator[DescribeResult]:  # fmt: skip
        """Like :meth:`describe`, one result per input in order; a picture that cannot be read gives ``.error``.

        Args:
            names: what each input is called in results and errors; paths are called by themselves.
        """
        spoken = language(lang)
        if spoken != ENGLISH and candidates > 1:
            raise InputError("candidates are what the model says, which is English: leave out lang or candidates")
        self._deciding(say, min_precision)  # what cannot be asked for fails before any picture is read
        pictures = _listed(inputs)
        if names is not None and len(names) != len(pictures):
            raise InputError(f"{len(names)} names for {len(pictures)} pictures: give one name per picture")
        for start in _starts(len(pictures), batch):
            began = time.perf_counter()
            group = pictures[start : start + batch]
            called = [names[start + i] if names is not None else _name(p, start + i) for i, p in enumerate(group)]
            options = {"say": say, "min_precision": min_precision, "gender": gender, "age": age, "sampling": sampling,
                       "candidates": candidates}  # fmt: skip
            done = self._attempt(group, options)
            latency = 1000 * (time.perf_counter() - began) / len(group)
            for name, answer in zip(called, done, strict=True):
                description, error = (None, answer) if isinstance(answer, str) else (answer, None)
                # Made without being checked: the description was, and would be once more.
                result = DescribeResult.model_construct(input=name, description=description, error=error,
                                                        latency_ms=round(latency, 3))  # fmt: skip
                yield result if spoken == ENGLISH else result_in_language(result, spoken)

    def _attempt(self, group: Sequence[Picture], options: dict[str, Any]) -> list[PersonDescription | str]:
        """A description of every picture, or why there is none."""

        def read_one(picture: Picture) -> NDArray[np.uint8] | str:
            try:
                return self._read(picture)
            except InputError as error:
                return str(error)

        def answers(images: list[NDArray[np.uint8] | str], engine: Engine) -> list[PersonDescription | str]:
            read = [image for image in images if not isinstance(image, str)]
            described = iter(self._describe(read, engine, **options))
            return [image if isinstance(image, str) else next(described) for image in images]

        if self.engine.workers:
            return self._side_by_side(lambda some, engine: answers([*map(read_one, some)], engine), group)
        return answers(self._prepared(read_one, group), self.engine)

    def _side_by_side(self, work: Callable[[list[_In], Engine], list[_Out]], items: Sequence[_In],
                      most: int = TOGETHER) -> list[_Out]:  # fmt: skip
        """``work`` on all items, up to ``most`` at once, by as many threads as the engine wants; one item gets the
        whole engine."""
        parts = shared_out(items, self.engine.workers, most)
        if len(items) < 2 or self.engine.workers < 2:
            return [out for part in parts for out in work(part, self.engine)]
        single = self.engine.single
        return [out for done in self._threads().map(lambda part: work(part, single), parts) for out in done]

    def _prepared(self, work: Callable[[_In], _Out], items: Sequence[_In]) -> list[_Out]:
        """``work`` on each item of a batch that goes to the engine as a whole, by a thread per core; decoding and
        resizing let the others run."""
        return [work(item) for item in items] if len(items) < 2 else list(self._threads().map(work, items))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.engine.workers or available_cores(), "personvlm")
        return self._pool

    def pixels(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        """RGB pictures of any size as the engine takes them, ``float32 [N, 3, height, width]``."""
        if self.engine.workers:  # whoever asks is one of its threads
            return self.transform(list(images))
        return self.transform.normalize(np.stack(self._prepared(self.transform.fit, images)))

    def describe_images(self, images: list[NDArray[np.uint8]], *, say: Say = "confident",
                        min_precision: float | None = None, gender: bool = True, age: bool = True,
                        sampling: Sampling | None = None, candidates: int = 1) -> list[PersonDescription]:  # fmt: skip
        """One batch of decoded pictures, ``uint8 [H, W, 3]`` RGB of any size."""
        options: dict[str, Any] = {"say": say, "min_precision": min_precision, "gender": gender, "age": age,
                                   "sampling": sampling, "candidates": candidates}  # fmt: skip
        if self.engine.workers:
            return self._side_by_side(lambda some, engine: self._describe(some, engine, **options), images)
        return self._describe(images, self.engine, **options)

    def _describe(self, images: list[NDArray[np.uint8]], engine: Engine, say: Say,
                  min_precision: float | None, gender: bool, age: bool, sampling: Sampling | None,
                  candidates: int) -> list[PersonDescription]:  # fmt: skip
        if not images:
            return []
        seen = engine.encode(self.pixels(images))
        calibration = self._deciding(say, min_precision)
        probabilities = calibration.probabilities(seen.logits)
        hidden = frozenset(name for name, on in (("gender", gender), ("age", age)) if not on)
        scores = [calibration.scores(row, hidden) for row in probabilities]
        attributes = [calibration.decide(item, say) for item in scores]
        own = self._own(seen.tokens, seen.embedding, seen.logits, say, min_precision)
        attributes = [without_replaced(item, mine) for item, mine in zip(attributes, own, strict=True)]
        said = [_worth_saying(item) for item in attributes]
        texts = generate(engine, seen.tokens, said, self.tokenizer, self.max_words, sampling)
        others = [self._candidates(engine, seen.tokens[row : row + 1], said[row], candidates, sampling)
                  if candidates > 1 else () for row in range(len(images))]  # fmt: skip
        others = [tuple(each.model_copy(update={"text": self._with_own(each.text, *whole)}) for each in more)
                  for more, *whole in zip(others, attributes, own, strict=True)]  # fmt: skip
        return [
            PersonDescription(text=self._with_own(text, attribute, mine), scores=score, attributes=attribute, own=mine,
                              embedding=tuple(embedding.tolist()), quality=float(quality), model=self.name,
                              candidates=more)
            for text, score, attribute, mine, embedding, quality, more in zip(
                texts, scores, attributes, own, seen.embedding, seen.quality, others, strict=True)
        ]  # fmt: skip

    def _own(self, tokens: Floats, embedding: Floats, logits: Floats, say: Say,
             min_precision: float | None) -> list[dict[str, Attribute]]:  # fmt: skip
        """What holds of groups of one's own; nothing at a stated precision, which nobody has measured of them."""
        if self.own is None or min_precision is not None:
            return [{} for _ in tokens]
        return self.own.decide(tokens, embedding, logits, say == "all")

    def _with_own(self, text: str, attributes: Mapping[str, Attribute], own: Mapping[str, Attribute]) -> str:
        if self.own is None:
            return text
        gender = attributes.get("gender")
        return self.own.said(text, own, None if gender is None else str(gender.value))

    def _candidates(self, engine: Engine, tokens: Floats, values: Values, count: int,
                    sampling: Sampling | None) -> tuple[Candidate, ...]:  # fmt: skip
        found = candidates(engine, tokens, values, self.tokenizer, self.max_words, count, sampling or VARIED)
        return tuple(Candidate(text=item.text, likelihood=item.likelihood) for item in found)

    def _deciding(self, say: Say, min_precision: float | None) -> Calibration:
        """The calibration that decides what is said.

        Raises:
            InputError: the precision cannot be asked for, or everything is to be said at once; or ``say`` is neither.
        """
        if say not in get_args(Say):
            raise InputError(f"say is {say!r}; legal: {', '.join(get_args(Say))}")
        if min_precision is None:
            return self.calibration
        if say == "all":
            raise InputError("min_precision says only what holds, and say='all' everything: choose one of them")
        return self.calibration.at_precision(min_precision)

    def score(self, inputs: Sequence[Picture], texts: Sequence[str], *, batch: int = 16) -> NDArray[np.float64]:
        """Negative log-likelihood per character ``[N]`` of given texts, one per picture, in nats.

        The decoder sees what it sees when it describes under ``--say all``: visual tokens and the decided attributes.
        Of a text of more words than the model can write (:attr:`max_words`) the beginning is scored.
        """
        if len(inputs) != len(texts):
            raise InputError(f"{len(texts)} texts for {len(inputs)} pictures: give one text per picture")
        parts = [np.zeros(0)]
        for start in _starts(len(inputs), batch):
            seen = self.engine.encode(self.pixels([self._read(item) for item in inputs[start : start + batch]]))
            rows = self.calibration.probabilities(seen.logits)
            values = [_worth_saying(self.calibration.decide(self.calibration.scores(row), "all")) for row in rows]
            parts.append(score(self.engine, seen.tokens, values, texts[start : start + batch], self.tokenizer,
                               self.max_words))  # fmt: skip
        return np.concatenate(parts)

    def embed(self, inputs: Sequence[Picture], *, batch: int = 16) -> NDArray[np.float32]:
        """Appearance vectors ``[N, E]``, L2-normalised, without the cost of a text."""
        groups = [inputs[start : start + batch] for start in _starts(len(inputs), batch)]
        parts = [self.engine.encode(self.pixels([self._read(item) for item in group])).embedding for group in groups]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _read(self, picture: Picture) -> NDArray[np.uint8]:
        """A picture as pixels; of a JPEG that is much larger than the model's input fewer are decoded, twice what it
        takes at least, so that the resizing that follows has something to average."""
        target = (2 * self.transform.width, 2 * self.transform.height)
        return decode(Path(picture) if isinstance(picture, str) else picture, target=target)


def shipped(name: str = SHIPPED[0]) -> Path:
    """Folder of a model inside the package."""
    return Path(str(files("personvlm") / "weights" / name))


def model_folder(model: str | Path | None) -> Path:
    """The folder that is meant: one of :data:`SHIPPED` by its name, unless a folder here is called so; the first of
    them by default.

    Raises:
        InputError: there is no such folder.
    """
    directory = shipped() if model is None else Path(model)
    if not directory.is_dir() and str(model) in SHIPPED:
        directory = shipped(str(model))
    check_there(directory, f"a model is a folder with {_NEEDED}, or one that ships: {', '.join(SHIPPED)}")
    return directory


def _metrics(directory: Path) -> dict[str, Any]:
    """What was measured of a model; nothing where that was not."""
    path = directory / "metrics.json"
    try:
        metrics = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        if not isinstance(metrics, dict):
            raise ValueError(f"a JSON {type(metrics).__name__}")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not what `personvlm evaluate` measured ({error}); take it from where the model came "
                         "from, or remove it") from None  # fmt: skip
    return metrics


def _starts(count: int, batch: int) -> range:
    """Where each batch begins."""
    if batch < 1:
        raise InputError(f"batch must be at least 1, not {batch}")
    return range(0, count, batch)


def _listed(inputs: Picture | Iterable[Picture]) -> list[Picture]:
    if isinstance(inputs, str | Path | bytes | Image.Image):
        return [inputs]
    if isinstance(inputs, np.ndarray):
        return [inputs] if inputs.ndim == 3 else list(inputs)
    return list(inputs)


def _worth_saying(attributes: Mapping[str, Attribute]) -> dict[str, tuple[str, ...]]:
    """What a sentence states of decided attributes: that nothing of the person is missing goes without saying."""
    values = values_of(attributes)
    return {name: value for name, value in values.items() if (name, *value) != ("visibility", "full")}


def _name(picture: Picture, index: int) -> str:
    return str(picture) if isinstance(picture, str | Path) else f"#{index}"


def _raise(result: DescribeResult) -> PersonDescription:
    if result.description is None:
        raise InputError(result.error or f"{result.input}: not described")
    return result.description
