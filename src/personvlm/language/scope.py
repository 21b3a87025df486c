"""Which parts of a caption are about its person: the scene and other people are left out."""

from __future__ import annotations

from collections.abc import Sequence

from personvlm.language.words import OTHERS, PRONOUNS, SCENE

_ENDS = frozenset((".", "!", "?", ";"))
_PEOPLE = frozenset((
    "person", "person's", "people", "individual", "individuals", "individual's", "man", "men", "woman", "women",
    "child", "children", "pedestrian", "pedestrians", "figure", "figures", "student", "students", "boy", "girl",
    "boys", "girls", "adult", "adults", "persons", "passengers", "female", "male", "someone", "else", "rider",
    "riders", "bystanders",
))  # fmt: skip
_SOMEBODY = frozenset((
    "man", "woman", "boy", "girl", "child", "person", "lady", "male", "female", "individual", "toddler", "baby", "kid",
))  # fmt: skip
_BESIDE = frozenset(("with", "beside", "near", "alongside", "to", "and", "past", "behind", "by", "after", "watching"))
_CARRIES = frozenset(("holding", "carrying", "pushing", "holds", "carries", "pushes", "hugging"))
_BEFORE = frozenset(("behind", "beside", "near", "alongside", "before", "next"))
_BY = frozenset(("to", "with", "beside", "near", "alongside", "behind", "of"))
_CLOSES = frozenset((",", "and", "in", "on", "at", "while", "as", "from"))
_UNSURE = (["unclear"], ["tell"], ["determine"], ["see"], ["say"], ["uncertain"])
_TURNS = frozenset(("but", "however", "though", "although"))
_BLURRED = frozenset(("background", "setting", "scene", "environment", "backdrop", "surroundings"))
ABOUT_OTHERS = (_PEOPLE | _BLURRED) - {
    "person", "individual", "man", "woman", "boy", "girl", "child", "male", "female", "adult",
}
"""Words that lead away from the person wherever they stand; the constraint never lets them through."""

_SUBJECTS = {**PRONOUNS, "they": "several", "their": "several"}
_MEN = frozenset(("man", "male", "boy", "man's", "gentleman"))
_WOMEN = frozenset(("woman", "female", "girl", "woman's", "lady"))


def described(words: Sequence[str]) -> list[list[str]]:
    """Sentences about the person, each without what it says of the scene or of other people.

    Args:
        words: the whole caption as :func:`~personvlm.language.tokens.split` gives it.
    """
    words = _without_quotations(words)
    kept: list[list[str]] = []
    gender: str | None = None
    met_others = False
    for sentence in _sentences(words):
        subject = next((_SUBJECTS[word] for word in sentence[:2] if word in _SUBJECTS), None)
        if met_others and gender and subject and subject != gender:
            continue
        if kept and _is_about_a_neighbor(sentence):
            met_others = True
            continue
        sentence = _without_doubts(sentence)
        part = _own(sentence)
        met_others |= len(part) < len(sentence)
        gender = gender or _gender(part)
        if part:
            kept.append(part)
    return kept


def _without_quotations(words: Sequence[str]) -> list[str]:
    """Text that is read on clothes ("COOL KID") is not about the person."""
    kept, quoted = [], False
    closes = list(words).count('"') % 2 == 0
    for word in words:
        if word in ("“", "”") or (word == '"' and closes):
            quoted = word == "“" or (word == '"' and not quoted)
        elif not quoted:
            kept.append(word)
    return kept


def _sentences(words: Sequence[str]) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            if sentences[-1]:
                sentences.append([])
        else:
            sentences[-1].append(word)
    return [sentence for sentence in sentences if sentence]


def _is_about_a_neighbor(sentence: Sequence[str]) -> bool:
    """Whether somebody new stands or walks beside the person: "A man in a red coat stands behind him"."""
    if sentence[:1] and sentence[0] in _BEFORE:  # "Behind him, a woman in a yellow coat is walking."
        at = next((place for place, word in enumerate(sentence[:4]) if word in ("him", "her", "them")), len(sentence))
        rest = [word for word in sentence[at + 1 : at + 7] if word not in (",", "is", "stands", "walks")]
        return rest[:1] in (["a"], ["an"]) and bool(_SOMEBODY & set(rest[1:4]))
    if sentence[:1] not in (["a"], ["an"]) or not _SOMEBODY & set(sentence[1:4]):
        return False
    followers = [*sentence[1:], ","]
    return any(word in ("him", "her", "them") and before in _BY and after in _CLOSES
               for before, word, after in zip(["", *sentence], sentence, followers, strict=False))  # fmt: skip


def _without_doubts(sentence: list[str]) -> list[str]:
    """Without what is only asked: "It is unclear whether he wears a hat, but he carries a bag"."""
    kept, asked = [], False
    for position, word in enumerate(sentence):
        asked = word == "whether" or (word == "if" and sentence[position - 1 : position] in _UNSURE) or (
            asked and word not in _TURNS
        )
        if not asked:
            kept.append(word)
    return kept


def _gender(sentence: Sequence[str]) -> str | None:
    for word in sentence:
        if word in _MEN or PRONOUNS.get(word) == "male":
            return "male"
        if word in _WOMEN or PRONOUNS.get(word) == "female":
            return "female"
    return None


def _own(sentence: list[str]) -> list[str]:
    """The part of one sentence that is about the person."""
    if any(word in _BLURRED for word in sentence[:4]):
        return []
    for position, word in enumerate(sentence):
        if word in SCENE:
            return sentence[:position]
        following = sentence[position + 1 : position + 4]
        if word in OTHERS and (word in ("someone", "companion", "people", "others") or _PEOPLE & set(following)):
            begins = position < 4 or any(other in ("part", "portion", "parts") for other in sentence[:position])
            return [] if begins else sentence[:position]
        if word in _BESIDE and following[:1] in (["a"], ["an"]) and _SOMEBODY & set(following) and (
            _SOMEBODY & set(sentence[:position]) or (word == "with" and PRONOUNS.keys() & set(sentence[:position]))
        ):
            return sentence[:position]
    return _without_carried(sentence)


def _without_carried(sentence: list[str]) -> list[str]:
    """Without the child that somebody holds or pushes, whose age is not theirs."""
    for position, word in enumerate(sentence):
        if word in _CARRIES and sentence[position + 1 : position + 2] in (["a"], ["an"], ["his"], ["her"]):
            for end in range(position + 2, min(position + 5, len(sentence))):
                if sentence[end] in _SOMEBODY:
                    return [*sentence[: position + 1], *_without_carried(sentence[end + 1 :])]
    return sentence
