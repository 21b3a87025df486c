"""An alert, and what is known of one person for one rule."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from personvlm.alerts.rule import MOST_CROPS, Crops
from personvlm.schema import Described

State = Literal["raised", "updated", "acknowledged", "closed"]
Kind = Literal["raised", "updated", "acknowledged", "closed"]



@dataclass(frozen=True)
class Alert:
    """One person who fits a rule. Times are seconds since the epoch.

    Attributes:
        id: the same whenever the same history is replayed.
        rule: name of the rule.
        person: who raised it, on which ``camera``.
        state: ``raised``, ``updated`` (more is known), ``acknowledged`` (somebody looks after it), ``closed``.
        holds: the latest description of the person still fits.
        ended: the person has left.
        event_id, revision: of the description that is shown.
        probability: calibrated, that the person fits; of the description that raised it, or of a better one since.
        text: what is said of the person.
        crop: where the picture lies, as a blob store names it; None where none is kept. An alert has no bytes of it.
        why: probability of every attribute that the rule asks about.
        raised_at, seen_at: frame times of the description that raised it and of the latest one.
        acknowledged_at, acknowledged_by, closed_at: what operators did.
    """

    id: str
    rule: str
    person: str
    camera: str
    state: State
    holds: bool
    ended: bool
    event_id: str
    revision: int
    probability: float
    text: str
    crop: str | None
    why: dict[str, float]
    raised_at: float
    seen_at: float
    acknowledged_at: float | None = None
    acknowledged_by: str | None = None
    closed_at: float | None = None

    def record(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {**asdict(self), "probability": round(self.probability, 4)}

    def seen(self, described: Described, holds: bool, probability: float, why: dict[str, float]) -> Alert:
        """With what a further description says. A worse description does not take a better one's place."""
        request = described.request
        state: State = "updated" if self.state == "raised" else self.state
        now = replace(self, state=state, holds=holds, seen_at=max(self.seen_at, request.frame_time),
                      ended=request.final if request.person == self.person else self.ended)  # fmt: skip
        if holds and probability >= self.probability:
            now = replace(now, event_id=request.event_id, revision=request.revision, probability=probability,
                          text=described.description.text, crop=request.crop.reference or self.crop,
                          why=why)  # fmt: skip
        return now.left(request.frame_time) if now.ended else now

    def left(self, at: float) -> Alert:
        """When the person has left, at ``at``: whoever looks after it is done, and it is closed."""
        if self.state == "acknowledged":
            return replace(self, ended=True, state="closed", closed_at=at)
        return replace(self, ended=True, state="updated" if self.state == "raised" else self.state)


def alert_id(rule: str, person: str, number: int) -> str:
    """Of the ``number``-th alert that ``person`` raises by ``rule``."""
    return hashlib.sha256(f"{rule}\x1f{person}\x1f{number}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Evidence:
    """What is known of one person for one rule, over the revisions so far.

    Attributes:
        rule, person, camera: whom and what it is about.
        revision: the highest that was seen.
        crops: (time, whether its latest description fits), by time, the last ones only.
        matched_at: frame time of the latest description that fits, on enough evidence.
        alert: id of the alert that the person raised or joined last.
        number: of alerts that the person raised.
    """

    rule: str
    person: str
    camera: str
    revision: int = 0
    crops: tuple[tuple[float, bool], ...] = ()
    matched_at: float | None = None
    alert: str | None = None
    number: int = 0

    def seen(self, described: Described, holds: bool) -> Evidence:
        """With one more description; its crops count with what it says, also those that an earlier one had."""
        request = described.request
        # Crops without a time of their own are as many different moments.
        times = [crop.time if crop.time is not None else request.frame_time + 1e-6 * index
                 for index, crop in enumerate(request.crops)]  # fmt: skip
        crops = sorted({**dict(self.crops), **dict.fromkeys(times, holds)}.items())[-MOST_CROPS:]
        return replace(self, revision=request.revision, crops=tuple(crops))

    def enough(self, crops: Crops) -> bool:
        """Whether so many of the last crops fit."""
        return sum(fits for _, fits in self.crops[-crops.of :]) >= crops.least
