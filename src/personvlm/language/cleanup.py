"""Six steps that mend generated text; the examples are the seed's ("Text Generation Quality").

Each step is a pure function from text to text that leaves a good text alone. A description that passes the checks of
:mod:`personvlm.language.quality` comes back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from personvlm.language.filler import without_filler
from personvlm.language.opening import opened
from personvlm.language.quality import is_balanced
from personvlm.language.sentences import has_final, is_fragment, key, sentences, trim_open_end, upper_first

_WORD = r"[^\W_][\w'’-]*"
# The same words again: at once ("a hat a hat"), or as the next item of a list, but not where that goes on differently
# ("a suit, suit trousers", "dark and dark blue").
_ECHO = re.compile(
    rf"(?<![\w'’-])((?!and ){_WORD}(?: {_WORD}){{0,7}})(?: \1(?![\w'’-])|(?:,|,? and) \1(?=[.,;:!?)]|$| and ))+",
    re.IGNORECASE,
)
_JOINT = re.compile(r"(,? and |[,;] (?:and )?)")
_OTHER = re.compile(r"\b(?:while|whereas|other|another|one|second|left|right)\b", re.IGNORECASE)
_RUN_ON = re.compile(r"(?<=[a-z)\"]) (?=(?:He|She|They|It|There|His|Her|Their|The (?:image|background|person|individual"
                     r"|man|woman|child|view|setting))(?:['’]s|['’]re)? )")  # fmt: skip
_MARKS = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)[.,;:!?…](?:\s*[.,;:!?…])+|\.(?:\s*[.!?])+")


def remove_filler(text: str) -> str:
    """Preambles, remarks on the picture's quality, and text that is not there.

    Example:
        >>> remove_filler("The image shows a man walking. There is no visible text or unique identifiers in the image.")
        'The image shows a man walking.'
    """
    return _join(without_filler(sentence) for sentence in sentences(text))


def remove_repetition(text: str) -> str:
    """Sentences, items and phrases that are said again. Quotations are left as they are.

    Example:
        >>> remove_repetition("The activity is standing. The activity is standing.")
        'The activity is standing.'
    """
    kept: dict[tuple[str, ...], str] = {}
    for sentence in sentences(text):
        once = "".join(part if part.startswith('"') else _ECHO.sub(r"\1", part)
                       for part in re.split(r'("[^"]*")', sentence))  # fmt: skip
        once = _without_repeated_items(once)
        kept.setdefault(key(once), once)
    return _join(kept.values())


def _without_repeated_items(sentence: str) -> str:
    if '"' in sentence or "(" in sentence:
        return sentence
    final = sentence[len(re.sub(r"[.!?]+$", "", sentence)) :]
    parts = _JOINT.split(sentence[: len(sentence) - len(final)])
    kept, seen = parts[:1], [key(parts[0])]
    for joint, item in zip(parts[1::2], parts[2::2], strict=True):
        words = key(item)
        if _OTHER.search(item):  # of someone else the same may be said
            seen = []
        again = any(words == other or (len(words) > 2 and other[-len(words) :] == words) for other in seen)
        if again and len(words) > 1:
            continue
        kept += [joint, item]
        seen.append(words)
    return "".join(kept) + final


def remove_fragments(text: str) -> str:
    """Sentences without a verb, and ends that announce what does not come. The text then starts "The image shows".

    Example:
        >>> remove_fragments("The image shows a man. He is wearing a hat and a. The image quality.")
        'The image shows a man. He is wearing a hat.'
    """
    kept = []
    for sentence in opened(sentences(text)):
        whole = trim_open_end(sentence)
        if not is_fragment(whole):
            kept.append(whole if whole == sentence else whole.rstrip(".") + ".")
    return _join(opened(kept))


def fix_punctuation(text: str) -> str:
    """One space between words, none before a mark, no doubled marks, a full stop and a capital for every sentence.

    Example:
        >>> fix_punctuation("the image shows a man ,standing..  he wears a hat")
        'The image shows a man, standing. He wears a hat.'
    """
    text = re.sub(r"\s+", " ", text).strip(" ,;:")
    text = re.sub(r" +(?=[.,;:!?](?:[\s.,;:!?]|$))", "", text)
    text = re.sub(r"(?:\.{3,}|…)(?= [a-z])", ",", text)
    text = _MARKS.sub(lambda match: next((mark for mark in match[0] if mark in ".!?"), match[0][0]), text)
    text = re.sub(r",(?=[^\W\d_])", ", ", text)
    text = re.sub(r"([a-z][.!?])(?=[A-Z][a-z])", r"\1 ", text)
    text = _RUN_ON.sub(". ", text)
    return _join(
        upper_first(sentence if has_final(sentence) else sentence.rstrip(" ,;:-–—.") + ".")
        for sentence in (part.lstrip(" .,;:!?") for part in sentences(text))
        if sentence
    )


def balance_quotes(text: str) -> str:
    """Closes what is open before the full stop, and removes a mark that closes nothing.

    Example:
        >>> balance_quotes('His shirt reads "HUMA.')
        'His shirt reads "HUMA".'
    """
    return _join(map(_balance_quotes, sentences(text)))


def _balance_quotes(sentence: str) -> str:
    if is_balanced(re.sub(r"[()\[\]]", "", sentence)):
        return sentence
    sentence = re.sub(r"[“”]", '"', sentence)
    stray: int | None = None
    drop: set[int] = set()
    for match in re.finditer('"', sentence):
        at = match.start()
        before, after = sentence[at - 1 : at], sentence[at + 1 : at + 2]
        opens = after.isalnum() and not before.isalnum()
        if stray is None and not opens and before.strip():
            drop.add(at)
        elif stray is None:
            stray = at
        elif opens:
            drop.add(stray)
            stray = at
        else:
            stray = None
    if stray is not None:
        quoted = re.match(r"[^.!?\"]*", sentence[stray + 1 :])
        ends = re.match(r"[A-Z0-9][\w'’-]*(?: [A-Z0-9][\w'’-]*)*", sentence[stray + 1 :])
        short = quoted is not None and 0 < len(quoted[0].split()) <= 4
        close = quoted.end() if quoted and short else ends.end() if ends else 0
        if close:
            end = stray + 1 + len(sentence[stray + 1 : stray + 1 + close].rstrip(" ,"))
            return _without(sentence[:end], drop) + '"' + sentence[end:]
        drop.add(stray)
    return _without(sentence, drop)


def _without(text: str, positions: set[int]) -> str:
    return "".join(mark for index, mark in enumerate(text) if index not in positions)


def balance_parentheses(text: str) -> str:
    """Closes what is open before the full stop, and removes a mark that closes nothing.

    Example:
        >>> balance_parentheses("He is wearing a hat (partially visible.")
        'He is wearing a hat (partially visible).'
    """
    return _join(map(_balance_parentheses, sentences(text)))


def _balance_parentheses(sentence: str) -> str:
    if is_balanced(sentence):
        return sentence
    sentence = re.sub(r"(?<=\w)[()\[\]](?=\w)|[(\[](?=\s)|(?<=\s)[)\]]", "", sentence)  # a mark astray
    pairs, open_at, drop = {")": "(", "]": "["}, list[int](), set[int]()
    for at, mark in enumerate(sentence):
        if mark in "([":
            open_at.append(at)
        elif mark in pairs and open_at and sentence[open_at[-1]] == pairs[mark]:
            open_at.pop()
        elif mark in pairs:
            drop.add(at)
    body = _without(sentence, drop)
    final = re.search(r"[.!?…]*$", body)
    end = final.start() if final else len(body)
    closing = "".join(")" if sentence[at] == "(" else "]" for at in reversed(open_at))
    mended = re.sub(r"\(\s*\)|\[\s*\]", "", body[:end] + closing + body[end:])
    for marks in ("", r"[()\[\]]", r'["“”]'):  # marks that cross each other say nothing: parentheses go first
        mended = re.sub(marks, "", mended) if marks and not is_balanced(mended) else mended
    return mended


STEPS: tuple[Callable[[str], str], ...] = (
    remove_filler, remove_repetition, remove_fragments, fix_punctuation, balance_quotes, balance_parentheses,
)  # fmt: skip
"""The seed's six steps, in its order."""


def clean(text: str) -> str:
    """All steps, again until nothing changes: a mark that is mended may show a sentence that was hidden. Text that says
    nothing becomes "The image shows a person.".

    Example:
        >>> clean("the image shows a man walking. There is no visible text in the image. The image quality.")
        'The image shows a man walking.'
    """
    for _ in range(8):
        before = text
        for step in STEPS:
            text = step(text)
        if text == before:
            break
    return text


def _join(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
