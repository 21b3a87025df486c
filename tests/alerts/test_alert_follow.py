"""One person, one alert: over revisions, links, restarts; in memory and in the tables of a store alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_people import NIGHT, described, place

from personvlm.alerts.alert import Alert
from personvlm.alerts.dry_run import dry_run, share_interval
from personvlm.alerts.engine import Alerts, Channel
from personvlm.alerts.follow import MemoryLedger, follow
from personvlm.alerts.grammar import parse_rule
from personvlm.base.errors import InputError
from personvlm.schema import Described

Observe = Callable[..., list[Alert]]
RULE = 'upper.color == "red" && "backpack" in carrying, in 1 of 5 crops'


class InMemory:
    """Follows one rule without a store."""

    def __init__(self, text: str = RULE, links: dict[str, set[str]] | None = None) -> None:
        self.rule, self.ledger, self.links = parse_rule(text), MemoryLedger(), links or {}

    def observe(self, *people: Described) -> list[Alert]:
        same = lambda person: {person} | self.links.get(person, set())  # noqa: E731
        found = [follow("red", self.rule, person, self.ledger, same) for person in people]
        return [alert for alert in found if alert is not None]

    def alerts(self) -> list[Alert]:
        return sorted(self.ledger.alerts.values(), key=lambda alert: (alert.raised_at, alert.id))


class InStore:
    """The same over the tables of a store, opened anew for every call, as after a restart."""

    def __init__(self, folder: Path, text: str = RULE, links: dict[str, set[str]] | None = None) -> None:
        self.place = place(folder)
        self.place.links = links or {}
        Alerts(self.place).add_rule("red", text)

    def observe(self, *people: Described) -> list[Alert]:
        return [alert for person in people for alert in Alerts(self.place, same=self.place.same).observe([person])]

    def alerts(self) -> list[Alert]:
        return sorted(Alerts(self.place).alerts(rule="red"), key=lambda alert: (alert.raised_at, alert.id))


@pytest.fixture(params=["memory", "store"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    places = []

    def build(**options: Any) -> Any:
        built = InMemory(**options) if request.param == "memory" else InStore(tmp_path, **options)
        places.append(built)
        return built

    yield build
    for built in places:
        if isinstance(built, InStore):
            built.place.engine.dispose()


def test_one_person_raises_one_alert_that_is_updated(make: Callable[..., Any]) -> None:
    rules = make()
    (raised,) = rules.observe(described(revision=1, first=NIGHT))
    assert (raised.state, raised.holds, raised.probability) == ("raised", True, pytest.approx(0.81))
    assert raised.why == {'upper.color == "red"': 0.9, '"backpack" in carrying': 0.9}
    assert rules.observe(described(revision=2, first=NIGHT, time=NIGHT + 10, red=1.0)) == []
    (updated,) = rules.alerts()
    assert (updated.id, updated.state, updated.revision) == (raised.id, "updated", 2)
    assert updated.text == "Person 1, revision 2."
    assert rules.observe(described(revision=3, first=NIGHT, time=NIGHT + 20, red=0.1, final=True)) == []
    (left,) = rules.alerts()
    # It fits no more, which is told; what raised it stays to be seen.
    assert (left.holds, left.ended, left.revision, left.seen_at) == (False, True, 2, NIGHT + 20)
    (other,) = rules.observe(described(track=2, time=NIGHT + 30))
    assert other.id != raised.id


def test_a_revision_counts_once_whatever_the_order(make: Callable[..., Any]) -> None:
    rules = make()
    second = described(revision=2, first=NIGHT, time=NIGHT + 10)
    assert len(rules.observe(second)) == 1
    assert rules.observe(second, described(revision=1, first=NIGHT, red=0.95), second) == []
    assert rules.alerts()[0].revision == 2


@pytest.mark.parametrize(
    ("fits", "raised"),
    [("T", None), ("TT", None), ("TTT", 3), ("FFTTT", 5), ("TFTFT", 5), ("TFFTFFT", None), ("TFFTFTT", 7),
     ("FFFFFF", None)],
)  # fmt: skip
def test_evidence_is_counted_over_crops(fits: str, raised: int | None, make: Callable[..., Any]) -> None:
    rules = make(text='upper.color == "red", in 3 of 5 crops')
    reds = [0.9 if fit == "T" else 0.1 for fit in fits]
    found = [bool(rules.observe(described(revision=index + 1, first=NIGHT, time=NIGHT + 10 * index, red=red)))
             for index, red in enumerate(reds)]  # fmt: skip
    assert [index + 1 for index, so in enumerate(found) if so] == ([] if raised is None else [raised])


def test_crops_that_are_looked_at_again_count_with_what_is_said_now(make: Callable[..., Any]) -> None:
    rules = make(text='upper.color == "red", in 3 of 5 crops')
    assert rules.observe(described(red=0.9, crops=2)) == []
    assert rules.observe(described(revision=2, first=NIGHT, red=0.2, crops=2)) == []  # the same moments, seen otherwise
    assert rules.observe(described(revision=3, first=NIGHT, red=0.9, crops=2)) == []
    assert len(rules.observe(described(revision=4, first=NIGHT, time=NIGHT + 1, red=0.9, crops=3))) == 1


def test_linked_people_are_one(make: Callable[..., Any]) -> None:
    gate, other = described(1), described(8, camera="hall", time=NIGHT + 61)
    hall = described(7, camera="hall", time=NIGHT + 60)
    ids = gate.request.person, hall.request.person
    rules = make(links={ids[0]: {ids[1]}, ids[1]: {ids[0]}})
    assert len(rules.observe(gate)) == 1
    assert rules.observe(hall) == []
    assert rules.alerts()[0].seen_at == NIGHT + 60
    assert len(rules.observe(other)) == 1


def test_once_per_time_and_camera(make: Callable[..., Any]) -> None:
    rules = make(text='upper.color == "red", in 1 of 1 crops, once per person per 10m')
    times = [0, 300, 599, 600, 1100, 1200]
    found = [bool(rules.observe(described(revision=index + 1, first=NIGHT, time=NIGHT + time)))
             for index, time in enumerate(times)]  # fmt: skip
    assert found == [True, False, False, True, False, True]
    assert len({alert.id for alert in rules.alerts()}) == 3


def test_once_per_camera(make: Callable[..., Any]) -> None:
    rules = make(text='upper.color == "red", in 1 of 1 crops, once per camera per 10m')
    people = [described(1), described(2, time=NIGHT + 10), described(3, camera="hall", time=NIGHT + 20),
              described(4, time=NIGHT + 600)]  # fmt: skip
    assert [len(rules.observe(person)) for person in people] == [1, 0, 1, 1]


def test_counts_are_of_different_people_within_the_time(make: Callable[..., Any]) -> None:
    people = [described(track, time=NIGHT + time) for track, time in enumerate((0, 200, 400, 610, 620, 630))]
    one, two = people[3].request.person, people[4].request.person
    rules = make(text='upper.color == "red" && count(10m) >= 4, in 1 of 1 crops, once per 1h',
                 links={one: {two}, two: {one}})  # fmt: skip
    found = [len(rules.observe(person)) for person in people]
    # The first has gone when the fourth comes, the fourth and fifth are one: with the sixth there are four.
    assert found == [0, 0, 0, 0, 0, 1]


def test_two_ledgers_tell_the_same_story(tmp_path: Path) -> None:
    random.seed(7)
    story = []
    for track in range(25):
        start = NIGHT + random.uniform(0, 600)
        for revision in range(1, random.randint(2, 6)):
            story.append(described(
                track, revision, first=start, time=start + 10 * revision, red=random.random(),
                backpack=random.random(), crops=random.randint(1, 3), final=random.random() < 0.2))  # fmt: skip
    story.sort(key=lambda item: item.request.frame_time)
    ids = [item.request.person for item in story]
    links = {ids[0]: {ids[3]}, ids[3]: {ids[0]}}
    text = 'upper.color == "red" && confidence >= 0.4, in 2 of 4 crops, once per person per 1m'
    memory, store = InMemory(text, links), InStore(tmp_path, text, links)
    assert [alert.id for alert in memory.observe(*story)] == [alert.id for alert in store.observe(*story)]
    assert memory.alerts() == store.alerts()
    assert len(memory.alerts()) > 5
    run = dry_run(parse_rule(text), story, same=lambda person: links.get(person, set()))
    assert [(alert.person, alert.raised_at) for alert in run.alerts] == [(alert.person, alert.raised_at)
                                                                         for alert in memory.alerts()]  # fmt: skip
    assert run.precision is not None
    assert run.interval is not None
    assert run.interval[0] <= run.precision <= run.interval[1]
    assert (run.descriptions, run.people) == (len(story), 25)
    store.place.engine.dispose()


def test_life_cycle(tmp_path: Path) -> None:
    rules = InStore(tmp_path)
    alerts = Alerts(rules.place)
    (raised,) = rules.observe(described())
    assert alerts.acknowledge(raised.id[:8], "eve", now=NIGHT + 5).state == "acknowledged"
    with pytest.raises(InputError, match="by eve"):
        alerts.acknowledge(raised.id, "bob")
    rules.observe(described(revision=2, first=NIGHT, time=NIGHT + 10))
    assert alerts.get(raised.id).state == "acknowledged"  # an update does not take that back
    rules.observe(described(revision=3, first=NIGHT, time=NIGHT + 20, final=True))
    assert (alerts.get(raised.id).state, alerts.get(raised.id).closed_at) == ("closed", NIGHT + 20)
    rules.observe(described(revision=4, first=NIGHT, time=NIGHT + 30))
    assert alerts.get(raised.id).seen_at == NIGHT + 20
    with pytest.raises(InputError, match="is closed"):
        alerts.close(raised.id)
    (second,) = rules.observe(described(track=2, final=True))
    assert alerts.alerts() == [second]
    assert alerts.acknowledge(second.id, "eve").state == "closed"  # the person has left already
    with pytest.raises(InputError, match="no alert begins"):
        alerts.close("0" * 32)
    rules.place.engine.dispose()


def test_rules_and_channels_are_checked(tmp_path: Path) -> None:
    store = place(tmp_path)
    alerts = Alerts(store)
    with pytest.raises(InputError, match="no channel"):
        alerts.add_rule("red", RULE, channels=["hook"])
    with pytest.raises(InputError, match="--private"):
        alerts.add_channel(Channel("hook", "http://127.0.0.1:9/x"))
    alerts.add_channel(Channel("hook", "http://127.0.0.1:9/x", private=True))
    alerts.add_rule("red", RULE, channels=["hook"], words="somebody in red")
    with pytest.raises(InputError, match="already"):
        alerts.add_rule("red", RULE)
    with pytest.raises(InputError, match="no name"):
        alerts.add_rule("Red Coat!", RULE)
    alerts.enable_rule("red", False)
    assert alerts.observe([described()]) == []
    alerts.enable_rule("red", True)
    assert len(alerts.observe([described(2)])) == 1
    (rule,) = alerts.rules()
    assert (rule.name, rule.channels, rule.words) == ("red", ("hook",), "somebody in red")
    alerts.remove_rule("red")
    assert alerts.observe([described(3)]) == []
    with pytest.raises(InputError, match="no rule"):
        alerts.remove_rule("red")
    with pytest.raises(InputError, match="Europe/Berlin"):
        Alerts(store, zone="Mars/Olympus")
    store.engine.dispose()


def test_a_transaction_that_is_undone_leaves_nothing(tmp_path: Path) -> None:
    rules = InStore(tmp_path)
    alerts = Alerts(rules.place)
    with rules.place.engine.connect() as connection, connection.begin() as transaction:
        assert len(alerts.observe([described()], connection)) == 1
        transaction.rollback()
    assert alerts.alerts() == []
    assert len(alerts.observe([described()])) == 1
    rules.place.engine.dispose()


def test_intervals_are_those_of_coins() -> None:
    assert share_interval([1.0] * 7) == (1.0, 1.0)
    assert share_interval([0.5] * 100) == (0.4, 0.6)  # Binomial(100, 1/2): quantiles 40 and 60
    low, high = share_interval([0.9] * 2000)
    assert (round(low, 3), round(high, 3)) == (0.887, 0.913)


def test_an_alert_that_another_one_follows_ends(make: Callable[..., Any]) -> None:
    """Nothing is heard of it any more, so that whoever looks after it would wait for ever for the person to leave."""
    rules = make(text='upper.color == "red", in 1 of 1 crops, once per person per 10m')
    rules.observe(described(1), described(1, 2, first=NIGHT, time=NIGHT + 700),
                  described(1, 3, first=NIGHT, time=NIGHT + 800, final=True))  # fmt: skip
    first, second = rules.alerts()
    assert (first.ended, first.state, first.seen_at) == (True, "updated", NIGHT)
    assert (second.ended, second.seen_at) == (True, NIGHT + 800)


def test_an_acknowledged_alert_that_another_one_follows_is_closed(tmp_path: Path) -> None:
    rules = InStore(tmp_path, text='upper.color == "red", in 1 of 1 crops, once per camera per 10m')
    (raised,) = rules.observe(described(1))
    Alerts(rules.place).acknowledge(raised.id, "anna")
    assert len(rules.observe(described(2, time=NIGHT + 700))) == 1
    assert not rules.observe(described(1, 2, first=NIGHT, time=NIGHT + 710))
    first, second = rules.alerts()
    assert (first.state, first.closed_at) == ("closed", NIGHT + 710)
    assert (second.state, second.ended) == ("updated", False)
