"""What a deployment does not keep or show leaves it with no alert, and stands in no row of one."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alert_people import NIGHT, described
from PIL import Image

from personvlm.alerts.engine import Alerts, Channel
from personvlm.alerts.outbox import Outbox
from personvlm.alerts.showing import Showing
from personvlm.cli import main
from personvlm.language.realiser import realise
from personvlm.schema import Attribute, Described
from personvlm.schema.description import values_of
from personvlm.store import Store

MARK = b"\xff\xd8\xff these are the bytes of a picture"
RED = 'upper.color == "red", in 1 of 1 crops'


@contextmanager
def receiving(*, apprise: bool = False) -> Iterator[tuple[Channel, list[dict[str, Any]]]]:
    """A channel, and what a real HTTP server behind it was sent."""
    taken: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        scheme = "json" if apprise else "http"
        yield Channel("hook", f"{scheme}://127.0.0.1:{server.server_address[1]}/", private=True), taken
        server.shutdown()


def judged(store: Store, *people: Described) -> Alerts:
    """As a worker does: stored and judged in one transaction."""
    alerts = Alerts(store)
    with store.begin() as connection:
        store.add(people, connection)
        assert len(alerts.observe(people, connection)) == len(people)
    return alerts


def holds(folder: Path, what: bytes) -> bool:
    """Whether a file below ``folder`` has these bytes: databases, logs, pictures."""
    return any(what in path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("how", ["the worker keeps none", "the camera keeps none"])
def test_a_picture_that_is_not_kept_is_nowhere(how: str, tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db", keep_crops=how != "the worker keeps none") as store, receiving() as hook:
        channel, taken = hook
        Alerts(store).add_channel(channel)
        Alerts(store).add_rule("red", RED, channels=["hook"])
        if how == "the camera keeps none":
            store.keep("gate", crops=False)
        (alert,) = judged(store, described(crop=MARK)).alerts()
        assert alert.crop is None
        assert not holds(tmp_path, MARK)
        assert Outbox(store).deliver().delivered == 1
        assert taken[0]["picture"] is None
        assert taken[0]["alert"]["text"] == "Person 1, revision 1."


def test_a_picture_that_is_kept_is_kept_once_and_for_as_long_as_its_camera_says(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store, receiving() as hook:
        channel, taken = hook
        Alerts(store).add_channel(channel)
        Alerts(store).add_rule("red", RED, channels=["hook"])
        alerts = judged(store, described(crop=MARK))
        (alert,) = alerts.alerts()
        assert store.blobs is not None
        assert alert.crop in list(store.blobs.references())
        assert not any(MARK in path.read_bytes() for path in tmp_path.glob("store.db*") if path.is_file())
        assert Outbox(store).deliver().delivered == 1
        assert base64.b64decode(taken[0]["picture"]) == MARK
        store.keep("gate", crop_days=1)
        store.sweep(NIGHT + 2 * 86_400)
        assert not holds(tmp_path, MARK)
        assert alerts.get(alert.id).crop is None
        alerts.close(alert.id)
        assert Outbox(store).deliver().delivered == 1
        assert taken[1]["picture"] is None


def test_a_picture_that_expires_with_its_message_is_not_what_an_alert_shows(tmp_path: Path) -> None:
    """Events bring pictures by references of the queue; the store keeps them under names of its own."""
    with Store.open(tmp_path / "store.db") as store:
        assert store.blobs is not None
        passing = store.blobs.put(MARK, expires=NIGHT)
        person = described(crop=None)
        crop = person.request.crop.model_copy(update={"reference": passing})
        person = person.model_copy(update={"request": person.request.model_copy(update={"crop": crop})})
        Alerts(store).add_rule("red", RED)
        (alert,) = judged(store, person).alerts()
        store.blobs.sweep(NIGHT + 86_400)
        assert alert.crop is not None
        assert store.blobs.get(alert.crop) == MARK


def woman(track: int = 1, *, camera: str = "gate", crop: bytes = MARK) -> Described:
    """A woman in her thirties in red, with luggage."""
    person = described(track, camera=camera, time=NIGHT + track, crop=crop,
                       more={"gender": {"female": 0.9, "male": 0.1}, "age": {"thirties": 0.9},
                             "carrying": {"suitcase": 0.8, "bag": 0.8}})  # fmt: skip
    values = {"gender": "female", "age": "thirties", "upper.color": ("red",), "upper.garment": "jacket",
              "carrying": ("suitcase",)}  # fmt: skip
    attributes = {name: Attribute(value=value, confidence=0.9) for name, value in values.items()}
    said = person.description.model_copy(update={"attributes": attributes, "text": realise(values_of(attributes))})
    return person.model_copy(update={"description": said})


HERS = 'gender == "female" && upper.color == "red" && "suitcase" in carrying, in 1 of 1 crops'


@pytest.mark.parametrize("apprise", [False, True])
def test_what_is_not_shown_is_not_sent(apprise: bool, tmp_path: Path) -> None:
    if apprise:
        pytest.importorskip("apprise")
    with Store.open(tmp_path / "store.db") as store, receiving(apprise=apprise) as hook:
        channel, taken = hook
        Alerts(store).add_channel(channel)
        Alerts(store).add_rule("hers", HERS, channels=["hook"])
        (alert,) = judged(store, woman(1)).alerts()
        assert "female in her thirties" in alert.text
        assert Outbox(store, showing=Showing(gender=False, age=False)).deliver().delivered == 1
        told = taken[0]["message"] if apprise else taken[0]["alert"]["text"]
        assert "red jacket" in told
        assert not {"woman", "she", "her", "thirties", "female"} & set(told.lower().replace(".", " ").split())
        if not apprise:
            assert set(taken[0]["alert"]["why"]) == {'upper.color == "red"', '"suitcase" in carrying'}
            assert "female" not in json.dumps(taken[0])
        judged(store, woman(2))
        assert Outbox(store).deliver().delivered == 1
        assert "in her thirties" in json.dumps(taken[1]), "and where it is shown it is sent"


def jpeg() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (128, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def test_deliver_blurs_hides_and_leaves_unsaid_like_the_server(tmp_path: Path) -> None:
    picture = jpeg()
    with receiving() as hook:
        channel, taken = hook
        with Store.open(tmp_path / "store.db") as store:
            Alerts(store).add_channel(channel)
            Alerts(store).add_rule("hers", HERS, channels=["hook"])
            judged(store, *(woman(number, camera=camera, crop=picture)
                            for number, camera in enumerate(("gate", "hall", "yard"))))  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(["alerts", "deliver", "--once", "--hide", "gate", "--blur", "hall", "--no-gender", "--no-age",
                  "--store", str(tmp_path / "store.db"), "-q"])  # fmt: skip
        assert not ended.value.code
    sent = {each["alert"]["camera"]: each for each in taken}
    assert sent["gate"]["picture"] is None
    assert base64.b64decode(sent["yard"]["picture"]) == picture
    before, after = (np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float64)
                     for data in (picture, base64.b64decode(sent["hall"]["picture"])))  # fmt: skip
    assert after[:30].std() < before[:30].std() / 2, "the head is coarse"
    assert after[60:].std() > before[60:].std() / 2
    assert "female" not in json.dumps(taken)
    assert all("red jacket" in each["alert"]["text"] for each in taken)
