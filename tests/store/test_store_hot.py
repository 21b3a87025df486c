"""The copy of each camera's latest descriptions in Redis: the same as the store says, whoever changes it and whatever
fails."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored_people import MONDAY, backpacker, red_jacket, seen

import services
from personvlm.schema import Described
from personvlm.store import Store, hot, reading
from personvlm.store.hot import CacheDownError, HotCache, HotStore, with_cache
from personvlm.store.reading import Filters, Held, Page

DAY = 86_400.0
GATE = Filters(cameras=("gate",))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[services.OwnRedis]:
    server = services.OwnRedis(tmp_path / "redis")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again only because the machine is slow."""
    monkeypatch.setattr(hot, "WHOLE_S", 3600)


@pytest.fixture
def store(tmp_path: Path, redis: services.OwnRedis) -> Iterator[HotStore]:
    with with_cache(Store.open(tmp_path / "people.db"), redis.url) as opened:
        assert isinstance(opened, HotStore)
        yield opened


def plain(page: Page) -> Page:
    """As it is given from the copy."""
    bare = {"scores": {}, "embedding": None}
    return Page(tuple(one.model_copy(update={"description": one.description.model_copy(update=bare)})
                      for one in page.items), page.next)  # fmt: skip


def copied(store: HotStore, camera: str = "gate", limit: int = 50) -> list[int] | None:
    """Tracks that Redis knows by itself; None where it has to ask the store."""
    page = store.cache.latest(camera, limit)
    return None if page is None else [one.request.track_id for one in page.items]


def held(store: Store, one: Described) -> list[Held]:
    with store.read() as connection:
        return reading.held(connection, store.terms, Filters(people=(one.request.person,)), 1)


def test_it_says_what_the_store_says_and_the_store_is_not_asked(
    store: HotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [seen(track, red_jacket(), at=MONDAY + track // 2, crop=b"x", camera="gate" if track % 3 else "yard")
              for track in range(30)]  # fmt: skip
    store.add(people)
    expected = {limit: plain(store.people(GATE, limit=limit)) for limit in (3, 7, 19, 20, 50)}
    assert hot.people(store, GATE, limit=50) == expected[50], "from the store, which fills the copy"
    store.add([seen(50, red_jacket(), at=MONDAY + 99, camera="yard"), seen(51, backpacker(), at=MONDAY + 100)])
    expected = {limit: plain(store.people(GATE, limit=limit)) for limit in expected}

    def asked() -> None:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(store, "read", asked)
    for limit, page in expected.items():
        assert hot.people(store, GATE, limit=limit) == page, "also where the next page begins"
    assert expected[3].items[0].request.track_id == 51
    with pytest.raises(AssertionError):
        hot.people(store, GATE, after=expected[3].next)
    with pytest.raises(AssertionError):
        hot.people(store, Filters(cameras=("gate",), since=MONDAY))


def test_what_holds_is_what_is_copied(store: HotStore) -> None:
    one = seen(1, red_jacket(), at=MONDAY)
    newer = seen(1, backpacker(), at=MONDAY + 5, first=MONDAY, revision=2)
    store.add([one])
    hot.people(store, GATE)
    before = held(store, one)
    with store.begin() as connection:
        store.add([newer], connection)
        assert hot.people(store, GATE).items[0].request.revision == 1, "not before it is committed"
    store.add([one])
    store.cache.put(before)  # by somebody who was slow
    page = store.cache.latest("gate")
    assert page is not None
    assert [each.request.revision for each in page.items] == [2]

    def fail() -> None:
        with store.begin() as connection:
            store.add([seen(2, red_jacket(), at=MONDAY + 9)], connection)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert copied(store) == [1]


def test_only_so_many_are_kept_and_older_ones_come_from_the_store(tmp_path: Path, redis: services.OwnRedis) -> None:
    store = HotStore(Store.open(tmp_path / "people.db"), HotCache(redis.url, keep=4))
    store.add([seen(track, red_jacket(), at=MONDAY + track) for track in range(6)])
    assert [each.request.track_id for each in hot.people(store, GATE, limit=2).items] == [5, 4]
    assert copied(store, limit=3) == [5, 4, 3]
    assert copied(store, limit=4) is None
    assert len(hot.people(store, GATE, limit=5).items) == 5
    store.add([seen(7, red_jacket(), at=MONDAY + 50), seen(8, red_jacket(), at=MONDAY - 50)])
    assert copied(store, limit=3) == [7, 5, 4]
    store.close()


def test_a_correction_is_seen_at_once_and_stays(store: HotStore) -> None:
    one = seen(1, red_jacket(), at=MONDAY)
    store.add([one, seen(2, backpacker(), at=MONDAY + 1)])
    hot.people(store, GATE)
    before = held(store, one)

    def color() -> tuple[str, ...]:
        [found] = [each for each in hot.people(store, GATE).items if each.request.track_id == 1]
        return found.description.attributes["upper.color"].values

    was = color()
    made = store.correct(one.request.person, "upper.color", ["green"])
    assert color() == ("green",)
    store.cache.put(before)  # a worker that had read before
    assert color() == ("green",)
    store.undo_correction(made.number)
    assert color() == was
    with store.begin() as connection:
        store.correct(one.request.person, "upper.color", ["blue"], connection=connection)
    assert color() == ("blue",)


def test_who_is_erased_or_too_old_is_not_copied_any_longer(store: HotStore) -> None:
    people = [seen(track, red_jacket(), at=MONDAY + track * DAY, crop=b"x") for track in range(4)]
    store.add(people)
    hot.people(store, GATE)
    before = held(store, people[3])
    receipt = store.erase([people[3].request.person], scrub=False)
    assert receipt.counts["cache"] == 1
    store.cache.put(before)
    assert copied(store) is None
    assert [one.request.track_id for one in hot.people(store, GATE).items] == [2, 1, 0]
    store.keep("gate", days=2)
    assert store.sweep(MONDAY + 3.5 * DAY).people == 2, "which says so to the copy, too"
    assert [one.request.track_id for one in hot.people(store, GATE).items] == [2]
    assert copied(store) == [2]
    store.keep("gate", crop_days=1)
    store.sweep(MONDAY + 5 * DAY)
    assert copied(store) is None, "the picture it names is gone"
    assert hot.people(store, GATE).items[0].request.crop.reference is None


def test_a_copy_that_somebody_else_made_wrong_is_right_again_soon(
    store: HotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot, "WHOLE_S", 3)
    store.add([seen(1, red_jacket(), at=MONDAY)])
    hot.people(store, GATE)
    assert copied(store) == [1]
    with Store.open(str(store.engine.url)) as other:  # knows of no cache
        other.add([seen(2, red_jacket(), at=MONDAY + 1)])
        other.erase([seen(1, red_jacket(), at=MONDAY).request.person], scrub=False)
    end = time.monotonic() + 10
    while copied(store) == [1] and time.monotonic() < end:
        time.sleep(0.1)
    assert [one.request.track_id for one in hot.people(store, GATE).items] == [2]
    assert copied(store) == [2]


def test_a_fill_does_not_undo_what_happened_meanwhile(store: HotStore) -> None:
    store.add([seen(1, red_jacket(), at=MONDAY)])
    turn = store.cache.turn("gate")
    old = held(store, seen(1, red_jacket(), at=MONDAY))
    store.add([seen(2, red_jacket(), at=MONDAY + 1)])
    assert not store.cache.fill("gate", old, turn)
    assert store.cache.fill("gate", old, store.cache.turn("gate"))


def test_without_redis_everything_goes_on(
    store: HotStore, redis: services.OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot, "_REST_S", 0.0)
    people = [seen(track, red_jacket(), at=MONDAY + track) for track in range(3)]
    store.add(people)
    hot.people(store, GATE)
    redis.stop()
    store.add([seen(3, backpacker(), at=MONDAY + 3)])
    store.correct(people[1].request.person, "upper.color", ["green"])
    receipt = store.erase([people[0].request.person], scrub=False)
    assert "cache" in receipt.remaining[-1]
    assert [one.request.track_id for one in hot.people(store, GATE).items] == [3, 2, 1]
    with pytest.raises(CacheDownError):
        store.cache.latest("gate")
    redis.start()  # with its append-only file, in which the erased one still stands
    end = time.monotonic() + 20
    known = None
    while known is None and time.monotonic() < end:  # it may still be reading its file
        assert [one.request.track_id for one in hot.people(store, GATE).items] == [3, 2, 1]
        with contextlib.suppress(CacheDownError):
            known = copied(store)
    assert known == [3, 2, 1]
    assert store.erase([people[0].request.person], scrub=False).remaining[1:] == ()
