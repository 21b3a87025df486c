"""A sentence while it is read: phrases are cut out of it, and what negates them is cut out with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from personvlm.alerts.rule import And, At, During, Node, Not, On, Or
from personvlm.base.errors import InputError

Kind = Literal["place", "time", "day"]

_EXCEPT = (r"except(?:ing)?(?: for)?|excluding|apart from|aside from|other than"
           r"|(?:any|every)(?:where|time| time| day| place| camera)? (?:but|except(?: for)?|other than)")  # fmt: skip
_NOT = rf"(?:{_EXCEPT}|unless|without|not|never|neither|nor|no|cannot|\w+n't)"
_LIGHT = (r"(?:if|when|while|it|it's|he|she|they|there|is|are|be|being|been|ever|seen|found|stands?|standing|waits?"
          r"|waiting|walks?|walking|comes?|goes?|want|need|any|alerts?|an|tell|told|notify|warn|me|to"
          r"|know|those|them|somebody|someone|who)")  # fmt: skip
_NEGATED = re.compile(rf"(?<!\w)(?P<word>{_NOT})(?P<only> only| just)?,?(?: {_LIGHT})*$")
_JOINED = re.compile(r"(?P<comma>,)? ?(?P<word>and|or|nor|but|&)?(?: also)?(?: either)?")
_FIRST = 0xE000
"""Phrases stand in the sentence as single characters from here on, which mean nothing in any language."""


@dataclass(frozen=True)
class _Phrase:
    kind: Kind
    node: Node


@dataclass
class Sentence:
    """What is left of a sentence, and what was understood of it.

    Attributes:
        left: in small letters, with single spaces.
        nodes, count, once: of the rule.
        notes: what was read otherwise than it was written.
    """

    left: str
    nodes: list[Node] = field(default_factory=list)
    count: str = ""
    once: str = ""
    notes: list[str] = field(default_factory=list)
    _phrases: list[_Phrase] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.left = re.sub("[\ue000-\uf8ff]", " ", self.left)

    def take(self, pattern: str, otherwise: str = "", refused: str = "") -> re.Match[str] | None:
        """Cut out the first match.

        Raises:
            InputError: says ``refused``, where that is given, of a match that is negated or follows ``otherwise``.
        """
        match = re.search(rf"(?<!\w)(?:{pattern})(?!\w)", self.left)
        if match is not None:
            before = self.left[: match.start()].rstrip()
            if refused and (_NEGATED.search(before) or (otherwise and re.search(rf"(?<!\w)(?:{otherwise})$", before))):
                raise InputError(refused)
            self.left = f"{before} ; {self.left[match.end() :].lstrip()}"
        return match

    def mark(self, kind: Kind, pattern: str, read: Callable[[re.Match[str]], Node | None], most: int = 0) -> None:
        """Take every match (or ``most``) for a phrase of what ``read`` makes of it; None leaves it where it is."""

        def marked(match: re.Match[str]) -> str:
            node = read(match)
            if node is None:
                return match.group()
            self._phrases.append(_Phrase(kind, node))
            return chr(_FIRST + len(self._phrases) - 1)

        self.left = re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", marked, self.left, count=most)

    def circumstances(self) -> list[Node]:
        """Cut out the phrases that are marked, with what joins and negates them: where and when, to be joined by
        "and". Several places are one or the other, and so are times and days.

        Raises:
            InputError: it is not clear which of several phrases are negated.
        """
        wanted: list[list[_Phrase]] = []  # several: one or the other
        unwanted: list[_Phrase] = []
        kept, end, negation = "", 0, ""
        for match in re.finditer("[\ue000-\uf8ff]", self.left):
            phrase, before = self._phrases[ord(match.group()) - _FIRST], self.left[end : match.start()].rstrip()
            no = _NEGATED.search(before)
            if no and no["only"]:
                raise InputError("'not only' asks for nothing; leave out what follows it")
            between = before[: no.start()] if no else before
            joined = _JOINED.fullmatch(between.strip()) if end else None
            if no is None:
                negation = _goes_on(negation, joined, bool(unwanted) and unwanted[-1].kind == phrase.kind)
            elif joined and joined["word"] == "or" and not negation:
                raise _unclear(no["word"])
            else:
                negation = no["word"]
            if negation:
                unwanted.append(phrase)
            elif joined and joined["word"] == "or" and wanted and wanted[-1][-1].kind != phrase.kind:
                wanted[-1].append(phrase)
            else:
                wanted.append([phrase])
            kept, end = kept + ("" if joined else between) + " ; ", match.end()
        self.left = kept + self.left[end:]
        found: list[Node] = []
        said = {kind: _any([one.node for one, *more in wanted if not more and one.kind == kind])
                for kind in ("place", "time", "day")}  # fmt: skip
        match said["time"], said["day"]:
            case [During(start, end)], [On(days)] if 0 < end < start:  # "on fridays from 10 pm to 4 am"
                said["time"], said["day"] = [night(days, start, end)], []
        for kind, nodes in said.items():
            found += nodes
            found += _none([one.node for one in unwanted if one.kind == kind])
        return found + [Or(tuple(one.node for one in either)) for either in wanted if len(either) > 1]


def night(days: tuple[int, ...], start: int, end: int) -> Node:
    """From ``start`` to ``end`` on the next day, in minutes since midnight: that of the day on which it begins."""
    next_days = On(tuple(sorted((day + 1) % 7 for day in days)))
    return Or((And((On(days), During(start, 0))), And((next_days, During(0, end)))))


def _goes_on(negation: str, joined: re.Match[str] | None, alike: bool) -> str:
    """What negates a phrase that nothing negates by itself: ``negation``, of the phrase before, or nothing."""
    if not negation or joined is None or joined["word"] == "but":
        return ""
    if joined["word"] in ("or", "nor") or (joined["word"] and re.fullmatch(_EXCEPT, negation)):
        return negation
    if joined["comma"] and not joined["word"] and not alike:
        return ""
    raise _unclear(negation)


def _unclear(negation: str) -> InputError:
    return InputError(f"it is not clear what {negation!r} is about; write it before everything that it is about, and "
                      "the rest before that, as in: at the gate, not at night, not on sundays")  # fmt: skip


def _any(nodes: list[Node]) -> list[Node]:
    if len(nodes) < 2:
        return nodes
    cameras = [camera for node in nodes if isinstance(node, At) for camera in node.cameras]
    if cameras:
        return [At(tuple(dict.fromkeys(cameras)))]
    if all(isinstance(node, On) for node in nodes):
        return [On(tuple(sorted({day for node in nodes if isinstance(node, On) for day in node.days})))]
    return [Or(tuple(dict.fromkeys(nodes)))]


def _none(nodes: list[Node]) -> list[Node]:
    """Other cameras, the other days, the rest of the day.

    Raises:
        InputError: no day is left.
    """
    if nodes and all(isinstance(node, At) for node in nodes):
        return [Not(node) for node in _any(nodes)]
    rest = [During(node.end, node.start) if isinstance(node, During) else Not(node)
            for node in nodes if not isinstance(node, On)]  # fmt: skip
    taken = {day for node in nodes if isinstance(node, On) for day in node.days}
    if len(taken) == 7:
        raise InputError("the days on which it is not to be leave none")
    days = [On(tuple(day for day in range(7) if day not in taken))] if taken else []
    return [*rest, *days]
