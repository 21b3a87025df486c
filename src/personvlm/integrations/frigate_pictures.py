"""From Frigate's snapshots to the person in them, and from a description to Frigate's short labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from personvlm.integrations.frigate_api import LONGEST_SUB_LABEL
from personvlm.language.words import GENERIC
from personvlm.schema import GROUP, NONE, OTHER, PersonDescription, values_of

Box = tuple[float, float, float, float]

_SMALLEST_REGION = 300
_AROUND = 1.1
_MARGIN = 0.05
_TALL_ENOUGH = 200
_SLACK = 4


@dataclass(frozen=True)
class Picture:
    """The person in one snapshot.

    Attributes:
        image: RGB ``uint8 [H, W, 3]``, cut to the person.
        score: how well it shows the person, 0..1.
        time: of its frame, in seconds since the epoch.
        box: (x1, y1, x2, y2) in the camera's frame, in pixels; None where Frigate did not say.
    """

    image: NDArray[np.uint8] = field(repr=False, compare=False)
    score: float
    time: float
    box: Box | None


def cut(snapshot: NDArray[np.uint8], box: Box | None, frame: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The person, with a small margin, out of what Frigate sends.

    With ``crop=1`` that is a square around the box, at least 300 pixels wide and pushed back into the frame at its
    edges. Older versions send the whole frame for an event that is over.

    Args:
        snapshot: RGB ``uint8 [H, W, 3]``.
        box: of the person in the frame; None returns the snapshot as it is.
        frame: (width, height) of the frame; None if it is not known, then the box is taken to be in the middle of a
            square.
    """
    if box is None:
        return snapshot
    x1, y1, x2, y2 = box
    height, width = snapshot.shape[:2]
    side = max(_SMALLEST_REGION, int(max(x2 - x1, y2 - y1) * _AROUND) // 4 * 4)
    whole = frame is not None and abs(width - frame[0]) <= _SLACK and abs(height - frame[1]) <= _SLACK
    if not whole and frame is not None:
        left = min(max(0, int((x1 + x2) / 2 - side / 2)), max(0, frame[0] - side))
        top = min(max(0, int((y1 + y2) / 2 - side / 2)), max(0, frame[1] - side))
        expected = (min(side, frame[0]), min(side, frame[1]))
    else:
        left, top = int((x1 + x2) / 2 - side / 2), int((y1 + y2) / 2 - side / 2)
        expected = (side, side)
    if not whole and abs(width - expected[0]) <= _SLACK and abs(height - expected[1]) <= _SLACK:
        x1, x2, y1, y2 = x1 - left, x2 - left, y1 - top, y2 - top
    elif not whole and (x2 > width + _SLACK or y2 > height + _SLACK):
        return snapshot  # neither the frame nor the square: somebody set a height, or another version
    more_x, more_y = _MARGIN * (x2 - x1), _MARGIN * (y2 - y1)
    rows = slice(max(0, round(y1 - more_y)), min(height, round(y2 + more_y)))
    columns = slice(max(0, round(x1 - more_x)), min(width, round(x2 + more_x)))
    person = snapshot[rows, columns]
    return person if min(person.shape[:2]) >= 16 else snapshot


def worth(image: NDArray[np.uint8], score: float) -> float:
    """How well a picture shows its person, 0..1: Frigate's score of it, less where it is small."""
    return float(min(1.0, max(0.05, score)) * min(1.0, image.shape[0] / _TALL_ENOUGH) ** 0.5)


def short(description: PersonDescription) -> tuple[str, float]:
    """The description as a label of at most 100 characters, and the confidence of its least certain part.

    Example:
        >>> from personvlm.schema import Attribute
        >>> coat = {"gender": Attribute(value="female", confidence=0.9),
        ...         "upper.color": Attribute(value=("red",), confidence=0.8),
        ...         "upper.garment": Attribute(value="coat", confidence=0.7)}
        >>> short(PersonDescription(text="...", attributes=coat))
        ('woman, red coat', 0.7)
    """
    values = {name: tuple(value for value in found if value not in (NONE, OTHER))
              for name, found in values_of(description.attributes).items()}  # fmt: skip
    values = {name: tuple(value for value in found if not set(GROUP[name].parents.get(value, ())) & set(found))
              for name, found in values.items() if found}  # fmt: skip
    parts: list[tuple[str, tuple[str, ...]]] = []

    def add(text: str, *groups: str) -> None:
        if text:
            parts.append((text, groups))

    gender, age = values.get("gender", ("",))[0], values.get("age", ("",))[0]
    young = {"male": "boy", "female": "girl", "": "child"} if age == "child" else {"male": "man", "female": "woman"}
    add(young.get(gender, "person"), *(["gender"] if gender else []), *(["age"] if age == "child" else []))
    for place in ("upper", "lower"):
        colors, garment = values.get(f"{place}.color", ()), values.get(f"{place}.garment", ("",))[0]
        if colors or garment:
            said = [name for name in (f"{place}.color", f"{place}.garment") if name in values]
            add(f"{' and '.join(colors)} {garment or GENERIC[place].canonical}".strip(), *said)
    for name in ("headwear", "eyewear", "carrying"):
        for item in values.get(name, ()):
            add(item, name)
    label, used = "", set[str]()
    for text, groups in parts:
        longer = f"{label}, {text}" if label else text
        if len(longer) <= LONGEST_SUB_LABEL:
            label, used = longer, used | set(groups)
    return label, min((description.attributes[name].confidence for name in used), default=1.0)


def names(description: PersonDescription) -> list[str]:
    """Values that somebody may have named a class of a custom classifier after, such as ``backpack``."""
    return sorted({value for values in values_of(description.attributes).values() for value in values} - {NONE, OTHER})
