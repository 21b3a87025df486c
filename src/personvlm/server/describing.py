"""Pictures of requests, described in batches: each by itself, or all those of one request as one person."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from personvlm.base.errors import InputError
from personvlm.language.languages import ENGLISH, Lang
from personvlm.runtime.batching_describer import Ask, BatchDescriber, Prepared
from personvlm.runtime.batching_queue import BatchSettings, Priority
from personvlm.runtime.batching_work import Work
from personvlm.runtime.describer import Describer
from personvlm.runtime.engine import available_cores
from personvlm.runtime.tracks import TrackModel
from personvlm.schema import PersonDescription
from personvlm.server.problems import Exact
from personvlm.server.settings import ServerSettings

VISUAL_TOKENS = 32
"""What a picture counts in ``usage``: the words that it is for the decoder."""


class Options(Exact):
    """What may be asked for beside the pictures."""

    say: Literal["confident", "all"] = Field(default="confident", description="What is certain enough, or every group.")
    min_precision: float | None = Field(default=None, ge=0.5, le=0.99, description="Say only what is right this often.")
    gender: bool = Field(default=True, description="False leaves gender out. A deployment may do so for all.")
    age: bool = Field(default=True, description="False leaves age out.")
    candidates: int = Field(default=1, ge=1, le=8, description="Also give up to so many different texts.")
    together: bool = Field(default=False, description="All pictures show one person: one answer about all of them.")
    lang: Lang | None = Field(default=None, description="Of the text; without it the best of Accept-Language.")

    @model_validator(mode="after")
    def _one_way(self) -> Options:
        if self.min_precision is not None and self.say == "all":
            raise ValueError("min_precision says only what holds, and say=all everything: choose one of them")
        if self.together and self.candidates > 1:
            raise ValueError("candidates are given of single pictures only, not of several together")
        if self.candidates > 1 and self.lang not in (None, ENGLISH):
            raise ValueError("candidates are what the model says, which is English: leave out lang or candidates")
        return self


@dataclass(frozen=True)
class Together(Ask):
    """Further pictures of the same person."""

    others: tuple[bytes, ...] = ()

    def options(self) -> tuple[tuple[str, Any], ...]:
        """See :class:`Ask`."""
        return tuple(each for each in super().options() if each[0] != "others")


class PeopleDescriber(BatchDescriber):
    """A :class:`BatchDescriber` that also takes several pictures of one person, and refuses at once what is too much.

    Attributes:
        name: of the model.
    """

    def __init__(self, describers: Sequence[Describer], settings: ServerSettings) -> None:
        self.name = describers[0].name if describers else ""
        self._deployment = settings
        batching = BatchSettings(queue=settings.waiting, when_full="refuse", timeout_s=settings.answer_s)
        super().__init__(describers, batching)

    @staticmethod
    def models(settings: ServerSettings) -> list[Describer]:
        """One describer per core, all with one copy of the model.

        Raises:
            InputError: the folder holds no model.
        """
        return [Describer.load(settings.model, threads=1)] * available_cores()

    def allowed(self, options: Options) -> dict[str, Any]:
        """Fields of an :class:`Ask`, with what this deployment never says left out."""
        return {"say": options.say, "min_precision": options.min_precision, "candidates": options.candidates,
                "gender": options.gender and self._deployment.gender,
                "age": options.age and self._deployment.age}  # fmt: skip

    async def one_person(self, pictures: Sequence[bytes], options: Options) -> PersonDescription:
        """One answer about all ``pictures``.

        Raises:
            InputError: a picture cannot be read.
            NotAnsweredError: too much to do, too late, or closing.
        """
        first, *others = pictures
        ask = Together(first, others=tuple(others), **self.allowed(options))
        return await self.submit_async(ask, priority=Priority.NEW_TRACK)

    async def each(self, pictures: Sequence[bytes], options: Options) -> list[PersonDescription | InputError]:
        """One answer about each, in order: a picture that cannot be read costs only itself.

        Raises:
            NotAnsweredError: too much to do, too late, or closing; then nothing of the request is answered.
        """
        asks = [Ask(picture, **self.allowed(options)) for picture in pictures]
        waiting = [asyncio.ensure_future(self.submit_async(ask)) for ask in asks]
        try:
            return [await _or_bad(each) for each in waiting]
        finally:
            for each in waiting:
                each.cancel()

    def _decoded(self, ask: Ask) -> Prepared:
        prepared = super()._decoded(ask)
        if not isinstance(ask, Together) or not ask.others:
            return prepared
        more = [super(PeopleDescriber, self)._decoded(Ask(other))[0] for other in ask.others]
        return [prepared[0], *more], prepared[1]  # type: ignore[return-value]

    def _describing(self, describer: Describer) -> Work[PersonDescription]:
        alone = super()._describing(describer)

        def work(items: list[Prepared]) -> list[PersonDescription]:
            answers: dict[int, PersonDescription] = {}
            single = [row for row, (images, _) in enumerate(items) if not isinstance(images, list)]
            if single:
                answers.update(zip(single, alone([items[row] for row in single]), strict=True))
            several = [row for row in range(len(items)) if row not in answers]
            for options in dict.fromkeys(items[row][1] for row in several):
                rows = [row for row in several if items[row][1] == options]
                model = TrackModel(describer, **dict(options))
                people = [[(image, 1.0) for image in items[row][0]] for row in rows]
                answers.update(zip(rows, model.describe_all(people), strict=True))
            return [answers[row] for row in range(len(items))]

        return work


async def _or_bad(answer: asyncio.Future[PersonDescription]) -> PersonDescription | InputError:
    try:
        return await answer
    except InputError as error:
        return error


def count_words(text: str) -> int:
    """Words and punctuation marks, which is what the model's vocabulary consists of."""
    return len(re.findall(r"\w+|[^\w\s]", text))
