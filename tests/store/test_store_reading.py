"""Lists in pages, stories, history, cameras; links between people; the audit."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from stored_people import MONDAY, backpacker, red_jacket, seen

from personvlm.base.errors import InputError
from personvlm.store import Store
from personvlm.store.reading import Filters


@pytest.fixture
def crowded(store: Store) -> Store:
    """25 people on three cameras, a minute apart, the fifth with three revisions."""
    store.add([seen(track, red_jacket() if track % 2 else backpacker(), camera=f"c{track % 3}", at=MONDAY + 60 * track)
               for track in range(25)])  # fmt: skip
    store.add([seen(5, red_jacket(), camera="c2", at=MONDAY + 300 + later, first=MONDAY + 300, revision=later)
               for later in (2, 3)])  # fmt: skip
    return store


def test_pages_hold_everybody_once_and_the_latest_first(crowded: Store) -> None:
    found, after = [], None
    for _ in range(10):
        page = crowded.people(after=after, limit=7)
        found += [one.request.track_id for one in page.items]
        after = page.next
        if after is None:
            break
    assert found == list(reversed(range(25)))
    with pytest.raises(InputError, match="place in a list"):
        crowded.people(after="'; DROP TABLE tracks")


def test_filters_of_lists(crowded: Store) -> None:
    here = crowded.people(Filters(cameras=("c1",), since=MONDAY + 600, until=MONDAY + 960)).items
    assert [one.request.track_id for one in here] == [16, 13, 10]
    person = here[0].request.person
    assert [one.request.person for one in crowded.people(Filters(people=(person,))).items] == [person]
    assert crowded.people(Filters(cameras=("nowhere",))).items == ()


def test_story_history_and_what_came_after(crowded: Store) -> None:
    fifth = next(one for one in crowded.people().items if one.request.track_id == 5).request.person
    assert [one.request.revision for one in crowded.story(fifth)] == [1, 2, 3]
    assert crowded.story("nobody") == []
    assert crowded.latest("nobody") is None
    times = [one.request.frame_time for one in crowded.history()]
    assert len(times) == 27
    assert times == sorted(times)
    some = crowded.history(since=MONDAY + 300, until=MONDAY + 420, cameras=["c2"])
    assert [(one.request.track_id, one.request.revision) for one in some] == [(5, 1), (5, 2), (5, 3)]
    last = crowded.last_number()
    assert [number for number, _ in crowded.after(last - 2)] == [last - 1, last]
    assert crowded.after(last) == []


def test_cameras(crowded: Store) -> None:
    crowded.keep("new", days=7)
    listed = {camera.name: camera for camera in crowded.cameras()}
    assert {name: camera.people for name, camera in listed.items()} == {"c0": 9, "c1": 8, "c2": 8, "new": 0}
    assert (listed["c0"].last_seen, listed["new"].last_seen, listed["new"].keep_days) == (MONDAY + 1440, None, 7)


def test_links_connect_and_can_be_undone_for_good(store: Store) -> None:
    assert store.link("a", "b", 0.9)
    assert store.link("c", "b", 0.8, by="guard")
    assert not store.link("b", "a", 0.99)
    assert store.same_as("a") == ("a", "b", "c")
    assert store.same_as("z") == ("z",)
    store.undo("b", "a", by="guard")
    assert set(store.same_as("c")) == {"b", "c"}
    assert not store.link("a", "b", 0.95), "what somebody undid comes back"
    assert [(link.one, link.other, link.made_by) for link in store.links()] == [("c", "b", "guard")]
    assert [link.undone_by for link in store.links("a", undone=True)] == ["guard"]
    with pytest.raises(InputError, match="not linked"):
        store.undo("a", "b")
    for one, other, p in (("a", "a", 0.5), ("a", "d", 1.5)):
        with pytest.raises(InputError, match="cannot link"):
            store.link(one, other, p)


def test_the_audit_tells_when_a_row_was_changed_or_is_missing(store: Store) -> None:
    entries = [store.audit("me", "look", f"person {number}", {"why": "ünïcode", "n": number}) for number in range(5)]
    assert store.verify_audit() is None
    assert store.verify_audit(entries[3].hash) is None
    assert [entry.subject for entry in store.audited(after=3)] == ["person 3", "person 4"]
    assert store.audited()[0] == entries[0]
    for harm, problem in (
        ("UPDATE audit SET subject = 'somebody' WHERE id = 3", "row 3"),
        ("UPDATE audit SET at = at + 1 WHERE id = 2", "row 2"),
        ("DELETE FROM audit WHERE id = 2", "row 2"),
    ):
        with store.engine.connect() as connection:
            connection.execute(sa.text(harm))
            from personvlm.store import audit

            assert problem in (audit.verify(connection) or "")
            connection.rollback()
    with store.begin() as connection:
        connection.execute(sa.text("DELETE FROM audit WHERE id > 3"))
    assert store.verify_audit() is None
    assert "cut off" in (store.verify_audit(entries[4].hash) or "")


def test_the_audit_stands_or_falls_with_what_it_tells_of(store: Store) -> None:
    def fails() -> None:
        with store.begin() as connection:
            store.audit("me", "erase", "x", connection=connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert store.audited() == []


@pytest.mark.parametrize("place", ["0x1p0_99999999999999999999999", "0x1p99999_1", "nan_1", "inf_1"])
def test_places_that_no_list_has(crowded: Store, place: str) -> None:
    with pytest.raises(InputError, match="place in a list"):
        crowded.people(after=place)


def test_text_with_a_nul(crowded: Store) -> None:
    for asked in (Filters(people=("a\0b",)), Filters(cameras=("gate\0",))):
        if crowded.engine.dialect.name == "sqlite":
            assert crowded.people(asked).items == ()
        else:
            with pytest.raises(InputError, match="NUL"):
                crowded.people(asked)
    if crowded.engine.dialect.name == "postgresql":
        with pytest.raises(InputError, match="NUL"):
            crowded.latest("a\0b")


def test_text_that_is_no_utf_8(crowded: Store) -> None:
    """As of a command line in another encoding, or ``"\\ud800"`` in JSON."""
    with pytest.raises(InputError, match="is no text"):
        crowded.latest("\udcff")
    with pytest.raises(InputError, match="is no text"):
        crowded.people(Filters(cameras=("gate\udcff",)))


def test_the_audit_tells_also_of_what_is_no_text(store: Store) -> None:
    """Otherwise an erasure fails after its pictures are gone."""
    entry = store.audit("me", "export", "a\udcff", {"out": "b\udcff.csv"})
    assert (entry.subject, entry.detail) == (r"a\udcff", {"out": r"b\udcff.csv"})
    assert store.audited() == [entry]
    assert store.verify_audit() is None
