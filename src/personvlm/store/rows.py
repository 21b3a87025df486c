"""A described event as rows, and rows as a described event again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from personvlm.schema import GROUP, UNKNOWN, Attribute, Crop, Described, DescribeRequest, PersonDescription
from personvlm.store.codes import Codes, Terms, decode


@dataclass(frozen=True)
class Said:
    """What is stored of a description, whoever it is about.

    Attributes:
        text, model, quality: as in the description.
        attributes: JSON, group -> [value or values, confidence, source].
        codes: probabilities, see :class:`~personvlm.store.codes.Terms`; None where the description has none.
        facts: (number of a term, confidence) of everything that is asserted.
        vector: the embedding as float16, or None.
    """

    text: str
    model: str
    quality: float
    attributes: str
    codes: Codes | None
    facts: tuple[tuple[int, float], ...]
    vector: bytes | None

    @classmethod
    def of(cls, described: Sequence[PersonDescription], terms: Terms) -> list[Said]:
        """What to store of each of ``described``; of many at once in less time."""
        return [cls._one(each, codes, terms) for each, codes in zip(described, terms.encode(described), strict=True)]

    @classmethod
    def _one(cls, description: PersonDescription, codes: Codes | None, terms: Terms) -> Said:
        listed = {name: [item.value, item.confidence, item.source] for name, item in description.attributes.items()}
        facts = tuple(
            (terms.ids[name, value], description.scores.get(name, {}).get(value, item.confidence))
            for name, item in description.attributes.items() for value in dict.fromkeys(item.values) if value != UNKNOWN
        )  # fmt: skip
        vector = None
        if description.embedding is not None:
            vector = np.asarray(description.embedding, "<f2").tobytes()
        return cls(description.text, description.model, description.quality, compact(listed), codes, facts, vector)


@dataclass(frozen=True)
class Seen:
    """What is stored of an event.

    Attributes:
        crops: JSON, [reference, box, time, score] of each, the best first.
        last_seen: the latest time that the event knows the person at.
    """

    event_id: str
    person: str
    camera: str
    track_id: int
    trigger: str
    frame_time: float
    first_seen: float
    last_seen: float
    revision: int
    final: bool
    crops: str
    described_at: float

    @classmethod
    def of(cls, request: DescribeRequest, described_at: float, references: tuple[str | None, ...]) -> Seen:
        """What to store of ``request``, whose pictures lie at ``references``."""
        crops = [[reference, crop.box, crop.time, crop.score]
                 for crop, reference in zip(request.crops, references, strict=True)]  # fmt: skip
        last = max([request.frame_time, *(crop.time for crop in request.crops if crop.time is not None)])
        return cls(request.event_id, request.person, request.camera, request.track_id, request.trigger,
                   request.frame_time, request.seen_since, last, request.revision, request.final, compact(crops),
                   described_at)  # fmt: skip


def described(row: Mapping[Any, Any], terms: Terms) -> Described:
    """The event of a row of ``descriptions`` joined with its track, camera and, where it holds, its embedding.

    Scores come back to four digits, the embedding to three; everything else is what it was. Values that this version
    of the vocabulary does not have are left out.
    """
    crops = [Crop(reference=reference, box=None if box is None else tuple(box), time=at, score=score)
             for reference, box, at, score in json.loads(row["crops"])]  # fmt: skip
    request = DescribeRequest(
        event_id=row["event_id"], camera=row["camera_name"], track_id=row["track_id"], trigger=row["trigger"],
        frame_time=row["frame_time"], crop=crops[0], others=tuple(crops[1:]), first_seen=row["first_seen"],
        revision=row["revision"], final=row["final"],
    )  # fmt: skip
    attributes = {
        name: Attribute(value=value if isinstance(value, str) else tuple(value), confidence=confidence, source=source)
        for name, (value, confidence, source) in json.loads(row["attributes"]).items() if _legal(name, value)
    }  # fmt: skip
    scores = {} if row["scores"] is None else terms.decode(np.frombuffer(row["scores"], "<u2"))
    embedding = None
    if row.get("vector") is not None:
        vector = np.frombuffer(row["vector"], "<f2").astype(np.float64)
        embedding = tuple((vector / max(1e-9, float(np.linalg.norm(vector)))).tolist())
    said = PersonDescription(text=row["text"], attributes=attributes, scores=scores, embedding=embedding,
                             quality=row["quality"], model=row["model"])  # fmt: skip
    return Described(request=request, description=said, described_at=row["described_at"])


def _legal(name: str, value: str | list[str]) -> bool:
    values = [value] if isinstance(value, str) else value
    return name in GROUP and all(each == UNKNOWN or each in GROUP[name].values for each in values)


def facts(listed: Mapping[str, Any], codes: Codes | None, terms: Terms) -> tuple[tuple[int, float], ...]:
    """:attr:`Said.facts` of attributes as they are stored, and of their codes."""
    known = decode(codes).tolist() if codes is not None else []
    found = []
    for name, (given, confidence, _) in listed.items():
        for value in dict.fromkeys([given] if isinstance(given, str) else given):
            number = terms.ids.get((name, value))
            if number is not None and value != UNKNOWN:
                p = known[number] if number < len(known) else float("nan")
                found.append((number, confidence if math.isnan(p) else p))
    return tuple(found)


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def compact(value: Any) -> str:
    """JSON as it is stored."""
    return _JSON.encode(value)
