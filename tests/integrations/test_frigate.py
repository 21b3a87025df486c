from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frigate_server import StandIn, Tracked
from numpy.typing import NDArray

from mosquitto_server import Listener as Ears
from mosquitto_server import Mosquitto
from personvlm.base.errors import InputError
from personvlm.integrations.frigate import Bridge, Following
from personvlm.integrations.frigate_api import Address, AwayError, Frigate, FrigateError, GoneError
from personvlm.integrations.frigate_events import Told, parse
from personvlm.integrations.frigate_listen import Listener
from personvlm.schema import Attribute, PersonDescription

COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
FOLLOWING = Following(every=0.0, patience=8.0)


class Colors:
    """Says which color a picture has; of several the one of the highest score."""

    def __init__(self) -> None:
        self.seen: list[NDArray[np.uint8]] = []

    def look(self, images: list[NDArray[np.uint8]]) -> list[str]:
        self.seen += images
        middle = [image[image.shape[0] // 2, image.shape[1] // 2] for image in images]
        return [min(COLORS, key=lambda name: np.abs(np.subtract(COLORS[name], pixel.astype(int))).sum())
                for pixel in middle]  # fmt: skip

    def say(self, looks: Sequence[Any], scores: Sequence[float]) -> PersonDescription:
        color = looks[int(np.argmax(scores))]
        vector = np.eye(3)[list(COLORS).index(color)]
        return PersonDescription(text=f"The image shows a man. He is wearing a {color} coat.", model="colors 1",
                                 attributes={"gender": Attribute(value="male", confidence=0.9),
                                             "upper.color": Attribute(value=(color,), confidence=0.8),
                                             "upper.garment": Attribute(value="coat", confidence=0.7)},
                                 embedding=tuple(vector.tolist()))  # fmt: skip


class House:
    """A stand-in Frigate, a bridge to it, and what was told."""

    def __init__(self, following: Following = FOLLOWING, frigate: StandIn | None = None) -> None:
        self.frigate = frigate or StandIn()
        self.colors, self.told, self.notes = Colors(), list[Told](), list[str]()
        who = ":".join(self.frigate.login) + "@" if self.frigate.login else ""
        address = Address.parse(self.frigate.url.replace("//", f"//{who}"))
        self.bridge = Bridge(Frigate(address), self.colors, self.told.append, following, self.notes.append)

    def comes(self, name: str = "1700000000.5-abc", color: str = "red", **more: Any) -> Tracked:
        one = Tracked(name, "gate", np.full((720, 1280, 3), 90, np.uint8), (600, 200, 700, 500), time=1.0, **more)
        self.paint(one, color)
        self.frigate.people[name] = one
        return one

    def paint(self, one: Tracked, color: str) -> None:
        x1, y1, x2, y2 = one.box
        one.frame[y1:y2, x1:x2] = COLORS[color]

    def send(self, one: Tracked, kind: str, *, settle: bool = True) -> None:
        if kind == "end" and one.end is None:
            one.end = one.start + 10
        update = parse(json.dumps(one.message(kind)).encode())
        assert update is not None
        self.bridge.put(update)
        if settle:
            assert self.bridge.settle(10)

    @property
    def kinds(self) -> list[str]:
        return [told.kind for told in self.told]


@pytest.fixture
def house() -> Iterator[House]:
    one = House()
    yield one
    one.bridge.close()
    one.frigate.stop()


def test_a_person_is_described_at_once_better_and_at_the_end(house: House) -> None:
    one = house.comes(score=0.6)
    house.send(one, "new")
    assert one.data["description"] == "The image shows a man. He is wearing a red coat."
    assert one.sub_label == ["man, red coat", 0.7]
    one.score, one.time = 0.9, 2.0
    house.paint(one, "blue")  # the better snapshot shows the true color
    house.send(one, "update")
    assert one.data["description"] == "The image shows a man. He is wearing a blue coat."
    house.send(one, "end")
    assert house.kinds == ["new", "update", "end"]
    assert [told.described.request.revision for told in house.told] == [1, 2, 3]
    assert len({told.described.request.person for told in house.told}) == 1
    assert [told.described.request.final for told in house.told] == [False, False, True]
    assert len(house.told[-1].described.request.crops) == 2
    assert house.frigate.count("POST", "/description") == 2  # the end had nothing new to say
    assert house.frigate.count("GET", "/snapshot.jpg") == 2


def test_only_the_person_is_looked_at(house: House) -> None:
    house.send(house.comes(), "new")
    picture = house.colors.seen[0]
    assert picture.shape[:2] == (328, 110)  # the box and a margin of a twentieth; the square ends above and below
    assert np.abs(picture.astype(int) - COLORS["red"]).sum(-1).mean() < 120


def test_nothing_is_said_twice(house: House) -> None:
    one = house.comes()
    house.send(one, "new")
    for step in range(5):
        one.score, one.time = 0.71 + step / 200, 2.0 + step  # hardly better
        house.send(one, "update")
    assert house.frigate.count("GET", "/snapshot.jpg") == 1
    one.score, one.time = 0.9, 9.0
    house.send(one, "update")
    assert house.frigate.count("GET", "/snapshot.jpg") == 2
    assert house.kinds == ["new"]
    assert house.frigate.count("POST", "/description") == 1
    assert house.frigate.count("POST", "/sub_label") == 1


def test_looks_are_rate_limited() -> None:
    house = House(Following(every=60.0))
    one = house.comes(score=0.5)
    house.send(one, "new")
    one.score, one.time = 0.9, 2.0
    house.send(one, "update")
    assert house.frigate.count("GET", "/snapshot.jpg") == 1
    house.send(one, "end")  # the best picture counts at the end, whenever that is
    assert house.frigate.count("GET", "/snapshot.jpg") == 2
    house.bridge.close()


def test_a_person_who_comes_back_is_said_to_be_the_same(house: House) -> None:
    first, other = house.comes("1700000000.5-abc"), house.comes("1700000050.5-mno", "green", start=time.time() + 50)
    again = house.comes("1700000100.5-xyz", start=time.time() + 100)
    for one in (first, other, again):
        house.send(one, "new")
        house.send(one, "end")
    ids = {told.event: told.described.request.person for told in house.told}
    same = {told.event: told.same_as for told in house.told}
    assert same == {first.id: None, other.id: None, again.id: ids[first.id]}
    assert again.data["description"]  # Frigate's event has its words all the same
    assert house.bridge.counts.again == 1
    assert house.told[-1].record()["same_as"] == ids[first.id]


def test_a_row_that_comes_late_is_waited_for_and_told_at_once(house: House) -> None:
    one = house.comes(row=False)
    house.send(one, "new", settle=False)
    deadline = time.monotonic() + 5
    while not house.told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert house.kinds == ["new"]  # the notification need not wait for Frigate's database
    one.row = True
    assert house.bridge.settle(10)
    assert one.data["description"]
    assert house.kinds == ["new"]
    assert house.bridge.counts.expired == 0


def test_an_expired_event_is_skipped_and_counted(house: House) -> None:
    one = house.comes()
    house.send(one, "new")
    one.score, one.time = 0.9, 2.0
    house.paint(one, "blue")
    del house.frigate.people[one.id]
    house.send(one, "end")
    assert house.bridge.counts.expired == 1
    assert house.bridge.counts.failed == 0
    assert house.kinds == ["new", "end"]  # what was seen while it was there
    assert "red" in house.told[-1].described.description.text
    assert house.frigate.count("POST", "/description") == 1


def test_a_picture_that_is_missing_for_a_moment_is_waited_for(house: House) -> None:
    one = house.comes(score=0.6)
    house.send(one, "new")
    one.score, one.time = 0.9, 2.0
    house.paint(one, "blue")
    del house.frigate.people[one.id]
    house.send(one, "end", settle=False)
    time.sleep(0.2)
    house.frigate.people[one.id] = one
    assert house.bridge.settle(10)
    assert house.kinds == ["new", "end"]
    assert "blue" in one.data["description"]
    assert house.bridge.counts.expired == 0


def test_what_frigate_does_not_keep_is_not_written(house: House) -> None:
    one = house.comes(row=False)
    one.picture = False
    house.send(one, "end")
    assert house.bridge.counts.unseen == 1
    assert house.frigate.count("POST", "/description") == 0


def test_frigate_that_is_started_again_gets_everything(house: House) -> None:
    house.frigate.stop()
    one, other = house.comes("1700000000.5-abc"), house.comes("1700000001.5-xyz", "green")
    house.send(one, "new", settle=False)
    house.send(other, "new", settle=False)
    house.send(other, "end", settle=False)
    time.sleep(0.3)
    house.frigate.failing = True
    house.frigate.start()
    time.sleep(0.3)
    house.frigate.failing = False
    assert house.bridge.settle(15)
    assert "red coat" in one.data["description"]
    assert "green coat" in other.data["description"]
    assert any("trying again" in note for note in house.notes)
    assert len(house.notes) <= 3  # said, not repeated


def test_what_frigate_never_takes_is_given_up_and_counted() -> None:
    house = House(Following(patience=0.5))
    house.frigate.failing = True
    house.send(house.comes(), "new")
    assert house.bridge.counts.failed == 1
    assert any("given up" in note for note in house.notes)
    house.bridge.close()


def test_a_name_that_somebody_has_is_kept(house: House) -> None:
    one = house.comes(sub_label=["Ada", 0.98])
    house.send(one, "new")
    house.send(one, "end")
    assert one.sub_label == ["Ada", 0.98]
    assert one.data["description"]


def test_attributes_only_where_asked_for_and_known() -> None:
    house = House(Following(attributes=True))
    house.frigate.classes = {"red", "helmet"}
    one = house.comes()
    house.send(one, "new")
    house.send(one, "end")
    assert one.data["attributes"] == ["red"]
    house.frigate.classes = set()
    for name in ("1700000001.5-a", "1700000002.5-b"):
        house.send(house.comes(name), "end")
    assert house.frigate.count("POST", "/attributes") == 2  # refused once, and not tried again
    assert sum("not sent any more" in note for note in house.notes) == 1
    house.bridge.close()


def test_other_cameras_and_labels_are_left_alone() -> None:
    house = House(Following(cameras=frozenset({"yard"})))
    house.send(house.comes(), "new")
    assert house.told == []
    assert house.bridge.counts.ignored == 1
    house.bridge.close()


def test_whole_frames_of_older_versions_are_cut(house: House) -> None:
    house.frigate.ignores_crop = True
    house.send(house.comes(), "end")
    assert house.colors.seen[0].shape[:2] == (330, 110)  # a margin of a twentieth on every side


def test_catching_up_finds_who_was_missed(house: House) -> None:
    here, gone, done = (house.comes(f"170000000{row}.5-a", color) for row, color in enumerate(COLORS))
    gone.end = done.end = time.time()
    done.data["description"] = "as it was"
    house.bridge.catch_up(time.time() - 100)
    assert house.bridge.settle(10)
    assert here.data["description"]
    assert gone.data["description"]
    assert done.data["description"] == "as it was"
    assert sorted(house.kinds) == ["end", "new"]
    here.end = time.time()  # Frigate was started again and sent no end
    house.bridge.catch_up(time.time())
    assert house.bridge.settle(10)
    assert house.kinds[-1] == "end"


def test_a_login_is_done_and_repeated_when_the_token_expires() -> None:
    house = House(frigate=StandIn(login=("me", "pa ss")))
    one = house.comes()
    house.send(one, "new")
    assert one.data["description"]
    house.frigate.tokens.clear()
    one.score, one.time = 0.99, 2.0
    house.paint(one, "blue")
    house.send(one, "end")
    assert "blue" in one.data["description"]
    assert house.frigate.count("POST", "/api/login") == 2
    house.bridge.close()
    wrong = Frigate(Address.parse(house.frigate.url.replace("//", "//me:wrong@")))
    with pytest.raises(FrigateError, match="401") as refused:
        wrong.version()
    assert "wrong" not in str(refused.value)


def test_errors_of_the_interface(house: House) -> None:
    api = Frigate(Address.parse(house.frigate.url))
    assert api.version() == "0.18.0-stand-in"
    assert api.sizes() == {"gate": (1280, 720)}
    with pytest.raises(GoneError):
        api.event("nobody")
    house.frigate.failing = True
    with pytest.raises(AwayError, match="503"):
        api.version()


@pytest.mark.parametrize("url", ["host:5000", "mqtt://host", "http://", "http://h:x", "https://me@host"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InputError):
        Address.parse(url)


def test_a_teller_that_fails_ends_the_bridge(house: House) -> None:
    def broken(told: Told) -> None:
        raise OSError("disk full")

    bridge = Bridge(Frigate(Address.parse(house.frigate.url)), house.colors, broken, FOLLOWING)
    update = parse(json.dumps(house.comes().message("new")).encode())
    assert update is not None
    bridge.put(update)
    bridge.settle(5)
    assert not bridge.working
    with pytest.raises(OSError, match="disk full"):
        bridge.close()


def test_a_store_that_is_away_is_waited_for(house: House) -> None:
    failures = iter([True, True, False, False])

    def tell(told: Told) -> None:
        if next(failures):
            raise AwayError("the store: gone")
        house.told.append(told)

    notes: list[str] = []
    bridge = Bridge(Frigate(Address.parse(house.frigate.url)), house.colors, tell, FOLLOWING, notes.append)
    one = house.comes()
    update = parse(json.dumps(one.message("new")).encode())
    assert update is not None
    bridge.put(update)
    assert bridge.settle(10)
    bridge.close()
    assert [told.described.request.revision for told in house.told] == [1]
    assert (bridge.counts.people, bridge.counts.revisions, bridge.counts.failed) == (1, 1, 0)
    assert notes == ["the store: gone; trying again"]
    assert one.data["description"]


def test_over_a_real_broker_that_is_restarted(house: House, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    frigate = Ears(broker.port, "personvlm/#", name="frigate")
    from personvlm.integrations.mqtt import Broker

    listener = Listener(Broker.parse(broker.url), house.bridge, report=house.notes.append)
    first = house.comes("1700000000.5-a")
    assert _until(lambda: house.frigate.count("GET", "/api/events") > 0)  # it listens, and asked what was before
    frigate.publish("frigate/events", json.dumps(first.message("new")))
    frigate.publish("frigate/events", b"not json")
    assert _until(lambda: first.data.get("description"))
    broker.stop()
    missed = house.comes("1700000001.5-b", "green")  # comes and goes while nobody can say so
    first.end = missed.end = time.time()
    broker.start()
    assert _until(lambda: missed.data.get("description") and house.kinds.count("end") == 2, 15)
    assert _until(lambda: house.bridge.counts.broken == 1)
    frigate.publish("frigate/available", "offline")
    late = house.comes("1700000002.5-c", "blue")
    frigate.publish("frigate/available", "online")
    assert _until(lambda: late.data.get("description"))
    listener.close()
    frigate.close()
    broker.stop()


def _until(wanted: Any, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
