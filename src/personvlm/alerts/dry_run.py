"""What a rule would have raised: history replayed, and how right that is to be expected to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np

from personvlm.alerts.alert import Alert
from personvlm.alerts.follow import MemoryLedger, Same, follow
from personvlm.alerts.judge import judge
from personvlm.alerts.rule import Rule
from personvlm.schema import Described


@dataclass(frozen=True)
class DryRun:
    """What came of a replay.

    Attributes:
        alerts: that would have been raised, in their order, as they stood at the end.
        descriptions, people: that were looked at.
        fitting: descriptions of which the condition holds.
        cameras: alerts by camera.
        first, last: frame times of the history, None where it is empty.
        precision: expected share of the alerts that are right: the mean of their probabilities. None without alerts.
        interval: 95 % interval of that share, if the probabilities are calibrated and alerts independent of each other.
        missed: expected number of people who fit, but for whom the rule asks too much: the probabilities of all who
            raised no alert, added up. With a rule of counts it says nothing.
    """

    alerts: tuple[Alert, ...]
    descriptions: int
    people: int
    fitting: int
    cameras: dict[str, int]
    first: float | None
    last: float | None
    precision: float | None
    interval: tuple[float, float] | None
    missed: float

    @property
    def per_day(self) -> float | None:
        """Alerts a day, where the history lasts an hour at least."""
        if self.first is None or self.last is None or self.last - self.first < 3600:
            return None
        return len(self.alerts) * 86400 / (self.last - self.first)

    def record(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {
            "alerts": [alert.record() for alert in self.alerts], "count": len(self.alerts), "people": self.people,
            "descriptions": self.descriptions, "fitting": self.fitting, "cameras": self.cameras,
            "first": self.first, "last": self.last, "per_day": self.per_day, "missed": round(self.missed, 2),
            "expected_precision": None if self.precision is None else round(self.precision, 4),
            "interval": None if self.interval is None else [round(bound, 4) for bound in self.interval],
        }  # fmt: skip


def dry_run(rule: Rule, history: Iterable[Described], *, same: Same = lambda person: (person,),
            zone: tzinfo | None = None) -> DryRun:  # fmt: skip
    """Replay ``history`` (in order of time; revisions of a person in their order). Nothing is stored or sent.

    Args:
        same: who is linked to whom, see :data:`personvlm.alerts.follow.Same`.
        zone: for times of day where the rule has no time zone of its own; None: that of this machine.
    """
    ledger = MemoryLedger()
    probabilities: dict[str, float] = {}
    descriptions = fitting = 0
    first = last = None
    for described in history:
        time, person = described.request.frame_time, described.request.person
        verdict = judge(rule.condition, described, rule.clock(zone))
        follow("", rule, described, ledger, same, zone)
        probabilities[person] = verdict.low
        descriptions, fitting = descriptions + 1, fitting + verdict.holds
        first, last = time if first is None else min(first, time), time if last is None else max(last, time)
    alerts = tuple(sorted(ledger.alerts.values(), key=lambda alert: (alert.raised_at, alert.id)))
    involved = set().union(*ledger.people.values())
    certain = [alert.probability for alert in alerts]
    return DryRun(
        alerts, descriptions, len(probabilities), fitting, dict(Counter(alert.camera for alert in alerts)), first, last,
        sum(certain) / len(certain) if certain else None, share_interval(certain) if certain else None,
        sum(probability for person, probability in probabilities.items() if person not in involved),
    )  # fmt: skip


def share_interval(probabilities: list[float], level: float = 0.95) -> tuple[float, float]:
    """Central interval of the share that comes true of independent events: exact quantiles of the Poisson binomial.

    Above 1,000 events the normal distribution of the same mean and variance takes its place.

    Example:
        >>> share_interval([0.5] * 4)
        (0.0, 1.0)
    """
    p = np.clip(np.asarray(probabilities, np.float64), 0, 1)
    n, tail = len(p), (1 - level) / 2
    if n > 1000:
        half = 1.959964 * float(np.sqrt((p * (1 - p)).sum())) / n
        return max(0.0, float(p.mean()) - half), min(1.0, float(p.mean()) + half)
    chances = np.ones(1)
    for each in p:
        chances = np.convolve(chances, [1 - each, each])
    below = np.cumsum(chances)
    low, high = (int(np.searchsorted(below, cut)) for cut in (tail, 1 - tail))
    return low / n, min(n, high) / n
