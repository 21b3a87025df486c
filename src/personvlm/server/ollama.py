"""Ollama's routes, as far as a vision model needs them: chat, generate, tags, show, version."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from personvlm import __version__
from personvlm.schema.groups import GROUP
from personvlm.server.chat import Said, describe_chat, model_names
from personvlm.server.pictures import check, decode64
from personvlm.server.problems import Json, Problem
from personvlm.server.response_format import Shape, shape_of
from personvlm.server.settings import ServerSettings

router = APIRouter(prefix="/api", tags=["ollama"])

API_VERSION = "0.5.0"
"""The version of Ollama whose API this is; its client asks for nothing newer."""


class OllamaMessage(BaseModel):
    """One message. Pictures are taken from the last one that has any."""

    role: str
    content: str | None = ""
    images: list[str] | None = None


class OllamaChat(BaseModel):
    """As Ollama's; ``options`` and the rest have no effect, but for ``num_predict``."""

    model: str
    messages: list[OllamaMessage] = Field(default_factory=list)
    format: str | dict[str, Any] | None = None
    stream: bool | None = True
    options: dict[str, Any] | None = None


class OllamaGenerate(BaseModel):
    """As Ollama's."""

    model: str
    prompt: str | None = ""
    images: list[str] | None = None
    format: str | dict[str, Any] | None = None
    stream: bool | None = True
    options: dict[str, Any] | None = None


class OllamaShow(BaseModel):
    """Which model."""

    model: str | None = None
    name: str | None = None


@router.get("/version", summary="Version of the API")
async def version() -> dict[str, str]:
    """Of Ollama's API; ours stands beside it."""
    return {"version": API_VERSION, "personvlm": __version__}


@router.get("/tags", summary="Models that can be asked")
async def tags(request: Request) -> dict[str, list[dict[str, Any]]]:
    """The model, under every name that it is known by."""
    return {"models": [_model(name) for name in model_names(request.app)]}


@router.post("/show", summary="One model")
async def show(request: Request, asked: OllamaShow) -> dict[str, Any]:
    """Says that the model can see."""
    name = _named(request, asked.model or asked.name or "")
    return {"modelfile": "", "parameters": "", "template": "", "details": _details(),
            "model_info": {"general.architecture": "personvlm", "general.basename": name,
                           "personvlm.groups": len(GROUP)},
            "capabilities": ["completion", "vision"], "modified_at": _now()}  # fmt: skip


@router.post("/chat", summary="Describe the person in a message's pictures")
async def chat(request: Request, asked: OllamaChat) -> Response:
    """Answers in lines of JSON; with `"stream": false` in one."""
    _named(request, asked.model)
    images = next((message.images for message in reversed(asked.messages) if message.images), [])
    words = " ".join(message.content or "" for message in asked.messages)
    if not asked.messages:
        return Json(_line(asked.model, {"message": {"role": "assistant", "content": ""}}, True, done_reason="load"))
    began = time.perf_counter_ns()
    said = await _describe(request, images, asked.format, words, asked.options)
    return _answer(asked.model, said, asked.stream, began,
                   lambda text: {"message": {"role": "assistant", "content": text}})  # fmt: skip


@router.post("/generate", summary="Describe the person in pictures")
async def generate(request: Request, asked: OllamaGenerate) -> Response:
    """Answers in lines of JSON; with `"stream": false` in one."""
    _named(request, asked.model)
    if not asked.images and not asked.prompt:  # how its clients load a model
        return Json(_line(asked.model, {"response": ""}, True, done_reason="load"))
    began = time.perf_counter_ns()
    said = await _describe(request, asked.images or [], asked.format, asked.prompt or "", asked.options)
    return _answer(asked.model, said, asked.stream, began, lambda text: {"response": text})


def _named(request: Request, name: str) -> str:
    """Without ``:latest``, which clients add.

    Raises:
        Problem: 404; the model has other names.
    """
    short = name.removesuffix(":latest")
    names = model_names(request.app)
    if short not in names:
        raise Problem(404, "model_not_found", f"model {name!r} not found; there is {', '.join(names)}")
    return short


async def _describe(request: Request, images: list[str], form: str | dict[str, Any] | None, words: str,
                    options: dict[str, Any] | None) -> Said:  # fmt: skip
    shape = _shape(form)
    settings: ServerSettings = request.app.state.settings
    if not images:
        raise Problem(400, "no_picture", "no images: this model describes people in pictures and does nothing else")
    if len(images) > settings.max_images:
        raise Problem(400, "too_many_pictures", f"{len(images)} pictures, at most {settings.max_images} in one message")
    names = [f"image {row}" for row in range(len(images))]
    try:
        pictures = [check(decode64(text, settings, name), settings, name)
                    for name, text in zip(names, images, strict=True)]  # fmt: skip
    except Problem as problem:
        status = 400 if problem.status_code == 422 else problem.status_code
        raise Problem(status, problem.code, str(problem.detail)) from None
    limit = (options or {}).get("num_predict")
    return await describe_chat(request, pictures, shape, words,
                               limit if isinstance(limit, int) and limit > 0 else None)  # fmt: skip


def _shape(form: str | dict[str, Any] | None) -> Shape | None:
    if not form:
        return None
    if isinstance(form, str) and form != "json":
        raise Problem(400, "bad_format", "format is 'json' or a JSON schema")
    return shape_of({} if isinstance(form, str) else form)


def _answer(model: str, said: Said, stream: bool | None, began: int, wrap: Any) -> Response:
    spent = time.perf_counter_ns() - began
    counts = {"total_duration": spent, "load_duration": 0, "prompt_eval_count": said.prompt_tokens,
              "prompt_eval_duration": 0, "eval_count": said.tokens, "eval_duration": spent}  # fmt: skip
    if stream is False:
        return Json(_line(model, wrap(said.text), True, done_reason=said.finish, **counts))

    def lines() -> Iterator[str]:
        for piece in said.pieces():
            yield json.dumps(_line(model, wrap(piece), False)) + "\n"
        yield json.dumps(_line(model, wrap(""), True, done_reason=said.finish, **counts)) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _line(model: str, content: dict[str, Any], done: bool, **more: Any) -> dict[str, Any]:
    return {"model": model, "created_at": _now(), **content, "done": done, **more}


def _model(name: str) -> dict[str, Any]:
    return {"name": name, "model": name, "modified_at": _now(), "size": 0, "digest": "", "details": _details()}


def _details() -> dict[str, Any]:
    return {"parent_model": "", "format": "onnx", "family": "personvlm", "families": ["personvlm"],
            "parameter_size": "", "quantization_level": ""}  # fmt: skip


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()
