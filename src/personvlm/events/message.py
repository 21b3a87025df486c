"""Events as bytes: versioned JSON with a published schema (docs/schema/describe_request.schema.json). Never pickle."""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from personvlm.base.errors import InputError
from personvlm.schema.events import Crop, DescribeRequest, Postures, Trigger

VERSION = 1

MOST_BYTES = 32 * 1024 * 1024
"""A longer message is refused unread."""

_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)


def _text(given: str) -> str:
    given.encode()  # raises a ValueError of its own where half a character is all there is
    if "\0" in given:
        raise ValueError("a character NUL, which no database stores")
    return given


def _whole(bits: int) -> AfterValidator:
    def check(given: int) -> int:
        if not -(2 ** (bits - 1)) <= given < 2 ** (bits - 1):
            raise ValueError(f"a number of more than {bits} bits, which no database stores")
        return given

    return AfterValidator(check)


def _moment(given: float) -> float:
    if not -62_135_596_800 <= given < 253_402_300_800:  # what a calendar knows; no number is not among it either
        raise ValueError("no time between the years 1 and 9999")
    return given


def _box(given: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if not all(map(math.isfinite, given)):
        raise ValueError("not four numbers")
    return given


# What the store could not keep is refused before it comes there with a batch of others.
_Text = Annotated[str, AfterValidator(_text)]
_Moment = Annotated[float, AfterValidator(_moment)]
_Revision = Annotated[int, _whole(32)]
_Box = Annotated[tuple[float, float, float, float], AfterValidator(_box)]


class Blobs(Protocol):
    """Where pictures lie that are too large for a message; :class:`personvlm.store.blobs.Blobs` is one."""

    def put(self, data: bytes, expires: float | None = None) -> str:
        """Keep ``data``, until ``expires`` (seconds since the epoch); returns its reference."""
        ...

    def get(self, reference: str) -> bytes:
        """What was put."""
        ...


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MessageCrop(_Part):
    """One picture: ``data`` or ``reference``, not both."""

    data: str | None = Field(default=None, json_schema_extra={"contentEncoding": "base64"},
                             description="Encoded picture (JPEG, PNG, WebP), base64.")  # fmt: skip
    reference: str | None = Field(default=None, description="Name of the picture in the blob store.")
    box: _Box | None = Field(default=None, description="(x1, y1, x2, y2), pixels.")
    time: _Moment | None = Field(default=None, description="Of its frame, seconds since the epoch.")
    score: float = Field(default=1.0, ge=0, le=1, description="How well it shows the person.")


class Message(_Part):
    """An event that asks for a description of one person on one camera."""

    version: Literal[1] = 1
    event_id: _Text = Field(min_length=1, max_length=200)
    camera: _Text
    track_id: Annotated[int, _whole(64)]
    trigger: Trigger
    frame_time: _Moment = Field(description="Of the occasion, seconds since the epoch.")
    first_seen: _Moment | None = Field(default=None, description="Of the track; by default the time of the frame.")
    revision: _Revision = Field(default=1, ge=1, description="What is said about one track is counted; the higher "
                                "holds.")  # fmt: skip
    final: bool = Field(default=False, description="The person has left; no higher revision will come.")
    crops: tuple[MessageCrop, ...] = Field(min_length=1, max_length=64, description="Pictures, the best first.")
    posture: Postures | None = Field(default=None, description="Probabilities of postures, told from the way the "
                                     "person moves.")  # fmt: skip
    traceparent: str | None = Field(default=None, max_length=200,
                                    description="W3C trace context of the step that put it.")  # fmt: skip


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a message."""
    schema = Message.model_json_schema()
    schema["required"] = ["version", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def shelve(request: DescribeRequest, *, inline: int = 64 * 1024, blobs: Blobs | None = None,
           keep_s: float = 7 * 86_400.0) -> DescribeRequest:  # fmt: skip
    """The event as it fits into a message: pictures stay with it while they are ``inline`` bytes together, the others
    go to ``blobs``. What was shelved once is shelved: who puts it again does not upload it again.

    Raises:
        InputError: a picture has neither bytes nor a reference, or does not fit and there is no blob store.
    """
    used, crops = 0, []
    for crop in request.crops:
        data, reference = None, crop.reference
        if crop.data is not None and used + len(crop.data) <= inline:
            used += len(crop.data)
            data, reference = crop.data, None
        elif reference is None and crop.data is not None:
            if blobs is None:
                raise InputError(f"event {request.event_id}: its pictures have more than {inline} bytes and there is "
                                 "no blob store: name one with --blobs, or send smaller pictures")  # fmt: skip
            reference = blobs.put(crop.data, time.time() + keep_s)
        elif reference is None:
            raise InputError(f"event {request.event_id}: a crop has neither data nor a reference")
        crops.append(crop.model_copy(update={"data": data, "reference": reference}))
    return _with(request, crops)


def encode(request: DescribeRequest) -> bytes:
    """The message of an event that was :func:`shelved <shelve>`.

    Raises:
        InputError: it holds what no message may; says what.
    """
    try:
        return _message(request).model_dump_json(exclude_none=True).encode()
    except ValidationError as error:
        raise InputError(f"event {request.event_id[:80]!r}: {_fault(error)}") from None


def _message(request: DescribeRequest) -> Message:
    crops = tuple(
        MessageCrop(data=None if crop.data is None else base64.b64encode(crop.data).decode(), reference=crop.reference,
                    box=crop.box, time=crop.time, score=crop.score)
        for crop in request.crops
    )  # fmt: skip
    return Message(event_id=request.event_id, camera=request.camera, track_id=request.track_id,
                   trigger=request.trigger, frame_time=request.frame_time, first_seen=request.first_seen,
                   revision=request.revision, final=request.final, crops=crops, posture=request.posture,
                   traceparent=request.traceparent)  # fmt: skip


def _fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place + ': ' if place else ''}{first['msg']}"


def decode(payload: bytes) -> DescribeRequest:
    """The event of a message.

    Raises:
        InputError: it is none, or of a version that is not known here; says why.
    """
    if len(payload) > MOST_BYTES:
        raise InputError(f"not a message: {len(payload)} bytes, at most {MOST_BYTES} are read")
    try:
        message = Message.model_validate_json(payload)
        crops = [_crop(crop) for crop in message.crops]
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["loc"] == ("version",):
            raise InputError(f"not a message of version {VERSION}, the only one that is known here") from None
        raise InputError(f"not a message: {_fault(error)}") from None
    except (binascii.Error, ValueError) as error:
        raise InputError(f"not a message: {error}") from None
    return DescribeRequest(event_id=message.event_id, camera=message.camera, track_id=message.track_id,
                           trigger=message.trigger, frame_time=message.frame_time, crop=crops[0],
                           others=tuple(crops[1:]), first_seen=message.first_seen, revision=message.revision,
                           final=message.final, posture=message.posture,
                           traceparent=_trace(message.traceparent))  # fmt: skip


def _trace(given: str | None) -> str | None:
    """A context that is none begins a new trace, as W3C has it: for no event is that a reason not to be described."""
    return given if given is not None and _TRACE.fullmatch(given) else None


def _crop(crop: MessageCrop) -> Crop:
    if (crop.data is None) == (crop.reference is None):
        raise ValueError("a crop has either data or a reference")
    data = None if crop.data is None else base64.b64decode(crop.data, validate=True)
    return Crop(data=data, reference=crop.reference, box=crop.box, time=crop.time, score=crop.score)


def fetch(request: DescribeRequest, blobs: Blobs | None) -> DescribeRequest:
    """The event with the bytes of all its pictures.

    Raises:
        InputError: a picture is a reference, and there is no blob store.
        Exception: what the blob store raises.
    """
    if all(crop.data is not None for crop in request.crops):
        return request
    crops = []
    for crop in request.crops:
        if crop.data is None and crop.reference is not None:
            if blobs is None:
                raise InputError(f"event {request.event_id} refers to the picture {crop.reference!r}, and no blob "
                                 "store was named: --blobs")  # fmt: skip
            crop = crop.model_copy(update={"data": blobs.get(crop.reference)})
        crops.append(crop)
    return _with(request, crops)


def _with(request: DescribeRequest, crops: Sequence[Crop]) -> DescribeRequest:
    return request.model_copy(update={"crop": crops[0], "others": tuple(crops[1:])})
