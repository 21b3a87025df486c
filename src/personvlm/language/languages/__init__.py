"""The sentences in other languages, from one table of words per language. They are not parsed, only said."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from personvlm.base.errors import InputError
from personvlm.language.realiser import realise
from personvlm.schema.description import Attribute, PersonDescription, Values, check_values, values_of
from personvlm.schema.events import DescribeResult

if TYPE_CHECKING:
    from personvlm.language.languages.base import Grammar

ENGLISH = "en"

Lang = Literal["en", "es", "de", "fr", "hi", "zh", "ja"]
"""What can be asked for by name."""


def offered(grammars: Iterable[Grammar]) -> dict[str, Grammar]:
    """Those whose table is complete: a language that lacks a word of the schema is not offered."""
    return {each.code: each for each in grammars if not each.table.missing()}


@functools.cache
def _others() -> Mapping[str, Grammar]:
    """What is offered beside English; read when it is first asked for, since most describers never are."""
    from personvlm.language.languages import de, es, fr, hi, ja, zh
    from personvlm.language.languages.east_asian import Chinese, Japanese
    from personvlm.language.languages.german import German
    from personvlm.language.languages.hindi import Hindi
    from personvlm.language.languages.romance import French, Spanish

    return MappingProxyType(offered((
        Spanish(es.TABLE), German(de.TABLE), French(fr.TABLE), Hindi(hi.TABLE), Chinese(zh.TABLE), Japanese(ja.TABLE),
    )))  # fmt: skip


def languages() -> dict[str, str]:
    """Code of every language that is offered -> its own name for itself."""
    return {ENGLISH: "English", **{code: each.name for code, each in _others().items()}}


_RANGE = re.compile(
    r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)
_LONGEST = 1000  # of a header; nobody speaks more


def language(tag: str) -> str:
    """The code of a language that is offered, for a tag such as ``de``, ``de-AT`` or ``zh_CN``.

    Raises:
        InputError: it is not offered; names what is.
    """
    code = re.split("[-_]", tag.strip(), maxsplit=1)[0].lower()
    if code != ENGLISH and code not in _others():
        raise InputError(f"{tag[:40]!r} is not a language that descriptions come in; there is "
                         f"{', '.join(languages())}")  # fmt: skip
    return code


def negotiated(header: str | None) -> str:
    """The best language that is offered, by the header ``Accept-Language``; English where none is wanted or offered.

    Example:
        >>> negotiated("pt, fr-CA;q=0.8, de;q=0.9"), negotiated("pt"), negotiated(None)
        ('de', 'en', 'en')
    """
    best, best_quality = ENGLISH, 0.0
    for part in (header or "")[:_LONGEST].split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            continue
        code = ENGLISH if found[1] == "*" else found[1].split("-")[0].lower()
        quality = float(found[2] or 1)
        if (code == ENGLISH or code in _others()) and quality > best_quality:
            best, best_quality = code, quality
    return best


def realise_in(values: Values, lang: str, *, say_absent: bool = False) -> str:
    """Say what ``values`` hold in ``lang``, and nothing else; see :func:`personvlm.language.realiser.realise`.

    Args:
        values: group -> decided values. ``other`` and ``unknown`` are never said.
        lang: a tag, such as ``de`` or ``de-AT``.
        say_absent: also say the ``none`` values.

    Raises:
        InputError: the language is not offered.
        ValueError: a group or value does not exist.

    Example:
        >>> realise_in({"gender": ("male",), "upper.garment": ("jacket",), "upper.color": ("black",)}, "de")
        'Das Bild zeigt einen Mann. Er trägt eine schwarze Jacke.'
    """
    code = language(lang)
    if code == ENGLISH:
        return realise(values, say_absent=say_absent)
    for group, given in values.items():
        check_values(group, tuple(given))
    from personvlm.language.languages.base import Seen

    return _others()[code].say(Seen(values), say_absent)


def said_in(attributes: Mapping[str, Attribute], lang: str) -> str:
    """A description's sentences in ``lang``, of its decided attributes.

    Raises:
        InputError: the language is not offered.
    """
    values = values_of(attributes)
    if values.get("visibility") == ("full",):  # goes without saying, as where the model speaks
        del values["visibility"]
    return realise_in(values, lang)


def in_language(description: PersonDescription, lang: str) -> PersonDescription:
    """The description with its text in ``lang``, made of its attributes; they and all else stay as they are.

    English is what the model said and stays so. Candidates are English too, and are left out of other languages.

    Raises:
        InputError: the language is not offered.
    """
    code = language(lang)
    if code == ENGLISH or not description.text:
        return description
    return description.model_copy(update={"text": said_in(description.attributes, code), "candidates": ()})


def result_in_language(result: DescribeResult, lang: str) -> DescribeResult:
    """The same of an answer; an error stays English.

    Raises:
        InputError: the language is not offered.
    """
    if result.description is None:
        language(lang)
        return result
    return result.model_copy(update={"description": in_language(result.description, lang)})
