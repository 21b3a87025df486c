"""What a client asks for with ``response_format``: our description, or a part of it, in a shape that always fits.

A schema is honored when every answer that we could give, cut down to what the schema names, is valid under it. That is
decided before anything is described. Anything else is refused with the place where it goes beyond us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from personvlm.schema import GROUP, PersonDescription
from personvlm.schema.groups import UNKNOWN
from personvlm.server.problems import Problem

Shape = Callable[[Any], Any]
"""Cuts a value down to what a schema asks for."""

_NOTES = {"$schema", "$id", "$defs", "definitions", "title", "description", "default", "examples", "deprecated",
          "$comment", "type"}  # fmt: skip
_DEPTH = 30
_WORK = 10_000
"""Steps that a schema may cost; our own, whole, costs 1,600."""

_TEXT: Mapping[str, Any] = {"type": "string"}
_SHARE: Mapping[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}
_NUMBER: Mapping[str, Any] = {"type": "number"}


def _attribute(name: str) -> dict[str, Any]:
    group = GROUP[name]
    one = {"type": "string", "enum": (*group.values, UNKNOWN)}
    value = one if group.kind == "exclusive" else {"type": "array", "items": one}
    return {"type": "object", "required": ("value", "confidence", "source"), "properties": {
        "value": value, "confidence": _SHARE, "source": {"type": "string", "enum": ("head", "text", "fused", "track",
                                                                                   "given")}}}  # fmt: skip


OURS: Mapping[str, Any] = {
    "type": "object",
    "required": ("text", "attributes", "scores", "own", "embedding", "quality", "model", "candidates"),
    "properties": {
        "text": _TEXT,
        "attributes": {"type": "object", "required": (), "properties": {name: _attribute(name) for name in GROUP}},
        "scores": {"type": "object", "required": (), "properties": {
            name: {"type": "object", "required": (), "properties": dict.fromkeys(group.values, _SHARE)}
            for name, group in GROUP.items()}},
        "own": {"type": "object", "required": (), "properties": {}},  # their names differ by model: left out
        "embedding": {"type": "array", "items": _NUMBER}, "quality": _SHARE, "model": _TEXT,
        "candidates": {"type": "array", "items": {"type": "object", "required": ("text", "likelihood"), "properties": {
            "text": _TEXT, "likelihood": _NUMBER}}},
    },
}  # fmt: skip
"""What we answer. Properties that are not required may be missing; an attribute that is asked for and was not decided
is ``unknown``, of a set it is empty."""


def shape_of(schema: Any) -> Shape:
    """How to cut a description down to ``schema``.

    Raises:
        Problem: 400; an answer of ours would not always be valid under it.
    """
    if not isinstance(schema, dict):
        raise _refused("", "it must be an object")
    return _fit(schema, OURS, "", _Sent(schema), 0)


def whole(description: PersonDescription) -> dict[str, Any]:
    """A description as plain values, in the form of :data:`OURS`."""
    return description.model_dump(mode="json")


def _refused(path: str, why: str) -> Problem:
    where = path or "the schema"
    return Problem(400, "unsupported_schema", f"response_format: {where}: {why}. Ask for the schema of GET /v1/schema "
                   "or a part of it: text, attributes with any of its groups, quality, model",
                   param="response_format")  # fmt: skip


class _Sent:
    """A schema as it was sent. What it says once can be meant many times over: references and alternatives multiply.

    Attributes:
        root: where references begin.
        following: references that are being followed, each with the place of ours that it is for.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root, self._left = root, _WORK
        self.following: set[tuple[str, str]] = set()

    def look(self, part: Any, path: str) -> None:
        """Count what it costs to look at ``part`` without what is nested in it; too much is refused."""
        self._left -= 1
        if isinstance(part, dict):
            self._left -= len(part) + sum(len(each) for each in part.values() if isinstance(each, list | dict))
        if self.spent:
            raise _refused(path, "the schema says too much, or without end")

    @property
    def spent(self) -> bool:
        """Nothing more is looked at."""
        return self._left < 0


def _fit(schema: Any, ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    sent.look(schema, path)
    if depth > _DEPTH:
        raise _refused(path, "it is nested too deep, or without end")
    if schema is True or schema == {}:
        return lambda value: value
    if not isinstance(schema, dict):
        raise _refused(path, "nothing is valid under it")
    if "$ref" in schema:
        return _follow(schema["$ref"], ours, path, sent, depth + 1)
    if "anyOf" in schema or "oneOf" in schema:
        _known(schema, path, "anyOf" if "anyOf" in schema else "oneOf")
        return _branch(schema.get("anyOf", schema.get("oneOf")), ours, path, sent, depth + 1, "oneOf" in schema)
    kinds = schema.get("type", ours["type"])
    if ours["type"] not in (kinds if isinstance(kinds, list) else [kinds]):
        raise _refused(path, f"it is {ours['type']}, not {kinds}")
    by_type = {"object": _object, "array": _array, "string": _string, "number": _number}
    return by_type[ours["type"]](schema, ours, path, sent, depth + 1)


def _follow(reference: Any, ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    name = str(reference)[:1000]
    step = (name, path)
    if step in sent.following:
        raise _refused(path, f"{name} leads back to itself")
    sent.following.add(step)
    try:
        return _fit(_deref(name, sent.root, path), ours, path, sent, depth)
    finally:
        sent.following.remove(step)


def _deref(name: str, root: Mapping[str, Any], path: str) -> Any:
    found: Any = root
    parts = name.split("/")
    if parts[0] != "#":
        raise _refused(path, f"{name} is not inside the schema")
    for part in parts[1:]:
        if not isinstance(found, dict) or part not in found:
            raise _refused(path, f"{name} does not exist")
        found = found[part]
    return found


def _branch(branches: Any, ours: Mapping[str, Any], path: str, sent: _Sent, depth: int,
            only: bool) -> Shape:  # fmt: skip
    """The first of several alternatives that always fits; with ``only`` no other may fit too."""
    refused = _refused(path, "no alternative is given")
    listed = branches if isinstance(branches, list) else []
    for row, branch in enumerate(listed):
        try:
            shape = _fit(branch, ours, path, sent, depth)
        except Problem as problem:
            if sent.spent:
                raise
            refused = problem
        else:
            others = [*listed[:row], *listed[row + 1 :]]
            if only and not all(_another(other, ours["type"], path, sent) for other in others):
                raise _refused(path, "more than one alternative of oneOf may fit; write anyOf")
            return shape
    raise refused


def _another(branch: Any, kind: str, path: str, sent: _Sent) -> bool:
    """Whether an alternative is of another type than ``kind`` on its face."""
    sent.look(branch, path)
    if not isinstance(branch, dict):
        return branch is False
    if "type" in branch:
        kinds = [branch["type"]] if isinstance(branch["type"], str) else branch["type"]
        return isinstance(kinds, list) and kind not in kinds
    values = branch.get("enum", [branch["const"]] if "const" in branch else None)
    return isinstance(values, list) and all(isinstance(value, str) for value in values) and kind != "string"


def _known(schema: Mapping[str, Any], path: str, *keywords: str) -> None:
    strange = set(schema) - _NOTES - set(keywords)
    if strange:
        raise _refused(path, f"{min(strange)} is not supported there")


def _string(schema: Mapping[str, Any], ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    _known(schema, path, "enum", "const")
    if "enum" not in schema and "const" not in schema:
        return lambda value: value
    legal = schema["enum"] if "enum" in schema else [schema["const"]]
    if not isinstance(legal, list) or "enum" not in ours:
        raise _refused(path, "it is free text, which no list of values can hold")
    missing = [value for value in ours["enum"] if value not in legal]
    if missing and UNKNOWN not in legal:
        raise _refused(path, f"the answer may be {missing[0]!r}; allow it, or 'unknown'")
    return lambda value: value if value in legal else UNKNOWN


def _number(schema: Mapping[str, Any], ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    _known(schema, path, "minimum", "maximum")
    for keyword, sign in (("minimum", 1), ("maximum", -1)):
        bound = schema.get(keyword)
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, int | float) or keyword not in ours \
                or sign * bound > sign * ours[keyword]:  # fmt: skip
            raise _refused(path, f"the answer may lie beyond the {keyword}")
    return lambda value: value


def _array(schema: Mapping[str, Any], ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    _known(schema, path, "items", "uniqueItems")
    items = schema.get("items", True)
    listed = ours["items"]
    if "enum" in listed and isinstance(items, dict) and isinstance(items.get("enum"), list):
        sent.look(items, path + "[]")
        _known(items, path + "[]", "enum")  # of a set the other values are left out
        legal = items["enum"]
        return lambda value: [each for each in _tuple(value) if each in legal]
    inner = _fit(items, listed, path + "[]", sent, depth)
    return lambda value: [inner(each) for each in _tuple(value)]


def _tuple(value: Any) -> Any:
    """Values of a set; one that is unknown has none."""
    return (() if value == UNKNOWN else (value,)) if isinstance(value, str) else value


def _object(schema: Mapping[str, Any], ours: Mapping[str, Any], path: str, sent: _Sent, depth: int) -> Shape:
    _known(schema, path, "properties", "required", "additionalProperties", "propertyNames")
    asked, required = schema.get("properties", {}), schema.get("required", [])
    rest = schema.get("additionalProperties", True)
    named = isinstance(required, list) and all(isinstance(name, str) for name in required)
    if not isinstance(asked, dict) or not named:
        raise _refused(path, "its properties cannot be read")
    ours_all = ours["properties"]
    dot = path + "." if path else ""
    strange = [name for name in (*asked, *required) if name not in ours_all]
    if strange:
        raise _refused(dot + str(strange[0]), "there is no such thing in a description")
    shapes = {name: _fit(each, ours_all[name], dot + name, sent, depth) for name, each in asked.items()}
    names = _names(schema.get("propertyNames"), path, sent)
    if rest is not False and not asked:  # whatever there is
        others = {name: _fit(rest, each, dot + name, sent, depth) for name, each in ours_all.items()
                  if names is None or name in names}  # fmt: skip
        shapes = {**others, **shapes}
    unnamed = [name for name in required if name not in shapes]
    if unnamed:
        raise _refused(dot + str(unnamed[0]), "it is required, and not among the properties")
    fill = {name: _nothing(ours_all[name]) for name in required if name not in ours["required"]}
    if None in fill.values():
        raise _refused(path, "what it requires may be missing")
    return lambda value: {name: shape(value[name] if name in value else fill[name])
                          for name, shape in shapes.items() if name in value or name in fill}  # fmt: skip


def _names(schema: Any, path: str, sent: _Sent) -> list[str] | None:
    sent.look(schema, path)
    if schema is None or schema is True or schema == {}:
        return None
    if not isinstance(schema, dict) or not isinstance(schema.get("enum"), list):
        raise _refused(path, "propertyNames is understood as an enum only")
    return list(schema["enum"])


def _nothing(ours: Mapping[str, Any]) -> dict[str, Any] | None:
    """An attribute that was asked for and not decided."""
    if "value" not in ours.get("properties", {}):
        return None
    unknown: Any = UNKNOWN if ours["properties"]["value"]["type"] == "string" else []
    return {"value": unknown, "confidence": 0.0, "source": "head"}
