"""Storing: once each, only the latest revision holds, and a transaction is all or nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from stored_people import MONDAY, backpacker, red_jacket, said, seen

from personvlm.base.errors import InputError
from personvlm.schema import Described
from personvlm.store import BlobMissingError, Store, tables


def counts(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return {table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in (tables.descriptions, tables.tracks, tables.attributes, tables.embeddings)}  # fmt: skip


def test_what_is_stored_comes_back(store: Store) -> None:
    event = seen(7, red_jacket(), final=True)
    assert store.add([event]) == [True]
    back = store.latest(event.request.person)
    assert back is not None
    crop = event.request.crop.model_copy(update={"reference": None})
    assert back.request == event.request.model_copy(update={"crop": crop})
    assert back.description.attributes == event.description.attributes
    assert back.description.embedding == pytest.approx(event.description.embedding, abs=1e-3)
    for group, scores in event.description.scores.items():
        assert back.description.scores[group] == pytest.approx(scores, rel=1e-3), group
    assert (back.description.text, back.description.quality, back.description.model, back.described_at) == (
        event.description.text, 0.9, "edge 1", MONDAY + 1)  # fmt: skip


def test_twice_is_stored_once(store: Store) -> None:
    events = [seen(1, red_jacket()), seen(2, backpacker()), seen(1, red_jacket())]
    assert store.add(events) == [True, True, False]
    before = counts(store)
    assert store.add(events) == [False, False, False]
    assert counts(store) == before
    assert (before["descriptions"], before["tracks"], before["embeddings"]) == (2, 2, 2)


def test_a_better_model_describes_an_old_event_again(store: Store) -> None:
    old = seen(1, red_jacket(model="edge 1"))
    new = Described(request=old.request, description=backpacker(model="edge 2"), described_at=old.described_at + 9)
    assert store.add([old]) + store.add([new]) == [True, True]
    latest = store.latest(old.request.person)
    assert latest is not None
    assert latest.description.model == "edge 2"
    assert [one.description.model for one in store.story(old.request.person)] == ["edge 1", "edge 2"]
    assert store.known([old.request.event_id, "nobody"], "edge 2") == {old.request.event_id}
    assert store.known([old.request.event_id], "edge 3") == set()


def test_a_late_revision_does_not_replace_a_later_one(store: Store) -> None:
    first, second = seen(1, red_jacket()), seen(1, backpacker(), at=MONDAY + 5, revision=2, first=MONDAY, final=True)
    assert first.request.person == second.request.person
    assert store.add([second]) + store.add([first]) == [True, True]
    latest = store.latest(first.request.person)
    assert latest is not None
    assert latest.description.text == backpacker().text
    assert [one.request.revision for one in store.story(first.request.person)] == [1, 2]
    assert [hit.described.request.person for hit in store.search("lanyard").hits] == [first.request.person]
    assert store.search('"red jacket"').hits == ()


def test_what_is_asserted_follows_the_latest_revision(store: Store) -> None:
    from personvlm.store.reading import Filters

    store.add([seen(1, red_jacket())])
    red = Filters(attributes={"upper.color": "red"})
    assert len(store.people(red).items) == 1
    store.add([seen(1, backpacker(embedding=None), at=MONDAY + 5, revision=2, first=MONDAY)])
    assert store.people(red).items == ()
    assert len(store.people(Filters(attributes={"carrying": "backpack", "gender": "male"})).items) == 1
    assert counts(store)["embeddings"] == 0
    with pytest.raises(InputError, match="legal"):
        store.people(Filters(attributes={"upper.color": "plaid"}))


def test_a_transaction_that_fails_stores_nothing(store: Store) -> None:
    event = seen(1, red_jacket(), crop=b"picture")

    def fails() -> None:
        with store.begin() as connection:
            assert store.add([event], connection) == [True]
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fails()
    assert counts(store) == {"descriptions": 0, "tracks": 0, "attributes": 0, "embeddings": 0}
    assert store.add([event]) == [True]


def test_threads_that_store_the_same_events_store_them_once(store: Store) -> None:
    events = [seen(track, red_jacket(), at=MONDAY + revision, revision=revision, first=MONDAY)
              for track in range(12) for revision in (1, 2, 3)]  # fmt: skip
    results: list[int] = []
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            part = events[number:] + events[:number]
            results.append(sum(sum(store.add(part[start : start + 5])) for start in range(0, len(part), 5)))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number * 9,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not problems
    assert sum(results) == len(events)
    assert counts(store)["descriptions"] == len(events)
    assert counts(store)["tracks"] == 12
    assert all(store.latest(event.request.person).request.revision == 3 for event in events)  # type: ignore[union-attr]


def test_pictures_are_kept_and_found(store: Store) -> None:
    assert store.blobs is not None
    expiring = store.blobs.put(b"from the queue", expires=time.time() + 60)
    with_bytes = seen(1, red_jacket(), crop=b"picture")
    by_reference = seen(2, red_jacket())
    crop = by_reference.request.crop.model_copy(update={"reference": expiring})
    request = by_reference.request.model_copy(update={"crop": crop})
    store.add([with_bytes, by_reference.model_copy(update={"request": request})])
    references = [store.latest(one.request.person).request.crop.reference  # type: ignore[union-attr]
                  for one in (with_bytes, by_reference)]  # fmt: skip
    assert store.blobs.sweep(time.time() + 7200) == 1
    assert [store.blobs.get(reference or "") for reference in references] == [b"picture", b"from the queue"]
    assert store.camera_of(references[0] or "") == "gate"
    assert store.camera_of("keep/00/0000") is None
    with pytest.raises(BlobMissingError):
        store.blobs.get(expiring)


def test_a_camera_may_keep_no_pictures(store: Store) -> None:
    store.keep("yard", crops=False)
    event = seen(1, red_jacket(), camera="yard", crop=b"picture")
    store.add([event])
    assert store.latest(event.request.person).request.crop.reference is None  # type: ignore[union-attr]
    assert store.blobs is not None
    assert list(store.blobs.references()) == []


def test_values_given_by_hand_can_be_searched(store: Store) -> None:
    from personvlm.schema import Attribute, PersonDescription

    given = PersonDescription(text="A man.", attributes={
        "gender": Attribute(value="male", confidence=0.9, source="given"),
        "carrying": Attribute(value=("backpack",), confidence=0.8, source="given")})  # fmt: skip
    store.add([seen(1, given), seen(2, said(gender={"male": 0.5}, carrying={"backpack": 0.1}))])
    hit = store.search("man with a backpack").hits[0]
    assert hit.described.request.track_id == 1
    assert hit.probability == pytest.approx(0.72, rel=0.01)
    assert store.search("man with a bag").hits[0].probability == pytest.approx(0.72, rel=0.01)


def test_a_mistyped_address_says_so(tmp_path: Path) -> None:
    for wrong in ("mysql://localhost/x", "postgresql://nobody@127.0.0.1:1/x", str(tmp_path / "no" / "x.db"), "x:y://z"):
        with pytest.raises(InputError, match=r"."):
            Store.open(wrong)


@contextlib.contextmanager
def counted(store: Store) -> Iterator[Counter[str]]:
    """What is asked of the database meanwhile: ``statements`` and ``commits``."""
    asked: Counter[str] = Counter()

    def statement(*_: object) -> None:
        asked["statements"] += 1

    def commit(*_: object) -> None:
        asked["commits"] += 1

    sa.event.listen(store.engine, "before_cursor_execute", statement)
    sa.event.listen(store.engine, "commit", commit)
    try:
        yield asked
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", statement)
        sa.event.remove(store.engine, "commit", commit)


def test_many_are_stored_by_as_many_statements_as_few(store: Store) -> None:
    """What storing costs beside describing is measured in tests/accept; here, that it cannot grow."""
    store.add([seen(9000 + place, red_jacket(), camera=f"gate {place}") for place in (0, 1)])
    asked: dict[str, list[Counter[str]]] = {"new": [], "revised": []}
    for first, last in ((0, 1), (1, 17), (17, 190)):
        for revision, said_now in ((1, red_jacket()), (2, backpacker())):
            events = [seen(track, said_now, at=MONDAY + track + revision, camera=f"gate {track % 2}", revision=revision,
                           first=MONDAY + track) for track in range(first, last)]  # fmt: skip
            with counted(store) as now:
                assert store.add(events) == [True] * len(events)
            asked["new" if revision == 1 else "revised"].append(now)
    for counts in asked.values():
        assert counts[0] == counts[1] == counts[2], asked
        assert counts[0]["commits"] == 2, asked  # of which one only read
    # With the beginnings of the two transactions, on SQLite.
    assert asked["new"][0]["statements"] <= 16, asked
    assert asked["revised"][0]["statements"] <= 17, asked
