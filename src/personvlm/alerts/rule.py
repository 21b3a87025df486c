"""Alert rules as values, and their canonical text: ``parse_rule(str(rule)) == rule``.

A rule says of whom (a condition over one description), on how much evidence, and how often one person may raise it.
:mod:`personvlm.alerts.grammar` reads it from text, :mod:`personvlm.alerts.judge` applies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from personvlm.base.errors import InputError
from personvlm.schema.groups import GROUP

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_CROPS = 20
"""Crops of one person that are remembered, and so the most that a rule can ask about."""

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
"""Seconds of each unit of time, the longest first."""


@dataclass(frozen=True)
class Has:
    """The person has one of ``values`` of the attribute ``group``, or with ``every`` all of them."""

    group: str
    values: tuple[str, ...]
    every: bool = False

    def __str__(self) -> str:
        if len(self.values) == 1:
            value = quoted(self.values[0])
            named = GROUP[self.group].kind == "set" and not self.group.endswith(".color")
            return f"{value} in {self.group}" if named else f"{self.group} == {value}"
        return f"{'all' if self.every else 'any'} of {_list(self.values)} in {self.group}"


@dataclass(frozen=True)
class At:
    """Seen by one of these cameras."""

    cameras: tuple[str, ...]

    def __str__(self) -> str:
        return f"camera == {quoted(self.cameras[0])}" if len(self.cameras) == 1 else f"camera in {_list(self.cameras)}"


@dataclass(frozen=True)
class During:
    """Between two times of day, in minutes since midnight; where ``end`` is not later it is on the next day."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"time in {_clock(self.start)}-{_clock(self.end)}"


@dataclass(frozen=True)
class On:
    """On these days of the week, 0 for Monday."""

    days: tuple[int, ...]

    def __str__(self) -> str:
        return f"day in [{', '.join(DAYS[day] for day in self.days)}]"


@dataclass(frozen=True)
class Sure:
    """The attributes beside it (joined by ``&&``) hold together with at least this calibrated probability."""

    least: float

    def __str__(self) -> str:
        return f"confidence >= {self.least:g}"


@dataclass(frozen=True)
class Clear:
    """The description's quality is at least this."""

    least: float

    def __str__(self) -> str:
        return f"quality >= {self.least:g}"


@dataclass(frozen=True)
class Stays:
    """The person has been in sight for at least so many seconds."""

    seconds: int

    def __str__(self) -> str:
        return f"seen >= {duration(self.seconds)}"


@dataclass(frozen=True)
class Not:
    """The part does not hold, and that is as certain as anything else must be."""

    part: Node

    def __str__(self) -> str:
        if isinstance(self.part, (Has, At)) and " == " in str(self.part):
            return str(self.part).replace(" == ", " != ", 1)
        return f"!({self.part})"


@dataclass(frozen=True)
class And:
    """All parts hold."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " && ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Or:
    """At least one part holds."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " || ".join(map(str, self.parts))


Node = Has | At | During | On | Sure | Clear | Stays | Not | And | Or


@dataclass(frozen=True)
class Count:
    """At least ``least`` different people of whom the condition holds, within ``seconds``."""

    seconds: int
    least: int

    def __str__(self) -> str:
        return f"count({duration(self.seconds)}) >= {self.least}"


@dataclass(frozen=True)
class Crops:
    """Evidence: among the last ``of`` crops of the person, at least ``least`` belong to descriptions that fit."""

    least: int
    of: int

    def __str__(self) -> str:
        return f"in {self.least} of {self.of} crops"


@dataclass(frozen=True)
class Once:
    """How often it may be raised: once per person, camera or at all, and again after ``seconds`` where given."""

    per: Literal["person", "camera", "rule"] = "person"
    seconds: int | None = None

    def __str__(self) -> str:
        per = "" if self.per == "rule" else f" per {self.per}"
        return f"once{per}" + ("" if self.seconds is None else f" per {duration(self.seconds)}")


@dataclass(frozen=True)
class Rule:
    """What raises an alert.

    Attributes:
        condition: of whom.
        count: how many such people there must be, or None for one.
        crops: on how much evidence; None: :data:`personvlm.alerts.judge.CROPS`.
        once: how often. A person who is followed raises one alert however often they are described.
        zone: IANA name of the time zone of its times of day and days of the week; None: whatever machine judges it
            takes its own.
    """

    condition: Node
    count: Count | None = None
    crops: Crops | None = None
    once: Once = Once()
    zone: str | None = None

    def __str__(self) -> str:
        text = str(self.condition)
        if self.count is not None:
            text = f"({text})" if isinstance(self.condition, Or) else text
            text += f" && {self.count}"
        return ", ".join([text, *([str(self.crops)] if self.crops else []),
                          *([str(self.once)] if self.once != Once() else []),
                          *([f"timezone {quoted(self.zone)}"] if self.zone else [])])  # fmt: skip

    @property
    def timed(self) -> bool:
        """It asks for a time of day or a day of the week."""
        return _timed(self.condition)

    def clock(self, otherwise: tzinfo | None = None) -> tzinfo | None:
        """The zone in which it is judged: its own, or ``otherwise``. None is that of this machine.

        Raises:
            InputError: this machine does not know the zone.
        """
        return time_zone(self.zone) or otherwise


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    if isinstance(node, (And, Or)):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


def attributes(node: Node) -> list[Has]:
    """Every attribute that ``node`` asks about, from left to right."""
    if isinstance(node, Has):
        return [node]
    return [each for part in parts(node) for each in attributes(part)]


def named_cameras(node: Node) -> list[str]:
    """Every camera that ``node`` names, from left to right."""
    if isinstance(node, At):
        return list(node.cameras)
    return [each for part in parts(node) for each in named_cameras(part)]


def check_confidence(node: Node, joined: bool) -> None:
    """`confidence` speaks of what it is joined to with ``&&``. Raises InputError where it is joined to nothing."""
    if isinstance(node, Sure) and not joined:
        raise InputError("`confidence >= ...` must be joined with && to the attributes that it is about")
    if isinstance(node, And):
        sure = [part for part in node.parts if isinstance(part, Sure)]
        if len(sure) > 1:
            raise InputError("`confidence >= ...` stands twice for the same attributes; leave one")
        if sure and not any(_about(part) for part in node.parts):
            raise InputError("`confidence >= ...` stands beside no attribute; join it with && to what it is about")
    for part in parts(node):
        if isinstance(node, Not) and _has_confidence(part):
            raise InputError("`confidence >= ...` must not be negated; write it outside of the parentheses")
        check_confidence(part, joined=isinstance(node, And))


def _about(node: Node) -> bool:
    return isinstance(node, Has) or any(_about(part) for part in parts(node))


def _has_confidence(node: Node) -> bool:
    return isinstance(node, Sure) or any(_has_confidence(part) for part in parts(node))


def time_zone(name: str | None) -> tzinfo | None:
    """By its IANA name. Raises InputError where there is none of it."""
    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"{name!r} is no time zone; write it as in Europe/Berlin") from None


def quoted(text: str) -> str:
    """As a string of the grammar. What has no form there (quotes, backslashes, control characters) is refused by it."""
    return f'"{text}"'


def duration(seconds: int) -> str:
    """``600`` as ``10m``: in the largest unit that fits."""
    unit, size = next((unit, size) for unit, size in UNITS.items() if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _timed(node: Node) -> bool:
    return isinstance(node, (During, On)) or any(map(_timed, parts(node)))


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(quoted, values))}]"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
