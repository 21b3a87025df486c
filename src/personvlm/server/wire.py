"""Stored people as the API shows them. Programs rely on it: it changes only with a new major version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from pydantic import Field

from personvlm.language.languages import ENGLISH, said_in
from personvlm.schema import Attribute, Described
from personvlm.server.describe import Value
from personvlm.server.languages import current
from personvlm.server.problems import Exact
from personvlm.server.settings import ServerSettings
from personvlm.store.corrections import Correction


class ShownCrop(Exact):
    """A picture of the person. `url` is missing where it is not kept or not shown."""

    url: str | None = None
    box: tuple[float, float, float, float] | None = Field(default=None, description="x1, y1, x2, y2 in the frame.")
    time: float | None = None
    score: float = Field(description="How well it shows the person, 0..1.")


class Event(Exact):
    """What was said about one person on one occasion. Times are seconds since the epoch."""

    number: int | None = Field(default=None, description="Of the order in which it was stored, where it is listed.")
    person: str = Field(description="The same in all events of one person on one camera.")
    event_id: str
    camera: str
    track: int
    trigger: str
    revision: int = Field(description="The highest one holds.")
    final: bool = Field(description="The person has left.")
    time: float
    first_seen: float
    described_at: float
    text: str
    attributes: dict[str, Value]
    corrected: list[str] = Field(description="Groups that somebody put right; see `corrections` of the person.")
    quality: float
    model: str
    crops: list[ShownCrop]


class ShownCorrection(Exact):
    """One attribute of one person, put right. Times are seconds since the epoch."""

    number: int
    person: str
    group: str
    value: str | list[str]
    at: float
    by: str = Field(description="Name of the token that said so.")
    holds: bool = Field(description="It was not undone, and nothing later was said about the group.")
    said: Value | None = Field(description="What the model had said; null: nothing.")
    model: str
    event_id: str = Field(description="Of the description that held then.")
    undone_at: float | None
    undone_by: str | None


class People(Exact):
    """Part of a list; `next` goes into `after` to have the following part, and is null at the end."""

    people: list[Event]
    next: str | None


class Events(Exact):
    """Part of what was stored, in its order; `next` goes into `after`. There may be more at any time."""

    events: list[Event]
    next: int


def event(described: Described, settings: ServerSettings, number: int | None = None) -> dict[str, Any]:
    """An :class:`Event`, without what this deployment does not show."""
    request, said = described.request, described.description
    text, attributes = shown(said.text, said.attributes, settings)
    return {
        **({} if number is None else {"number": number}),
        "person": request.person, "event_id": request.event_id, "camera": request.camera, "track": request.track_id,
        "trigger": request.trigger, "revision": request.revision, "final": request.final, "time": request.frame_time,
        "first_seen": request.seen_since, "described_at": described.described_at,
        "text": text, "attributes": attributes,
        "corrected": [name for name, item in said.attributes.items() if item.source == "given" and name in attributes],
        "quality": round(said.quality, 4), "model": said.model,
        "crops": [{"url": crop_url(crop.reference, request.camera, settings),
                   "box": None if crop.box is None else list(crop.box), "time": crop.time, "score": crop.score}
                  for crop in request.crops],
    }  # fmt: skip


def corrections(found: Sequence[Correction], settings: ServerSettings) -> list[dict[str, Any]]:
    """:class:`ShownCorrection` of each of one person, the oldest first, without what this deployment does not show."""
    off, last = settings.showing.hidden, {each.group: each.number for each in found if each.undone_at is None}
    return [
        {"number": each.number, "person": each.person, "group": each.group, "value": _plain(each.value), "at": each.at,
         "by": each.by, "holds": last.get(each.group) == each.number, "said": None if each.said is None else
         _attribute(each.said), "model": each.model, "event_id": each.event_id, "undone_at": each.undone_at,
         "undone_by": each.undone_by}
        for each in found if each.group not in off
    ]  # fmt: skip


def _attribute(item: Attribute) -> dict[str, Any]:
    return {"value": _plain(item.value), "confidence": round(item.confidence, 4)}


def _plain(value: str | tuple[str, ...]) -> str | list[str]:
    return value if isinstance(value, str) else list(value)


def shown(text: str, attributes: Mapping[str, Attribute],
          settings: ServerSettings) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Text and attributes without what this deployment does not show; see :class:`personvlm.alerts.showing.Showing`.
    The text is in the language that the request wants."""
    text, attributes = settings.showing.words(text, attributes)
    if text and current() != ENGLISH:
        text = said_in(attributes, current())
    return text, {name: _attribute(item) for name, item in attributes.items()}


def crop_url(reference: str | None, camera: str, settings: ServerSettings) -> str | None:
    """Where a picture is served, if it may be seen."""
    if reference is None or settings.showing.hides(camera):
        return None
    return f"/v1/crops/{quote(reference)}"
