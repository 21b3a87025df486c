"""Times of day belong to the rule: whoever judges it, wherever, and whoever tries it over the past, means the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from alert_people import described

from personvlm.alerts.engine import Alerts
from personvlm.alerts.grammar import parse_rule
from personvlm.base.errors import InputError
from personvlm.cli import main
from personvlm.store import Store

NIGHTS = 'upper.color == "red" && time in 22:00-06:00 && day in [sun], in 1 of 1 crops'
BERLIN = 'timezone "Europe/Berlin"'
LONG = " || ".join([f'camera == "{"a" * 41}"'] * 35)
START = datetime(2024, 3, 30, 18, tzinfo=timezone.utc)  # a Saturday; at 01:00 UTC of the Sunday Berlin's clocks leap
HALF = timedelta(minutes=30)
SEEN = [START + number * HALF for number in range(64)]


def in_berlin(moment: datetime) -> bool:
    """By hand: an hour ahead of UTC until 01:00 UTC of the 31st, two after that."""
    local = moment + timedelta(hours=1 if moment < datetime(2024, 3, 31, 1, tzinfo=timezone.utc) else 2)
    return local.day == 31 and (local.hour >= 22 or local.hour < 6)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Moves this machine into another time zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process cannot be set here")

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["alerts", *arguments])
    assert not ended.value.code


def test_workers_and_dry_runs_anywhere_agree_over_a_change_of_clocks(
    machine: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "store.db")
    machine("Asia/Tokyo")
    run("add", "sundays", NIGHTS, "--timezone", "Europe/Berlin", "--store", place, "-q")
    people = [described(number, time=moment.timestamp()) for number, moment in enumerate(SEEN)]
    machine("America/New_York")
    with Store.open(place) as store:  # as a worker does
        alerts = Alerts(store)
        with store.begin() as connection:
            store.add(people, connection)
            raised = [alert.raised_at for alert in alerts.observe(people, connection)]
    expected = [moment.timestamp() for moment in SEEN if in_berlin(moment)]
    assert len(expected) == 14
    assert sorted(raised) == expected
    machine("UTC")
    for rule in ([NIGHTS, "--timezone", "Europe/Berlin"], [f"{NIGHTS}, {BERLIN}"]):
        capsys.readouterr()
        run("dry-run", *rule, "--store", place, "--json", "-q")
        told = json.loads(capsys.readouterr().out)
        assert sorted(alert["raised_at"] for alert in told["alerts"]) == expected
        assert told["rule"] == f"{NIGHTS}, {BERLIN}"
    capsys.readouterr()
    run("rules", "--store", place, "--json")
    (rule,) = json.loads(capsys.readouterr().out)
    assert (rule["timezone"], rule["rule"]) == ("Europe/Berlin", f"{NIGHTS}, {BERLIN}")


def test_a_rule_without_a_zone_takes_that_of_the_machine(machine: Callable[[str], None], tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        alerts = Alerts(store)
        alerts.add_rule("morning", 'upper.color == "red" && time in 06:00-12:00, in 1 of 1 crops')
        moment = datetime(2024, 3, 30, 23, tzinfo=timezone.utc).timestamp()  # 08:00 in Tokyo
        machine("UTC")
        assert alerts.observe([described(1, time=moment)]) == []
        machine("Asia/Tokyo")
        assert len(alerts.observe([described(2, time=moment)])) == 1


def test_the_zone_is_a_part_of_the_rule() -> None:
    rule = parse_rule(f"{NIGHTS}, once per person per 10m, {BERLIN}")
    assert (rule.zone, rule.timed) == ("Europe/Berlin", True)
    assert parse_rule(str(rule)) == rule
    assert parse_rule(NIGHTS, "Asia/Tokyo").zone == "Asia/Tokyo"
    assert parse_rule(str(rule), "Asia/Tokyo").zone == "Asia/Tokyo"
    assert parse_rule(NIGHTS).zone is None
    assert not parse_rule(LONG).timed


@pytest.mark.parametrize(
    ("text", "zone", "why"),
    [
        (f'{NIGHTS}, timezone "Mars/Olympus"', None, "no time zone"), (NIGHTS, "Mars/Olympus", "no time zone"),
        (NIGHTS, "../../etc/passwd", "no time zone"), (NIGHTS, 'x" || true', "no time zone"),
        (NIGHTS, "", "no time zone"), (f"{NIGHTS}, {BERLIN}, {BERLIN}", None, "stands twice"),
        (LONG, "Europe/Berlin", "at most 2000 characters"),
    ],
)  # fmt: skip
def test_zones_that_are_none(text: str, zone: str | None, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse_rule(text, zone)


def test_a_sentence_gets_the_zone_and_says_whose_times_are_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "store.db")
    words = "tell me when somebody in a red jacket is there at night"
    run("add", "night", words, "--plain", "--yes", "--timezone", "Europe/Berlin", "--store", place)
    assert f"time in 22:00-06:00, {BERLIN}" in capsys.readouterr().err
    run("add", "other", words, "--plain", "--yes", "--store", place)
    assert "--timezone" in capsys.readouterr().err
