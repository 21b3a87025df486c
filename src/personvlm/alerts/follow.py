"""Rules over the revisions of people: one person raises one alert. Deterministic, so that history can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Protocol

from personvlm.alerts.alert import Alert, Evidence, Kind, alert_id
from personvlm.alerts.judge import CROPS, Verdict, judge, reasons
from personvlm.alerts.rule import Rule
from personvlm.schema import Described

Same = Callable[[str], Collection[str]]
"""Person -> everybody who is linked to them as the same person, themselves included."""


class Ledger(Protocol):
    """Where evidence and alerts are kept while rules are applied."""

    def evidence(self, rule: str, person: str) -> Evidence | None:
        """What is known."""

    def keep(self, evidence: Evidence) -> None:
        """Replace what is known."""

    def alert(self, id: str) -> Alert | None:
        """By its id."""

    def last_alert(self, rule: str, people: Collection[str] | None, camera: str | None) -> Alert | None:
        """The latest that one of ``people`` raised or joined; where None: that was raised on ``camera``, or at all."""

    def put(self, alert: Alert, person: str, kind: Kind | None) -> None:
        """Replace it; ``person`` has part in it. ``kind``: what is to be told about it, None for nothing."""

    def matched(self, rule: str, after: float, until: float) -> set[str]:
        """People whose ``matched_at`` lies in (after, until]."""


@dataclass
class MemoryLedger:
    """A ledger that is forgotten."""

    states: dict[tuple[str, str], Evidence] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)

    def evidence(self, rule: str, person: str) -> Evidence | None:
        """See :class:`Ledger`."""
        return self.states.get((rule, person))

    def keep(self, evidence: Evidence) -> None:
        """See :class:`Ledger`."""
        self.states[evidence.rule, evidence.person] = evidence

    def alert(self, id: str) -> Alert | None:
        """See :class:`Ledger`."""
        return self.alerts.get(id)

    def last_alert(self, rule: str, people: Collection[str] | None, camera: str | None) -> Alert | None:
        """See :class:`Ledger`."""
        found = (alert for alert in self.alerts.values() if alert.rule == rule and (
            self.people[alert.id] & set(people) if people is not None else camera in (None, alert.camera)))  # fmt: skip
        return max(found, key=lambda alert: (alert.raised_at, alert.id), default=None)

    def put(self, alert: Alert, person: str, kind: Kind | None) -> None:
        """See :class:`Ledger`."""
        self.alerts[alert.id] = alert
        self.people.setdefault(alert.id, set()).add(person)

    def matched(self, rule: str, after: float, until: float) -> set[str]:
        """See :class:`Ledger`."""
        return {state.person for state in self.states.values() if state.rule == rule
                and state.matched_at is not None and after < state.matched_at <= until}  # fmt: skip


def follow(name: str, rule: Rule, described: Described, ledger: Ledger, same: Same,
           zone: tzinfo | None = None) -> Alert | None:  # fmt: skip
    """Apply one rule to one description; returns the alert that this raised, or None.

    A revision that was seen already changes nothing, so that it does no harm to apply it again.

    Args:
        zone: for times of a rule that has no time zone of its own; None: that of this machine.
    """
    request = described.request
    verdict = judge(rule.condition, described, rule.clock(zone))
    before = ledger.evidence(name, request.person)
    if before is None and not verdict.holds:
        return None
    if before is not None and before.revision >= request.revision:
        return None
    evidence = (before or Evidence(name, request.person, request.camera)).seen(described, verdict.holds)
    fits = verdict.holds and evidence.enough(rule.crops or CROPS)
    if fits:
        evidence = replace(evidence, matched_at=request.frame_time)
    ledger.keep(evidence)
    if not fits:
        _update(evidence, rule, described, verdict, ledger)
        return None
    linked = frozenset(same(request.person)) | {request.person}
    if rule.count is not None:
        recent = ledger.matched(name, request.frame_time - rule.count.seconds, request.frame_time)
        if len({min(same(person), default=person) for person in recent}) < rule.count.least:
            return None
    last = _last(name, rule, request.camera, linked, ledger)
    if last is not None and not _again(rule, last, request.frame_time):
        if evidence.alert != last.id:
            _leave(evidence, request.frame_time, ledger)
            ledger.keep(replace(evidence, alert=last.id))
        _told(last, rule, described, verdict, ledger)
        return None
    number = evidence.number + 1
    while ledger.alert(alert_id(name, request.person, number)) is not None:  # of another rule that had this name
        number += 1
    raised = Alert(
        alert_id(name, request.person, number), name, request.person, request.camera, "raised", True, request.final,
        request.event_id, request.revision, verdict.low, described.description.text, request.crop.reference,
        reasons(rule.condition, described.description), request.frame_time, request.frame_time,
    )  # fmt: skip
    _leave(evidence, request.frame_time, ledger)
    ledger.put(raised, request.person, "raised")
    ledger.keep(replace(evidence, alert=raised.id, number=number))
    return raised


def _last(name: str, rule: Rule, camera: str, linked: Collection[str], ledger: Ledger) -> Alert | None:
    """The alert that stands in the way of another one."""
    if rule.once.per == "person":
        return ledger.last_alert(name, linked, None)
    return ledger.last_alert(name, None, camera if rule.once.per == "camera" else None)


def _again(rule: Rule, last: Alert, now: float) -> bool:
    return rule.once.seconds is not None and now - last.raised_at >= rule.once.seconds


def _leave(evidence: Evidence, now: float, ledger: Ledger) -> None:
    """End the alert that the person raised before: what is seen from now on belongs to another one, so that this one
    would never hear that the person has left."""
    alert = ledger.alert(evidence.alert) if evidence.alert is not None else None
    if alert is None or alert.person != evidence.person or alert.ended or alert.state == "closed":
        return
    left = alert.left(now)
    ledger.put(left, evidence.person, "closed" if left.state == "closed" else "updated")


def _update(evidence: Evidence, rule: Rule, described: Described, verdict: Verdict, ledger: Ledger) -> None:
    alert = ledger.alert(evidence.alert) if evidence.alert is not None else None
    if alert is not None:
        _told(alert, rule, described, verdict, ledger)


def _told(alert: Alert, rule: Rule, described: Described, verdict: Verdict, ledger: Ledger) -> None:
    """Add a description to an alert; worth telling where it says something else, fits no more, or is the last."""
    if alert.state == "closed":
        return
    now = alert.seen(described, verdict.holds, verdict.low, reasons(rule.condition, described.description))
    news = (now.text, now.holds, now.ended) != (alert.text, alert.holds, alert.ended)
    kind: Kind = "closed" if now.state == "closed" else "updated"
    ledger.put(now, described.request.person, kind if news else None)
