"""Alerts on both databases: several workers at a time, links, erasing, a plan that uses its indexes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alert_people import NIGHT, described

from personvlm.alerts.engine import Alerts, Channel
from personvlm.alerts.outbox import Outbox
from personvlm.schema import Described
from personvlm.store import Store, migrate, tables
from services import drop_postgres, postgres_url

RED = 'upper.color == "red", in 1 of 5 crops'


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = str(tmp_path / "store.db") if request.param == "sqlite" else postgres_url()
    with Store.open(url, blobs=tmp_path / "crops") as opened:
        yield opened
    if request.param == "postgresql":
        drop_postgres(url)


def at_once(store: Store, shares: list[list[Described]]) -> list[str]:
    """Every share by a worker of its own, all at the same time, stored and judged in one transaction each."""
    found: list[str] = []
    problems: list[BaseException] = []
    start = threading.Barrier(len(shares))

    def work(share: list[Described]) -> None:
        try:
            alerts = Alerts(store)
            start.wait()
            for one in share:
                with store.begin() as connection:
                    store.add([one], connection)
                    found.extend(alert.id for alert in alerts.observe([one], connection))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    return found


def test_workers_that_see_one_person_at_once_raise_one_alert(store: Store) -> None:
    Alerts(store).add_rule("red", RED)
    Alerts(store).add_rule("bag", '"backpack" in carrying, in 1 of 5 crops')
    people = [[described(track, revision, first=NIGHT, time=NIGHT + revision) for track in range(6)]
              for revision in (1, 2, 3, 4)]  # fmt: skip
    assert len(at_once(store, people)) == 12
    assert len(Alerts(store).alerts()) == 12


def test_linked_people_at_once_raise_one_alert(store: Store) -> None:
    Alerts(store).add_rule("red", RED)
    fragments = [described(track, camera=f"c{track}", time=NIGHT + track, red=0.1, backpack=0.1) for track in range(4)]
    store.add(fragments)
    ids = [one.request.person for one in fragments]
    for one, other in itertools.pairwise(ids):
        store.link(other, one, 0.95)
    again = [described(track, 2, camera=f"c{track}", first=NIGHT + track, time=NIGHT + 10) for track in range(4)]
    assert len(at_once(store, [[one] for one in again])) == 1
    (alert,) = Alerts(store).alerts()
    assert alert.person in ids


def test_links_that_are_not_sure_silence_nobody(store: Store) -> None:
    Alerts(store).add_rule("red", RED)
    people = [described(track, camera=f"c{track}", time=NIGHT + track) for track in range(2)]
    store.add(people)
    store.link(people[1].request.person, people[0].request.person, 0.9)
    assert len(Alerts(store).observe(people)) == 2


def test_counts_life_cycle_and_delivery(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_channel(Channel("hook", "http://127.0.0.1:9/", "secret", private=True))
    alerts.add_rule("crowd", 'upper.color == "red" && count(10m) >= 3, in 1 of 5 crops, once per 1h', channels=["hook"])
    raised = [len(alerts.observe([described(track, time=NIGHT + 60 * track)])) for track in range(5)]
    assert raised == [0, 0, 1, 0, 0]
    (alert,) = alerts.alerts()
    alerts.acknowledge(alert.id, "eve")
    alerts.close(alert.id)
    outbox = Outbox(store, timeout=1.0)
    assert outbox.deliver().failed == 1
    assert outbox.waiting().waiting == 5  # raised, two more who joined, acknowledged, closed


def test_nothing_of_an_erased_person_is_left_with_alerts(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_channel(Channel("hook", "http://127.0.0.1:9/", "secret", private=True))
    alerts.add_rule("red", RED, channels=["hook"])
    people = [described(1), described(2, time=NIGHT + 1)]
    store.add(people)
    assert len(alerts.observe(people)) == 2
    store.erase([people[0].request.person], actor="test", reason="test")
    (left,) = alerts.alerts()
    assert left.person == people[1].request.person
    with store.read() as connection:
        for table in (tables.alert_states, tables.alert_people, tables.alerts):
            assert set(connection.scalars(sa.select(table.c.person))) == {left.person}
        assert set(connection.scalars(sa.select(tables.deliveries.c.alert))) == {left.id}


def test_erasing_one_of_two_in_an_alert_leaves_the_other_the_picture(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_rule("red", RED)
    one, other = described(1), described(2, camera="hall", time=NIGHT + 1, red=0.95)
    store.add([one, other])
    store.link(other.request.person, one.request.person, 0.99)
    (raised,) = alerts.observe([one, other])
    (alert,) = alerts.alerts()
    assert store.blobs is not None
    assert alert.crop is not None
    assert (alert.id, store.camera_of(alert.crop)) == (raised.id, "hall"), "the better picture is of the other"
    store.erase([one.request.person], actor="test", reason="test")
    assert alerts.alerts() == []
    assert store.blobs.get(alert.crop) == b"jpeg"
    assert alerts.observe([described(1, 2, first=NIGHT, time=NIGHT + 5)]) == [], "who was erased raises nothing"


def test_pictures_that_are_kept_no_longer_are_in_no_alert_either(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_rule("red", RED)
    people = [described(1), described(2, time=NIGHT + 86_400)]
    store.add(people)
    old, new = alerts.observe(people)
    store.keep("gate", crop_days=1)
    assert store.sweep(NIGHT + 1.5 * 86_400).pictures == 1
    assert {alert.id: alert.crop for alert in alerts.alerts()} == {old.id: None, new.id: new.crop}


def test_pictures_in_alerts_of_older_versions_become_what_is_kept(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_rule("red", RED)
    kept, bare = described(1), described(2, time=NIGHT + 1, camera="hall")
    store.keep("hall", crops=False)
    store.add([kept, bare])
    first, _ = alerts.observe([kept, bare])
    migrate.move(store.engine, "0008")
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE alerts SET picture = :jpeg, crop = NULL"), {"jpeg": b"jpeg"})
        connection.execute(sa.text("UPDATE alerts SET crop = 'until/1/ab/ab' WHERE id = :id"), {"id": first.id})
    migrate.move(store.engine)
    assert "picture" not in {column["name"] for column in sa.inspect(store.engine).get_columns("alerts")}
    assert {alert.person: alert.crop for alert in alerts.alerts()} == {
        kept.request.person: first.crop, bare.request.person: None}  # fmt: skip
    assert first.crop is not None


def test_history_of_the_store_replays_as_it_was(store: Store) -> None:
    story: list[Any] = [
        described(track, revision, first=NIGHT + 60 * track, time=NIGHT + 60 * track + 10 * revision,
                  red=0.35 + 0.15 * revision) for track in range(4) for revision in (1, 2, 3)]  # fmt: skip
    alerts = Alerts(store)
    alerts.add_rule("red", 'upper.color == "red" && confidence >= 0.6, in 2 of 5 crops')
    found = [alert for one in story if store.add([one]) for alert in alerts.observe([one])]
    told = alerts.dry_run('upper.color == "red" && confidence >= 0.6, in 2 of 5 crops', store.history())
    assert [(alert.person, alert.raised_at) for alert in told.alerts] == [(alert.person, alert.raised_at)
                                                                          for alert in found]  # fmt: skip
    assert len(found) == 4


def test_a_rule_that_is_replaced_by_another_begins_anew(store: Store) -> None:
    alerts = Alerts(store)
    alerts.add_rule("rule", 'upper.color == "red", in 3 of 5 crops')
    raised, nearly = described(1, crops=3, backpack=0.1), described(2, crops=2, time=NIGHT + 1, backpack=0.1)
    store.add([raised, nearly])
    (first,) = alerts.observe([raised, nearly])
    alerts.add_rule("rule", '"backpack" in carrying, in 3 of 5 crops', replace=True)
    more = described(2, 2, first=NIGHT + 1, time=NIGHT + 10)
    store.add([more])
    assert alerts.observe([more]) == [], "crops that were red are no evidence of a backpack"
    again = described(1, 2, first=NIGHT, time=NIGHT + 20, crops=3)
    store.add([again])
    (second,) = alerts.observe([again])
    assert (second.person, second.id != first.id) == (first.person, True)
    assert alerts.get(first.id) == first, "what the old rule raised stays as it was"
    third = described(1, 3, first=NIGHT, time=NIGHT + 30, crops=3)
    store.add([third])
    assert alerts.observe([third]) == []


@pytest.mark.parametrize("often", ["", ", once per camera", ", once per 30d"])
def test_only_what_a_rule_asks_for_makes_it_another(store: Store, often: str) -> None:
    alerts = Alerts(store)
    alerts.add_rule("rule", f'upper.color == "red", in 1 of 5 crops{often}')
    people = [described(1, revision, first=NIGHT, time=NIGHT + 10 * revision) for revision in (1, 2, 3, 4)]
    assert len(alerts.observe(people[:1])) == 1
    alerts.add_rule("rule", f'upper.color == "red", in 1 of 5 crops{often}', words="in red", replace=True)
    assert alerts.observe(people[1:2]) == []
    alerts.add_rule("rule", f'upper.color == "red", in 2 of 5 crops{often}', replace=True)
    assert alerts.observe(people[2:3]) == []
    assert len(alerts.observe(people[3:])) == 1


def test_what_waits_for_a_channel_that_is_removed_is_nobody_elses(store: Store) -> None:
    alerts, outbox = Alerts(store), Outbox(store, timeout=1.0)
    for name in ("ops", "chat"):
        alerts.add_channel(Channel(name, "http://127.0.0.1:9/", "secret", private=True))
    alerts.add_rule("red", RED, channels=["ops", "chat"])
    assert len(alerts.observe([described(1)])) == 1
    alerts.remove_channel("ops")
    assert (outbox.waiting().waiting, outbox.waiting().dead) == (1, 1)
    assert outbox.revive() == 0
    assert [rule.channels for rule in alerts.rules()] == [("chat",)]
    alerts.add_channel(Channel("ops", "http://127.0.0.1:9/another", "secret", private=True))
    assert outbox.revive() == 0
    assert len(alerts.observe([described(2, time=NIGHT + 1)])) == 1
    with store.read() as connection:
        rows = tables.deliveries.c
        left = connection.execute(sa.select(rows.channel, rows.error).where(rows.dead_at.is_not(None))).all()
        assert left == [("ops", "there is no channel 'ops' any more")]
        waiting = connection.scalars(sa.select(rows.channel).where(rows.dead_at.is_(None)))
        assert list(waiting) == ["chat", "chat"]


def test_rules_that_change_while_people_are_judged_count_as_they_are(store: Store) -> None:
    """Between reading the rules and locking them somebody may replace one or remove its channel."""
    alerts = Alerts(store)
    alerts.add_channel(Channel("ops", "http://127.0.0.1:9/", "secret", private=True))
    alerts.add_rule("red", RED, channels=["ops"])
    before = alerts.rules()
    alerts.remove_channel("ops")
    alerts.add_rule("red", 'upper.color == "blue", in 1 of 5 crops', replace=True)
    with store.begin() as connection:
        (rule,) = alerts._touched(before, [described()], connection)
    assert (str(rule.rule), rule.channels) == ('upper.color == "blue", in 1 of 5 crops', ())
