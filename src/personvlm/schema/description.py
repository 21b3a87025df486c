"""What is said about one person: the value object that every room accepts or returns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from personvlm.schema.groups import GROUP, GROUPS, UNKNOWN

Source = Literal["head", "text", "fused", "track", "given"]

_LEGAL = {group.name: frozenset((*group.values, UNKNOWN)) for group in GROUPS}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attribute(_Value):
    """The decided value of one group.

    Attributes:
        value: one value, or a tuple of values where the group is a set. ``unknown`` is always legal.
        confidence: calibrated probability that ``value`` holds, 0..1 (of a set: of its least certain value).
        source: where the decision comes from.
    """

    value: str | tuple[str, ...]
    confidence: float = Field(ge=0.0, le=1.0)
    source: Source = "head"

    @property
    def values(self) -> tuple[str, ...]:
        """The value as a tuple, whatever the kind of the group."""
        return (self.value,) if isinstance(self.value, str) else self.value


class Candidate(_Value):
    """Another way to say it.

    Attributes:
        text: one or two sentences, held to the same attributes.
        likelihood: mean logarithm of the probability that the model gives to a word of it; the higher the likelier.
    """

    text: str
    likelihood: float


class PersonDescription(_Value):
    """What one crop, or one track, shows of a person.

    Two descriptions are equal when they say the same; when and how fast they came about lives in
    :class:`~personvlm.schema.events.DescribeResult`.

    Attributes:
        text: one or two sentences in canonical form.
        scores: group -> value -> calibrated probability. Exclusive groups sum to 1, sets have one each.
        attributes: group -> decided value, derived from scores and thresholds; ``parse(text)`` never contradicts it.
        own: the same of groups of one's own, which the schema does not know; empty unless the model was taught any.
        embedding: L2-normalised appearance vector for re-identification, or None.
        quality: how much of the person the crop shows, 0..1.
        model: name and version of what produced the description.
        candidates: where they were asked for: different texts, the likeliest first, :attr:`text` among them.

    Example:
        >>> man = {"gender": Attribute(value="male", confidence=1)}
        >>> PersonDescription(text="The image shows a man.", attributes=man)
        ... # doctest: +ELLIPSIS
        PersonDescription(text='The image shows a man.', ...)
    """

    text: str
    scores: dict[str, dict[str, float]] = Field(default_factory=dict)
    attributes: dict[str, Attribute] = Field(default_factory=dict)
    own: dict[str, Attribute] = Field(default_factory=dict)
    embedding: tuple[float, ...] | None = None
    quality: float = Field(default=1.0, ge=0.0, le=1.0)
    model: str = ""
    candidates: tuple[Candidate, ...] = ()

    @model_validator(mode="after")
    def _legal(self) -> PersonDescription:
        for name, attribute in self.attributes.items():
            check_values(name, attribute.values)
        for name, scores in self.scores.items():
            check_values(name, scores)
        return self


def check_values(name: str, values: Collection[str]) -> None:
    """Refuse a group or a value that the schema does not have.

    Raises:
        ValueError: names what is wrong and what would be legal.
    """
    legal = _LEGAL.get(name)
    if legal is None:
        raise ValueError(f"{name!r} is not an attribute group; legal: {', '.join(GROUP)}")
    if not legal.issuperset(values):
        wrong = next(value for value in values if value not in legal)
        raise ValueError(f"{wrong!r} is not a value of {name!r}; legal: {', '.join(GROUP[name].values)}")


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of :class:`PersonDescription`, with every group's legal values spelled out."""
    schema = PersonDescription.model_json_schema()
    attribute = {"type": "object", "additionalProperties": False, "required": ["value", "confidence"]}
    groups: dict[str, Any] = {}
    for group in GROUPS:
        one: dict[str, Any] = {"enum": [*group.values, UNKNOWN]}
        value = one if group.kind == "exclusive" else {"oneOf": [{"type": "array", "items": one}, {"const": UNKNOWN}]}
        confidence = {"type": "number", "minimum": 0, "maximum": 1}
        source = schema["$defs"]["Attribute"]["properties"]["source"]
        properties = {"value": value, "confidence": confidence, "source": source}
        groups[group.name] = {**attribute, "properties": properties}
    schema["properties"]["attributes"] = {"type": "object", "properties": groups, "additionalProperties": False}
    schema["properties"]["scores"]["propertyNames"] = {"enum": list(GROUP)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


Values = Mapping[str, tuple[str, ...]]
"""Decided values per group, nothing else: what the realiser says and the parser reads back."""


def values_of(attributes: Mapping[str, Attribute]) -> dict[str, tuple[str, ...]]:
    """Drop confidences and sources; groups that are unknown disappear."""
    return {name: item.values for name, item in attributes.items() if item.value not in (UNKNOWN, ())}
