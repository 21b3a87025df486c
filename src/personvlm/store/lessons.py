"""What people put right, as data to train on: pictures with the groups that somebody looked at, and nothing else.

The format is the project's own (:mod:`personvlm.data.own`), as ``personvlm data``, ``train`` and ``adapt`` read it. A
group that nobody put right is not annotated, which is different from absent; neither is one that cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from personvlm.base.errors import InputError
from personvlm.data.own import write_personvlm
from personvlm.data.sample import Sample
from personvlm.schema import UNKNOWN, Annotations, Crop
from personvlm.store.blobs import BlobMissingError, Blobs
from personvlm.store.corrections import Correction
from personvlm.store.store import Store

FILE = "corrections.jsonl"
PICTURES = "crops"

PASSING = frozenset(("posture", "activity", "view", "visibility"))
"""Groups that differ from picture to picture of a person: they are taken to be right of the best one that was described
when somebody put them right, and of no other."""


@dataclass(frozen=True)
class Written:
    """What was written: pictures of how many people with how many corrections, and how many people have none kept."""

    pictures: int
    people: int
    corrections: int
    without: int


def write_lessons(store: Store, folder: Path) -> Written:
    """Write :data:`FILE` and the pictures that it names into ``folder``, which is made.

    Whoever is linked as the same person has one identity, so that a split puts nobody on both sides.

    Raises:
        InputError: the store keeps its pictures elsewhere.
    """
    if store.blobs is None:
        raise InputError("this store keeps its pictures elsewhere: name the place with --blobs")
    samples: list[Sample] = []
    people = corrections = without = 0
    kept = sorted(store.corrections(), key=lambda each: each.person)  # sorted() keeps each person's in their order
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for person, mine in groupby(kept, key=lambda each: each.person):
        right = {each.group: each for each in mine if each.value != UNKNOWN}
        if not right:
            continue
        found = list(_samples(store, store.blobs, person, list(right.values()), folder / PICTURES))
        samples += found
        people, corrections = people + bool(found), corrections + (len(right) if found else 0)
        without += not found
    write_personvlm(samples, folder / FILE, folder)
    return Written(len(samples), people, corrections, without)


def _samples(store: Store, blobs: Blobs, person: str, right: Sequence[Correction], folder: Path) -> Iterator[Sample]:
    """One per picture of the person that is kept, the best of the latest description first."""
    identity, camera = min(store.same_as(person)), right[0].camera
    number = 0
    for crop, events in _pictures(store, person):
        facts = {each.group: each.value for each in right if each.group not in PASSING or each.event_id in events}
        if not facts or crop.reference is None:
            continue
        try:
            data = blobs.get(crop.reference)
        except BlobMissingError:
            continue
        path = folder / f"{person}-{number}.jpg"
        path.write_bytes(data)
        number += 1
        yield Sample(path, Annotations.build(facts), identity=identity, labels=(f"camera={camera}",),
                     source="corrections")  # fmt: skip


def _pictures(store: Store, person: str) -> list[tuple[Crop, set[str]]]:
    """Different pictures of a person, and the events that each is the best one of. One that belongs to several
    revisions is stored under several names; its time tells that it is the same."""
    found: dict[float | str, tuple[Crop, set[str]]] = {}
    for described in reversed(store.story(person)):
        for place, crop in enumerate(described.request.crops):
            if crop.reference is not None:
                key = crop.reference if crop.time is None else crop.time
                _, events = found.setdefault(key, (crop, set()))
                if place == 0:
                    events.add(described.request.event_id)
    return list(found.values())
