"""What the chat-like routes of others have in common: pictures of one person in, one text out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Request

from personvlm.base.errors import InputError
from personvlm.server.describing import VISUAL_TOKENS, Options, PeopleDescriber, count_words
from personvlm.server.pictures import reason
from personvlm.server.problems import Problem
from personvlm.server.response_format import Shape, whole

NAME = "personvlm"
"""A name that every model of ours is known by."""


@dataclass(frozen=True)
class Said:
    """An answer, and what it counts."""

    text: str
    prompt_tokens: int
    tokens: int
    finish: Literal["stop", "length"] = "stop"

    def pieces(self) -> Iterator[str]:
        """The text word by word."""
        yield from re.findall(r"\s*\S+|\s+$", self.text)


def model_names(app: Any) -> tuple[str, ...]:
    """What the model may be called."""
    own = app.state.describer.name.replace(" ", "-")
    return tuple(dict.fromkeys((NAME, own, *app.state.settings.aliases)))


async def describe_chat(request: Request, pictures: Sequence[bytes], shape: Shape | None, words: str,
                        limit: int | None = None) -> Said:  # fmt: skip
    """One answer about the person in ``pictures``: a sentence, or JSON of ``shape``.

    Args:
        words: what was said with the pictures; only counted.
        limit: most tokens of the answer.
    """
    describer: PeopleDescriber = request.app.state.describer
    try:
        described = await describer.one_person(pictures, Options())
    except InputError as error:
        raise Problem(400, "bad_picture", reason(error, "a picture")) from None
    text = described.text if shape is None else json.dumps(shape(whole(described)), ensure_ascii=False)
    if not text:  # clients take an empty answer for a failure
        text = NOTHING
    prompt = count_words(words) + VISUAL_TOKENS * len(pictures)
    tokens = count_words(text)
    if limit is None or tokens <= limit:
        return Said(text, prompt, tokens)
    end = [found.end() for found in re.finditer(r"\w+|[^\w\s]", text)][limit - 1]
    return Said(text[:end], prompt, limit, "length")


NOTHING = "The image shows a person; nothing about them is certain enough to be said."
