from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from queue_harness import event

import services
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
        (message(track_id=2**63), "track_id"),
        (message(track_id=-(2**63)), None),
        (message(revision=2**31), "revision"),
        (message(frame_time=-1e308), "frame_time"),
        (message(first_seen=1e12), "first_seen"),
        (message(camera="gate\0"), "camera.*NUL"),
        (message(event_id="\0"), "event_id.*NUL"),
        (b" " * (MOST_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_message_is_refused_with_the_place_of_the_fault(payload: bytes, says: str | None) -> None:
    if says is None:
        assert decode(payload).event_id == event().event_id
        return
    with pytest.raises(InputError, match=says) as caught:
        decode(payload)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"track_id": 2**70}, "track_id"),
        ({"revision": 2**31}, "revision"),
        ({"frame_time": float("nan")}, "frame_time"),
        ({"first_seen": float("-inf")}, "first_seen"),
        ({"camera": "gate\0"}, "camera"),
        ({"camera": "gate\ud800"}, "camera"),
        ({"crop": Crop(data=b"x", box=(float("nan"), 1, 2, 3))}, "box"),
        ({"crop": Crop(data=b"x", time=1e300)}, "time"),
    ],
)
def test_an_event_that_no_store_could_keep_becomes_no_message(odd: dict[str, Any], says: str) -> None:
    queue = open_queue("memory:")
    with pytest.raises(InputError, match=says):
        queue.put([event(1), event(2).model_copy(update=odd)])
    assert queue.stats().queued == 0


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


@pytest.mark.parametrize("odd", ["", "zz", "00-12-34-01", f"00-{'g' * 32}-{'1' * 16}-01", "\0"])
def test_a_context_of_a_trace_that_is_none_is_left_out(odd: str) -> None:
    assert decode(message(traceparent=odd)).traceparent is None


def test_settings_stand_in_the_address() -> None:
    url, settings = with_settings("redis://h/0?queue=a&lease_s=2.5&attempts=7", QueueSettings(depth=9))
    assert url == "redis://h/0?queue=a"
    assert (settings.lease_s, settings.attempts, settings.depth) == (2.5, 7, 9)
    assert with_settings("sqlite:///a.db?depth=4", QueueSettings())[0] == "sqlite:///a.db"
    with pytest.raises(InputError, match="not a number"):
        with_settings("memory:?depth=many", QueueSettings())
    with pytest.raises(InputError, match="above 0"):
        open_queue("memory:?depth=0")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("people.db?lease=20", "'lease' is no setting of a queue; legal: attempts"),
        ("sqlite:///people.db?lease=20", "'lease' is no setting"),
        ("memory:?lease=20", "'lease' is no setting"),
        ("people.db?lease_s=", "lease_s= .*not a number"),
        ("redis://127.0.0.1:6379/0?lease=20", "'lease' is no setting .* queue, "),
        ("redis://127.0.0.1:6379/0?db=first", "db"),
        ("redis://me:secret@127.0.0.1:99999/0", "'redis://127.0.0.1:99999/0': .*Port"),
        ("redis://127.0.0.1:abc/0", "cannot be read"),
        ("redis://[::1", "cannot be read"),
        ("amqp://127.0.0.1:99999/", "cannot be read"),
        ("amqp://127.0.0.1/?lease=20", "'lease' is no setting"),
        ("people.db?lease_s=inf", "lease_s=inf: .*finite"),
        ("people.db?keep_s=nan", "keep_s=nan: .*finite"),
        ("people.db?lease_s=1e300", "lease_s=1e.300: .*below"),
        ("people.db?depth=9999999999999999999", "depth=.*below"),
    ],
)
def test_addresses_that_set_what_there_is_not_are_refused_by_name(
    url: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=says) as caught:
        open_queue(url)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_address_with_nothing_behind_its_question_mark_is_one_without(tmp_path: Path) -> None:
    assert with_settings("people.db?", QueueSettings())[0] == "people.db"
    assert with_settings("people.db", QueueSettings())[0] == "people.db"
    assert with_settings("postgresql://h/d?sslmode=require", QueueSettings())[0] == "postgresql://h/d?sslmode=require"
    with pytest.raises(InputError, match="lease"):
        open_queue(f"{services._POSTGRES}?lease=20")


@pytest.mark.parametrize("url", ["ftp://h/x", "", "memory:x", "redis://h/0?queue=a/b", "mysql://h/x"])
def test_addresses_that_name_no_queue_are_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_queue(url)
