"""Alerts over a store: rules and channels, what described people raise, and what operators do about it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from personvlm.alerts.alert import Alert, State
from personvlm.alerts.dry_run import DryRun, dry_run
from personvlm.alerts.follow import follow
from personvlm.alerts.grammar import parse_rule
from personvlm.alerts.judge import CROPS, judge
from personvlm.alerts.ledger import SqlLedger, alert_of, as_stored
from personvlm.alerts.rule import Rule, time_zone
from personvlm.alerts.webhook import check_address
from personvlm.base import tracing
from personvlm.base.errors import InputError
from personvlm.schema import Described
from personvlm.store import tables
from personvlm.store.database import reading, writing
from personvlm.store.links import same_as

if TYPE_CHECKING:
    from personvlm.store import Store

LINKED = 0.95
"""Probability from which a link makes one alert of two people. A wrong link silences an alert, a missing one gives one
more: on development scenes with near-twins links of 0.8 cost more than they saved (docs/alerts.md)."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_parsed = lru_cache(maxsize=1024)(parse_rule)


@dataclass(frozen=True)
class StoredRule:
    """A rule that is in force.

    Attributes:
        name: of small letters, digits, ``-`` and ``_``.
        rule: what raises an alert.
        words: the sentence that it was made from, if it was.
        channels: names of those that are told.
        enabled: False: it rests.
    """

    name: str
    rule: Rule
    words: str | None
    channels: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True)
class Channel:
    """Where alerts go: a webhook (``http://``, ``https://``), or an address that Apprise speaks (``mailto://`` …).

    Attributes:
        secret: signs webhooks, and is shown to nobody.
        private: the operator allows that its address lies in a private network.
    """

    name: str
    url: str
    secret: str | None = None
    private: bool = False

    @property
    def webhook(self) -> bool:
        """Whether it is told everything, signed; others are told of new alerts."""
        return self.url.split("://")[0] in ("http", "https")


class Alerts:
    """Rules over the people of a store.

    Args:
        store: whose tables hold rules, alerts and what is still to be sent.
        zone: name of the time zone for times in rules that have none of their own; None: that of this machine.
        same: who is linked to whom, see :data:`personvlm.alerts.follow.Same`; None: the links of the store that are
            at least :data:`LINKED`.
    """

    def __init__(self, store: Store, *, zone: str | None = None,
                 same: Callable[[str, Connection], Collection[str]] | None = None) -> None:  # fmt: skip
        self.store, self._zone = store, time_zone(zone)
        self._same = same or linked

    # Rules and channels.

    def add_rule(self, name: str, text: str, *, channels: Sequence[str] = (), words: str | None = None,
                 replace: bool = False) -> StoredRule:  # fmt: skip
        """Put a rule in force. One that comes back under its old name does not raise the same people again. One that
        is replaced and asks for something else is a new one: what the old one knew of people counts for nothing.

        Raises:
            InputError: not a rule, a name that is taken (unless ``replace``), or a channel that does not exist.
        """
        rule = parse_rule(text)
        row = {"rule": str(rule), "words": words, "channels": json.dumps(list(channels)), "enabled": True}
        with self._write() as connection:
            # Locked, where the database can: who removes one of them meanwhile finds this rule as well.
            told = tables.alert_channels.c.name
            missing = set(channels) - set(connection.scalars(
                sa.select(told).where(told.in_(channels)).with_for_update(read=True)))  # fmt: skip
            if missing:
                raise InputError(f"{sorted(missing)[0]!r} is no channel; add it with `personvlm alerts channel`")
            rules = tables.alert_rules
            old = connection.scalar(sa.select(rules.c.rule).where(rules.c.name == name).with_for_update())
            if old is not None and not replace:
                raise InputError(f"there is a rule {name!r} already; remove it first, or choose another name")
            if old is not None:
                if _asks(_parsed(old)) != _asks(rule):
                    connection.execute(tables.alert_states.delete().where(tables.alert_states.c.rule == name))
                connection.execute(rules.update().where(rules.c.name == name).values(**row))
            else:
                _check_name(name)
                connection.execute(rules.insert().values(name=name, created_at=time.time(), **row))
        return StoredRule(name, rule, words, tuple(channels), True)

    def remove_rule(self, name: str) -> None:
        """Take a rule out of force; its alerts stay. Raises InputError where there is none."""
        with self._write() as connection:
            _delete(connection, tables.alert_rules, name, "rule")

    def enable_rule(self, name: str, enabled: bool) -> None:
        """Let a rule rest, or wake it. Raises InputError where there is none."""
        with self._write() as connection:
            changed = tables.alert_rules.update().where(tables.alert_rules.c.name == name).values(enabled=enabled)
            if not connection.execute(changed).rowcount:
                raise InputError(f"there is no rule {name!r}")

    def rules(self, connection: Connection | None = None) -> list[StoredRule]:
        """All rules, by name."""
        with self._read(connection) as opened:
            rows = opened.execute(sa.select(tables.alert_rules).order_by(tables.alert_rules.c.name)).mappings().all()
        return [_stored(row) for row in rows]

    def add_channel(self, channel: Channel) -> None:
        """Add a channel. Raises InputError: a name that is taken, or an address that must not be called."""
        _check_name(channel.name)
        if channel.webhook:
            check_address(channel.url, private=channel.private)
        else:
            from personvlm.alerts.notify import check_notification

            check_notification(channel.url)
        with self._write() as connection:
            if _exists(connection, tables.alert_channels, channel.name):
                raise InputError(f"there is a channel {channel.name!r} already; remove it first")
            connection.execute(tables.alert_channels.insert().values(
                name=channel.name, url=channel.url, secret=channel.secret, private=channel.private,
                created_at=time.time()))  # fmt: skip

    def remove_channel(self, name: str) -> None:
        """Remove a channel; no rule tells it any more, and what waits for it is dead: whoever takes its name later gets
        nothing of that. Raises InputError where there is none."""
        rules, messages = tables.alert_rules, tables.deliveries
        with self._write() as connection:
            _delete(connection, tables.alert_channels, name, "channel")
            lists = connection.execute(sa.select(rules.c.name, rules.c.channels).order_by(rules.c.name)
                                       .with_for_update()).all()  # fmt: skip
            for rule, told in lists:
                if name in (channels := json.loads(told)):
                    left = json.dumps([channel for channel in channels if channel != name])
                    connection.execute(rules.update().where(rules.c.name == rule).values(channels=left))
            # After the rules, whose locks whoever writes messages holds: none is written that this does not see.
            waiting = messages.update().where(messages.c.channel == name, messages.c.delivered_at.is_(None),
                                              messages.c.dead_at.is_(None))  # fmt: skip
            connection.execute(waiting.values(dead_at=time.time(), error=f"there is no channel {name!r} any more"))

    def channels(self) -> list[Channel]:
        """All channels, by name."""
        with self._read() as connection:
            return self._channels(connection)

    # What people raise.

    def observe(self, described: Iterable[Described], connection: Connection | None = None) -> list[Alert]:
        """Apply all rules to new descriptions; returns the alerts that are raised by them.

        What was seen already changes nothing, so that after a crash it can be called again. Descriptions are stored
        first: an alert shows the picture that the store keeps of them, and has none where it keeps none. Who was
        erased raises nothing.

        Args:
            connection: within a transaction that the caller ends; None: one of its own.
        """
        items = sorted(described, key=lambda item: (item.request.frame_time, item.request.revision))
        with self._write(connection) as opened:
            rules = [rule for rule in self.rules(opened) if rule.enabled]
            if not rules or not items:
                return []
            rules = self._touched(rules, items, opened)
            if not rules:
                return []
            terse = {channel.name for channel in self._channels(opened) if not channel.webhook}
            ledger = SqlLedger(opened, {rule.name: rule.channels for rule in rules}, terse, time.time())
            found: list[Alert | None] = []
            for item in as_stored(opened, items):
                with tracing.span("alert", item.request.traceparent, event_id=item.request.event_id):
                    found += [follow(rule.name, rule.rule, item, ledger, lambda person: self._same(person, opened),
                                     self._zone) for rule in rules]  # fmt: skip
            return [alert for alert in found if alert is not None]

    def _touched(self, rules: list[StoredRule], items: list[Described], connection: Connection) -> list[StoredRule]:
        """Rules that have to do with these people. Where the database can, they are locked until the transaction ends:
        two workers must not raise one alert each for one person."""
        states, table = tables.alert_states, tables.alert_rules
        people = {item.request.person for item in items}
        known = set(connection.scalars(sa.select(states.c.rule).distinct().where(states.c.person.in_(people))))

        def fits(rule: Rule) -> bool:
            clock = rule.clock(self._zone)
            return any(judge(rule.condition, item, clock).holds for item in items)

        touched = [rule for rule in rules if rule.name in known or fits(rule.rule)]
        names = [rule.name for rule in touched]
        lock = sa.select(table).where(table.c.name.in_(names), table.c.enabled).order_by(table.c.name).with_for_update()
        # As they are now: one may have been replaced since it was read.
        return [_stored(row) for row in connection.execute(lock).mappings()] if names else []

    def dry_run(self, text: str, history: Iterable[Described]) -> DryRun:
        """What ``text`` would have raised; see :func:`personvlm.alerts.dry_run.dry_run`."""
        rule = parse_rule(text)
        with self._read() as connection:
            return dry_run(rule, history, same=lambda person: self._same(person, connection), zone=self._zone)

    # What operators do.

    def alerts(self, *, state: State | None = None, rule: str | None = None, limit: int = 100,
               after: tuple[float, str] | None = None) -> list[Alert]:  # fmt: skip
        """The latest alerts first; those that are not closed where ``state`` is None and ``rule`` is None too. Where
        ``after`` is given, those that follow the alert of this time and id."""
        alerts = tables.alerts
        wanted = sa.select(alerts).order_by(alerts.c.raised_at.desc(), alerts.c.id).limit(limit)
        if state is not None:
            wanted = wanted.where(alerts.c.state == state)
        elif rule is None:
            wanted = wanted.where(alerts.c.state != "closed")
        if rule is not None:
            wanted = wanted.where(alerts.c.rule == rule)
        if after is not None:
            time, id = after
            wanted = wanted.where(sa.or_(alerts.c.raised_at < time,
                                         sa.and_(alerts.c.raised_at == time, alerts.c.id > id)))  # fmt: skip
        with self._read() as connection:
            return [alert_of(row) for row in connection.execute(wanted).mappings()]

    def get(self, id: str) -> Alert:
        """By its id, or the beginning of it. Raises InputError where it is of none or of several."""
        with self._read() as connection:
            return self._get(connection, id)

    def acknowledge(self, id: str, by: str, *, now: float | None = None) -> Alert:
        """Somebody looks after it. It is closed when the person has left, or at once where that has happened.

        Raises:
            InputError: there is no such alert, or it is closed.
        """
        moment = time.time() if now is None else now

        def change(alert: Alert) -> Alert:
            if alert.acknowledged_at is not None:
                raise InputError(f"alert {alert.id[:8]} is acknowledged already, by {alert.acknowledged_by}")
            taken = replace(alert, state="acknowledged", acknowledged_at=moment, acknowledged_by=by)
            return replace(taken, state="closed", closed_at=moment) if alert.ended else taken

        return self._change(id, change, moment)

    def close(self, id: str, *, now: float | None = None) -> Alert:
        """End it. Raises InputError: there is no such alert, or it is closed."""
        moment = time.time() if now is None else now
        return self._change(id, lambda alert: replace(alert, state="closed", closed_at=moment), moment)

    def _change(self, id: str, change: Callable[[Alert], Alert], now: float) -> Alert:
        with self._write() as connection:
            alert = self._get(connection, id)
            lock = sa.select(tables.alert_rules.c.channels).where(tables.alert_rules.c.name == alert.rule)
            channels = connection.scalar(lock.with_for_update())
            alert = self._get(connection, alert.id)
            if alert.state == "closed":
                raise InputError(f"alert {alert.id[:8]} is closed")
            changed = change(alert)
            terse = {channel.name for channel in self._channels(connection) if not channel.webhook}
            ledger = SqlLedger(connection, {alert.rule: json.loads(channels or "[]")}, terse, now)
            ledger.put(changed, changed.person, changed.state)
            return changed

    # Small things.

    def _write(self, connection: Connection | None = None) -> AbstractContextManager[Connection]:
        return writing(self.store.engine, connection)

    def _read(self, connection: Connection | None = None) -> AbstractContextManager[Connection]:
        return reading(self.store.engine, connection)

    def _get(self, connection: Connection, id: str) -> Alert:
        if not re.fullmatch(r"[0-9a-f]{4,32}", id):
            raise InputError(f"{id[:40]!r} is no id of an alert; `personvlm alerts list` shows them")
        like = sa.select(tables.alerts).where(tables.alerts.c.id.like(f"{id}%")).limit(2)
        rows = connection.execute(like).mappings().all()
        if len(rows) != 1:
            raise InputError(f"{'several alerts begin' if rows else 'no alert begins'} with {id!r}")
        return alert_of(rows[0])

    def _channels(self, connection: Connection) -> list[Channel]:
        rows = connection.execute(sa.select(tables.alert_channels).order_by(tables.alert_channels.c.name)).mappings()
        return [Channel(row["name"], row["url"], row["secret"], bool(row["private"])) for row in rows]


def linked(person: str, connection: Connection) -> tuple[str, ...]:
    """Everybody whom links of at least :data:`LINKED` connect with ``person``, themselves included."""
    return same_as(connection, person, LINKED)


def _stored(row: Any) -> StoredRule:
    """From a row of ``alert_rules``."""
    return StoredRule(row["name"], _parsed(row["rule"]), row["words"], tuple(json.loads(row["channels"])),
                      bool(row["enabled"]))  # fmt: skip


def _asks(rule: Rule) -> tuple[object, ...]:
    """What evidence is about. How often a rule is raised can change without anything known of people being void."""
    return rule.condition, rule.count, rule.crops or CROPS, rule.zone if rule.timed else None


def _delete(connection: Connection, table: sa.Table, name: str, what: str) -> None:
    if not connection.execute(table.delete().where(table.c.name == name)).rowcount:
        raise InputError(f"there is no {what} {name!r}")


def _exists(connection: Connection, table: sa.Table, name: str) -> bool:
    return connection.execute(sa.select(table.c.name).where(table.c.name == name)).first() is not None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"{name[:64]!r} is no name; write small letters, digits, - and _")
