"""Finding people: by plain words, and by how somebody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from personvlm.base.errors import InputError
from personvlm.schema.groups import GROUP
from personvlm.server.describe import _form
from personvlm.server.describing import Options, PeopleDescriber
from personvlm.server.languages import SPEAKS
from personvlm.server.people import Attributes, Camera, PersonId, Time, filters
from personvlm.server.pictures import check, reason
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import Services, audited, services
from personvlm.server.settings import ServerSettings
from personvlm.server.wire import Event, event
from personvlm.store.judge import Looks
from personvlm.store.query import Query as Asked
from personvlm.store.query import Term
from personvlm.store.query_parser import parse_query
from personvlm.store.search import Results

router = APIRouter(tags=["search"])

Words = Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$", description="As in: woman in a red coat.")]
Facets = Annotated[list[str] | None, Query(max_length=40, description="`camera` or groups: their values are counted.")]
Most = Annotated[int, Query(ge=1, le=100)]
Person = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$", description="Only sightings linked with this person.")]
Like = Annotated[str | None, Query(pattern="^[0-9a-f]{32}$", description="Who looks like this person.")]
_FACETS = ("camera", "upper.garment", "upper.color", "lower.garment", "lower.color", "headwear", "carrying", "gender",
           "age")  # fmt: skip


class ShownReason(Exact):
    """Why somebody fits one part of the question, or not."""

    term: str
    probability: float
    said: list[str] = Field(description="What the description asserts about it.")


class ShownHit(Exact):
    """One person who may be meant."""

    person: Event
    probability: float = Field(description="That the person fits all of it.")
    reasons: list[ShownReason]
    words: list[str] = Field(description="Words and phrases of the question that the text has.")
    alike: float | None = Field(description="That it is the person whose appearance was given.")


class Found(Exact):
    """The best first."""

    hits: list[ShownHit]
    terms: list[str] = Field(description="The question as it was understood.")
    words: list[str] = Field(description="What only the text can tell.")
    notes: list[str] = Field(description="What was read otherwise than it was written, or not at all.")
    likely: int | None = Field(description="How many people fit with a probability of one half or more.")
    facets: dict[str, dict[str, int]]
    seconds: float


@dataclass(frozen=True)
class Question:
    """What is asked beside a picture, each as the routes say."""

    q: str
    camera: list[str] | None
    since: float | None
    until: float | None
    attribute: list[str] | None
    person: str | None
    facet: list[str] | None
    limit: int
    offset: int


def question(q: Words = "", camera: Camera = None, since: Time = None, until: Time = None,
             attribute: Attributes = None, person: Person = None, facet: Facets = None, limit: Most = 20,
             offset: Annotated[int, Query(ge=0, le=10_000)] = 0) -> Question:  # fmt: skip
    """Of a request."""
    return Question(q, camera, since, until, attribute, person, facet, limit, offset)


@router.get("/v1/search", response_model=Found, dependencies=SPEAKS, summary="Search in plain words")
def search(request: Request, asked: Annotated[Question, Depends(question)], like: Like = None) -> Response:
    """Ranked by the probability that a person fits, with a reason for each part of the question. What was searched for
    stands in the audit."""
    looks = None
    if like is not None:
        known = services(request).store.latest(like)
        if known is None or known.description.embedding is None:
            raise Problem(404, "nobody", f"nobody has the id {like}, or no appearance of them is known")
        looks = Looks(known.description.embedding, known.description.model)
    return Json(_search(request, asked, looks, {"like": like}))


_FILE = {"type": "object", "required": ["image"], "properties": {"image": {"type": "string", "format": "binary"}}}
_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {
    "multipart/form-data": {"schema": _FILE}, "image/jpeg": _PICTURE, "image/png": _PICTURE, "image/webp": _PICTURE,
}}}  # fmt: skip


@router.post("/v1/search", response_model=Found, openapi_extra=_BODY, dependencies=SPEAKS,
             summary="Search by a picture of somebody")  # fmt: skip
async def search_picture(request: Request, asked: Annotated[Question, Depends(question)]) -> Response:
    """Who looks like the person in the picture, and fits what else is asked. The picture is not kept; the audit has its
    hash."""
    settings: ServerSettings = request.app.state.settings
    describer: PeopleDescriber = request.app.state.describer
    name, data = await _picture(request, settings)
    (answer,) = await describer.each([data], Options())
    if isinstance(answer, InputError):
        raise Problem(422, "bad_picture", reason(answer, name))
    if answer.embedding is None:
        raise Problem(422, "no_embedding", f"{answer.model or 'this model'} gives no appearance to search by")
    looks = Looks(answer.embedding, answer.model)
    detail = {"picture": hashlib.sha256(data).hexdigest()}
    return Json(await run_in_threadpool(_search, request, asked, looks, detail))


async def _picture(request: Request, settings: ServerSettings) -> tuple[str, bytes]:
    """The one picture of a request, and its name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        pictures, options = await _form(request, settings)
        if len(pictures) > 1:
            raise Problem(422, "too_many_pictures", f"{len(pictures)} pictures; a search is by one")
        if options != Options():
            raise Problem(422, "invalid_request", "what is asked beside the picture stands in the query")
        return pictures[0]
    if kind.startswith("image/"):
        return "#0", check(await request.body(), settings, "#0")
    raise Problem(415, "media_type", "send multipart/form-data with the file in the field 'image', or a picture as "
                  "image/jpeg, image/png or image/webp")  # fmt: skip


def _search(request: Request, question: Question, looks: Looks | None, detail: Mapping[str, Any]) -> dict[str, Any]:
    service, words = services(request), question.q
    asked, notes = _allowed(parse_query(words), service)
    wanted = filters(service.settings, question.camera, question.since, question.until, question.attribute)
    also = tuple(Term.of(group, value) for group, value in wanted.attributes.items())
    asked = replace(asked, terms=(*asked.terms, *also))
    facets = _facets(question.facet, service)
    audited(request, "search", words, {
        "camera": question.camera, "since": question.since, "until": question.until, "attribute": question.attribute,
        "person": question.person, "offset": question.offset, **detail})  # fmt: skip
    if question.person is not None:
        wanted = replace(wanted, people=service.store.same_as(question.person))
    found = service.store.search(asked, filters=wanted, looks=looks, limit=question.limit, offset=question.offset,
                                 facets=facets)  # fmt: skip
    return _found(found, service, notes)


@router.get("/v1/people/{id}/similar", response_model=Found, dependencies=SPEAKS, summary="Who looks like this person")
def similar(request: Request, id: PersonId, camera: Camera = None, since: Time = None, until: Time = None,
            limit: Most = 20) -> Response:  # fmt: skip
    """By the appearance vector; the person comes first. 404 where nobody has the id, or no appearance is known."""
    service = services(request)
    audited(request, "search similar", id, {"camera": camera, "since": since, "until": until})
    wanted = filters(service.settings, camera, since, until)
    try:
        found = service.store.similar(id, filters=wanted, limit=limit)
    except InputError as error:
        raise Problem(404, "nobody", str(error)) from None
    return Json(_found(found, service, ()))


def _allowed(asked: Asked, service: Services) -> tuple[Asked, Sequence[str]]:
    """The question without what this deployment does not show: neither an answer nor an order may tell it. The text
    says it in many words, so that it is not searched then."""
    off = service.settings.showing.hidden
    if not off:
        return asked, ()
    kept = tuple(term for term in asked.terms
                 if not any(wanted.group in off for each in term.alternatives for wanted in each))  # fmt: skip
    notes = [f"{', '.join(sorted(off))}: switched off here, not asked for"] if len(kept) < len(asked.terms) else []
    if asked.words or asked.phrases:
        words = [*asked.words, *(" ".join(phrase) for phrase in asked.phrases)]
        notes.append(f"the text is not searched here: {' '.join(words)}")
    return replace(asked, terms=kept, words=(), phrases=()), notes


def _facets(wanted: list[str] | None, service: Services) -> list[str]:
    off = service.settings.showing.hidden
    if wanted is None:
        return [name for name in _FACETS if name not in off]
    wrong = [name for name in wanted if (name not in GROUP and name != "camera") or name in off]
    if wrong:
        raise Problem(422, "bad_facet", f"{wrong[0][:80]!r} is no facet; there is camera, "
                      f"{', '.join(name for name in GROUP if name not in off)}")  # fmt: skip
    return list(dict.fromkeys(wanted))


def _found(found: Results, service: Services, notes: Sequence[str]) -> dict[str, Any]:
    hits = [{"person": event(hit.described, service.settings), "probability": _share(hit.probability),
             "reasons": [{"term": each.term, "probability": _share(each.probability), "said": list(each.said)}
                         for each in hit.reasons],
             "words": list(hit.words), "alike": None if hit.alike is None else _share(hit.alike)}
            for hit in found.hits]  # fmt: skip
    return {"hits": hits, "terms": [str(term) for term in found.query.terms],
            "words": [*found.query.words, *(" ".join(phrase) for phrase in found.query.phrases)],
            "notes": [*found.query.notes, *notes], "likely": found.likely,
            "facets": {name: dict(counts) for name, counts in found.facets.items()},
            "seconds": round(found.seconds, 4)}  # fmt: skip


def _share(value: float) -> float:
    return round(float(value), 4)
