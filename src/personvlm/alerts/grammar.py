"""Reads alert rules from text: a small grammar, checked against the schema, bounded in every direction.

Nothing is ever evaluated as code. What is too long, too deep or not of the grammar is refused in milliseconds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from personvlm.alerts.rule import (
    DAYS,
    MOST_CROPS,
    UNITS,
    And,
    At,
    Clear,
    Count,
    Crops,
    During,
    Has,
    Node,
    Not,
    On,
    Once,
    Or,
    Rule,
    Stays,
    Sure,
    check_confidence,
    time_zone,
)
from personvlm.base.errors import InputError, extra
from personvlm.language.lexicon import Phrase
from personvlm.language.matching import segment
from personvlm.schema.groups import GROUP, UNKNOWN

LONGEST = 2000
"""Characters of a rule."""

DEEPEST = 16
"""Parentheses and negations inside each other."""

MOST_TOKENS = 240
_DIGITS = 9
_MONTH = 30 * 86400

_GRAMMAR = r"""
start: either (","? qualifier)*
?either: both (_OR both)*
?both: unary (_AND unary)*
?unary: _NOT unary -> negation
      | atom
?atom: "(" either ")"
     | NAME EQUAL STRING                     -> compared
     | NAME "in" list                        -> among
     | STRING "in" NAME                      -> contained
     | QUANTIFIER "of" list "in" NAME        -> quantified
     | "camera" EQUAL STRING                 -> camera
     | "camera" "in" list                    -> cameras
     | "time" "in" CLOCK "-" CLOCK           -> time
     | "day" "in" WEEKDAY "-" WEEKDAY        -> day_range
     | "day" "in" "[" WEEKDAY ("," WEEKDAY)* "]" -> days
     | "confidence" _LEAST NUMBER            -> confidence
     | "quality" _LEAST NUMBER               -> quality
     | "seen" _LEAST DURATION                -> seen
     | "count" "(" DURATION ")" _LEAST NUMBER -> count
list: "[" STRING ("," STRING)* "]"
?qualifier: "in" NUMBER "of" NUMBER "crops"  -> crops
          | "once" per*                      -> once
          | "timezone" STRING                -> timezone
per: "per" (PERSON | CAMERA | DURATION)

PERSON: "person"
CAMERA: "camera"
QUANTIFIER.2: /(any|all|none)\b/
WEEKDAY: /(mon|tue|wed|thu|fri|sat|sun)\b/
_AND: /&&|and\b/
_OR: /\|\||or\b/
_NOT.2: /!|not\b/
_LEAST: ">=" | "≥"
EQUAL: "==" | "!="
NAME: /[a-z]+(\.[a-z]+)?/
STRING: /"[^"\\\x00-\x1f\x7f]{1,64}"/
CLOCK.2: /\d\d?:\d\d/
DURATION.2: /\d+[smhd]/
NUMBER: /\d+(\.\d+)?/
%ignore /[ \t\r\n]+/
"""

_PRETTY = {"_AND": "&&", "_OR": "||", "_NOT": "!", "_LEAST": ">=", "NAME": "an attribute", "STRING": 'a "value"',
           "QUANTIFIER": "any of", "WEEKDAY": "mon to sun", "CLOCK": "a time such as 22:00", "NUMBER": "a number",
           "DURATION": "a duration such as 10m",
           "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "COMMA": ",", "EQUAL": "== or !=", "MINUS": "-",
           "$END": "the end"}  # fmt: skip
_TOKEN = re.compile(r'"[^"]*"|[\w.:]+|\S')


def parse_rule(text: str, zone: str | None = None) -> Rule:
    """The rule that ``text`` states.

    Args:
        zone: IANA name of its time zone, in place of one that it states.

    Raises:
        InputError: not a rule: says where, and what would be legal or was perhaps meant; or not a time zone.

    Example:
        >>> str(parse_rule('upper.color == "red" and "backpack" in carrying, in 3 of 5 crops, once per person per 10m'))
        'upper.color == "red" && "backpack" in carrying, in 3 of 5 crops, once per person per 10m'
    """
    _check_bounds(text)
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise InputError(_explain(text, error)) from None
    rule = _read(tree)
    check_confidence(rule.condition, joined=isinstance(rule.condition, And))
    if zone is not None:
        time_zone(zone)
        rule = replace(rule, zone=zone)
        _check_bounds(str(rule))
    return rule


def _check_bounds(text: str) -> None:
    if len(text) > LONGEST:
        raise InputError(f"a rule has at most {LONGEST} characters, this one {len(text)}")
    depth = deepest = negations = count = 0
    for token in _TOKEN.findall(text):
        count += 1
        depth += {"(": 1, ")": -1}.get(token, 0)
        negations = negations + 1 if token in ("!", "not") else 0
        deepest = max(deepest, depth + negations)
    if deepest > DEEPEST:
        raise InputError(f"a rule has at most {DEEPEST} parentheses and negations inside each other")
    if count > MOST_TOKENS:
        raise InputError(f"a rule has at most {MOST_TOKENS} words and signs, this one {count}")


@lru_cache(maxsize=1)
def _parser() -> Any:
    with extra("an alert rule", "service"):
        from lark import Lark
    return Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


def _explain(text: str, error: Any) -> str:
    ends = getattr(getattr(error, "token", None), "type", None) == "$END"
    at = len(text) if ends or error.pos_in_stream is None else max(0, error.pos_in_stream)
    expected = sorted(_PRETTY.get(name, name.lower()) for name in
                      (getattr(error, "accepts", None) or getattr(error, "allowed", None)
                       or getattr(error, "expected", None) or ()))  # fmt: skip
    token = _TOKEN.match(text, at)
    found = f"{token.group()[:40]!r} does not belong here" if token and at < len(text) else "something is missing"
    legal = f"; expected {', '.join(expected)}" if expected else ""
    return f"not a rule: at character {at + 1}, {found}{legal}"


def _read(tree: Any) -> Rule:
    condition, *qualifiers = tree.children
    crops: Crops | None = None
    once: Once | None = None
    zone: str | None = None
    for qualifier in qualifiers:
        if qualifier.data == "crops":
            _only_one(crops, "in K of N crops")
            crops = _crops(qualifier)
        elif qualifier.data == "timezone":
            _only_one(zone, "timezone")
            zone = str(qualifier.children[0][1:-1])
            time_zone(zone)
        else:
            _only_one(once, "once")
            once = _once(qualifier)
    counts: list[Any] = []
    rest: list[Any] = []
    conjunction = condition.children if getattr(condition, "data", "") == "both" else [condition]
    for part in conjunction:
        (counts if part.data == "count" else rest).append(part)
    if len(counts) > 1:
        raise InputError("a rule counts once: leave one count(...)")
    if not rest:
        raise InputError("a rule that only counts says nothing about whom; join count(...) to attributes with &&")
    nodes = [_node(part) for part in rest]
    count = _count(counts[0]) if counts else None
    return Rule(_joined(And, nodes), count, crops, once or Once(), zone)


def _only_one(before: object, name: str) -> None:
    if before is not None:
        raise InputError(f"`{name}` stands twice in the rule; leave one")


def _node(tree: Any) -> Node:
    kind, children = tree.data, tree.children
    if kind == "either":
        return _joined(Or, [_node(part) for part in children])
    if kind == "both":
        return _joined(And, [_node(part) for part in children])
    if kind == "negation":
        part = _node(children[0])
        return part.part if isinstance(part, Not) else Not(part)
    if kind in ("compared", "camera"):
        sign, value = children[-2:]
        node = At((value[1:-1],)) if kind == "camera" else _has(children[0], [value])
        return node if sign == "==" else Not(node)
    if kind == "among":
        return _has(children[0], children[1].children)
    if kind == "contained":
        return _has(children[1], [children[0]])
    if kind == "quantified":
        quantifier, values, name = children
        node = _has(name, values.children, every=quantifier == "all")
        return Not(node) if quantifier == "none" else node
    if kind == "cameras":
        return At(tuple(dict.fromkeys(value[1:-1] for value in children[0].children)))
    return _circumstance(kind, children)


def _circumstance(kind: str, children: Sequence[str | Any]) -> Node:
    if kind == "time":
        start, end = (_minutes(child) for child in children)
        if start == end:
            raise InputError("the two times of a rule are the same; leave `time` out for all day")
        return During(start, end)
    if kind == "day_range":
        first, last = (DAYS.index(child) for child in children)
        return On(tuple(sorted((first + i) % 7 for i in range((last - first) % 7 + 1))))
    if kind == "days":
        return On(tuple(sorted({DAYS.index(child) for child in children})))
    if kind == "confidence":
        return Sure(_share(children[0], "confidence"))
    if kind == "quality":
        return Clear(_share(children[0], "quality"))
    if kind == "seen":
        return Stays(_seconds(children[0]))
    raise InputError("count(...) must be joined to the whole rule with &&, outside of parentheses")


def _joined(kind: type[And] | type[Or], nodes: list[Node]) -> Node:
    flat = [part for node in nodes for part in (node.parts if isinstance(node, kind) else (node,))]
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _has(name: str, strings: Sequence[str], every: bool = False) -> Has:
    name, values = str(name), [value[1:-1] for value in strings]
    if name not in GROUP:
        raise InputError(f"{name[:40]!r} is not an attribute{_meant(name, tuple(GROUP))}; legal: {', '.join(GROUP)}")
    group = GROUP[name]
    for value in values:
        if value == UNKNOWN or value not in group.values:
            raise InputError(f"{value!r} is not a value of {name}{_meant_value(name, value)}; "
                             f"legal: {', '.join(group.values)}")  # fmt: skip
    if every and group.kind == "exclusive" and len(set(values)) > 1:
        raise InputError(f"{name} has one value only, so that nobody has all of several; write `any of`")
    # "bag or backpack" is "bag"; "bag and backpack" is "backpack".
    kept = [value for value in dict.fromkeys(values) if not any(
        other != value and (group.covers(value, other) if every else group.covers(other, value)) for other in values)]
    return Has(name, tuple(kept), every and len(kept) > 1)


def _meant(word: str, legal: Sequence[str]) -> str:
    word = word[:40].lower()
    near = difflib.get_close_matches(word, legal, 1, 0.6) or [name for name in legal if word in name.split(".")][:1]
    return f"; did you mean {near[0]!r}?" if near else ""


def _meant_value(name: str, value: str) -> str:
    """What was perhaps meant: another spelling, a synonym, or a value of another attribute."""
    lower = value.lower()
    for phrase in segment(lower.split()):
        facts = phrase.facts if isinstance(phrase, Phrase) else ()
        slot = name.rpartition(".")[2]
        for group, meant in facts:
            if group in (name, slot) and meant in GROUP[name].values:
                return f"; did you mean {meant!r}?"
    elsewhere = [other for other, group in GROUP.items() if lower in group.values and other != name]
    return _meant(value, GROUP[name].values) or (f"; it is one of {elsewhere[0]}" if elsewhere else "")


def _crops(tree: Any) -> Crops:
    least, of = (_integer(child, "crops") for child in tree.children)
    if not 1 <= least <= of <= MOST_CROPS:
        raise InputError(f"`in K of N crops` needs 1 <= K <= N <= {MOST_CROPS}")
    return Crops(least, of)


def _once(tree: Any) -> Once:
    words = [str(per.children[0]) for per in tree.children]
    whom = [word for word in words if word in ("person", "camera")]
    times = [word for word in words if word not in ("person", "camera")]
    if len(whom) > 1 or len(times) > 1 or (not whom and not times):
        raise InputError("say `once per person`, `once per person per 10m`, `once per camera per 10m` or "
                         "`once per 10m`")  # fmt: skip
    return Once(whom[0] if whom else "rule", _seconds(times[0]) if times else None)  # type: ignore[arg-type]


def _count(tree: Any) -> Count:
    seconds, least = _seconds(tree.children[0]), _integer(tree.children[1], "count")
    if not 1 <= least <= 10_000:
        raise InputError("count(...) is compared with 1 to 10000")
    return Count(seconds, least)


def _integer(text: str, name: str) -> int:
    if len(text) > _DIGITS or "." in text:
        raise InputError(f"{name}: {text[:20]} is not a whole number of at most {_DIGITS} digits")
    return int(text)


def _share(text: str, name: str) -> float:
    if len(text) > _DIGITS or not 0 <= float(text) <= 1:
        raise InputError(f"{name}: {text[:20]} is not between 0 and 1")
    return float(text)


def _seconds(text: str) -> int:
    seconds = _integer(text[:-1], "duration") * UNITS[text[-1]]
    if not 1 <= seconds <= _MONTH:
        raise InputError(f"{text[:20]}: durations are 1s to 30d")
    return seconds


def _minutes(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if hours > 23 or minutes > 59:
        raise InputError(f"{text}: times of day are 00:00 to 23:59")
    return 60 * hours + minutes
