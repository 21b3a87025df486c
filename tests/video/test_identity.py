from __future__ import annotations

import math

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.schema import PersonDescription, Track
from personvlm.video.identity import Gallery, Identity, Sighting
from personvlm.video.likeness import Likeness, Looks, disagreements

SCORES = {"gender": {"male": 0.9, "female": 0.1}, "carrying": {"backpack": 0.9}, "view": {"front": 1.0}}


def looks(angle: float | None, scores: dict[str, dict[str, float]] | None = None) -> Looks | None:
    """Appearance is a point on a circle: the cosine of two is that of the angle between them, in degrees."""
    if angle is None:
        return Looks.of(PersonDescription(text="A person."))
    radians = math.radians(angle)
    vector = (math.cos(radians), math.sin(radians))
    return Looks.of(PersonDescription(text="A person.", embedding=vector, scores=scores or SCORES))


def sighting(name: str, camera: str, first: float, last: float, angle: float | None,
             scores: dict[str, dict[str, float]] | None = None, over: bool = True) -> Sighting:
    track = Track(camera=camera, track_id=1, first_seen=first, last_seen=last)
    return Sighting(name, track, looks(angle, scores), over)


def test_who_looks_the_same_is_linked_and_a_stranger_is_not() -> None:
    gallery = Gallery()
    assert gallery.see(sighting("a", "gate", 0, 10, 0)) is None
    assert gallery.see(sighting("b", "gate", 2, 9, 90)) is None
    link = gallery.see(sighting("c", "hall", 30, 40, 5))
    assert link is not None
    assert (link.sighting, link.same_as) == ("c", "a")
    assert link.probability > 0.95
    assert gallery.see(sighting("d", "hall", 30, 40, 200)) is None
    assert gallery.person("a") == {"a", "c"}
    assert gallery.person("b") == {"b"}


def test_two_who_are_dressed_alike_share_the_probability() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("twin", "gate", 0, 10, 1))
    assert gallery.see(sighting("c", "hall", 30, 40, 0.5)) is None
    ranked = gallery.ask(sighting("again", "yard", 60, 70, 0.5))
    assert {one.id for one, _ in ranked} == {"a", "twin", "c"}
    assert all(0.2 < probability < 0.5 for _, probability in ranked)
    assert sum(probability for _, probability in ranked) < 1


def test_attributes_decide_between_them() -> None:
    other = {**SCORES, "carrying": {"backpack": 0.0}, "gender": {"male": 0.1, "female": 0.9}}
    gallery = Gallery(Identity(likeness=Likeness(attributes=-2.0)))
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("twin", "gate", 0, 10, 0, other))
    link = gallery.see(sighting("c", "hall", 30, 40, 0, other))
    assert link is not None
    assert link.same_as == "twin"


def test_nobody_is_in_two_places_at_once() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0))
    assert gallery.see(sighting("b", "hall", 5, 20, 0)) is None
    both = Gallery(Identity(overlapping=frozenset({frozenset({"gate", "hall"})})))
    both.see(sighting("a", "gate", 0, 10, 0))
    assert both.see(sighting("b", "hall", 5, 20, 0)) is not None
    # Nor through somebody they are linked with: c was in the yard while b was in the hall.
    linked = Gallery()
    linked.see(sighting("a", "gate", 0, 10, 0))
    assert linked.see(sighting("b", "hall", 20, 40, 0)) is not None
    assert linked.see(sighting("c", "yard", 30, 50, 0)) is None


def test_the_way_takes_its_time() -> None:
    settings = Identity(travel={("gate", "hall"): (10, 60)})
    for start, linked in ((15, False), (25, True), (100, False)):
        for cameras in (("gate", "hall"), ("hall", "gate")):
            gallery = Gallery(settings)
            gallery.see(sighting("a", cameras[0], 0, 10, 0))
            assert (gallery.see(sighting("b", cameras[1], start, start + 5, 0)) is not None) is linked


def test_a_link_can_be_undone_and_is_not_made_again() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("b", "hall", 30, 40, 0))
    gallery.undo("b", "a")
    assert gallery.links() == []
    assert gallery.person("a") == {"a"}
    assert [one.id for one, _ in gallery.ask(sighting("b", "hall", 30, 40, 0))] == []
    with pytest.raises(InputError, match="not linked"):
        gallery.undo("a", "b")


def test_the_sightings_of_one_person_are_no_rivals() -> None:
    gallery = Gallery()
    for number in range(6):
        link = gallery.see(sighting(str(number), f"camera {number % 2}", 100 * number, 100 * number + 10, 0))
        assert (link is not None) is (number > 0)
        assert link is None or link.probability > 0.95
    assert len(gallery.person("3")) == 6


def test_sightings_are_forgotten_with_their_links() -> None:
    gallery = Gallery(Identity(expiry=100))
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("b", "hall", 30, 40, 0))
    assert gallery.see(sighting("c", "hall", 500, 510, 0)) is None
    assert gallery.links() == []
    with pytest.raises(InputError, match="forgotten"):
        gallery.person("a")


def test_what_has_no_embedding_is_not_linked() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, None))
    assert gallery.see(sighting("b", "hall", 30, 40, None)) is None
    assert gallery.see(sighting("c", "hall", 60, 70, 0)) is None
    assert gallery.ask(sighting("d", "hall", 90, 95, None)) == []


def test_later_evidence_decides() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("b", "gate", 2, 9, 90))
    early = gallery.see(sighting("c", "hall", 30, 31, 5, over=False))
    assert early is not None
    assert early.same_as == "a"
    late = gallery.see(sighting("c", "hall", 30, 40, 88))
    assert late is not None
    assert late.same_as == "b"
    assert gallery.person("a") == {"a"}
    assert gallery.person("b") == {"b", "c"}
    assert gallery.see(sighting("c", "hall", 30, 40, 200)) is None
    assert gallery.links() == []


def test_links_that_others_made_stay_when_more_is_known() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0))
    gallery.see(sighting("b", "hall", 30, 40, 0))
    gallery.see(sighting("a", "gate", 0, 12, 1))
    assert gallery.person("a") == {"a", "b"}
    assert [(link.sighting, link.same_as) for link in gallery.links()] == [("b", "a")]


def test_who_is_still_there_cannot_be_elsewhere() -> None:
    gallery = Gallery()
    gallery.see(sighting("a", "gate", 0, 10, 0, over=False))
    assert gallery.see(sighting("b", "hall", 30, 31, 0, over=False)) is None
    link = gallery.see(sighting("a", "gate", 0, 20, 0))  # a had left before b came, and that is known now
    assert link is not None
    assert (link.sighting, link.same_as) == ("a", "b")


def test_only_the_latest_are_remembered() -> None:
    gallery = Gallery(Identity(most=3))
    for number in range(5):
        gallery.see(sighting(str(number), "gate", number, number + 0.5, 90 * number))
    assert gallery.sighting("4").id == "4"
    assert len(gallery.ask(sighting("q", "hall", 30, 40, 0), top=9)) == 3
    with pytest.raises(InputError, match="forgotten"):
        gallery.sighting("1")
    assert gallery.see(sighting("old", "gate", -9e9, -8e9, 0)) is None  # forgotten at once


def test_disagreement_counts_what_lasts() -> None:
    one, same = looks(0), looks(0, {**SCORES, "view": {"front": 0.0}})
    other = looks(0, {"gender": {"male": 0.0, "female": 1.0}, "carrying": {"backpack": 0.2}})
    less = looks(0, {"gender": SCORES["gender"]})
    assert one is not None and same is not None and other is not None and less is not None  # noqa: PT018
    found = disagreements(one.scores, np.stack([same.scores, other.scores, less.scores]))
    assert found == pytest.approx([1 - (0.81 + 0.01), (1 - 0.1) + 0.7, 1 - (0.81 + 0.01)])


def test_probabilities_hold_for_people_who_are_like_those_it_was_made_for() -> None:
    """Likenesses drawn from the ratio's own model: what is said to be right in 9 of 10 cases is."""
    rng = np.random.default_rng(0)
    said, right = [], []
    for _ in range(1500):
        gallery = Gallery()
        known, count = rng.random() < 0.5, 8
        ratios = rng.normal(-4, math.sqrt(8), count)  # N(-m, 2m) and N(m, 2m) have the ratio that they are named for
        if known:
            ratios[0] = rng.normal(4, math.sqrt(8))
        for number in range(count):
            gallery._sightings[f"p{number}"] = sighting(f"p{number}", "gate", 0, 10, 0)
        object.__setattr__(gallery.settings, "likeness", lambda one, others, ratios=ratios: ratios)
        best, probability = gallery.ask(sighting("q", "hall", 30, 40, 0))[0]
        said.append(probability)
        right.append(known and best.id == "p0")
    sure = np.array(said) > 0.8
    assert sure.sum() > 200
    assert np.mean(np.array(right)[sure]) == pytest.approx(np.mean(np.array(said)[sure]), abs=0.04)
