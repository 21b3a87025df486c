"""People of the store: lists, one person's story, who looks similar, cameras, crops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from personvlm.schema.groups import GROUP
from personvlm.server.languages import SPEAKS
from personvlm.server.problems import Exact, Json, Problem, tag_of, unless_known
from personvlm.server.services import audited, services
from personvlm.server.settings import ServerSettings
from personvlm.server.wire import Event, People, ShownCorrection, corrections, event
from personvlm.store import hot
from personvlm.store.corrections import checked
from personvlm.store.reading import Camera as KnownCamera
from personvlm.store.reading import Filters

router = APIRouter(tags=["people"])

PersonId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a person on a camera.")]
CameraName = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$", max_length=200)]
Camera = Annotated[list[CameraName] | None, Query(max_length=100, description="Only these cameras.")]
Attributes = Annotated[list[str] | None, Query(max_length=20, description="GROUP:VALUE, as in upper.color:red.")]
Time = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False, description="Seconds since the epoch.")]
Limit = Annotated[int, Query(ge=1, le=200)]
Word = Annotated[str, StringConstraints(max_length=100)]
After = Annotated[str | None, Query(pattern=r"^0x[01]\.[0-9a-f]{1,13}p[+-]\d{1,2}_\d{1,18}$",
                                    description="`next` of the part before.")]  # fmt: skip


class Track(Exact):
    """One person on one camera, without what is said of them."""

    person: str
    camera: str
    track: int
    first_seen: float
    time: float = Field(description="Of the latest description.")
    revision: int
    final: bool


class Tracks(Exact):
    """Part of a list; `next` goes into `after`."""

    tracks: list[Track]
    next: str | None


class SamePerson(Event):
    """The same person on another camera, or at another time."""

    probability: float | None = Field(description="Calibrated; null where only links with others connect the two.")
    linked_by: str | None = Field(description="Who made the link between the two, such as `identity`.")


class Story(Exact):
    """One person: what holds, what was said before, and who is the same person on other cameras."""

    person: Event
    story: list[Event]
    same_as: list[SamePerson] = Field(description="The same person on other cameras, or seen again.")
    corrections: list[ShownCorrection] = Field(description="What somebody put right of this person, and holds.")


class CorrectionBody(Exact):
    """What is right: one value, several of a set, or `unknown`. GET /v1/schema has the groups and their values."""

    group: Annotated[str, Field(max_length=100)]
    value: Word | Annotated[list[Word], Field(max_length=100)]


class Corrections(Exact):
    """The oldest first, those that were undone included."""

    corrections: list[ShownCorrection]


class CameraRow(Exact):
    """One camera. `null` days: for ever."""

    name: str
    people: int
    last_seen: float | None
    keep_days: float | None
    crop_days: float | None
    keep_crops: bool
    crops: str = Field(description="shown, blurred or hidden, by this server")


class Cameras(Exact):
    """All of them."""

    cameras: list[CameraRow]


def filters(settings: ServerSettings, camera: list[str] | None, since: float | None, until: float | None,
            attribute: list[str] | None = None) -> Filters:  # fmt: skip
    """What a query asks for.

    Raises:
        Problem: 422; an attribute that does not exist, or is not shown.
    """
    wanted: dict[str, str] = {}
    for each in attribute or ():
        name, colon, value = each.partition(":")
        if not colon or name not in GROUP or name in settings.showing.hidden or value not in GROUP[name].values:
            raise Problem(422, "bad_attribute", f"{each[:80]!r}: write GROUP:VALUE as in upper.color:red; "
                          "GET /v1/schema has all of them")  # fmt: skip
        wanted[name] = value
    return Filters(tuple(camera or ()), since, until, attributes=wanted)


def check_shown(groups: Iterable[str], settings: ServerSettings) -> None:
    """Raises :class:`Problem` 422 where one of ``groups`` is not shown by this deployment."""
    off = settings.showing.hidden
    secret = [name for name in groups if name in off]
    if secret:
        there = ", ".join(name for name in GROUP if name not in off)
        raise Problem(422, "bad_attribute", f"{secret[0]} is switched off here; there is {there}")


@router.get("/v1/people", response_model=People, dependencies=SPEAKS, summary="People, who was seen last first")
def people(request: Request, camera: Camera = None, since: Time = None, until: Time = None,
           attribute: Attributes = None, after: After = None, limit: Limit = 50) -> Response:  # fmt: skip
    """What holds of each."""
    service = services(request)
    wanted = filters(service.settings, camera, since, until, attribute)
    audited(request, "list", "people", {"camera": camera, "since": since, "until": until, "attribute": attribute,
                                        "after": after})  # fmt: skip
    page = hot.people(service.store, wanted, after=after, limit=limit)
    return Json({"people": [event(each, service.settings) for each in page.items], "next": page.next})


@router.get("/v1/tracks", response_model=Tracks, summary="Tracks, who was seen last first")
def tracks(request: Request, camera: Camera = None, since: Time = None, until: Time = None, after: After = None,
           limit: Limit = 50) -> Response:  # fmt: skip
    """When who was where; nothing of how they look."""
    service = services(request)
    audited(request, "list", "tracks", {"camera": camera, "since": since, "until": until, "after": after})
    page = hot.people(service.store, filters(service.settings, camera, since, until), after=after, limit=limit)
    rows = [event(each, service.settings) for each in page.items]
    return Json({"tracks": [{name: row[name] for name in Track.model_fields} for row in rows], "next": page.next})


_NO_LINK: Mapping[str, Any] = {"probability": None, "linked_by": None}


@router.get("/v1/people/{id}", response_model=Story, dependencies=SPEAKS, summary="One person's story")
def person(request: Request, id: PersonId) -> Response:
    """404 where nobody has the id (any more)."""
    service = services(request)
    story = service.store.story(id)
    if not story:
        raise _nobody(id)
    audited(request, "view", id)
    ids = service.store.same_as(id)[:200]
    held = {each.request.person: each for each in service.store.people(Filters(people=ids), limit=len(ids)).items}
    made = {link.other if link.one == id else link.one: {"probability": round(link.probability, 4),
                                                         "linked_by": link.made_by}
            for link in service.store.links(id)}  # fmt: skip
    return Json({"person": event(held.get(id) or story[-1], service.settings),
                 "story": [event(each, service.settings) for each in story],
                 "same_as": [{**event(held[other], service.settings), **made.get(other, _NO_LINK)}
                             for other in ids[1:] if other in held],
                 "corrections": [each for each in corrections(service.store.corrections(id), service.settings)
                                 if each["holds"]]})  # fmt: skip


@router.get("/v1/people/{id}/corrections", response_model=Corrections, summary="What was put right of a person")
def list_corrections(request: Request, id: PersonId) -> Response:
    """Who said so and when, and what the model had said. 404 where nobody has the id (any more)."""
    service = services(request)
    if service.store.latest(id) is None:
        raise _nobody(id)
    audited(request, "list corrections", id)
    found = service.store.corrections(id, undone=True)
    return Json({"corrections": corrections(found, service.settings)})


@router.post("/v1/people/{id}/corrections", response_model=ShownCorrection, summary="Put an attribute right")
def correct(request: Request, id: PersonId, body: CorrectionBody) -> Response:
    """It holds from then on, with probability 1, in lists, search, facets and the live feed, whatever is described
    later; corrections are kept as data to train on. Said twice, it is kept once. 422 names what is legal."""
    service = services(request)
    check_shown([body.group], service.settings)
    checked(body.group, body.value)
    if service.store.latest(id) is None:
        raise _nobody(id)
    audited(request, "correct", id, {"group": body.group})  # not the value: the audit outlives whoever is erased
    done = service.store.correct(id, body.group, body.value, request.state.principal.name)
    return Json(next(each for each in corrections(service.store.corrections(id), service.settings)
                     if each["number"] == done.number))  # fmt: skip


@router.delete("/v1/people/{id}/corrections/{number}", status_code=204, summary="Take a correction back")
def undo_correction(request: Request, id: PersonId, number: Annotated[int, Path(ge=1, le=2**53)]) -> Response:
    """What was put right before it holds again, or what the model says. 404 where it is none of this person's, or was
    undone before."""
    service = services(request)
    mine = {each.number: each.group for each in service.store.corrections(id)}
    if number not in mine or mine[number] in service.settings.showing.hidden:
        raise Problem(404, "not_found", f"there is no correction {number} of this person that holds")
    audited(request, "undo correction", id, {"group": mine[number]})
    service.store.undo_correction(number, request.state.principal.name)
    return Response(status_code=204)


@router.get("/v1/cameras", response_model=Cameras, summary="Cameras")
def cameras(request: Request) -> Response:
    """What each has seen, and what is kept of it."""
    service = services(request)
    return Json({"cameras": [camera_row(each, service.settings) for each in service.store.cameras()]})


def camera_row(each: KnownCamera, settings: ServerSettings) -> dict[str, Any]:
    """A :class:`CameraRow`."""
    showing = settings.showing
    crops = "hidden" if showing.hides(each.name) else "blurred" if showing.blurs(each.name) else "shown"
    return {"name": each.name, "people": each.people, "last_seen": each.last_seen, "keep_days": each.keep_days,
            "crop_days": each.crop_days, "keep_crops": each.keep_crops, "crops": crops}  # fmt: skip


_PICTURE: Any = {200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
                 304: {"description": "It is still the picture of `If-None-Match`."}}  # fmt: skip


@router.get("/v1/crops/{reference:path}", response_class=Response, responses=_PICTURE, summary="A picture of a person")
def crop(request: Request, reference: Annotated[str, Path(max_length=200, pattern=r"^[0-9A-Za-z/._-]+$")]) -> Response:
    """By the `url` of an event's crop. With an ETag; a browser must ask again each time, so that what was erased is not
    seen any longer."""
    data = services(request).picture(reference)
    audited(request, "view crop", reference)
    return unless_known(request, data, tag_of(data), _media_type(data), "private, no-cache")


def _media_type(data: bytes) -> str:
    """By the first bytes; a picture that is none of these is offered for download and never shown."""
    kinds = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))
    return next((kind for start, kind in kinds if data.startswith(start)), "application/octet-stream")


def _nobody(id: str) -> Problem:
    return Problem(404, "nobody", f"nobody has the id {id}: wrong, or erased")
