"""``POST /v1/describe``: pictures in, descriptions out. Nothing is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from personvlm.base.errors import InputError
from personvlm.language.languages import ENGLISH, in_language, languages
from personvlm.pipeline.record import record
from personvlm.schema import DescribeResult, PersonDescription
from personvlm.server.describing import Options, PeopleDescriber
from personvlm.server.languages import choose
from personvlm.server.pictures import check, enough, read_pictures, reason, too_many
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.settings import ServerSettings

router = APIRouter()
Named = list[tuple[str, bytes]]


class Value(Exact):
    """The decided value of one group."""

    value: str | list[str]
    confidence: float = Field(ge=0, le=1)


class Text(Exact):
    """Another way to say it."""

    text: str
    likelihood: float


class Result(Exact):
    """What one picture shows, or why there is no telling."""

    input: str = Field(description="Name of the file, or #0, #1, ...")
    text: str | None = Field(default=None, description="One or two sentences.")
    attributes: dict[str, Value] | None = None
    quality: float | None = Field(default=None, ge=0, le=1, description="How much of the person the picture shows.")
    model: str | None = None
    latency_ms: float | None = None
    candidates: list[Text] | None = None
    error: str | None = Field(default=None, description="Instead of all else.")


class Results(Exact):
    """One result per picture, in order; one in all where the pictures show one person."""

    results: list[Result]


class DescribeBody(Options):
    """Pictures as base64, data URIs or, where the server takes them, http(s) addresses."""

    image: str | None = Field(default=None, description="One picture.")
    images: list[str] = Field(default_factory=list, description="Several pictures.")


_FORM = {
    "type": "object", "required": ["image"],
    "properties": {
        "image": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1},
        "say": {"type": "string", "enum": ["confident", "all"]},
        "min_precision": {"type": "number", "minimum": 0.5, "maximum": 0.99},
        "gender": {"type": "boolean"}, "age": {"type": "boolean"}, "together": {"type": "boolean"},
        "candidates": {"type": "integer", "minimum": 1, "maximum": 8},
        "lang": {"type": "string", "enum": list(languages())},
    },
}  # fmt: skip
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {
    "application/json": {"schema": {"$ref": "#/components/schemas/DescribeBody"}},
    "multipart/form-data": {"schema": _FORM},
    "image/jpeg": _PICTURE, "image/png": _PICTURE, "image/webp": _PICTURE,
}}}  # fmt: skip


@router.post("/v1/describe", response_model=Results, openapi_extra=_BODY, tags=["describe"],
             summary="Describe the people in pictures")  # fmt: skip
async def describe(request: Request) -> Response:
    """One result per picture; with `together` one about all of them. A picture of several that cannot be read has
    `error` in its result; where there is no other the answer is 422. Options of a bare picture stand in the query."""
    began = time.perf_counter()
    settings: ServerSettings = request.app.state.settings
    describer: PeopleDescriber = request.app.state.describer
    pictures, options = await _read(request, settings)
    lang = choose(request, ENGLISH if options.candidates > 1 else options.lang)  # other texts are there in English only
    answers: list[PersonDescription | InputError]
    if options.together:
        answers = [await describer.one_person([data for _, data in pictures], options)]
    else:
        answers = await describer.each([data for _, data in pictures], options)
    if all(isinstance(answer, InputError) for answer in answers):
        raise Problem(422, "bad_picture", reason(InputError(str(answers[0])), pictures[0][0]))
    ms = 1000 * (time.perf_counter() - began)
    rows = [record(_result(name, answer, ms, lang)) for (name, _), answer in zip(pictures, answers, strict=False)]
    return Json({"results": rows})


def _result(name: str, answer: PersonDescription | InputError, ms: float, lang: str) -> DescribeResult:
    if isinstance(answer, InputError):
        return DescribeResult(input=name, error=reason(answer, name))
    # Made without being checked: the description was, and to check it again took 6 % of what HTTP costs.
    return DescribeResult.model_construct(input=name, description=in_language(answer, lang), error=None,
                                          latency_ms=ms, event_id=None)  # fmt: skip


async def _read(request: Request, settings: ServerSettings) -> tuple[Named, Options]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return await _json(request, settings)
    if kind == "multipart/form-data":
        return await _form(request, settings)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [("#0", check(await request.body(), settings, "#0"))], _options(request.query_params)
    raise Problem(415, "media_type", "send application/json, multipart/form-data, or a picture as image/jpeg, "
                  "image/png or image/webp")  # fmt: skip


async def _json(request: Request, settings: ServerSettings) -> tuple[Named, Options]:
    try:
        body = DescribeBody.model_validate(json.loads(await request.body()))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_context=False)) from None
    except (ValueError, RecursionError):
        raise Problem(400, "bad_json", "the body is not JSON") from None
    texts = ([body.image] if body.image is not None else []) + body.images
    enough(texts, settings)
    names = [f"#{index}" for index in range(len(texts))]
    return list(zip(names, await read_pictures(texts, settings, names), strict=True)), body


async def _form(request: Request, settings: ServerSettings) -> tuple[Named, Options]:
    parser = MultiPartParser(request.headers, request.stream(), max_files=settings.max_images + 1, max_fields=16)
    parser.spool_max_size = settings.max_body  # pictures stay in memory: nothing of anybody is left in a temporary file
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise too_many(f"more than {settings.max_images}", settings) from None
        raise Problem(400, "bad_form", f"the form cannot be read: {error.message}") from None
    except (KeyError, ValueError):
        raise Problem(400, "bad_form", "the form cannot be read") from None
    try:
        fields, files = {}, []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if name not in ("image", "images"):
                    raise Problem(422, "invalid_request", f"{name!r}: files go into the field 'image'")
                files.append(value)
            else:
                fields[name] = value
        enough(files, settings)
        options = _options(fields)
        found = [(file.filename or f"#{row}", check(await file.read(), settings, file.filename or f"#{row}"))
                 for row, file in enumerate(files)]  # fmt: skip
        return found, options
    finally:
        await form.close()


def _options(fields: Mapping[str, Any]) -> Options:
    try:
        return Options.model_validate(dict(fields))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_context=False)) from None
