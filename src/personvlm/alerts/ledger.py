"""Evidence, alerts and what is to be sent about them, in the tables of a store, inside one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from personvlm.alerts.alert import Alert, Evidence, Kind
from personvlm.base import tracing
from personvlm.schema import Described
from personvlm.store import bulk, tables
from personvlm.store.writing import erased_people

_FIELDS = [each.name for each in fields(Alert)]


class SqlLedger:
    """See :class:`personvlm.alerts.follow.Ledger`.

    Args:
        connection: within a transaction.
        channels: of every rule, by name. Those in ``terse`` are told of alerts that are raised, and of nothing else.
        now: when what is to be sent is due.
    """

    def __init__(self, connection: Connection, channels: Mapping[str, Sequence[str]], terse: Collection[str],
                 now: float) -> None:  # fmt: skip
        self._connection, self._channels, self._terse, self._now = connection, channels, terse, now

    def evidence(self, rule: str, person: str) -> Evidence | None:
        """See :class:`personvlm.alerts.follow.Ledger`."""
        states = tables.alert_states
        wanted = sa.select(states).where(states.c.rule == rule, states.c.person == person)
        row = self._connection.execute(wanted).mappings().one_or_none()
        if row is None:
            return None
        kept = json.loads(row["evidence"])
        crops = tuple((time, fits) for time, fits in kept["crops"])
        return Evidence(rule, person, row["camera"], row["revision"], crops, row["matched_at"], row["alert"],
                        kept["number"])  # fmt: skip

    def keep(self, evidence: Evidence) -> None:
        """See :class:`personvlm.alerts.follow.Ledger`."""
        key = {"rule": evidence.rule, "person": evidence.person}
        kept = json.dumps({"crops": evidence.crops, "number": evidence.number})
        _upsert(self._connection, tables.alert_states, key,
                {"revision": evidence.revision, "camera": evidence.camera, "matched_at": evidence.matched_at,
                 "evidence": kept, "alert": evidence.alert})  # fmt: skip

    def alert(self, id: str) -> Alert | None:
        """See :class:`personvlm.alerts.follow.Ledger`."""
        wanted = sa.select(tables.alerts).where(tables.alerts.c.id == id)
        row = self._connection.execute(wanted).mappings().one_or_none()
        return None if row is None else alert_of(row)

    def last_alert(self, rule: str, people: Collection[str] | None, camera: str | None) -> Alert | None:
        """See :class:`personvlm.alerts.follow.Ledger`. The rule is what it is now: of alerts of another one that had
        its name no state of anybody speaks any more."""
        alerts, involved, states = tables.alerts, tables.alert_people, tables.alert_states
        now = sa.exists().where(involved.c.alert == alerts.c.id, states.c.person == involved.c.person,
                                states.c.rule == rule, states.c.alert == alerts.c.id)  # fmt: skip
        wanted = sa.select(alerts).where(alerts.c.rule == rule, now)
        if people is not None:
            theirs = sa.select(involved.c.alert).where(involved.c.person.in_(people))
            wanted = wanted.where(alerts.c.id.in_(theirs))
        elif camera is not None:
            wanted = wanted.where(alerts.c.camera == camera)
        last = wanted.order_by(alerts.c.raised_at.desc(), alerts.c.id.desc()).limit(1)
        row = self._connection.execute(last).mappings().one_or_none()
        return None if row is None else alert_of(row)

    def put(self, alert: Alert, person: str, kind: Kind | None) -> None:
        """See :class:`personvlm.alerts.follow.Ledger`."""
        values = {**asdict(alert), "why": json.dumps(alert.why)}
        _upsert(self._connection, tables.alerts, {"id": values.pop("id")}, values)
        key = {"alert": alert.id, "person": person}
        involved = tables.alert_people
        there = sa.select(sa.literal(1)).where(involved.c.alert == alert.id, involved.c.person == person)
        if self._connection.execute(there).first() is None:
            self._connection.execute(involved.insert().values(**key))
        for channel in self._channels.get(alert.rule, ()) if kind is not None else ():
            if kind == "raised" or channel not in self._terse:
                self._send(alert, channel, str(kind))

    def matched(self, rule: str, after: float, until: float) -> set[str]:
        """See :class:`personvlm.alerts.follow.Ledger`."""
        states = tables.alert_states
        found = sa.select(states.c.person).where(
            states.c.rule == rule, states.c.matched_at > after, states.c.matched_at <= until)  # fmt: skip
        return set(self._connection.scalars(found))

    def _send(self, alert: Alert, channel: str, kind: str) -> None:
        deliveries = tables.deliveries
        before = sa.select(sa.func.count()).where(deliveries.c.alert == alert.id, deliveries.c.channel == channel)
        number = int(self._connection.scalar(before) or 0) + 1
        payload = {"event": f"alert.{kind}", "alert": alert.record()}
        if (inside := tracing.traceparent()) is not None:
            payload["traceparent"] = inside
        self._connection.execute(deliveries.insert().values(
            id=hashlib.sha256(f"{alert.id}\x1f{channel}\x1f{number}".encode()).hexdigest()[:32], alert=alert.id,
            channel=channel, number=number, kind=kind, payload=json.dumps(payload, ensure_ascii=False),
            created_at=self._now, attempts=0, next_at=self._now))  # fmt: skip


def as_stored(connection: Connection, described: Sequence[Described]) -> list[Described]:
    """``described`` with the references of the pictures that the store keeps of them, and without bytes, so that
    nothing that is made of them outlives the pictures. Who was erased is left out."""
    rows = bulk.among(connection, "SELECT event_id, crops FROM descriptions WHERE event_id {these}",
                      {one.request.event_id for one in described})  # fmt: skip
    kept: dict[str, str | None] = {event: json.loads(crops)[0][0] for event, crops in rows}
    gone = erased_people(connection, {one.request.person for one in described})
    found = []
    for one in described:
        request = one.request
        if request.person not in gone:
            reference = kept.get(request.event_id, request.crop.reference)
            crop = request.crop.model_copy(update={"data": None, "reference": reference})
            found.append(one.model_copy(update={"request": request.model_copy(update={"crop": crop})}))
    return found


def alert_of(row: Any) -> Alert:
    """From a row of ``alerts``."""
    return Alert(**{**{name: row[name] for name in _FIELDS}, "why": json.loads(row["why"])})


def _upsert(connection: Connection, table: sa.Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """Replace or add a row. The rule is locked (or the whole database), so that nobody comes between the two."""
    same = sa.and_(*(table.c[name] == value for name, value in key.items()))
    if not connection.execute(table.update().where(same).values(**values)).rowcount:
        connection.execute(table.insert().values(**key, **values))
