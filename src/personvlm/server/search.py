"""Finding people: by plain words, and by how somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from personvlm.base.errors import InputError
from personvlm.schema.groups import GROUP
from personvlm.server.people import Attributes, Camera, PersonId, Time, filters
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import Services, audited, services
from personvlm.server.wire import Event, event, hidden
from personvlm.store.query import Query as Asked
from personvlm.store.query import Term
from personvlm.store.query_parser import parse_query
from personvlm.store.search import Results

router = APIRouter(tags=["search"])

Words = Annotated[str, Query(max_length=500, pattern=r"^[^\x00]*$", description="As in: woman in a red coat.")]
Facets = Annotated[list[str] | None, Query(max_length=40, description="`camera` or groups: their values are counted.")]
Most = Annotated[int, Query(ge=1, le=100)]
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


@router.get("/v1/search", response_model=Found, summary="Search in plain words")
def search(request: Request, q: Words = "", camera: Camera = None, since: Time = None, until: Time = None,
           attribute: Attributes = None, facet: Facets = None, limit: Most = 20,
           offset: Annotated[int, Query(ge=0, le=10_000)] = 0) -> Response:  # fmt: skip
    """Ranked by the probability that a person fits, with a reason for each part of the question. What was searched for
    stands in the audit."""
    service = services(request)
    asked, notes = _allowed(parse_query(q), service)
    wanted = filters(service.settings, camera, since, until, attribute)
    also = tuple(Term.of(group, value) for group, value in wanted.attributes.items())
    asked = replace(asked, terms=(*asked.terms, *also))
    audited(request, "search", q, {"camera": camera, "since": since, "until": until, "attribute": attribute,
                                   "offset": offset})  # fmt: skip
    found = service.store.search(asked, filters=wanted, limit=limit, offset=offset, facets=_facets(facet, service))
    return Json(_found(found, service, notes))


@router.get("/v1/people/{id}/similar", response_model=Found, summary="Who looks like this person")
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
    off = hidden(service.settings)
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
    off = hidden(service.settings)
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
