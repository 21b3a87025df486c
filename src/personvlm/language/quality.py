"""Seven checks of form that every description passes, and the stricter one that generated text is held to.

The checks are the seed's ("Text Generation Quality"). They look at form only: whether a sentence is true is for the
parser and the metrics to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import groupby, pairwise
from types import MappingProxyType

from personvlm.language.filler import without_filler
from personvlm.language.sentences import has_final, is_fragment, key, sentences, trim_open_end, word_set

START = "The image shows"

_BAD_PUNCTUATION = re.compile(
    r"\s[.,;:!?](?=\s|$)"  # space before a mark
    r"|(?<!e\.g)(?<!i\.e)(?<!etc)[.,;:!?]\s*[,;:]|[,;:]\s*[.!?](?!\w)|\.{2,}|!{2,}|\?{2,}"  # marks doubled
    r"|[ \t]{2,}|[\n\r\t]"  # white space that is not one space
    r"|,(?=[^\W\d_])|[a-z][.!?](?=[A-Z][a-z])"  # no space after a mark
)

# Words that may well stand twice in a sentence: "a dark blue shirt, dark blue jeans and a pair of … and a pair of …".
_FUNCTION = word_set("""a an the of and or with in on to from at by her his their its is are as that which it he
    she they""")
_MODIFIERS = _FUNCTION | word_set("""
    black white gray grey red blue green yellow brown orange pink purple beige tan khaki navy maroon teal olive
    cream dark light bright pale dark-colored light-colored colored long short long-sleeved short-sleeved sleeveless
    sleeves cotton-padded casual formal leather plain striped plaid denim pair possibly appears be what looks
    like off-white """)  # fmt: skip


def proper_start(text: str) -> bool:
    """Starts with "The image shows" and goes on."""
    return re.match(START + r" \w", text) is not None


def no_lowercase_start(text: str) -> bool:
    """No sentence starts with a lower-case letter."""
    return not any(re.match(r"[^\w]*[a-zß-ÿ]", sentence) for sentence in sentences(text))


def no_duplicate_sentence(text: str) -> bool:
    """No sentence is said twice, whatever its case and punctuation."""
    keys = [key(sentence) for sentence in sentences(text)]
    return len(set(keys)) == len(keys)


def complete_ending(text: str) -> bool:
    """Every sentence has a verb and ends with a full stop, and none on a word that announces another ("and a.")."""
    parts = sentences(text)
    return bool(parts) and all(
        has_final(part) and not is_fragment(part) and trim_open_end(part) == part for part in parts
    )


def proper_punctuation(text: str) -> bool:
    """Marks are not doubled, stand right behind their word, and one space follows."""
    return text == text.strip() and has_final(text) and _BAD_PUNCTUATION.search(text) is None


def no_filler(text: str) -> bool:
    """No preamble, no remark on the picture's quality, and no statement that there is no text."""
    return all(without_filler(sentence) == sentence for sentence in sentences(text))


def balanced(text: str) -> bool:
    """Every quotation mark, parenthesis and bracket has its other half in the same sentence, in the right order."""
    return all(is_balanced(sentence) for sentence in sentences(text))


def is_balanced(sentence: str) -> bool:
    """Whether the marks of one sentence pair up: quotation marks, parentheses, brackets."""
    stack: list[str] = []
    closers = {")": "(", "]": "[", "”": "“"}
    for mark in sentence:
        if mark == '"':  # opens where it is not open
            if stack and stack[-1] == '"':
                stack.pop()
            elif '"' in stack:
                return False
            else:
                stack.append(mark)
        elif mark in closers.values():
            stack.append(mark)
        elif mark in closers and (not stack or stack.pop() != closers[mark]):
            return False
    return not stack


CHECKS: Mapping[str, Callable[[str], bool]] = MappingProxyType({
    "proper_start": proper_start,
    "no_lowercase_start": no_lowercase_start,
    "no_duplicate_sentence": no_duplicate_sentence,
    "complete_ending": complete_ending,
    "proper_punctuation": proper_punctuation,
    "no_filler": no_filler,
    "balanced": balanced,
})  # fmt: skip
"""The seven checks, by name."""


def check(text: str) -> dict[str, bool]:
    """The outcome of each of :data:`CHECKS`.

    Example:
        >>> [name for name, passed in check("The image shows a man. he is").items() if not passed]
        ['no_lowercase_start', 'complete_ending', 'proper_punctuation']
    """
    return {name: function(text) for name, function in CHECKS.items()}


def no_repetition(text: str) -> bool:
    """No word or pair of words follows itself, and no phrase of three words or more comes twice in a sentence. A phrase
    of modifiers alone may ("dark blue casual"), as two garments may look alike.
    """
    return not any(_repeats(sentence) for sentence in sentences(text))


def _repeats(sentence: str) -> bool:
    # Phrases do not reach across punctuation; a repeated clause does not hide behind it either.
    stretches = [key(part) for part in re.split(r"[,;:()\"]", sentence)]
    stretches = [words for words in stretches if words]
    if any(first == second for words in stretches for first, second in pairwise(words)):
        return True
    if any(len(list(same)) > 1 and set(words) - _MODIFIERS for words, same in groupby(stretches)):
        return True
    seen: set[tuple[str, ...]] = set()
    for words in stretches:
        if _stammers(words):
            return True
        if any(words[i : i + 2] == words[i + 2 : i + 4] and set(words[i : i + 2]) - _MODIFIERS
               for i in range(len(words) - 3)):  # fmt: skip
            return True
        for i in range(len(words) - 2):
            phrase = words[i : i + 3]
            if phrase in seen and set(phrase) - _MODIFIERS:
                return True
            seen.add(phrase)
    return False


def _stammers(words: tuple[str, ...]) -> bool:
    """Two or three words without meaning that follow themselves: "is with his are with his are"."""
    return any(words[i : i + n] == words[i + n : i + 2 * n] and not set(words[i : i + n]) - _FUNCTION
               for n in (2, 3) for i in range(len(words) - 2 * n + 1))  # fmt: skip


def well_formed(text: str) -> bool:
    """What ``evaluate`` asks of generated text: starts properly, complete sentences, no repetition, punctuation that
    is balanced and in place."""
    parts = sentences(text)
    return (proper_start(text) and proper_punctuation(text) and len({key(part) for part in parts}) == len(parts)
            and all(_whole(part) for part in parts))  # fmt: skip


@lru_cache(maxsize=4096)
def _whole(sentence: str) -> bool:
    """The checks that look at one sentence. Many descriptions share sentences ("He is carrying a backpack.")."""
    return all(ask(sentence) for ask in (no_lowercase_start, complete_ending, balanced, no_repetition))
