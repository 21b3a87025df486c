"""The OpenAI-compatible routes: whatever speaks to a vision model of OpenAI's gets a person described.

What the text of a message asks for is not read: the answer is a description. Several pictures are of one person.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from personvlm.server.chat import Said, describe_chat, model_names
from personvlm.server.pictures import read_pictures
from personvlm.server.problems import Json, Problem
from personvlm.server.response_format import Shape, shape_of
from personvlm.server.settings import ServerSettings

router = APIRouter(tags=["openai"])


class ImageUrl(BaseModel):
    """A picture: a data URI, or an address where the server takes them."""

    url: str
    detail: str | None = None


class Part(BaseModel):
    """One piece of a message."""

    type: str
    text: str | None = None
    image_url: ImageUrl | str | None = None


class ChatMessage(BaseModel):
    """One message. Pictures are taken from the last message of the user that has any."""

    role: str
    content: str | list[Part] | None = None


class JsonSchema(BaseModel):
    """A schema by its name."""

    model_config = ConfigDict(populate_by_name=True)
    name: str = ""
    strict: bool | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class ResponseFormat(BaseModel):
    """Free text, JSON of our schema, or JSON of a part of it."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """As OpenAI's. What is not here is accepted and has no effect: the answer is always the most probable one."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    response_format: ResponseFormat | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int | None = Field(default=1, ge=1)


class Usage(BaseModel):
    """Words and punctuation marks; a picture counts 32."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    """What the model says."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The only one."""

    index: int = 0
    message: Answer
    logprobs: None = None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """As OpenAI's."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "personvlm"


class Models(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/v1/models", summary="Models that can be asked")
async def models(request: Request) -> Models:
    """The model, under every name that it is known by."""
    return Models(data=[Model(id=name) for name in model_names(request.app)])


@router.get("/v1/models/{model}", summary="One model")
async def model(request: Request, model: str) -> Model:
    """404 for a name that it is not known by."""
    _check_model(request, model)
    return Model(id=model)


@router.post("/v1/chat/completions", response_model=Completion, summary="Describe the person in a message's pictures")
async def completions(request: Request, asked: ChatRequest) -> Response:
    """Data URIs as in OpenAI's API. `response_format` may be `json_schema` with our schema or a part of it."""
    _check_model(request, asked.model)
    if (asked.n or 1) > 1:
        raise Problem(400, "unsupported_value", "n: one answer is given; ask once", param="n")
    shape = _shape(asked.response_format)
    pictures, words = await _pictures(asked, request.app.state.settings)
    limit = asked.max_completion_tokens or asked.max_tokens
    said = await describe_chat(request, pictures, shape, words, limit)
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": asked.model}
    if asked.stream:
        with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
        return StreamingResponse(_stream(head, said, with_usage), media_type="text/event-stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": said.text, "refusal": None}, "logprobs": None,
              "finish_reason": said.finish}  # fmt: skip
    return Json({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(said)})


def _check_model(request: Request, name: str) -> None:
    names = model_names(request.app)
    if name not in names:
        raise Problem(404, "model_not_found", f"The model {name!r} does not exist; there is {', '.join(names)}",
                      param="model")  # fmt: skip


def _shape(wanted: ResponseFormat | None) -> Shape | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return shape_of({})
    if wanted.json_schema is None or wanted.json_schema.schema_ is None:
        raise Problem(400, "invalid_request", "response_format.json_schema.schema is missing", param="response_format")
    return shape_of(wanted.json_schema.schema_)


async def _pictures(asked: ChatRequest, settings: ServerSettings) -> tuple[list[bytes], str]:
    """Pictures of the last message that has some, and all words of the conversation."""
    urls: list[str] = []
    words: list[str] = []
    for message in asked.messages:
        parts = [Part(type="text", text=message.content)] if isinstance(message.content, str) else message.content or []
        words += [part.text for part in parts if part.type == "text" and part.text]
        found = [_url(part) for part in parts if part.type == "image_url"]
        if found and message.role == "user":
            urls = found
    if not urls:
        raise Problem(400, "no_picture", "no message of the user has an image_url; this model describes people in "
                      "pictures and does nothing else", param="messages")  # fmt: skip
    if len(urls) > settings.max_images:
        raise Problem(400, "too_many_pictures", f"{len(urls)} pictures, at most {settings.max_images} in one message",
                      param="messages")  # fmt: skip
    try:
        return await read_pictures(urls, settings, [f"image {row}" for row in range(len(urls))]), " ".join(words)
    except Problem as problem:
        status = 400 if problem.status_code == 422 else problem.status_code
        raise Problem(status, problem.code, str(problem.detail), param="messages") from None


def _url(part: Part) -> str:
    if part.image_url is None:
        raise Problem(400, "invalid_request", "a part of type image_url has no image_url", param="messages")
    return part.image_url if isinstance(part.image_url, str) else part.image_url.url


def _usage(said: Said) -> dict[str, int]:
    return {"prompt_tokens": said.prompt_tokens, "completion_tokens": said.tokens,
            "total_tokens": said.prompt_tokens + said.tokens}  # fmt: skip


async def _stream(head: dict[str, Any], said: Said, with_usage: bool) -> AsyncIterator[str]:
    """The sentence is there before its first word is sent, so that an error is never half an answer."""

    def line(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if with_usage else {}
        return f"data: {json.dumps({**head, 'object': 'chat.completion.chunk', 'choices': [choice], **usage})}\n\n"

    yield line({"role": "assistant", "content": ""})
    for piece in said.pieces():
        yield line({"content": piece})
    yield line({}, said.finish)
    if with_usage:
        last = {**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(said)}
        yield f"data: {json.dumps(last)}\n\n"
    yield "data: [DONE]\n\n"
