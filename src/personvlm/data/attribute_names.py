"""Attributes that other tools wrote down, as our annotations: by our own names, or through a table of theirs.

A table is a JSON object with an entry per attribute of theirs::

    {"sex": {"M": {"gender": "male"}, "F": {"gender": "female"}},
     "backpack": {"true": {"carrying": {"present": ["backpack"]}}, "false": {"carrying": {"absent": ["backpack"]}}},
     "top colour": "upper.color",
     "occluded": null}

A name stands for a group whose values are called as ours; null leaves the attribute out; values that are null are not
annotated. What a value means is written as in the project's own format (:mod:`personvlm.data.own`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.lines import read_json
from personvlm.data.own import annotations_of
from personvlm.schema import GROUP, NONE, UNKNOWN, Annotations, Known

Meaning = str | Mapping[str, Mapping[str, Any] | None] | None
Table = Mapping[str, Meaning]
"""Their attribute -> our group, or their value -> what it says, or None."""

EMPTY: Table = MappingProxyType({})

_TECHNICAL = frozenset(("occluded", "truncated", "outside", "keyframe", "rotation", "track_id", "crowd", "difficult"))
"""What CVAT and others write beside the attributes that a user defined; nothing that we describe."""


def table_beside(path: Path) -> Path:
    """Where the table of a data file lies, if it has one: ``people.json`` -> ``people.mapping.json``."""
    return path.with_name(f"{path.stem}.mapping.json")


def read_table(path: Path) -> Table:
    """A table from a file.

    Raises:
        InputError: it is none, or names a group or a value that the schema does not have (with the legal ones).
    """
    table = read_json(path)
    if not isinstance(table, dict):
        raise InputError(f"{path}: a JSON {type(table).__name__}; it must be an object: attribute -> what it means")
    for name, meaning in table.items():
        try:
            _check(meaning)
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}, {name!r}: {error.args[0]}") from None
    return table


def _check(meaning: Any) -> None:
    if isinstance(meaning, str):
        annotations_of({meaning: None})
    elif isinstance(meaning, dict):
        for value, says in meaning.items():
            if says is not None and not isinstance(says, dict):
                raise ValueError(f"{value!r} must be an object, group -> what holds, or null")
            annotations_of(says or {})
    elif meaning is not None:
        raise ValueError("must be the name of a group, an object of values, or null")


def translated(given: Mapping[str, Any], table: Table = EMPTY) -> Annotations:
    """What attributes of one person say.

    Args:
        given: their names and values: texts, numbers, true and false, or lists; None and ``unknown`` say nothing.
        table: what those of them mean that are not called as ours.

    Raises:
        ValueError: an attribute or a value that nobody knows (with the mend), or two that contradict each other.
    """
    known: dict[str, Known] = {}
    for name, value in given.items():
        if value is None or value == "" or value == UNKNOWN:
            continue
        try:
            facts = _facts(name, value, table)
        except KeyError as error:
            raise ValueError(error.args[0]) from None
        for group, fact in facts.items():
            known[group] = _both(group, known[group], fact) if group in known else fact
    return Annotations(known)


def _facts(name: str, value: Any, table: Table) -> Mapping[str, Known]:
    if name not in table and name not in GROUP:
        if name.lower() in _TECHNICAL:
            return {}
        raise ValueError(f"attribute {name!r} is none of ours and not in the mapping; map it to null to leave it out, "
                         f"or to one of: {', '.join(GROUP)}")  # fmt: skip
    meaning = table.get(name, name)
    if meaning is None:
        return {}
    if isinstance(meaning, str):
        return _ours(meaning, name, value).known
    merged: dict[str, Known] = {}
    for one in value if isinstance(value, list) else [value]:
        text = _text(one)
        if text not in meaning:
            raise ValueError(f"the mapping of attribute {name!r} has no value {text!r}, only "
                             f"{', '.join(map(repr, meaning))}; map it to null to leave it open")  # fmt: skip
        for group, fact in annotations_of(meaning[text] or {}).known.items():
            merged[group] = _both(group, merged[group], fact) if group in merged else fact
    return merged


def _ours(group: str, name: str, value: Any) -> Annotations:
    """Values that are called as ours; one text may hold several of a set, separated by ``;``."""
    if isinstance(value, bool | int | float):
        raise ValueError(f"attribute {name!r} is {_text(value)!r}; it must be a value of {group}, or be mapped to one")
    if isinstance(value, str) and GROUP[group].kind == "set":
        value = [part.strip() for part in value.split(";") if part.strip()]
    return annotations_of({group: value})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _both(group: str, one: Known, other: Known) -> Known:
    """What two attributes say of one group: what either finds in a set, what both admit otherwise."""
    if GROUP[group].kind == "exclusive":
        present = one.present & other.present
        if not present:
            told = " and ".join("/".join(sorted(fact.present)) for fact in (one, other))
            raise ValueError(f"two attributes contradict each other about {group!r}: {told}; map a "
                             "value that tells nothing of the others (as \"false\") to null")  # fmt: skip
        return Known(present)
    present, absent = one.present | other.present, one.absent | other.absent
    if present - {NONE}:
        present, absent = present - {NONE}, absent | ({NONE} if NONE in GROUP[group].values else set())
    return Known(present, absent - present)
