"""Who is who: other sightings of a person with the probability that it is the same, and links that somebody undoes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field

from personvlm.base.errors import InputError
from personvlm.server.languages import SPEAKS
from personvlm.server.people import PersonId
from personvlm.server.problems import Exact, Json, Problem
from personvlm.server.services import Services, audited, services
from personvlm.server.wire import Event, event
from personvlm.store.reading import Filters
from personvlm.store.who import Other
from personvlm.store.who import who as who_else

router = APIRouter(tags=["people"])

OtherId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the person it is linked with.")]
Within = Annotated[float | None, Query(gt=0, le=1e9, allow_inf_nan=False, description="Compare whom was seen so many "
                                       "seconds before or after; by default 3600.")]  # fmt: skip


class ShownOther(Exact):
    """Somebody who may be the same person: the sighting that is most alike."""

    person: Event
    probability: float | None = Field(description="Calibrated, that it is the same person; null where only a link "
                                      "tells.")  # fmt: skip
    link: Literal["linked", "undone"] | None = Field(description="Whether they are linked, or somebody took it back.")
    linked: float | None = Field(description="The probability that the link was made with.")
    linked_by: str | None = Field(description="Who made the link, or took it back.")
    also: list[str] = Field(description="Ids of further sightings of the same person.")


class WhoElse(Exact):
    """The likeliest first; then those of whom only a link tells."""

    others: list[ShownOther]
    nobody: float = Field(description="Probability that it is nobody of those who were compared.")


@router.get("/v1/people/{id}/who", response_model=WhoElse, dependencies=SPEAKS,
            summary="Who else is this, where and when?")  # fmt: skip
def who(request: Request, id: PersonId, within: Within = None,
        limit: Annotated[int, Query(ge=1, le=50)] = 5) -> Response:  # fmt: skip
    """Judged as a run does: looks and attributes, and whether one person can have been at both places in the time
    between. 404 where nobody has the id, or no appearance is known."""
    service = services(request)
    identity = service.settings.identity
    if identity is None:
        raise Problem(404, "no_identity", "people are not told apart here: the `identity` of the server's cameras file "
                      "is switched off")  # fmt: skip
    audited(request, "who", id, {"within": within})
    try:
        found = who_else(service.store, id, identity=identity, within=within, top=limit)
    except InputError as error:
        raise Problem(404, "nobody", str(error)) from None
    return Json({"others": _others(found.others, service), "nobody": round(found.nobody, 4)})


def _others(found: tuple[Other, ...], service: Services) -> list[dict[str, Any]]:
    ids = tuple(each.person for each in found)
    held = {each.request.person: each
            for each in service.store.people(Filters(people=ids), limit=max(1, len(ids))).items}  # fmt: skip
    return [{"person": event(held[each.person], service.settings),
             "probability": None if each.probability is None else round(each.probability, 4), "link": each.link,
             "linked": each.linked, "linked_by": each.linked_by, "also": list(each.also)}
            for each in found if each.person in held]  # fmt: skip


@router.delete("/v1/people/{id}/links/{other}", status_code=204, summary="Say that two people are not the same")
def unlink(request: Request, id: PersonId, other: OtherId) -> Response:
    """Nothing links them again. 404 where they are not linked with each other; whoever is the same only by way of
    others is taken apart by undoing one of the links between."""
    service = services(request)
    if other not in {each for link in service.store.links(id) for each in (link.one, link.other)} - {id}:
        raise Problem(404, "not_found", "these two people are not linked with each other")
    audited(request, "unlink", id, {"other": other})
    try:
        service.store.undo(id, other, request.state.principal.name)
    except InputError as error:  # somebody was quicker
        raise Problem(404, "not_found", str(error)) from None
    return Response(status_code=204)
