"""Text to sentences, and what makes a sentence of a description whole. Quality, clean-up and normaliser stand on it."""

from __future__ import annotations

import re

from personvlm.language.tokens import split

_BOUNDARY = re.compile(r"([.!?…]+)([\"”')\]]*)(\s+)(?=(\S))")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|mr|mrs|ms|dr|approx|[a-z])|^\d+)$", re.IGNORECASE)
_FINAL = re.compile(r"[.!?…][\"”')\]]*$")

# A sentence of a description has one of these verbs, or a participle after a form of "to be".
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|does|do|can|could|may|might|will|would|must|isn['’]t|aren['’]t|shows?|depicts?"
    r"|features|wears?|carr(?:y|ies)|holds?|appears?|seems?|looks?|sits?|stands?|walks?|runs?|rides?|faces|covers?"
    r"|obscures?|suggests?|indicates?|includes?|consists?|contains?|displays|reads?|says?|extends?|reach(?:es)?|falls?"
    r"|hangs?|rests?|leans?|makes?|comes?|goes|uses|gives?|takes?|keeps?|leaves?|lies?|matches|complements?|reveals?"
    r"|frames|hides?|fits|ends|begins|starts|sports|dons|points|turns|moves|push(?:es)?|pulls?|talks?|waits?|remains?"
    r"|stretches|resembles?|occup(?:y|ies)|lacks?|provides?|limits?|prevents?|offers?|creates?|adds?|accompan(?:y|ies)"
    r"|gazes?|tilts?|continues?|translates?|blends?|implies|drapes?|dangles?|completes?)\b|\w['’](?:s|re|ve|d|ll)\b",
    re.IGNORECASE,
)  # fmt: skip



def word_set(text: str) -> frozenset[str]:
    """The words of a text, for lists that read better as text."""
    return frozenset(re.findall(r"\S+", text))


# Words that no sentence ends with: what they announce is missing.
_OPEN = word_set("""a an the and or but nor of with from into onto by as than if because while whereas although though
    whose which who is are was were be his their its some very quite wearing holding carrying wears carries holds has
    have had includes including featuring shows suggesting making possibly appears seems towards toward for at to
    these those also both between like""")  # fmt: skip
_ADJECTIVES = word_set("""black white gray grey red blue green yellow brown orange pink purple beige tan khaki navy
    maroon teal olive dark light bright pale dark-colored light-colored long-sleeved short-sleeved sleeveless
    cotton-padded casual leather young middle-aged small large long short plain striped plaid denim""")
_OPEN_ADJECTIVES = word_set("a an the his their some wearing wears carrying carries holding holds with")
_LEADS_ON = re.compile(r"\b(?:over|under|on|in|near|behind|around|above|below|beneath|across|against)$", re.IGNORECASE)
_RELATIVE = re.compile(r"\w.*(?<!and )(?<!but )(?<!, )"
                       r"\b(?:he|she|they|it|man|woman|person|child|boy|girl|individual)(?:['’]s|['’]re| is| are)"
                       r"(?: (?:wearing|holding|carrying|interacting with|looking at))?$", re.IGNORECASE)  # fmt: skip


def sentences(text: str) -> list[str]:
    """Sentences of a text in order, without the space between them. A full stop inside a quotation or parenthesis that
    closes in the next sentence does not end one; neither does that of "e.g.".

    Example:
        >>> sentences('The shirt reads "F.A." in red. he is walking')
        ['The shirt reads "F.A." in red.', 'he is walking']
    """
    parts, start = [], 0
    for match in _BOUNDARY.finditer(text):
        abbreviated = match[1] == "." and _ABBREVIATION.search(text[start : match.start()])
        if match[4].islower() if match[2] else abbreviated:
            continue
        parts.append(text[start : match.end(2)].strip())
        start = match.end(3)
    parts.append(text[start:].strip())
    merged: list[str] = []
    for part in filter(None, parts):
        if merged and _crosses(merged[-1], part):
            merged[-1] += " " + part
        else:
            merged.append(part)
    return merged


def _crosses(before: str, after: str) -> bool:
    """Whether a quotation or parenthesis opens in one sentence and closes in the next."""
    if before.count('"') % 2 and after.count('"') % 2:
        return True
    opened = before.count("(") - before.count(")")
    return opened > 0 and after.count(")") - after.count("(") == opened


def key(sentence: str) -> tuple[str, ...]:
    """The words alone: two sentences that differ in case, spaces or punctuation have the same key."""
    return tuple(word for word in split(sentence) if word[0].isalnum())


def has_final(sentence: str) -> bool:
    """Whether the sentence ends with a full stop, question or exclamation mark, before any closing quotation."""
    return _FINAL.search(sentence) is not None


def is_fragment(sentence: str) -> bool:
    """Whether the sentence lacks a verb ("The image quality.") or stands for less than two words."""
    return len(key(sentence)) < 2 or _VERB.search(sentence) is None


def trim_open_end(sentence: str) -> str:
    """Take off the last words as long as they announce something that does not come ("… and a dark"). A sentence
    that is whole comes back as it is.

    Example:
        >>> trim_open_end("He is wearing a hat and a dark blue")
        'He is wearing a hat'
    """
    body = re.sub(r"[\s.!?…,;:]*$", "", sentence)
    kept = body
    while kept and (_ends_open(kept) or (kept != body and _LEADS_ON.search(kept))):
        kept = re.sub(r"[\s,;:(\"-]*[^\s(\"]*$", "", kept)
    return sentence if kept == body else kept


def _ends_open(body: str) -> bool:
    words = body.lower().split()
    last = words[-1].strip("(\"'")
    if _RELATIVE.match(body) and len(words) > 5:  # "… the bag she is carrying"
        return False
    if len(last) == 1 and last.islower() and body[-1] == last:  # "seen from t": a word was cut
        return True
    if last in _OPEN and body[-1] not in "\")'":
        return True
    end = len(words)
    while end and words[end - 1].rstrip(",") in _ADJECTIVES:
        end -= 1
    return end < len(words) and end > 0 and words[end - 1] in _OPEN_ADJECTIVES


def upper_first(text: str) -> str:
    """The first letter in upper case, whatever mark stands before it."""
    return re.sub(r"^([^\w]*)([^\W\d_])", lambda match: match[1] + match[2].upper(), text, count=1)
