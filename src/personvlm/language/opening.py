"""The first sentence: "The image shows …" wherever it can be had without saying what was not said."""

from __future__ import annotations

import re
from collections.abc import Iterable

from personvlm.language.sentences import has_final, is_fragment

_I = re.IGNORECASE
_PICTURE = r"(?:image|photo|photograph|picture|video|frame|shot|screenshot|scene|view)"
_SHOWS = r"(?:shows|depicts|features|captures|displays|presents|portrays)"
_PERSON = (r"(?:man|woman|person|child|boy|girl|individual|male|female|adult|teenager|toddler|student|figure|men|women"
           r"|people|children|boys|girls|individuals|males|females|adults|students)")  # fmt: skip
_ARTICLE = r"(?:an?|the|two|three|four|several|some|one)"
_NOUN_PHRASE = rf"(?:an?|two|three|several|some) (?:[\w'’-]+,? ){{0,6}}?{_PERSON}"

_REWRITES = tuple((re.compile(pattern, _I), new) for pattern, new in (
    (rf"^(?:the|this|that) (?:grayscale |black-and-white |first )?{_PICTURE} (?:clearly |also |only )?"
     rf"(?:(?:appears|seems) to )?(?:{_SHOWS}|show|depict) ", ""),
    (rf"^(?:the|this) (?:overall )?{_PICTURE} (?:is|looks|appears)\b[^.]*?,? but (?:it )?"
     rf"(?:(?:appears|seems) to show|{_SHOWS}) ", ""),
    (rf"^(?:the|this) {_PICTURE} (?:is|appears to be|seems to be) (?={_ARTICLE} )", ""),
    (rf"^(?:in|from) (?:the|this) {_PICTURE},? (?:there (?:is|are) |we (?:can )?see |you can see |one can see )?"
     rf"(?={_ARTICLE} )", ""),
    (rf"^(?:it|this) (?:(?:appears|seems) to (?:show|depict|be)|{_SHOWS}|is) (?={_ARTICLE} )", ""),
    (r"^(?:there (?:is|are)|there['’]s|that['’]s|this is|we (?:can )?see|you can see|shows|showing|depicts|image shows)"
     rf" (?={_ARTICLE} )", ""),
    (r"^(?=(?:(?:close|medium|full|rear|side|front|back|low|high)[\w-]*,? )+(?:view|shot|close-up|profile)\b)", "a "),
))  # fmt: skip
_BEING = re.compile(rf"^({_NOUN_PHRASE}) (?:is|are) ((?:\w+ing|seen|shown|dressed|visible)\b.*)", _I)
_STARTED = re.compile(r"^the image shows (?=\S)", _I)


def opened(parts: Iterable[str]) -> list[str]:
    """Sentences of which the first starts "The image shows": rewritten where it says the same in other words ("The
    photo depicts …", "A man is walking."), preceded by "The image shows a person." where it does not. A later sentence
    that starts so comes to the front. No sentence at all becomes that one.
    """
    rest = list(parts)
    shown = [_shown(sentence) for sentence in rest]
    at = next((index for index, sentence in enumerate(rest) if _STARTED.match(sentence)), 0)
    if not rest or (what := shown[at]) is None:
        return ["The image shows a person.", *rest]
    if not re.match(r"\w", what):
        what = re.sub(r"^[^\w]+", "", what)
        if not what:
            return opened(rest[:at] + rest[at + 1 :])
    first = f"The image shows {what}"
    if len(rest) > 1 and not has_final(first):
        first = first.rstrip(" ,;:") + "."
    return [first, *rest[:at], *rest[at + 1 :]]


def _shown(sentence: str) -> str | None:
    """What follows "The image shows", or None where the sentence is about something else."""
    if started := _STARTED.match(sentence):
        return sentence[started.end() :]
    for pattern, new in _REWRITES:
        if match := pattern.match(sentence):
            return new + _lower_first(sentence[match.end() :])
    if match := _BEING.match(sentence):
        return _lower_first(match[1]) + " " + match[2]
    if is_fragment(sentence) and re.match(_NOUN_PHRASE, sentence, _I):
        return _lower_first(sentence)
    return None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
