"""A schema is honored when every answer fits it, else refused with the place."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personvlm.schema import GROUP, Attribute, PersonDescription, json_schema
from personvlm.server.problems import Problem
from personvlm.server.response_format import shape_of, whole

FULL = PersonDescription(
    text="The image shows a man.", model="m", quality=0.4, embedding=(0.6, 0.8),
    scores={"gender": {"male": 0.9, "female": 0.1}},
    attributes={"gender": Attribute(value="male", confidence=0.9),
                "upper.color": Attribute(value=("red", "dark blue"), confidence=0.7),
                "carrying": Attribute(value=("backpack", "bag"), confidence=0.6)},
)  # fmt: skip
EMPTY = PersonDescription(text="", embedding=(1.0,))


def attributes(**groups: Any) -> dict[str, Any]:
    listed = {name.replace("_", "."): each for name, each in groups.items()}
    return {"type": "object", "properties": {"attributes": {
        "type": "object", "properties": listed, "required": list(listed), "additionalProperties": False}},
        "required": ["attributes"], "additionalProperties": False}  # fmt: skip


def value(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"value": schema}, "required": ["value"], "additionalProperties": False}


GOOD: list[Any] = [
    {}, json_schema(), PersonDescription.model_json_schema(),
    {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"], "additionalProperties": False},
    attributes(gender=value({"enum": ["male", "female", "unknown"]})),
    attributes(gender=value({"type": "string"}), carrying=value({"type": "array", "items": {"type": "string"}})),
    attributes(upper_color=value({"type": "array", "items": {"enum": ["red", "green"]}})),
    attributes(upper_color=value({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})),
    attributes(upper_garment=value({"enum": ["coat", "unknown"]})),
    {"$ref": "#/$defs/P", "$defs": {"P": {"properties": {"quality": {"type": "number", "minimum": 0}}}}},
    {"type": ["object", "null"], "properties": {"scores": {"type": "object", "additionalProperties": {
        "type": "object", "additionalProperties": {"type": "number"}}}}},
]  # fmt: skip


@pytest.mark.parametrize("schema", GOOD)
@pytest.mark.parametrize("description", [FULL, EMPTY])
def test_every_answer_is_valid(schema: Any, description: PersonDescription) -> None:
    answer = json.loads(json.dumps(shape_of(schema)(whole(description))))
    jsonschema_rs.Draft202012Validator(schema).validate(answer)


def test_only_what_was_asked_for() -> None:
    color = attributes(upper_color=value({"type": "array", "items": {"enum": ["red", "green"]}}))
    assert shape_of(color)(whole(FULL)) == {"attributes": {"upper.color": {"value": ["red"]}}}
    assert shape_of(color)(whole(EMPTY)) == {"attributes": {"upper.color": {"value": []}}}
    coat = attributes(upper_garment=value({"enum": ["coat", "unknown"]}))
    assert shape_of(coat)(whole(FULL)) == {"attributes": {"upper.garment": {"value": "unknown"}}}
    assert PersonDescription.model_validate(shape_of(json_schema())(whole(FULL))) == FULL


@pytest.mark.parametrize(("schema", "where"), [
    ("text", "the schema"), (None, "the schema"), ({"type": "array"}, "the schema"), ({"type": "string"}, "the schema"),
    ({"type": "object", "properties": {"mood": {}}}, "mood"),
    ({"type": "object", "properties": {}, "required": ["mood"]}, "mood"),
    ({"type": "object", "properties": {"text": {"type": "integer"}}}, "text"),
    ({"type": "object", "properties": {"text": {"type": "string", "maxLength": 5}}}, "text"),
    ({"type": "object", "properties": {"text": {"enum": ["a man"]}}}, "text"),
    ({"type": "object", "properties": {"text": False}}, "text"),
    ({"type": "object", "properties": {"quality": {"minimum": 0.5}}}, "quality"),
    ({"type": "object", "properties": {"quality": {"multipleOf": 0.1}}}, "quality"),
    ({"type": "object", "minProperties": 9}, "the schema"), ({"not": {}}, "the schema"),
    ({"allOf": [{}]}, "the schema"),
    ({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text", "quality"]}, "quality"),
    (attributes(gender=value({"enum": ["male", "female"]})), "attributes.gender.value"),
    (attributes(gender={"type": "string"}), "attributes.gender"),
    (attributes(carrying=value({"type": "string"})), "attributes.carrying.value"),
    (attributes(ethnicity=value({"type": "string"})), "attributes.ethnicity"),
    ({"$ref": "#"}, "the schema"), ({"$ref": "https://example.org/s.json"}, "the schema"),
    ({"$ref": "#/x"}, "the schema"),
    ({"anyOf": []}, "the schema"), ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "the schema"),
    ({"properties": {"scores": {"required": ["gender"], "properties": {"gender": {}}}}}, "scores"),
    ({"type": "object", "required": [[]]}, "the schema"),
    ({"properties": {"text": {"oneOf": [{"type": "string"}, {"type": 5}]}}}, "text"),
    ({"properties": {"text": {"$ref": ["x"]}}}, "text"), ({"properties": {"text": {"type": {"a": 1}}}}, "text"),
])  # fmt: skip
def test_what_goes_beyond_us_is_refused_with_its_place(schema: Any, where: str) -> None:
    with pytest.raises(Problem, match=f"response_format: {where}: ") as caught:
        shape_of(schema)
    assert caught.value.status_code == 400


def doubled(times: int, last: Any) -> dict[str, Any]:
    """Few words that mean eight times eight times ... ``last``."""
    steps = {f"a{row}": {"anyOf": [{"$ref": f"#/$defs/a{row + 1}"}] * 8} for row in range(times)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{times}": last}}


@pytest.mark.parametrize(("schema", "why"), [
    ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 8}}}, "leads back to itself"),
    (doubled(5, {"type": "null"}), "says too much"),
    ({"anyOf": [{"type": "null"}] * 30_000}, "says too much"),
    ({"properties": {"quality": {"oneOf": [{}, *[{"enum": ["x"] * 4_000}] * 3]}}}, "says too much"),
])  # fmt: skip
def test_a_schema_that_multiplies_is_refused_at_once(schema: Any, why: str) -> None:
    with pytest.raises(Problem, match=why) as caught:
        shape_of(schema)
    assert caught.value.status_code == 400


names = st.sampled_from(["text", "attributes", "quality", "model", "scores", "embedding", "mood", "value",
                         *list(GROUP)[:6]])  # fmt: skip
leaves = st.sampled_from([True, {}, {"type": "string"}, {"type": "number"}, {"type": "null"},
                          {"enum": ["male", "unknown"]}, {"type": "array"}])  # fmt: skip


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    record = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=4)},
        optional={"required": st.lists(names, max_size=2, unique=True),
                  "additionalProperties": st.one_of(st.booleans(), inner)},
    )  # fmt: skip
    return st.one_of(record, st.builds(lambda how, each: {how: each}, st.sampled_from(["anyOf", "oneOf"]),
                                       st.lists(inner, min_size=1, max_size=3)),
                     st.builds(lambda each: {"type": "array", "items": each}, inner))  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.recursive(leaves, nested, max_leaves=12))
def test_what_is_accepted_is_kept(schema: Any) -> None:
    try:
        shape = shape_of(schema)
    except Problem:
        return
    for description in (FULL, EMPTY):
        jsonschema_rs.Draft202012Validator(schema).validate(json.loads(json.dumps(shape(whole(description)))))
