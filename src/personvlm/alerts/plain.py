"""Rules in plain language: "tell me when somebody in a red jacket without a hat is at the gate at night".

The sentence becomes a rule of the grammar, which is shown before anything is saved: what was understood can be seen,
and what was not is named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from personvlm.alerts.clocks import NUMBERS, mark_times, number_of
from personvlm.alerts.grammar import LONGEST, parse_rule
from personvlm.alerts.rule import And, At, Has, Node, Not, Or, Rule, Stays, Sure, duration
from personvlm.alerts.sentence import Sentence
from personvlm.base.errors import InputError
from personvlm.schema import GROUP
from personvlm.store.near import weights
from personvlm.store.query import Query, Term, Wanted
from personvlm.store.query_parser import parse_query

_NUMBER = rf"(\d{{1,4}}|{'|'.join(NUMBERS)})"
_UNIT = r"(seconds?|secs?|minutes?|mins?|hours?|days?)"
_SPAN = rf"{_NUMBER} {_UNIT}"
_PEOPLE = r"(?:people|persons|men|women|of them|individuals)"
_LESS = r"(?:(?:less|fewer|shorter) than|at (?:the )?most|up to|under|below|(?:a )?maximum(?: of)?)"
_MOST = r"(?:at most |not more than |no more than |only |but )*"
_MORE = r"(?:more than|at least|longer than|over)"
_STAYING = (r"(?:stays?|staying|stands?|waits?|waiting|loiters?|loitering|lingers?|lingering|hangs? around|is there"
            r"|stand around|remains?|remaining)")  # fmt: skip
_OPENING = re.compile(
    r"^(?:please )?(?:(?:tell|alert|notify|warn|inform|message|ping) me|let me know"
    r"|(?:raise|send|give)(?: me)? an alert|i want to know|alert)"
    r"(?: (?:when(?:ever)?|if|as soon as|about|on|for))? ")  # fmt: skip
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
    sentence = Sentence(_OPENING.sub("", " ".join(text.lower().replace("’", "'").split()).strip(" .!?") + " ").strip())
    sentence.take(_COMING)
    _often(sentence)
    _many(sentence)
    _long(sentence)
    sure = _sure(sentence)
    mark_times(sentence)
    _mark_places(sentence, cameras)
    circumstances = sentence.circumstances()
    query = parse_query(sentence.left)
    nodes = [_looks(term) for term in query.terms]
    parts = [*nodes, *sure, *circumstances, *sentence.nodes]
    if not parts or (sure and not nodes):
        raise InputError("nothing in this sentence says whom an alert is about; write, for example: somebody in a red "
                         "jacket with a backpack, at the gate, at night")  # fmt: skip
    flat = [part for node in parts for part in (node.parts if isinstance(node, And) else (node,))]
    condition = " && ".join(f"({part})" if isinstance(part, Or) else str(part) for part in dict.fromkeys(flat))
    rule = parse_rule(condition + sentence.count + sentence.once)
    return Compiled(rule, _ignored(query), (*sentence.notes, *query.notes))


def _looks(term: Term) -> Node:
    """A term of a search as a condition. A rule means what it says: colors that are near do not count."""
    either: list[Node] = []
    for alternative in term.alternatives:
        each: list[Node] = [Has(wanted.group, _values(wanted)) for wanted in alternative]
        either.append(each[0] if len(each) == 1 else And(tuple(each)))
    node = either[0] if len(either) == 1 else Or(tuple(either))
    return Not(node) if term.absent else node


def _values(wanted: Wanted) -> tuple[str, ...]:
    """Those that a word names, or where it names none, as "dark hair", those that it covers."""
    legal = GROUP[wanted.group].values
    found = [name for value in wanted.values for name in (
        [value] if value in legal else [near for near, share in weights(wanted.group, value).items() if share == 1])]
    return tuple(dict.fromkeys(found)) or wanted.values


def _ignored(query: Query) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*query.words, *(word for phrase in query.phrases for word in phrase))))


def _seconds(number: str, unit: str) -> int:
    return number_of(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit[0]]


def _often(sentence: Sentence) -> None:
    found = sentence.take(rf"{_MOST}once(?: (?:a|an|per) (?:person|head))?(?: (?:per|every|in|an?))? "
                          rf"(?:{_SPAN}|(second|minute|hour|day))")  # fmt: skip
    if found:
        number, unit, single = found.groups()
        sentence.once = f", once per person per {duration(_seconds(number or '1', unit or single))}"
    elif sentence.take(rf"{_MOST}once (?:a|an|per) person"):
        sentence.once = ", once per person"


def _many(sentence: Sentence) -> None:
    if sentence.take(rf"(?:nobody|no[- ]one|no {_PEOPLE})"):
        raise InputError("a rule is about somebody who is there: it cannot tell that nobody is")
    at_least = "a rule can only ask for a number of people at least; write, for example: at least three people in red"
    if sentence.take(rf"{_NUMBER} (?:{_PEOPLE} )?(?:or (?:less|fewer)|at (?:the )?most)"):
        raise InputError(at_least)
    found = sentence.take(rf"(?:(?:at least|(?:not|no) (?:less|fewer) than) )?{_NUMBER} (?:or more |different )*"
                          rf"{_PEOPLE}|more than {_NUMBER} {_PEOPLE}",
                          rf"{_LESS}|exactly|{_NUMBER} ?(?:to|and|or|-)", at_least)  # fmt: skip
    if found is None:
        return
    least, above = found.groups()
    number = number_of(least) if least else 1 + number_of(above)
    # What stands between a number and its noun belongs to the noun: "three men" are men.
    sentence.left += " ; " + {"men": "man", "women": "woman"}.get(found.group().split()[-1], "")
    within = sentence.take(rf"(?:within|in|inside of|during) {_SPAN}")
    if number == 0:
        raise InputError(at_least)
    if number > 1:
        sentence.count = f" && count({duration(_seconds(*within.groups()) if within else 600)}) >= {number}"


def _long(sentence: Sentence) -> None:
    longer = "a rule can only ask that somebody stays at least so long; write, for example: for more than 2 minutes"
    if sentence.take(rf"{_LESS} {_SPAN}"):
        raise InputError(longer)
    found = sentence.take(rf"(?:{_STAYING} )?(?:for (?:{_MORE} )?|{_MORE} ){_SPAN}", refused=longer)
    if found:
        sentence.nodes.append(Stays(_seconds(*found.groups())))


def _sure(sentence: Sentence) -> list[Node]:
    found = sentence.take(r"(?:if |when |with )?(?:you are |it is )?(?:at least )?(\d{1,2}) ?(?:%|percent) "
                          r"(?:sure|certain|certainty|confident|confidence)", _LESS,
                          "write how sure it must be at least, for example: 80 % sure")  # fmt: skip
    return [Sure(int(found.group(1)) / 100)] if found else []


def _mark_places(sentence: Sentence, cameras: Sequence[str]) -> None:
    for camera in sorted(cameras, key=len, reverse=True):
        words = [re.escape(word) for word in re.split(r"[-_ ]+", camera.lower()) if word]
        if not any(letter.isalnum() for letter in camera):  # nobody says its name
            continue
        spoken = "[-_ ]".join(words)
        pattern = rf"(?:{_PLACE} )?(?:the )?(?:camera )?(?:\"{spoken}\"|{spoken})(?: camera)?"
        sentence.mark("place", pattern, lambda _, camera=camera: At((camera,)))  # type: ignore[misc]

    def named(match: re.Match[str]) -> Node | None:
        name = match.group(1) or match.group(2)
        if name in ("same", "time", "moment", "back", "front"):
            return None
        if cameras:
            raise InputError(f"there is no camera {name!r}; known: {', '.join(cameras)}")
        return At((name,))

    sentence.mark("place", r"(?:(?:at|on|by|from) (?:the )?camera \"?([a-z0-9_-]+)\"?"
                  r"|at the ([a-z0-9_-]+)(?: camera)?)", named, most=1)  # fmt: skip
