"""Captions as they come to training targets: one or two plain paragraphs' worth of noise less, nothing added.

Written for MSP60K's captions, half of which open with a preamble and most of which close with remarks about text and
the picture's quality. ``report`` measures what it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from personvlm.language.cleanup import fix_punctuation
from personvlm.language.filler import without_filler
from personvlm.language.opening import opened
from personvlm.language.quality import START
from personvlm.language.sentences import has_final, is_fragment, key, sentences, trim_open_end, upper_first
from personvlm.language.tokens import split
from personvlm.language.unsupported import without_others, without_unsupported

_MARKS = str.maketrans({"\u00a0": " ", "\u200b": "", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "…": "."})
_PREAMBLE = re.compile(
    r"^\W*(?:(?:sure|certainly|okay|of course)\b|here(?:['’]s| is| are)\b|the following\b|description:)", re.IGNORECASE
)
_BULLET = re.compile(r"^\s*(?:[*•-]|\d+[.)])\s+")
_LABEL = re.compile(r"^\*\*[^*:]+:\*\*\s*")
_CONTRACTED = re.compile(r"\b([Hh]e|[Ss]he|[Ii]t|[Tt]here|[Tt]hat)'s\b(?! (?:got|been)\b)")

# "a blurry, low-resolution photo of a man" is "a man"; "a blurry side view of a man" is "a side view of a man".
_BAD = (
    r"(?:(?:slightly |somewhat |very |extremely |rather |quite |fairly |mostly |poor(?:ly)? |dimly )*"
    r"(?:blurry|blurred|low[- ]resolution|low[- ]quality|grainy|gr[ae]yscale|black[- ]and[- ]white|pixelated|lit|dark"
    r"|out[- ]of[- ]focus|noisy|dim|fuzzy|distorted|high[- ]resolution|cropped))"
)
_ANGLE = (
    r"(?:(?:slightly |somewhat )*(?:high[- ]angled?|low[- ]angled?|angled|overhead|medium|eye[- ]level|zoomed[- ]in))"
)
_CAMERA = r"(?:security|surveillance|CCTV|camera|video|still|candid|digital|single)"
_MADE = (
    rf"(?:{_CAMERA}(?:[- ](?:camera|style|footage|type))? )*"
    r"(?:photo(?:graph)?|picture|image|still|frame|screenshot|shot|capture|snapshot|footage|scan)"
    r"(?: (?:image|frame|shot|photo|still))?"
)
_VIEW = (
    r"(?:(?:side|rear|back|front|frontal|full|full[- ]body|full[- ]length|close[- ]up|close|profile|partial|candid"
    r"|three-quarter|waist[- ]up),? )*"
)
_BAD_RUN = re.compile(
    rf"\ban? (?:{_BAD}(?:,? and |, | ))+(?=(?:{_ANGLE},? )*{_VIEW}(?:{_MADE}|view|profile|close-up|portrait)\b)",
    re.IGNORECASE,
)
_PICTURE_OF = re.compile(
    rf"\ban? (?:(?:{_ANGLE})(?:,? and |, | ))*{_MADE}(?: or {_MADE})?"
    r"(?: (?:taken |captured )?from (?:what (?:appears|seems) to be )?(?:an? )?[\w -]*?"
    r"(?:camera|footage|video|recording|surveillance))? (?:of|showing|depicting) (?=\w)",
    re.IGNORECASE,
)


def normalise(caption: str, *, scene: bool = False) -> str:
    """A caption as a training target: starts "The image shows", says only what a picture of a person can support, and
    ends with a whole sentence.

    Args:
        caption: as the data set has it, with preamble, line breaks and markdown.
        scene: keep sentences about background, light and other people. The project's descriptions do without.

    Example:
        >>> normalise("Here's a description of the image:\\n\\nThe image shows a blurry photo of a man.  He's"
                      " walking. "
        ...           "No text or unique identifiers are visible.")
        'The image shows a man. He is walking.'
    """
    parts = sentences(_plain(caption))
    if len(parts) > 1 and not has_final(parts[-1]):
        parts.pop()  # cut off: what it would have said is not known
    parts = _each(parts, without_filler)
    parts = _each(parts, without_unsupported)
    parts = opened(_each(parts, _without_quality)) if parts else opened([])
    if not scene:
        parts = without_others(parts)
    unique = {key(part): part for part in reversed([_whole(part) for part in parts]) if part}
    return fix_punctuation(" ".join(reversed(unique.values())))


def _each(parts: Iterable[str], function: Callable[[str], str]) -> list[str]:
    return [kept for kept in map(function, parts) if kept]


def _whole(sentence: str) -> str:
    whole = trim_open_end(sentence)
    return "" if is_fragment(whole) else whole if whole == sentence else whole + "."


def _plain(caption: str) -> str:
    """One line of plain sentences: straight quotes and apostrophes, no markdown, no line breaks, lists as sentences."""
    lines = [line.strip() for line in caption.translate(_MARKS).replace("—", ", ").splitlines() if line.strip()]
    text: list[str] = []
    items: list[str] = []
    for line in [*lines, ""]:
        if _BULLET.match(line):
            items.append(_BULLET.sub("", line))
            continue
        if items:
            lead = text.pop() if text and text[-1].endswith(":") else ""
            text.append(_listed(lead, items))
            items = []
        if line:
            text.append(re.sub(r"^#+\s*", "", line))
    return _CONTRACTED.sub(r"\1 is", re.sub(r"\*\*|__|`", "", " ".join(text)).replace("They're", "They are"))


def _listed(lead: str, items: list[str]) -> str:
    """"He is wearing:" and its items as one sentence; items that are sentences themselves follow as such."""
    things, more = [], []
    for item in items:
        first, *others = sentences(_LABEL.sub("", item).replace("**", ""))
        if is_fragment(first) and not _LABEL.match(item):
            things.append(first[0].lower() + first[1:].rstrip("."))
        else:
            more.append(upper_first(first))
        more += others
    before, _, last_clause = lead.rpartition(". ")
    if things and re.search(r"\b(?:wearing|includes?|carrying|has|dressed in):$", lead):
        listed = ", ".join(things[:-1]) + (", and " if len(things) > 1 else "") + things[-1]
        return " ".join(filter(None, (before and before + ".", f"{last_clause[:-1]} {listed}.", *more)))
    return " ".join([*(thing + "." for thing in things), *more])


def _without_quality(sentence: str) -> str:
    shorter = _BAD_RUN.sub(_article, sentence)
    shorter = _PICTURE_OF.sub("", shorter)
    return shorter


def _article(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1].lower()
    return match[0][: 1] + ("n " if following in "aeiou" else " ")


@dataclass(frozen=True)
class Counts:
    """What a set of captions looks like: counts of captions, words per caption, distinct words."""

    captions: int
    preamble: int
    proper_start: int
    truncated: int
    filler: int
    mean_words: float
    distinct_words: int

    @classmethod
    def of(cls, captions: list[str]) -> Counts:
        """Measure captions; ``truncated`` counts those that do not end with a full stop, ``filler`` those that hold a
        remark on quality or absent text."""
        words = [[word for word in split(caption) if word[0].isalnum()] for caption in captions]
        flat = [" ".join(caption.split()) for caption in captions]
        return cls(
            captions=len(captions),
            preamble=sum(bool(_PREAMBLE.match(caption)) for caption in flat),
            proper_start=sum(caption.startswith(START + " ") for caption in flat),
            truncated=sum(not has_final(caption) for caption in flat),
            filler=sum(any(without_filler(part) != part for part in sentences(caption)) for caption in flat),
            mean_words=sum(map(len, words)) / max(len(words), 1),
            distinct_words=len(set().union(*words)) if words else 0,
        )


@dataclass(frozen=True)
class Report:
    """Captions before and after :func:`normalise`; ``str`` gives a table and the examples."""

    before: Counts
    after: Counts
    examples: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        rows = [f"{'':16}{'before':>10}{'after':>10}"]
        for name in Counts.__dataclass_fields__:
            old, new = getattr(self.before, name), getattr(self.after, name)
            rows.append(f"{name.replace('_', ' '):16}{old:>10.4g}{new:>10.4g}" if isinstance(old, float)
                        else f"{name.replace('_', ' '):16}{old:>10}{new:>10}")  # fmt: skip
        for old, new in self.examples:
            rows += ["", "- " + " ".join(old.split()), "+ " + new]
        return "\n".join(rows)


def report(captions: Iterable[str], examples: int = 10, *, scene: bool = False) -> Report:
    """Normalise captions and measure both sides, with examples spread evenly over the changed ones."""
    old = list(captions)
    new = [normalise(caption, scene=scene) for caption in old]
    changed = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    step = max(len(changed) // max(examples, 1), 1)
    return Report(Counts.of(old), Counts.of(new), tuple(changed[::step][:examples]))
