from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from queue_harness import event

from personvlm.base.errors import InputError
from personvlm.events.message import MOST_BYTES, decode, encode, fetch, json_schema, shelve
from personvlm.events.opening import open_queue, with_settings
from personvlm.events.port import QueueSettings
from personvlm.schema.events import Crop, DescribeRequest

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "describe_request.schema.json"


def message(**changes: Any) -> bytes:
    whole = json.loads(encode(event()))
    return json.dumps({name: value for name, value in {**whole, **changes}.items() if value != "-"}).encode()


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(PUBLISHED.read_text("utf-8")) == json_schema(), "after a change: make schema"


def test_the_schema_accepts_what_is_sent_and_refuses_what_is_not_read() -> None:
    jsonschema = pytest.importorskip("jsonschema_rs", reason="comes with schemathesis")
    check = jsonschema.validator_for(json_schema())
    assert check.is_valid(json.loads(encode(event(others=(Crop(reference="b1", score=0.5),)))))
    for wrong in ({"version": 2}, {"version": "-"}, {"crops": []}, {"trigger": "someday"}, {"surprise": 1}):
        assert not check.is_valid(json.loads(message(**wrong))), wrong


def test_a_message_is_versioned_json_with_pictures_in_base64() -> None:
    sent = json.loads(encode(event(data=b"\x00\xffpicture")))
    assert sent["version"] == 1
    assert base64.b64decode(sent["crops"][0]["data"]) == b"\x00\xffpicture"
    assert "reference" not in sent["crops"][0]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "not a message"),
        (b"\x80\x04\x95.", "not a message"),
        (b"[]", "not a message"),
        (message(version=2), "version 1"),
        (message(version="-"), None),  # an early producer: the first version is the default
        (message(event_id=""), "event_id"),
        (message(crops=[]), "crops"),
        (message(crops=[{}]), "data or a reference"),
        (message(crops=[{"data": "eA==", "reference": "b"}]), "data or a reference"),
        (message(crops=[{"data": "not base64!"}]), "not a message"),
        (message(crops=[{"data": "eA=="}] * 65), "crops"),
        (message(trigger="someday"), "trigger"),
        (message(revision=0), "revision"),
        (message(surprise=1), "surprise"),
        (b" " * (MOST_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_message_is_refused_with_the_place_of_the_fault(payload: bytes, says: str | None) -> None:
    if says is None:
        assert decode(payload) == event()
        return
    with pytest.raises(InputError, match=says) as caught:
        decode(payload)
    assert len(str(caught.value)) < 300


def test_pictures_that_are_references_are_fetched() -> None:
    request = DescribeRequest.build("gate", 1, "new_track", 1.0, Crop(reference="b1"))
    with pytest.raises(InputError, match="--blobs"):
        fetch(request, None)
    with pytest.raises(InputError, match="neither data nor a reference"):
        shelve(DescribeRequest.build("gate", 1, "new_track", 1.0, Crop()))


def test_what_is_shelved_once_is_shelved() -> None:
    class Shelf:
        laid: list[bytes] = []  # noqa: RUF012

        def put(self, data: bytes, expires: float | None = None) -> str:
            self.laid.append(data)
            return f"keep/aa/{len(self.laid)}"

        def get(self, reference: str) -> bytes:
            return self.laid[int(reference[-1]) - 1]

    pictures = [b"1234", b"too large", b"567", b"no room"]
    best, *others = (Crop(data=data, score=0.5) for data in pictures)
    whole = DescribeRequest.build("gate", 1, "new_track", 1.0, best, others=tuple(others))
    shelf = Shelf()
    once = shelve(whole, inline=8, blobs=shelf)
    assert [crop.data for crop in once.crops] == [b"1234", None, b"567", None]
    assert shelve(once, inline=8, blobs=shelf) == once
    assert shelf.laid == [b"too large", b"no room"]
    assert fetch(decode(encode(once)), shelf).crops == tuple(
        crop.model_copy(update={"reference": there.reference})
        for crop, there in zip(whole.crops, once.crops, strict=True)
    )
    with pytest.raises(InputError, match="more than 8 bytes"):
        shelve(whole, inline=8)


def test_the_context_of_a_trace_travels_and_is_left_out_where_there_is_none() -> None:
    assert "traceparent" not in json.loads(encode(event()))
    traced = event(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert decode(encode(traced)) == traced


def test_settings_stand_in_the_address() -> None:
    url, settings = with_settings("redis://h/0?queue=a&lease_s=2.5&attempts=7", QueueSettings(depth=9))
    assert url == "redis://h/0?queue=a"
    assert (settings.lease_s, settings.attempts, settings.depth) == (2.5, 7, 9)
    assert with_settings("sqlite:///a.db?depth=4", QueueSettings())[0] == "sqlite:///a.db"
    with pytest.raises(InputError, match="not a number"):
        with_settings("memory:?depth=many", QueueSettings())
    with pytest.raises(InputError, match="above 0"):
        open_queue("memory:?depth=0")


@pytest.mark.parametrize("url", ["ftp://h/x", "", "memory:x", "redis://h/0?queue=a/b", "mysql://h/x"])
def test_addresses_that_name_no_queue_are_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_queue(url)
