"""The same person on other cameras and at other times: links with a probability, that can be undone.

Nothing is merged: a link is a statement about two sightings, and a person is whatever links connect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from personvlm.base.errors import InputError
from personvlm.schema import Track
from personvlm.video.likeness import Likeness, Looks


@dataclass(frozen=True)
class Identity:
    """How people are found again.

    Attributes:
        expiry: seconds after which a sighting is forgotten.
        known: how often somebody who appears was seen before, before looking: prior probability.
        sure: probability from which a link is made.
        travel: (camera, camera) -> seconds that the way from the first to the second takes, (least, most). Pairs that
            are not named may take any time. Both orders are meant unless both are named.
        overlapping: pairs of cameras that see the same place, so that somebody may be on both at once.
        most: sightings that are remembered, the latest.
        likeness: see :class:`personvlm.video.likeness.Likeness`.
    """

    expiry: float = 3600.0
    known: float = 0.7
    sure: float = 0.55
    travel: Mapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    overlapping: frozenset[frozenset[str]] = frozenset()
    most: int = 2000
    likeness: Likeness = field(default_factory=Likeness)


@dataclass(frozen=True)
class Sighting:
    """Somebody who is or was on a camera.

    Attributes:
        id: that of :class:`personvlm.pipeline.run_events.PersonEvent`.
        track: where and when.
        looks: None where they are not known; it is then never linked.
        over: the person has left. Who is still there cannot be elsewhere.
    """

    id: str
    track: Track
    looks: Looks | None
    over: bool = True


@dataclass(frozen=True)
class Link:
    """``sighting`` shows the same person as ``same_as``, with this probability."""

    sighting: str
    same_as: str
    probability: float


class Gallery:
    """Everybody who was seen lately, and who of them are one person. Not for several threads.

    Example:
        >>> from personvlm.schema import PersonDescription
        >>> gallery = Gallery()
        >>> looks = Looks.of(PersonDescription(text="A person.", embedding=(1.0, 0.0)))
        >>> gallery.see(Sighting("x", Track(camera="a", track_id=1, first_seen=0, last_seen=5), looks))
        >>> gallery.see(Sighting("y", Track(camera="b", track_id=1, first_seen=30, last_seen=35), looks)).same_as
        'x'

    Args:
        settings: see :class:`Identity`.
    """

    def __init__(self, settings: Identity | None = None) -> None:
        self.settings = settings or Identity()
        self._sightings: dict[str, Sighting] = {}
        self._links: dict[frozenset[str], Link] = {}
        self._apart: set[frozenset[str]] = set()
        self._now = -math.inf

    @classmethod
    def of(cls, sightings: Iterable[Sighting], links: Iterable[Link] = (), apart: Iterable[tuple[str, str]] = (),
           settings: Identity | None = None) -> Gallery:  # fmt: skip
        """A gallery that has seen all this, for who remembers it elsewhere; links of sightings that it lacks are left
        out.

        Args:
            apart: pairs of sightings of which somebody said that they are two people.
        """
        made = cls(settings)
        made._sightings = {one.id: one for one in sightings}
        made._links = {frozenset((link.sighting, link.same_as)): link for link in links
                       if link.sighting in made._sightings and link.same_as in made._sightings}  # fmt: skip
        made._apart = {frozenset(pair) for pair in apart}
        return made

    def see(self, sighting: Sighting) -> Link | None:
        """Remember ``sighting``, or what is known better about one that is remembered, and link it if it shows somebody
        else's person.

        A link that it made before is taken back first: later evidence decides. Sightings come in any order of time.
        """
        before = self._sightings.get(sighting.id)
        if before is not None:
            self._links = {pair: link for pair, link in self._links.items() if link.sighting != sighting.id}
        self._sightings[sighting.id] = sighting
        self._forget(sighting.track.last_seen)
        link = self.match(sighting) if sighting.id in self._sightings else None
        if link is not None:
            self._links[frozenset((link.sighting, link.same_as))] = link
        return link

    def match(self, sighting: Sighting) -> Link | None:
        """The link that ``sighting`` is sure enough to get; nothing is remembered of it."""
        ranked = self._ranked(sighting)
        if not ranked or ranked[0][1] < self.settings.sure:
            return None
        return Link(sighting.id, ranked[0][0].id, ranked[0][1])

    def ask(self, sighting: Sighting, top: int = 5) -> list[tuple[Sighting, float]]:
        """Who else this may be, where and when: one sighting of each of the ``top`` likeliest people, with the
        probability that it is this one. The rest up to 1 is for somebody who is not in the gallery.

        Links that ``sighting`` has are not taken for granted: whom it is linked with is asked about as well.
        """
        return self._ranked(sighting, linked=False)[:top]

    def sighting(self, key: str) -> Sighting:
        """One that is remembered.

        Raises:
            InputError: it is unknown or forgotten.
        """
        if key not in self._sightings:
            raise InputError(f"sighting {key} is not in the gallery, or was forgotten")
        return self._sightings[key]

    def person(self, sighting: str) -> frozenset[str]:
        """All sightings of the person whom ``sighting`` shows, itself included, as far as the links tell.

        Raises:
            InputError: it is unknown or forgotten.
        """
        self.sighting(sighting)
        return frozenset(self._reach(sighting, self._neighbors()))

    def links(self) -> list[Link]:
        """Links that hold, in the order in which they were made."""
        return list(self._links.values())

    def undo(self, one: str, other: str) -> None:
        """Take back that two sightings show one person; they are not linked to each other again.

        Raises:
            InputError: they are not linked.
        """
        if self._links.pop(frozenset((one, other)), None) is None:
            raise InputError(f"sightings {one} and {other} are not linked")
        self._apart.add(frozenset((one, other)))

    def _ranked(self, sighting: Sighting, *, linked: bool = True) -> list[tuple[Sighting, float]]:
        """People of the gallery, each by the sighting that is most alike, and their probabilities, likeliest first.

        By Bayes over "one of the n possible people" (prior ``known``, alike for all) and "nobody known": two people
        who are dressed alike share the probability, so that neither is taken for sure.
        """
        if sighting.looks is None:
            return []
        groups = self._people(None if linked else sighting.id)
        own = next((group for group in groups if any(one.id == sighting.id for one in group)), [sighting])
        own = [sighting, *(one for one in own if one.id != sighting.id)]
        mine = {one.id for one in own}
        possible = [group for group in groups if group[0].id not in mine
                    and all(self._may_be_one(one, other) for one in own for other in group)]  # fmt: skip
        known = [(number, one) for number, group in enumerate(possible) for one in group if one.looks is not None]
        if not known:
            return []
        ratios = self.settings.likeness(sighting.looks, [one.looks for _, one in known if one.looks is not None])
        best: dict[int, tuple[float, Sighting]] = {}
        for (number, one), ratio in zip(known, ratios.tolist(), strict=True):
            if number not in best or ratio > best[number][0]:
                best[number] = (ratio, one)
        highest = max(0.0, *(ratio for ratio, _ in best.values()))
        weights = [math.exp(ratio - highest) * self.settings.known / len(best) for ratio, _ in best.values()]
        total = sum(weights) + (1 - self.settings.known) * math.exp(-highest)
        found = [(one, weight / total) for (_, one), weight in zip(best.values(), weights, strict=True)]
        return sorted(found, key=lambda item: -item[1])

    def _neighbors(self, alone: str | None = None) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for pair, link in self._links.items():
            if alone in pair:
                continue
            found.setdefault(link.sighting, []).append(link.same_as)
            found.setdefault(link.same_as, []).append(link.sighting)
        return found

    @staticmethod
    def _reach(start: str, neighbors: Mapping[str, Sequence[str]]) -> list[str]:
        reached = {start: None}  # in order, so that the same footage gives the same links
        edge = [start]
        while edge:
            new = [key for key in neighbors.get(edge.pop(), ()) if key not in reached]
            reached |= dict.fromkeys(new)
            edge += new
        return list(reached)

    def _people(self, alone: str | None = None) -> list[list[Sighting]]:
        """Sightings by person; those of ``alone``'s links do not hold."""
        groups, done, neighbors = list[list[Sighting]](), set[str](), self._neighbors(alone)
        for key in self._sightings:
            if key not in done:
                group = self._reach(key, neighbors)
                done |= set(group)
                groups.append([self._sightings[each] for each in group])
        return groups

    def _may_be_one(self, one: Sighting, other: Sighting) -> bool:
        """Whether one person can have been at both: not at once in two places, and the way takes its time."""
        if frozenset((one.id, other.id)) in self._apart:
            return False
        first, second = sorted((one, other), key=lambda each: each.track.first_seen)
        pair = (first.track.camera, second.track.camera)
        gap = second.track.first_seen - first.track.last_seen
        if gap > self.settings.expiry:
            return False
        if pair[0] != pair[1] and frozenset(pair) in self.settings.overlapping:
            return True
        if gap < 0 or not first.over:
            return False
        travel = self.settings.travel
        least, most = travel.get(pair) or travel.get(pair[::-1]) or (0.0, math.inf)
        return least <= gap <= most

    def _forget(self, now: float) -> None:
        self._now = max(self._now, now)
        old = {key for key, one in self._sightings.items() if self._now - one.track.last_seen > self.settings.expiry}
        kept = [key for key in self._sightings if key not in old]
        old |= set(kept[: max(0, len(kept) - self.settings.most)])
        if old:
            self._sightings = {key: one for key, one in self._sightings.items() if key not in old}
            self._links = {pair: link for pair, link in self._links.items() if not pair & old}
            self._apart = {pair for pair in self._apart if not pair & old}
