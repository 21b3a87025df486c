"""Stored people as the API shows them. Programs rely on it: it changes only with a new major version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from personvlm.language.realiser import realise
from personvlm.schema import Attribute, Described
from personvlm.schema.description import values_of
from personvlm.server.describe import Value
from personvlm.server.settings import ServerSettings, named


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ShownCrop(_Shown):
    """A picture of the person. `url` is missing where it is not kept or not shown."""

    url: str | None = None
    box: tuple[float, float, float, float] | None = Field(default=None, description="x1, y1, x2, y2 in the frame.")
    time: float | None = None
    score: float = Field(description="How well it shows the person, 0..1.")


class Event(_Shown):
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
    quality: float
    model: str
    crops: list[ShownCrop]


class People(_Shown):
    """Part of a list; `next` goes into `after` to have the following part, and is null at the end."""

    people: list[Event]
    next: str | None


class Events(_Shown):
    """Part of what was stored, in its order; `next` goes into `after`. There may be more at any time."""

    events: list[Event]
    next: int


def event(described: Described, settings: ServerSettings, number: int | None = None) -> dict[str, Any]:
    """An :class:`Event`, without what this deployment does not show."""
    request, said = described.request, described.description
    text, attributes = shown(said.text, said.attributes, settings)
    first = request.frame_time if request.first_seen is None else request.first_seen
    return {
        **({} if number is None else {"number": number}),
        "person": request.person, "event_id": request.event_id, "camera": request.camera, "track": request.track_id,
        "trigger": request.trigger, "revision": request.revision, "final": request.final, "time": request.frame_time,
        "first_seen": first, "described_at": described.described_at, "text": text, "attributes": attributes,
        "quality": round(said.quality, 4), "model": said.model,
        "crops": [{"url": crop_url(crop.reference, request.camera, settings),
                   "box": None if crop.box is None else list(crop.box), "time": crop.time, "score": crop.score}
                  for crop in request.crops],
    }  # fmt: skip


def shown(text: str, attributes: Mapping[str, Attribute],
          settings: ServerSettings) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """Text and attributes without what this deployment does not show. The text is then made anew: who was called "he"
    would not be unsaid by leaving out a key."""
    off = hidden(settings)
    if off & attributes.keys():
        attributes = {name: item for name, item in attributes.items() if name not in off}
        text = realise(values_of(attributes))
    return text, {name: {"value": item.value if isinstance(item.value, str) else list(item.value),
                         "confidence": round(item.confidence, 4)} for name, item in attributes.items()}  # fmt: skip


def hidden(settings: ServerSettings) -> frozenset[str]:
    """Groups that this deployment does not show."""
    return frozenset(name for name, on in (("gender", settings.gender), ("age", settings.age)) if not on)


def crop_url(reference: str | None, camera: str, settings: ServerSettings) -> str | None:
    """Where a picture is served, if it may be seen."""
    if reference is None or named(camera, settings.hide):
        return None
    return f"/v1/crops/{quote(reference)}"
