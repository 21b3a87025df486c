"""The project's own data format, for users' pictures: JSON Lines or CSV, read and written.

JSON Lines, one object per picture::

    {"image": "a/1.jpg", "identity": "anna", "captions": ["..."], "attributes": {"gender": "female",
     "age": ["young adult", "thirties"], "upper.color": ["red"], "carrying": [], "headwear": null}}

``caption`` may stand for ``captions``. A group that is missing or null was not annotated. In an exclusive group
several values are a partial label: one of them holds. In a set the listed values hold and all others do not (an empty
list: nothing is carried, none of the activities is seen); a set that is known in part is written as
``{"present": [...], "absent": [...]}``.

CSV has the columns ``image``, ``identity``, ``camera``, ``caption`` and one per group; several values are separated by
``;`` and an empty cell was not annotated. The camera is kept as a label, ``camera=NAME``.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.lines import check_images, read_lines, read_text, to_json
from personvlm.data.sample import Sample
from personvlm.schema import GROUP, NONE, Annotations, Known

_KEYS = ("image", "identity", "camera", "caption", "captions", "attributes", "labels", "source")
DATASET = "dataset.json"
"""Beside prepared files; its ``root`` is the folder that their image paths start from, relative to its own."""

_PLAIN_COLUMNS = ("image", "identity", "camera", "caption")


def read_personvlm(path: Path, root: Path | None = None,
                   own: Mapping[str, Iterable[str]] | None = None) -> list[Sample]:  # fmt: skip
    """Read ``.jsonl`` or ``.csv`` in the project's own format.

    Args:
        path: the data file.
        own: further groups, or further values of the schema's, that a reader has words for: they become labels
            (``uniform=guard``).
        root: the folder that image paths start from; by default what ``dataset.json`` beside the file says, else the
            file's own folder.

    Raises:
        InputError: an unknown column, key, group or value (with the legal ones), a malformed line (by file and
            number), or missing images (named).
    """
    root = _root_of(path) if root is None else root
    words = {name: tuple(values) for name, values in (own or {}).items()}
    rows = _csv_rows(path, words) if path.suffix.lower() == ".csv" else _jsonl_rows(path)
    samples = []
    for number, row in rows:
        try:
            samples.append(_sample(_with_own(row, words), root))
        except (ValueError, KeyError) as error:
            raise InputError(f"{path}, line {number}: {error.args[0]}") from None
    check_images((sample.image for sample in samples), path)
    return samples


def write_personvlm(samples: Iterable[Sample], path: Path, root: Path) -> None:
    """Write JSON Lines that :func:`read_personvlm` reads back as equal samples, image paths relative to ``root``.

    A file name that is no text is kept, its bytes as ``\\udcXX``.
    """
    with path.open("w", encoding="utf-8") as file:
        for sample in samples:
            row: dict[str, Any] = {"image": Path(os.path.relpath(sample.image.resolve(), root.resolve())).as_posix()}
            if sample.identity is not None:
                row["identity"] = sample.identity
            if sample.captions:
                row["captions"] = list(sample.captions)
            row["attributes"] = {name: _written(name, fact) for name, fact in sample.annotations.known.items()}
            if sample.labels:
                row["labels"] = list(sample.labels)
            if sample.source:
                row["source"] = sample.source
            file.write(to_json(row) + "\n")


def _root_of(path: Path) -> Path:
    dataset = path.parent / DATASET
    if not dataset.is_file():
        return path.parent
    try:
        return path.parent / str(json.loads(read_text(dataset))["root"])
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{dataset}: no JSON object with 'root', the folder of the images") from None


def _jsonl_rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    for number, row in read_lines(path):
        unknown = [key for key in row if key not in _KEYS]
        if unknown:
            raise InputError(f"{path}, line {number}: unknown key {unknown[0]!r}; legal: {', '.join(_KEYS)}")
        yield number, row


def _csv_rows(path: Path, own: Mapping[str, tuple[str, ...]]) -> Iterable[tuple[int, dict[str, Any]]]:
    text = read_text(path)
    between = next((sign for sign in ",;\t" if sign in text.partition("\n")[0]), ",")  # no name of a column has one
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        legal = (*_PLAIN_COLUMNS, *GROUP, *(name for name in own if name not in GROUP))
        unknown = [name for name in header if name not in legal]
        twice = [name for name in header if header.count(name) > 1]
        if unknown or twice or "image" not in header:
            wrong = (f"unknown column {unknown[0]!r}" if unknown else f"column {twice[0]!r} is there twice" if twice
                     else "no column 'image'")  # fmt: skip
            raise InputError(f"{path}, line 1: {wrong}; legal: {', '.join(legal)}")
        for cells in reader:
            number = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise InputError(f"{path}, line {number}: {len(cells)} cells, the header has {len(header)}")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
            attributes = {name: [value.strip() for value in row.pop(name).split(";") if value.strip()]
                          for name in list(row) if name in GROUP or name in own}  # fmt: skip
            yield number, {"image": "", **row, "attributes": attributes}
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from None


def _with_own(row: Mapping[str, Any], own: Mapping[str, tuple[str, ...]]) -> Mapping[str, Any]:
    """The row, values of one's own groups as labels; beside one of them, the schema's value of the group is open."""
    attributes = row.get("attributes")
    if not own or not isinstance(attributes, dict):
        return row
    rest, labels = dict(attributes), list(_strings("labels", row.get("labels")))
    for name, legal in own.items():
        if rest.get(name) is None or (name in GROUP and isinstance(rest[name], dict)):
            continue  # nothing is known, or a part of the schema's values alone
        values = _strings(name, rest[name])
        if name in GROUP and not (set(values) & set(legal)) - {NONE}:  # the schema's own, however many
            labels.append(f"{name}={NONE}")
            continue
        if len(values) != 1:
            raise ValueError(f"{name!r} is a group of your own: give it one value, not {len(values)}")
        if values[0] not in legal:
            raise ValueError(f"{values[0]!r} is not a value of your group {name!r}; legal: {', '.join(legal)}")
        del rest[name]
        labels.append(f"{name}={values[0]}")
    return {**row, "attributes": rest, "labels": labels}


def _sample(row: Mapping[str, Any], root: Path) -> Sample:
    image = row["image"]
    if not isinstance(image, str) or not image:
        raise ValueError("'image' must be the path of a picture")
    identity = identity_of(row)
    captions = _strings("captions", row.get("captions", row.get("caption")))
    attributes = row.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise ValueError("'attributes' must be an object: group -> value, list of values, or null")
    annotations = annotations_of(attributes)
    camera, labels = row.get("camera"), _strings("labels", row.get("labels"))
    if camera is not None and not isinstance(camera, str | int):
        raise ValueError("'camera' must be a name or a number")
    if camera is not None and f"camera={camera}" not in labels:
        labels = (f"camera={camera}", *labels)
    return Sample(root / image, annotations, captions, identity, labels, str(row.get("source", "personvlm")))


def identity_of(row: Mapping[str, Any]) -> str | None:
    """The person that a line of a data file names, if it names one; an empty name is none, as in a table.

    Raises:
        ValueError: by something else than a name or a number.
    """
    identity = row.get("identity")
    if identity is not None and not isinstance(identity, str | int):
        raise ValueError("'identity' must be a name or a number")
    return None if identity is None or identity == "" else str(identity)


def annotations_of(attributes: Mapping[str, Any]) -> Annotations:
    """What ``attributes`` of a line say: group -> value, values, ``{"present", "absent"}`` of a set, or None.

    Raises:
        ValueError, KeyError: a group or value that does not exist (with the legal ones), or a contradiction.
    """
    known: dict[str, Known] = {}
    for name, given in attributes.items():
        if name not in GROUP:
            raise ValueError(f"{name!r} is not an attribute group; legal: {', '.join(GROUP)}; `personvlm adapt --own` "
                             "teaches groups of your own")  # fmt: skip
        if given is None:
            continue
        if not isinstance(given, dict):
            values = _strings(name, given)
            if not values and NONE in GROUP[name].values:
                values = (NONE,)
            if values or name == "activity":
                known |= Annotations.build({name: values}).known
            continue
        if GROUP[name].kind != "set" or not set(given) <= {"present", "absent"}:
            raise ValueError(f"{name!r}: only a set may be an object, with the keys present and absent")
        parts = {key: frozenset(_strings(name, given.get(key))) for key in ("present", "absent")}
        for value in parts["present"] | parts["absent"]:
            GROUP[name].leaves(value)
        known[name] = Known(**parts)
    for name, fact in known.items():
        _check_consistent(name, fact)
    return Annotations(known)


def _check_consistent(name: str, fact: Known) -> None:
    """Raises ``ValueError`` where a set says of one thing that it is there and that it is not."""
    if GROUP[name].kind != "set":
        return
    both = sorted(fact.present & fact.absent)
    if both:
        raise ValueError(f"{name!r}: {both[0]!r} is both present and absent; take it out of one of the lists")
    things = sorted(fact.present - {NONE})
    if NONE in fact.present and things:
        raise ValueError(f"{name!r}: {NONE!r} and {things[0]!r} contradict each other; take one of them out")
    for parent, leaves in GROUP[name].parents.items():
        there = sorted(fact.present & set(leaves))
        if there and parent in fact.absent:
            raise ValueError(f"{name!r}: {there[0]!r} is present and {parent!r}, which it is one of, absent; "
                             f"take {parent!r} out of 'absent'")  # fmt: skip


def _strings(name: str, given: Any) -> tuple[str, ...]:
    values = [] if given is None else [given] if isinstance(given, str) else given
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name!r} must be a text or a list of texts")
    return tuple(values)


def _written(name: str, fact: Known) -> list[str] | dict[str, list[str]]:
    """In the order of the schema, so that equal samples are written as equal lines."""
    columns = GROUP[name].columns
    present = [value for value in columns if value in fact.present]
    if GROUP[name].kind == "exclusive" or len(fact.present) + len(fact.absent) == len(columns):
        return present
    return {"present": present, "absent": [value for value in columns if value in fact.absent]}
