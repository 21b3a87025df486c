"""Descriptions on detections of supervision: as columns of its data, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from personvlm.base.errors import InputError
from personvlm.schema import PersonDescription

if TYPE_CHECKING:
    from supervision import Detections

COLUMN = "person"
"""Column with the whole description as JSON; the others are for filters and for supervision's CSV and JSON sinks."""


def described(detections: Detections, people: Sequence[PersonDescription | None]) -> Detections:
    """A copy of ``detections`` with what is said about each, in its ``data``.

    Columns: ``person`` (JSON), ``text``, ``quality``, and one per attribute group that is decided for anybody, such as
    ``upper.color`` (values of a set joined by ``; ``, nothing where it is not decided).

    Args:
        detections: N of them; what ``data`` holds already stays.
        people: N descriptions; None where there is none.

    Raises:
        InputError: not one description per detection.

    Example:
        >>> import supervision as sv
        >>> seen = sv.Detections(xyxy=np.array([[0, 0, 10, 20]]))
        >>> described(seen, [PersonDescription(text="The image shows a man.")]).data["text"].tolist()
        ['The image shows a man.']
    """
    if len(people) != len(detections):
        raise InputError(f"{len(people)} descriptions for {len(detections)} detections: give one, or None, for each")
    copied = cast("Detections", detections[np.arange(len(detections))])
    groups = dict.fromkeys(name for one in people if one is not None for name in one.attributes)
    columns: dict[str, list[Any]] = {
        COLUMN: [one.model_dump_json() if one is not None else "" for one in people],
        "text": [one.text if one is not None else "" for one in people],
        **{name: [_shown(one, name) for one in people] for name in groups},
    }
    for name, values in columns.items():
        copied.data[name] = np.array(values, object)
    copied.data["quality"] = np.array([one.quality if one is not None else 0.0 for one in people])
    return copied


def descriptions(detections: Detections) -> list[PersonDescription | None]:
    """What :func:`described` put there, after whatever filtering and merging; None where there is nothing.

    Raises:
        InputError: what stands there is no description.
    """
    column = detections.data.get(COLUMN)
    if column is None:
        return [None] * len(detections)
    try:
        return [PersonDescription.model_validate_json(str(text)) if text else None for text in column]
    except ValueError as error:
        raise InputError(f"data[{COLUMN!r}] holds something that is no description: {error}") from None


def _shown(person: PersonDescription | None, group: str) -> str:
    attribute = person.attributes.get(group) if person is not None else None
    return "; ".join(attribute.values) if attribute is not None else ""
