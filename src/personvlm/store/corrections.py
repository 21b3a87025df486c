"""What people put right: who said so and when, and what holds of somebody since then.

What a model said stays as it was. What holds instead is a description of its own, the model's with the corrected
groups in it, so that lists, search, facets and the live feed show it without knowing of corrections; it is written
again for every later revision, until the correction is undone.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from personvlm.base.errors import InputError
from personvlm.language.realiser import realise
from personvlm.schema import GROUP, NONE, UNKNOWN, Annotations, Attribute
from personvlm.schema.description import check_values
from personvlm.store import bulk, codes
from personvlm.store.codes import Terms
from personvlm.store.rows import Said, compact, facts
from personvlm.store.tables import cameras, descriptions, embeddings, tracks
from personvlm.store.tables import corrections as table

Value = str | tuple[str, ...]


@dataclass(frozen=True)
class Correction:
    """One attribute of one person, put right. Times are seconds since the epoch.

    Attributes:
        value: what is right; a tuple where the group is a set; ``unknown``: nothing can be told.
        by: who said so.
        event_id, model: of the description that held then.
        said: what the model had said; None: nothing.
    """

    number: int
    person: str
    camera: str
    group: str
    value: Value
    at: float
    by: str
    event_id: str
    model: str
    said: Attribute | None
    undone_at: float | None = None
    undone_by: str | None = None


def checked(group: str, value: str | Sequence[str]) -> Value:
    """``value`` as it is kept: in the order of the schema, a parent only where none of its kinds is named.

    Raises:
        InputError: no such group or value, with the legal ones; or not one value, or several that exclude each other.
    """
    given = (value,) if isinstance(value, str) else tuple(value)
    try:
        check_values(group, given)
    except ValueError as error:
        raise InputError(str(error)) from None
    if UNKNOWN in given:
        if len(set(given)) > 1:
            raise InputError(f"{group}: {UNKNOWN!r} says that nothing can be told; give it alone")
        return UNKNOWN
    known = Annotations.build({group: given}).values().get(group, ())
    if GROUP[group].kind == "exclusive":
        if len(set(given)) != 1:
            raise InputError(f"{group} has one value, not {len(set(given))}; legal: {', '.join(GROUP[group].values)}")
        return known[0]
    if not known and NONE in GROUP[group].values:
        return (NONE,)
    if not known and group != "activity":
        raise InputError(f"{group}: give at least one value, or {UNKNOWN!r}; legal: {', '.join(GROUP[group].values)}")
    if NONE in known and len(known) > 1:
        raise InputError(f"{group}: {NONE!r} and {known[1]!r} contradict each other; take one of them out")
    return known


def correct(connection: sa.Connection, person: str, group: str, value: str | Sequence[str], by: str) -> Correction:
    """Keep that ``value`` is right; what holds already is not kept twice. Inside
    :func:`personvlm.store.writing.correcting`, which lets it hold.

    Raises:
        InputError: nobody has this id, or the value is not legal.
    """
    right = checked(group, value)
    held = _said_by_model(connection, person)
    if held is None:
        raise InputError(f"no person {person!r} in this store")
    before = [each for each in kept(connection, person) if each.group == group]
    if before and before[-1].value == right:
        return before[-1]
    row = {"track": held.track, "group_name": group, "value": compact(right), "made_by": by, "made_at": time.time(),
           "event_id": held.event_id, "model": held.model,
           "said": compact(json.loads(held.attributes).get(group))}  # fmt: skip
    made = connection.execute(table.insert().values(row).returning(table.c.id)).scalar_one()
    return _one(connection, made)


def person_of(connection: sa.Connection, number: int) -> str:
    """Id of the person whom a correction is about.

    Raises:
        InputError: there is none of that number.
    """
    return _one(connection, number).person


def undo(connection: sa.Connection, number: int, by: str) -> Correction:
    """Take a correction back, inside :func:`personvlm.store.writing.correcting`.

    Raises:
        InputError: there is none of that number that was not undone already.
    """
    holds = sa.and_(table.c.id == number, table.c.undone_at.is_(None))
    if not connection.execute(table.update().where(holds).values(undone_at=time.time(), undone_by=by)).rowcount:
        raise InputError(f"correction {number} was undone before")
    return _one(connection, number)


def _one(connection: sa.Connection, number: int) -> Correction:
    row = connection.execute(_kept().where(table.c.id == number)).first()
    if row is None:
        raise InputError(f"there is no correction {number}")
    return _read(row)


def kept(connection: sa.Connection, person: str | None = None, *, undone: bool = False) -> list[Correction]:
    """Corrections of one person, or all, the oldest first; those that were undone only if ``undone``."""
    query = _kept().order_by(table.c.id)
    if person is not None:
        query = query.where(tracks.c.person == person)
    if not undone:
        query = query.where(table.c.undone_at.is_(None))
    return [_read(row) for row in connection.execute(query)]


def _kept() -> sa.Select[Any]:
    joined = table.join(tracks, tracks.c.id == table.c.track).join(cameras, cameras.c.id == tracks.c.camera)
    return sa.select(table, tracks.c.person, cameras.c.name.label("camera_name")).select_from(joined)


def _read(row: Any) -> Correction:
    value, said = json.loads(row.value), json.loads(row.said)
    what = None if said is None else Attribute(value=_value(said[0]), confidence=said[1], source=said[2])
    return Correction(row.id, row.person, row.camera_name, row.group_name, _value(value), row.made_at, row.made_by,
                      row.event_id, row.model, what, row.undone_at, row.undone_by)  # fmt: skip


def _value(value: str | list[str]) -> Value:
    return value if isinstance(value, str) else tuple(value)


# ---- what holds then


def put_right(said: Said, right: Mapping[str, Value], terms: Terms) -> Said:
    """``said`` with the groups of ``right`` as somebody put them right: certain, and in the words of the text."""
    listed = json.loads(said.attributes)
    before = _spoken(listed)
    scores = np.zeros(terms.size, np.uint16)
    if said.codes is not None:
        scores[: len(said.codes)] = said.codes
    for group, value in right.items():
        listed[group] = [value, 1.0, "given"]
        _score(scores, group, value, terms)
    after = _spoken(listed)
    text = said.text if after == before else realise(after)
    return replace(said, text=text, attributes=compact(listed), codes=scores, facts=facts(listed, scores, terms))


def _spoken(listed: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    values = {group: (value,) if isinstance(value, str) else tuple(value) for group, (value, _, _) in listed.items()}
    return {group: value for group, value in values.items() if group in GROUP and value not in ((), (UNKNOWN,))}


def _score(scores: codes.Codes, group: str, value: Value, terms: Terms) -> None:
    """Probability 1 of what is right and 0 of all else in the group; what it leaves open (which kind of bag, which
    of three ages) stays as the model weighed it, and of what is unknown nothing is known."""
    ids, kind = terms.groups[group], GROUP[group]
    if value == UNKNOWN:
        scores[list(ids.values())] = 0
        return
    known = Annotations.build({group: value}).known[group]
    if kind.kind == "set":
        for names, p in ((known.present, 1.0), (known.absent, 0.0)):
            scores[[ids[name] for name in names]] = codes.encode(p)
        return
    weights = {name: float(np.nan_to_num(codes.decode(scores[ids[name]]))) for name in kind.columns}
    total = sum(weights[name] for name in known.present)
    for name in kind.columns:
        share = weights[name] / total if total > 0 else 1 / len(known.present)
        scores[ids[name]] = codes.encode(share if name in known.present else 0.0)
    for parent, leaves in kind.parents.items():
        if scores[ids[parent]]:  # a model that gives parents a probability of their own
            scores[ids[parent]] = codes.encode(1.0 if known.present <= set(leaves) else 0.0)


def rewrite(connection: sa.Connection, terms: Terms, track: int, base: int, said: Said) -> tuple[int, Said] | None:
    """Write the description ``base``, which says ``said``, again as people put it right.

    Returns:
        descriptions.id and what it says; None where nothing of this person is put right (any more).
    """
    query = sa.select(table.c.id, table.c.group_name, table.c.value).order_by(table.c.id)
    rows = connection.execute(query.where(table.c.track == track, table.c.undone_at.is_(None))).all()
    right = {row.group_name: (row.id, _value(json.loads(row.value))) for row in rows}
    if not right:
        return None
    now = put_right(said, {group: value for group, (_, value) in right.items()}, terms)
    row = dict(connection.execute(sa.select(descriptions).where(descriptions.c.id == base)).mappings().one())
    # The same corrections of the same description are one row, however often they are made and undone.
    key = "\x1f".join([row["event_id"], *map(str, sorted(number for number, _ in right.values()))])
    event = hashlib.sha256(key.encode()).hexdigest()[:32]
    there = sa.select(descriptions.c.id).where(descriptions.c.event_id == event, descriptions.c.model == row["model"])
    number = connection.scalar(there)
    if number is None:
        assert now.codes is not None
        (number,) = bulk.next_ids(connection, descriptions, 1)
        connection.execute(descriptions.insert().values({
            **row, "id": number, "event_id": event, "corrects": base, "text": now.text, "attributes": now.attributes,
            "scores": now.codes.astype("<u2").tobytes()}))  # fmt: skip
    return number, now


def base_of(connection: sa.Connection, terms: Terms, person: str) -> tuple[int, int, Said] | None:
    """tracks.id, the description that a model gave (descriptions.id), and what it says, of whoever holds now."""
    row = _said_by_model(connection, person)
    if row is None:
        return None
    listed = json.loads(row.attributes)
    scores = None if row.scores is None else np.frombuffer(row.scores, "<u2")
    said = Said(row.text, row.model, row.quality, row.attributes, scores, facts(listed, scores, terms), row.vector)
    return row.track, row.id, said


def _said_by_model(connection: sa.Connection, person: str) -> Any:
    holding = descriptions.alias("holding")
    joined = tracks.join(holding, holding.c.id == tracks.c.description)
    joined = joined.join(descriptions, descriptions.c.id == sa.func.coalesce(holding.c.corrects, holding.c.id))
    joined = joined.join(embeddings, embeddings.c.track == tracks.c.id, isouter=True)
    query = sa.select(descriptions, embeddings.c.vector).select_from(joined)
    return connection.execute(query.where(tracks.c.person == person)).first()
