"""Who else a stored person is: judged as in a run, by looks, time and ways between cameras; linked once, and undone."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.pipeline.run_identity import Identities
from personvlm.schema import Crop, Described, DescribeRequest, PersonDescription, Track
from personvlm.store import Store
from personvlm.store.rows import Said
from personvlm.store.who import Linking, _scores, link_again, who
from personvlm.video.identity import Gallery, Identity, Sighting
from personvlm.video.likeness import Looks

NOW = 1_780_000_000.0
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
SCORES = {"gender": {"male": 0.9, "female": 0.1}, "upper.garment": {"coat": 0.8, "jacket": 0.2},
          "carrying": {"backpack": 0.7}}  # fmt: skip


def seen(camera: str, first: float, last: float, vector: tuple[float, ...] | None = RED, *, final: bool = True,
         track: int = 1, model: str = "edge 1") -> Described:  # fmt: skip
    """Somebody on a camera between two times after ``NOW``."""
    request = DescribeRequest.build(
        camera, track, "track_update" if final else "new_track", NOW + last, Crop(data=b"\xff\xd8 picture"),
        first_seen=NOW + first, revision=2 if final else 1, final=final,
    )  # fmt: skip
    said = PersonDescription(text="A person.", scores=SCORES, embedding=vector, model=model)
    return Described(request=request, description=said, described_at=NOW + last)


def put(store: Store, *people: Described) -> list[str]:
    store.add(list(people))
    return [each.request.person for each in people]


def test_the_judgement_is_that_of_a_run(store: Store) -> None:
    people = [seen("gate", 0, 10), seen("yard", 0, 12, (0.8, 0.6, 0.0)), seen("deck", 5, 15, BLUE),
              seen("hall", 30, 40)]  # fmt: skip
    ids = put(store, *people)
    found = who(store, ids[3])
    gallery = Gallery()
    for each in people:
        request = each.request
        track = Track(camera=request.camera, track_id=1, first_seen=request.seen_since, last_seen=request.frame_time)
        gallery.see(Sighting(request.person, track, Looks.of(each.description)))
    expected = gallery.ask(gallery.sighting(ids[3]))
    assert [each.person for each in found.others] == [one.id for one, _ in expected]
    assert [each.probability for each in found.others] == pytest.approx([p for _, p in expected], abs=2e-3)
    assert found.nobody == pytest.approx(1 - sum(p for _, p in expected), abs=2e-3)
    best = found.others[0]
    assert (best.camera, best.track, best.first_seen - NOW, best.last_seen - NOW) == ("gate", 1, 0, 10)
    assert (best.link, best.also) == (None, ())
    assert [each.person for each in who(store, ids[3], top=1).others] == [ids[0]]


def test_scores_come_back_as_the_gallery_has_them(store: Store) -> None:
    described = seen("gate", 0, 1)
    (said,) = Said.of([described.description], store.terms)
    assert said.codes is not None
    looks = Looks.of(described.description)
    assert looks is not None
    back = _scores([said.codes.astype("<u2").tobytes(), None], store.terms)
    np.testing.assert_allclose(back[0], looks.scores, atol=1e-3)
    assert np.isnan(back[1]).all()


def test_time_and_ways_decide_who_is_possible(store: Store) -> None:
    here, soon, late, same_time = put(store, seen("hall", 0, 10), seen("gate", 20, 25), seen("yard", 9000, 9010),
                                      seen("deck", 5, 15))  # fmt: skip
    assert [each.person for each in who(store, here).others] == [soon]
    assert {each.person for each in who(store, here, within=20_000).others} == {soon, late}
    slow = Identity(travel={("hall", "gate"): (30.0, 60.0)})
    assert who(store, here, identity=slow).others == ()
    both = Identity(overlapping=frozenset([frozenset(("hall", "deck"))]))
    assert same_time in {each.person for each in who(store, here, identity=both).others}


def test_who_is_still_there_cannot_be_elsewhere(store: Store) -> None:
    now = time.time() - NOW
    put(store, seen("hall", now - 60, now - 50, final=False))
    (other,) = put(store, seen("gate", now - 40, now - 30))
    assert who(store, other).others == ()
    put(store, seen("hall", now - 60, now - 49))
    assert [each.camera for each in who(store, other).others] == ["hall"]


def test_links_are_named_and_what_was_undone(store: Store) -> None:
    one, other, third = put(store, seen("hall", 0, 10), seen("gate", 20, 25), seen("yard", 40, 50))
    far, blue = put(store, seen("attic", 90_000, 90_010), seen("deck", 60, 70, BLUE))
    assert store.link(other, one, 0.93)
    assert store.link(third, other, 0.8)
    assert store.link(one, far, 0.7, "guard")
    assert store.link(one, blue, 0.6)
    store.undo(one, blue, "guard")
    found = who(store, one)
    best = found.others[0]
    assert {best.person, *best.also} == {other, third}
    assert best.probability is not None
    assert best.probability > 0.9
    assert (best.link, best.linked, best.linked_by) == ("linked", 0.93, "identity")
    rest = {each.person: (each.probability, each.link, each.linked, each.linked_by) for each in found.others[1:]}
    assert rest == {far: (None, "linked", 0.7, "guard"), blue: (None, "undone", 0.6, "guard")}


def test_who_cannot_be_asked_about(store: Store) -> None:
    with pytest.raises(InputError, match="no person"):
        who(store, "0" * 32)
    (plain,) = put(store, seen("hall", 0, 10, None))
    with pytest.raises(InputError, match="no embedding"):
        who(store, plain)
    mine, other = put(store, seen("gate", 20, 30), seen("yard", 40, 50, model="another 1"))
    assert who(store, mine).others == ()
    assert who(store, other).others == ()


def test_whoever_leaves_is_linked_once(store: Store) -> None:
    first, second, stranger = seen("hall", 0, 10), seen("gate", 20, 30), seen("deck", 21, 33, BLUE)
    for each in (stranger, first, second, second, first):
        with store.begin() as connection:
            if any(store.add([each], connection)):
                Linking(store)([each], connection)
    (link,) = store.links()
    assert {link.one, link.other} == {first.request.person, second.request.person}
    assert link.probability > 0.9
    with store.begin() as connection:
        assert link_again(connection, store.terms, link.one) is None
        assert link_again(connection, store.terms, link.other) is None
        assert link_again(connection, store.terms, "0" * 32) is None


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_in_which_two_were_described_does_not_matter(store: Store, turned: bool) -> None:
    people = [seen("hall", 0, 10), seen("gate", 20, 30)]
    for each in people[::-1] if turned else people:
        with store.begin() as connection:
            store.add([each], connection)
            Linking(store)([each], connection)
    assert [{link.one, link.other} for link in store.links()] == [{each.request.person for each in people}]


def test_nobody_is_linked_who_may_still_be_there_or_is_unsure(store: Store) -> None:
    calls: list[int] = []
    before = seen("hall", 0, 10)
    linking = Linking(store, then=lambda described, connection: calls.append(len(described)))
    with store.begin() as connection:
        for each in (before, seen("gate", 20, 30, final=False)):
            store.add([each], connection)
            linking([each], connection)
    assert store.links() == []
    assert calls == [1, 1]
    unsure = Linking(store, replace(Identity(), sure=0.9999999))
    last = seen("gate", 20, 31)
    with store.begin() as connection:
        store.add([last], connection)
        unsure([last], connection)
    assert store.links() == []


def test_what_was_undone_stays_so_by_every_way(store: Store) -> None:
    one, other = put(store, seen("hall", 0, 10), seen("gate", 20, 30))
    assert store.link(one, other, 0.9)
    store.undo(other, one, "guard")
    third = seen("yard", 40, 50)
    put(store, third)
    with store.begin() as connection:
        made = [link_again(connection, store.terms, each) for each in (one, other, third.request.person)]
    assert sum(each is not None for each in made) == 1
    assert other not in store.same_as(one)
    apart = other if one in store.same_as(third.request.person) else one
    assert store.link(third.request.person, apart, 0.9) is False, "it would make one person of the two"
    assert other not in store.same_as(one)


def test_a_run_and_the_store_agree_on_the_link(store: Store) -> None:
    """The probability that a run tells and the one that a worker stores."""
    from personvlm.pipeline.run_events import PersonEvent
    from personvlm.video.crops import Crop as Picture
    from personvlm.video.triggers import Occasion

    crop = Picture(0.0, (0, 0, 1, 1), np.zeros((2, 2, 3), np.uint8), 1.0, np.zeros((16, 8, 3), np.float32))
    identities, told = Identities(Identity()), []
    for each in (seen("hall", 0, 10), seen("gate", 20, 30, (0.9, 0.43589, 0.0))):
        request = each.request
        track = Track(camera=request.camera, track_id=1, first_seen=request.seen_since, last_seen=request.frame_time)
        occasion = Occasion("end", track, request.frame_time, (crop,), request.event_id)
        told += identities.told(PersonEvent(request.person, 2, occasion, each.description, None, 0.0)).same_as
        with store.begin() as connection:
            store.add([each], connection)
            Linking(store)([each], connection)
    (same,), (link,) = told, store.links()
    assert (same.id, same.probability) == (link.other, pytest.approx(link.probability, abs=2e-3))
