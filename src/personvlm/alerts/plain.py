"""Rules in plain language: "tell me when somebody in a red jacket without a hat is at the gate at night".

The sentence becomes a rule of the grammar, which is shown before anything is saved: what was understood can be seen,
and what was not is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from personvlm.alerts.grammar import LONGEST, parse_rule
from personvlm.alerts.rule import And, At, During, Has, Node, Not, On, Or, Rule, Stays, Sure, duration
from personvlm.base.errors import InputError
from personvlm.store.query import Query, Term
from personvlm.store.query_parser import parse_query

_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
            "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip
_NUMBER = rf"(\d{{1,4}}|{'|'.join(_NUMBERS)})"
_UNIT = r"(seconds?|secs?|minutes?|mins?|hours?|days?)"
_SPAN = rf"{_NUMBER} {_UNIT}"
_CLOCK = r"(\d{1,2})(?:[:.](\d{2}))? ?(am|pm|a\.m\.|p\.m\.|o'clock|h)?"
_PEOPLE = r"(?:people|persons|men|women|of them|individuals)"
_OPENING = re.compile(
    r"^(?:please )?(?:(?:tell|alert|notify|warn|inform|message|ping) me|let me know"
    r"|(?:raise|send|give)(?: me)? an alert|i want to know|alert)"
    r"(?: (?:when(?:ever)?|if|as soon as|about|on|for))? ")  # fmt: skip
_PARTS = {
    "at night": (22, 6), "by night": (22, 6), "during the night": (22, 6), "overnight": (22, 6),
    "in the night": (22, 6), "in the morning": (6, 12), "in the afternoon": (12, 18), "in the evening": (18, 22),
    "by day": (6, 22),
    "during the day": (6, 22), "in the daytime": (6, 22), "at midday": (11, 14), "at noon": (11, 14),
}  # fmt: skip
_DAY = {"mondays": 0, "tuesdays": 1, "wednesdays": 2, "thursdays": 3, "fridays": 4, "saturdays": 5, "sundays": 6}
_COMING = r"(?:walks?|passes|pass|comes?|goes|go|shows?|turns?) (?:by|past|in|up|through|along)"
_PLACE = r"(?:at|on|in|near|by|from|outside|in front of|through|past)"


@dataclass(frozen=True)
class Compiled:
    """What a sentence comes to.

    Attributes:
        rule: to be shown to whoever wrote the sentence; ``str(rule)`` is what is saved.
        ignored: words that were not understood, and stand for nothing in the rule.
        notes: what was read otherwise than it was written.
    """

    rule: Rule
    ignored: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Sentence:
    """What is left of a sentence, and what was understood of it."""

    left: str
    nodes: list[Node] = field(default_factory=list)
    count: str = ""
    once: str = ""

    def take(self, pattern: str) -> re.Match[str] | None:
        """Cut out the first match."""
        match = re.search(rf"(?<!\w){pattern}(?!\w)", self.left)
        if match is not None:
            self.left = f"{self.left[: match.start()].rstrip()} ; {self.left[match.end() :].lstrip()}"
        return match


def compile_words(text: str, cameras: Sequence[str] = ()) -> Compiled:
    """The rule that a sentence means.

    Args:
        cameras: names that exist. Without them "at the gate" names the camera ``gate``.

    Raises:
        InputError: nothing was understood, or it is about a camera that does not exist.

    Example:
        >>> str(compile_words("tell me when somebody in a red jacket is at the gate at night", ["gate"]).rule)
        'upper.color == "red" && upper.garment == "jacket" && camera == "gate" && time in 22:00-06:00'
    """
    if len(text) > LONGEST:
        raise InputError(f"a sentence has at most {LONGEST} characters, this one {len(text)}")
    sentence = _Sentence(_OPENING.sub("", " ".join(text.lower().replace("’", "'").split()).strip(" .!?") + " ").strip())
    sentence.take(_COMING)
    _often(sentence)
    _many(sentence)
    _long(sentence)
    sure = _sure(sentence)
    time = _time(sentence)
    place = _place(sentence, cameras)
    query = parse_query(sentence.left)
    nodes = [_looks(term) for term in query.terms]
    parts = [*nodes, *sure, *place, *time, *sentence.nodes]
    if not parts or (sure and not nodes):
        raise InputError("nothing in this sentence says whom an alert is about; write, for example: somebody in a red "
                         "jacket with a backpack, at the gate, at night")  # fmt: skip
    flat = [part for node in parts for part in (node.parts if isinstance(node, And) else (node,))]
    condition = " && ".join(f"({part})" if isinstance(part, Or) else str(part) for part in dict.fromkeys(flat))
    rule = parse_rule(condition + sentence.count + sentence.once)
    return Compiled(rule, _ignored(query), query.notes)


def _looks(term: Term) -> Node:
    """A term of a search as a condition. A rule means what it says: colors that are near do not count."""
    either: list[Node] = []
    for alternative in term.alternatives:
        each: list[Node] = [Has(wanted.group, wanted.values) for wanted in alternative]
        either.append(each[0] if len(each) == 1 else And(tuple(each)))
    node = either[0] if len(either) == 1 else Or(tuple(either))
    return Not(node) if term.absent else node


def _ignored(query: Query) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*query.words, *(word for phrase in query.phrases for word in phrase))))


def _seconds(number: str, unit: str) -> int:
    count = int(number) if number.isdigit() else _NUMBERS[number]
    return count * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit[0]]


def _often(sentence: _Sentence) -> None:
    found = sentence.take(rf"(?:at most |only |but )*once(?: (?:a|an|per) (?:person|head))?(?: (?:per|every|in|an?))? "
                          rf"(?:{_SPAN}|(second|minute|hour|day))")  # fmt: skip
    if found:
        number, unit, single = found.groups()
        sentence.once = f", once per person per {duration(_seconds(number or '1', unit or single))}"
    elif sentence.take(r"(?:at most |only |but )*once (?:a|an|per) person"):
        sentence.once = ", once per person"


def _many(sentence: _Sentence) -> None:
    found = sentence.take(rf"(?:at least |not less than )?{_NUMBER} (?:or more |different )*{_PEOPLE}"
                          rf"|more than {_NUMBER} {_PEOPLE}")  # fmt: skip
    if found is None:
        return
    least, above = found.groups()
    number = (int(least) if least.isdigit() else _NUMBERS[least]) if least else 1 + (
        int(above) if above.isdigit() else _NUMBERS[above])  # fmt: skip
    # What stands between a number and its noun belongs to the noun: "three men" are men.
    sentence.left += " ; " + {"men": "man", "women": "woman"}.get(found.group().split()[-1], "")
    within = sentence.take(rf"(?:within|in|inside of|during) {_SPAN}")
    if number > 1:
        sentence.count = f" && count({duration(_seconds(*within.groups()) if within else 600)}) >= {number}"


def _long(sentence: _Sentence) -> None:
    found = sentence.take(rf"(?:(?:stays?|stands?|waits?|loiters?|lingers?|is there|stand around|remains?) )?(?:for )?"
                          rf"(?:more than|at least|longer than|over) {_SPAN}")  # fmt: skip
    if found:
        sentence.nodes.append(Stays(_seconds(*found.groups())))


def _sure(sentence: _Sentence) -> list[Node]:
    found = sentence.take(r"(?:if |when )?(?:you are |it is )?(?:at least )?(\d{1,2}) ?(?:%|percent) "
                          r"(?:sure|certain|confident|confidence)")  # fmt: skip
    return [Sure(int(found.group(1)) / 100)] if found else []


def _time(sentence: _Sentence) -> list[Node]:
    nodes: list[Node] = []
    between = sentence.take(rf"(?:between|from) {_CLOCK} (?:and|to|until|till|-) {_CLOCK}")
    if between:
        groups = between.groups()
        nodes.append(During(_clock(groups[:3]), _clock(groups[3:])))
    elif after := sentence.take(rf"(?:after|from) {_CLOCK}"):
        nodes.append(During(_clock(after.groups()), 0))
    elif before := sentence.take(rf"(?:before|until|till) {_CLOCK}"):
        nodes.append(During(0, _clock(before.groups())))
    else:
        for words, (start, end) in _PARTS.items():
            if sentence.take(words):
                nodes.append(During(60 * start, 60 * end))
                break
    if sentence.take(r"(?:on|at) (?:the )?weekends?"):
        nodes.append(On((5, 6)))
    elif sentence.take(r"on (?:weekdays|working days|workdays)"):
        nodes.append(On((0, 1, 2, 3, 4)))
    elif days := sentence.take(rf"on ((?:{'|'.join(_DAY)})(?:(?:,| and|, and) (?:{'|'.join(_DAY)}))*)"):
        nodes.append(On(tuple(sorted({_DAY[day] for day in re.findall(r"[a-z]+days", days.group(1))}))))
    return nodes


def _clock(parts: Sequence[str | None]) -> int:
    hours, minutes, half = int(parts[0] or 0), int(parts[1] or 0), (parts[2] or "").replace(".", "")
    if half in ("am", "pm"):
        hours = hours % 12 + 12 * (half == "pm")
    if hours == 24 and minutes == 0:
        hours = 0
    if hours > 23 or minutes > 59:
        raise InputError(f"{hours}:{minutes:02} is no time of day")
    return 60 * hours + minutes


def _place(sentence: _Sentence, cameras: Sequence[str]) -> list[Node]:
    found: list[str] = []
    for camera in sorted(cameras, key=len, reverse=True):
        spoken = "[-_ ]".join(map(re.escape, re.split(r"[-_ ]", camera.lower())))
        while sentence.take(rf"(?:(?:or )?{_PLACE} )?(?:the )?(?:camera )?(?:\"{spoken}\"|{spoken})(?: camera)?"):
            found.append(camera)
    named = sentence.take(r"(?:at|on|by|from) (?:the )?camera \"?([a-z0-9_-]+)\"?") or sentence.take(
        r"at the ([a-z0-9_-]+)(?: camera)?")  # fmt: skip
    if named and named.group(1) not in ("same", "time", "moment", "back", "front"):
        if cameras:
            raise InputError(f"there is no camera {named.group(1)!r}; known: {', '.join(cameras)}")
        found.append(named.group(1))
    return [At(tuple(dict.fromkeys(found)))] if found else []
