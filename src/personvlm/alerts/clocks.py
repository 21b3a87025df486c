"""Times of day and days of the week in plain words: "between 8 and 10 pm", "on saturday nights"."""

from __future__ import annotations

import re
from functools import partial

from personvlm.alerts.rule import And, During, Node, On
from personvlm.alerts.sentence import Sentence, night
from personvlm.base.errors import InputError

NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
           "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}  # fmt: skip

_PARTS = {"morning": During(360, 720), "afternoon": During(720, 1080), "evening": During(1080, 1320),
          "night": During(1320, 360)}  # fmt: skip
_PHRASES = {
    r"(?:(?:at|by|in the|during the) nights?|overnight)": _PARTS["night"],
    r"(?:by day|during the day|in the daytime)": During(360, 1320), r"at (?:midday|noon)": During(660, 840),
    **{rf"(?:in|during) the {part}s?": _PARTS[part] for part in ("morning", "afternoon", "evening")},
}  # fmt: skip
_NAMED = {"midnight": 0, "noon": 720, "midday": 720}
_BEGINNINGS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_DAYS = rf"(?:{_DAY}|weekends?|weekdays?|work(?:ing )?days?)"
_TO = r"(?: to | until | till | through | ?[-–] ?)"
_ABOUT = r"(?:about|around|towards?|approximately|roughly|circa)"
_AFTER_HOUR = re.compile(r" *(?:$|[;,.!?)\ue000-\uf8ff]|(?:and|or|but|on|in|at|near|by|from|with|without"
                         r"|who|when|if|once|only|except|not|never|every|each|for|a|an|the|somebody|someone|anybody"
                         r"|wearing|carrying)\b)")  # fmt: skip
"""What may follow the hour in "after 8": not minutes, nor years, nor people."""


def _clock(n: int) -> str:
    words = "|".join(word for word in NUMBERS if len(word) > 2)
    return (rf"(?:(?P<hour{n}>\d{{1,2}}|{words})(?:[:.](?P<minute{n}>\d\d))?(?: ?(?P<half{n}>[ap]\.?m\.?|o'clock|h))?"
            rf"(?!\w)(?: (?:in the|at) (?P<part{n}>{'|'.join(_PARTS)}))?"
            rf"|(?P<named{n}>{'|'.join(_NAMED)}))")  # fmt: skip


_BETWEEN = rf"(?:(?P<not>outside(?: of)?)|between|from|during) {_clock(1)}(?: and |{_TO}){_clock(2)}"
_RANGE = rf"(?P<not>)?{_clock(1)}{_TO}{_clock(2)}"
_LIST = (rf"(?:(?:on|at|over|during|every|each) )*(?:the )?(?P<days>{_DAYS}(?:(?:, and|, or|,| and| or| &) (?:on )?"
         rf"(?:the )?{_DAYS})*)(?: (?P<part>{'|'.join(_PARTS)})s?)?")  # fmt: skip
_DAY_RANGE = rf"(?:between (?P<a>{_DAY}) and (?P<b>{_DAY})|(?:from |on )?(?P<c>{_DAY}){_TO}(?P<d>{_DAY}))"


def mark_times(sentence: Sentence) -> None:
    """Mark when it must be.

    Raises:
        InputError: a time that no clock shows.
    """

    def hour(match: re.Match[str]) -> Node | None:
        said = match["half1"] not in (None, "h") or match["minute1"] or match["part1"]  # "2 h" may be how long
        if not (said or (match["at"] is not None and _says(match, 1))):
            return None
        start = _minutes(match, 1) - (30 if match["about"] else 0)
        node = During(start % 1440, (start + 60) % 1440)
        sentence.notes.append(f"read {match.group()!r} as {node}")
        return node

    sentence.mark("time", _BETWEEN, _between)
    sentence.mark("time", _RANGE, lambda match: _between(match) if _says(match, 1) or _says(match, 2) else None)
    sentence.mark("time", rf"(?:after|from|since|later than|past) {_clock(1)}(?: onwards?)?", partial(_one, after=True))
    sentence.mark("time", rf"(?:before|until|till|by|earlier than) {_clock(1)}", partial(_one, after=False))
    sentence.mark("day", _DAY_RANGE, _day_range)
    sentence.mark("day", _LIST, _day_list)
    for words, node in _PHRASES.items():
        sentence.mark("time", words, lambda _, node=node: node)  # type: ignore[misc]
    sentence.mark("time", rf"(?P<at>at |(?={_ABOUT}))?(?:(?P<about>{_ABOUT}) )?{_clock(1)}", hour)


def _between(match: re.Match[str]) -> Node | None:
    alone = not _says(match, 1) and not _says(match, 2)
    if not (_is_hour(match, 1, alone) and _is_hour(match, 2, alone)):
        return None
    start, end = _minutes(match, 1), _minutes(match, 2)
    # "8 to 10 pm" is two hours: of what has no half of the day of its own, the nearer one is meant.
    if _half(match, 2) and _either_half(match, 1):
        start = next(each for each in (start % 720, start % 720 + 720) if 0 < (end - each) % 1440 <= 720)
    elif _half(match, 1) and _either_half(match, 2):
        end = next(each for each in (end % 720, end % 720 + 720) if 0 < (each - start) % 1440 <= 720)
    return During(end, start) if match["not"] else During(start, end)


def _one(match: re.Match[str], after: bool) -> Node | None:
    if not _is_hour(match, 1, alone=not _says(match, 1)):
        return None
    if not _says(match, 1) and match.group().startswith(("by ", "past ")):
        return None
    time = _minutes(match, 1)
    if time == 0 and after:  # the night, whose beginning that is not
        return During(0, _PARTS["night"].end)
    return During(time, 0) if after else During(0, time)


def _is_hour(match: re.Match[str], n: int, alone: bool) -> bool:
    """Whether it is a time, and not an age or a number of something. ``alone``: nothing says that it is one."""
    if _says(match, n):
        return True
    before, after = match.string[: match.start()].rstrip(), match.string[match.end() :]
    if re.search(r"\bage[ds]?$", before) or (match.end(f"hour{n}") == match.end() and not _AFTER_HOUR.match(after)):
        return False
    return not alone or (match[f"hour{n}"].isdigit() and int(match[f"hour{n}"]) <= 24)


def _says(match: re.Match[str], n: int) -> bool:
    """Whether it says itself that it is a time: a number alone may be anything."""
    return any(match[f"{part}{n}"] for part in ("minute", "half", "part", "named"))


def _half(match: re.Match[str], n: int) -> bool:
    """Whether it says which half of the day is meant."""
    return bool(match[f"named{n}"] or match[f"part{n}"] or (match[f"half{n}"] or "")[:1] in ("a", "p"))


def _either_half(match: re.Match[str], n: int) -> bool:
    hour = match[f"hour{n}"]
    return not _half(match, n) and not hour.startswith("0") and number_of(hour) <= 12


def number_of(word: str) -> int:
    """In digits or, up to twelve, in letters."""
    return NUMBERS[word] if word in NUMBERS else int(word)


def _minutes(match: re.Match[str], n: int) -> int:
    """Since midnight."""
    if match[f"named{n}"]:
        return _NAMED[match[f"named{n}"]]
    hours, minutes = number_of(match[f"hour{n}"]), int(match[f"minute{n}"] or 0)
    half, part = (match[f"half{n}"] or "")[:1], match[f"part{n}"]
    if half in ("a", "p"):
        hours = hours % 12 + 12 * (half == "p")
    elif part and hours <= 12:
        later = part in ("afternoon", "evening") or (part == "night" and 6 <= hours < 12)
        hours = hours % 12 + 12 * (later or (part == "morning" and hours == 12))
    if hours == 24 and minutes == 0:
        hours = 0
    if hours > 23 or minutes > 59:
        raise InputError(f"{hours}:{minutes:02} is no time of day")
    return 60 * hours + minutes


def _day_range(match: re.Match[str]) -> Node:
    first, last = (_BEGINNINGS.index(day[:3]) for day in (match["a"] or match["c"], match["b"] or match["d"]))
    return On(tuple(sorted((first + i) % 7 for i in range((last - first) % 7 + 1))))


def _day_list(match: re.Match[str]) -> Node:
    days: set[int] = set()
    for day in re.findall(_DAYS, match["days"]):
        days |= {5, 6} if day.startswith("weekend") else (
            {_BEGINNINGS.index(day[:3])} if day[:3] in _BEGINNINGS else set(range(5)))  # fmt: skip
    on, part = On(tuple(sorted(days))), match["part"]
    if part is None:
        return on
    if part != "night":
        return And((on, _PARTS[part]))
    return night(on.days, _PARTS[part].start, _PARTS[part].end)
