from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest
from frigate_house import COLORS, FOLLOWING, House

from personvlm.integrations.frigate import Bridge, Following
from personvlm.integrations.frigate_api import Address, AwayError, Frigate
from personvlm.integrations.frigate_events import Told, parse


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
    same = {told.event: [one["id"] for one in told.record()["same_as"]] for told in house.told}
    assert same == {first.id: [], other.id: [], again.id: [ids[first.id]]}
    assert again.data["description"]  # Frigate's event has its words all the same
    assert house.bridge.counts.again == 1
    assert house.told[-1].record()["same_as"][0]["probability"] > 0.8


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
