"""Ranking against the same judged by hand, filters, facets, text, looks; after updates, and seen by others."""

from __future__ import annotations

import numpy as np
import pytest
from stored_people import MONDAY, backpacker, red_jacket, said, seen

from personvlm.base.errors import InputError
from personvlm.schema import Described
from personvlm.store import Store, fold
from personvlm.store.judge import Looks
from personvlm.store.query import Query, Term
from personvlm.store.reading import Filters

QUESTIONS = ("a man", "woman in a red or orange jacket", "no backpack", "somebody in red without a hat, about thirty",
             "not elderly woman with a bag", "a blue jacket or green trousers", "navy coat", "dark hair")  # fmt: skip


def appearance(rng: np.random.Generator) -> tuple[float, ...]:
    """Like nobody's: of length 1, and at nearly right angles to those of all others."""
    vector = rng.normal(size=128)
    return tuple((vector / np.linalg.norm(vector)).tolist())


def strangers(count: int, seed: int = 0) -> list[Described]:
    """People with random scores."""
    rng = np.random.default_rng(seed)

    def one(number: int) -> Described:
        def exclusive(*names: str) -> dict[str, float]:
            return dict(zip(names, rng.dirichlet(np.full(len(names), 0.3)).tolist(), strict=True))

        def some(*names: str) -> dict[str, float]:
            return {name: float(rng.beta(0.3, 0.7)) for name in names}

        return seen(number, said(
            f"Person number{number}.", gender=exclusive("male", "female"),
            age=exclusive("child", "young adult", "thirties", "middle-aged", "elderly"),
            upper_color=some("red", "orange", "blue", "dark blue", "black", "pink", "purple"),
            upper_garment=exclusive("jacket", "coat", "padded coat", "suit", "t-shirt"),
            lower_garment=exclusive("trousers", "jeans", "shorts"), lower_color=some("red", "green"),
            headwear=exclusive("none", "hat", "cap"), carrying=some("none", "backpack", "bag"),
            hair_color=exclusive("black", "brown", "blond"),
            embedding=appearance(np.random.default_rng([seed, number])),
        ), camera=f"c{number % 4}", at=MONDAY + number)  # fmt: skip

    return [one(number) for number in range(count)]


def by_hand(term: Term, one: Described) -> float:
    """The rules of docs/search.md, written anew: values of an exclusive group add up, all else is independent."""
    from personvlm.schema import GROUP

    fails = 1.0
    for each in term.alternatives:
        holds = 1.0
        for wanted in each:
            scores = one.description.scores.get(wanted.group, {})
            shares = [scores.get(value, 0.02) * share for value, share in wanted.counted.items()]
            if GROUP[wanted.group].kind == "exclusive":
                holds *= min(1.0, sum(shares))
            else:
                holds *= 1 - np.prod([1 - share for share in shares])
        fails *= 1 - holds
    return float(fails if term.absent else 1 - fails)


@pytest.mark.parametrize("folded", [True, False])
def test_the_ranking_is_that_of_judging_everybody_by_hand(store: Store, folded: bool) -> None:
    people = strangers(600)
    store.add(people)
    if folded:
        store.fold()
    for question in QUESTIONS:
        found = store.search(question, limit=25)
        assert found.query.terms, question
        expected = sorted((float(np.prod([by_hand(term, one) for term in found.query.terms])) for one in people),
                          reverse=True)  # fmt: skip
        assert [hit.probability for hit in found.hits] == pytest.approx(expected[:25], rel=0.01, abs=1e-5), question
        assert found.likely == pytest.approx(sum(p >= 0.5 for p in expected), abs=3), question
        best = found.hits[0]
        one = next(each for each in people if each.request.person == best.described.request.person)
        for reason, term in zip(best.reasons, found.query.terms, strict=True):
            assert reason.term == str(term)
            assert reason.probability == pytest.approx(by_hand(term, one), rel=0.01, abs=1e-4)


def test_who_looks_the_same_has_a_say(store: Store) -> None:
    """Log odds averaged: one's own counts 1, half the probability of being the same person that of another."""
    rng = np.random.default_rng(3)
    one, other = appearance(rng), appearance(rng)
    red = [(0.9, one), (0.6, one), (0.2, one), (0.8, other), (0.7, None)]
    store.add([seen(number, said("A person.", upper_color={"red": p}, embedding=vector), at=MONDAY + number)
               for number, (p, vector) in enumerate(red)])  # fmt: skip
    same = 1 / (1 + 36 * np.exp(6.41 - 15.66)) / 2
    odds = [np.log(p / (1 - p)) for p, _ in red]
    together = [(odds[row] + same * (sum(odds[:3]) - odds[row])) / (1 + 2 * same) for row in range(3)] + odds[3:]
    expected = sorted(1 / (1 + np.exp(-np.array(together))), reverse=True)
    hits = store.search("red top").hits
    assert [hit.probability for hit in hits] == pytest.approx(expected, rel=0.01)
    assert [hit.reasons[0].probability for hit in hits] == pytest.approx(expected, rel=0.01)
    assert hits[0].described.request.frame_time == MONDAY + 3, "the .9 whom those who look the same contradict is not"
    assert [hit.probability for hit in store.search("no red top").hits] == pytest.approx(
        [1 - p for p in reversed(expected)], rel=0.02)  # fmt: skip


def test_pages_of_the_ranking_fit_together(store: Store) -> None:
    store.add(strangers(150))
    whole = [hit.described.request.person for hit in store.search("man in red", limit=60).hits]
    parts = [hit.described.request.person for offset in (0, 20, 40)
             for hit in store.search("man in red", limit=20, offset=offset).hits]  # fmt: skip
    assert parts == whole
    assert len(set(whole)) == 60


def test_filters_come_first(store: Store) -> None:
    people = strangers(200)
    store.add(people)
    asked = Filters(cameras=("c1", "c2"), since=MONDAY + 50, until=MONDAY + 120)
    hits = store.search("a man", filters=asked, limit=200).hits
    assert len(hits) == sum(one.request.camera in ("c1", "c2") and 50 <= one.request.frame_time - MONDAY <= 120
                            for one in people)  # fmt: skip
    assert {hit.described.request.camera for hit in hits} == {"c1", "c2"}
    few = tuple(one.request.person for one in people[:3])
    assert {hit.described.request.person for hit in store.search("a man", filters=Filters(people=few)).hits} == set(few)
    assert store.search("a man", filters=Filters(people=())).hits == ()
    with pytest.raises(InputError, match="no camera 'c9'"):
        store.search("a man", filters=Filters(cameras=("c9",)))


def test_facets_count_those_who_are_likely(store: Store) -> None:
    people = strangers(300)
    store.add(people)
    store.fold()
    found = store.search("a man", facets=("upper.color", "camera"))
    men = [one for one in people if one.description.scores["gender"]["male"] >= 0.5]
    assert found.likely == pytest.approx(len(men), abs=3)
    for color in ("red", "blue"):
        both = sum(one.description.scores["upper.color"][color] >= 0.5 for one in men)
        assert found.facets["upper.color"][color] == pytest.approx(both, abs=4)
    assert sum(found.facets["camera"].values()) == found.likely
    with pytest.raises(InputError, match="no facet"):
        store.search("a man", facets=("shoe size",))


def test_an_update_is_seen_at_once_by_everybody(store: Store, where: str) -> None:
    people = strangers(50)
    store.add(people)
    store.fold()
    with Store.open(where, keep_crops=False) as other:
        assert other.search("lanyard").hits == ()
        before = other.search("woman in a red jacket").hits[0]
        one = people[7].request
        store.add([seen(7, red_jacket(0.999), camera=one.camera, at=one.frame_time + 9, first=one.frame_time,
                        revision=2)])  # fmt: skip
        after = other.search("woman in a red jacket").hits[0]
        assert after.described.request.person == one.person
        assert before.described.request.person != one.person or before.probability < after.probability
        store.fold()  # the segment has another version now, and nobody is recent
        again = other.search("woman in a red jacket").hits[0]
        assert (again.described.request.person, again.probability) == (one.person, pytest.approx(after.probability))
        store.erase([one.person], scrub=False)
        assert other.search("woman in a red jacket").hits[0].described.request.person != one.person


def test_folding_while_others_write_loses_nobody(store: Store) -> None:
    people = strangers(60)
    for start in range(0, 60, 10):
        store.add(people[start : start + 10])
        with store.begin() as connection:
            assert fold.fold(connection) >= 5
    assert len(store.search("a man", limit=200).hits) == 60
    assert store.fold() <= 30
    assert len(store.search("a man", limit=200).hits) == 60


def test_many_are_folded_by_themselves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MOST", 40)
    for start in range(0, 200, 20):
        store.add(strangers(200)[start : start + 20])
    with store.read() as connection:
        assert not fold.due(connection)
    assert len(store.search("a man", limit=300).hits) == 200


def test_text_decides_among_equals_and_alone(store: Store) -> None:
    store.add([seen(1, backpacker(0.90)), seen(2, said("A man with a guitar.", gender={"male": 0.96})),
               seen(3, said("A woman with a lanyard.", gender={"female": 0.96})), seen(4, red_jacket())])  # fmt: skip
    assert [hit.described.request.track_id for hit in store.search("man with a lanyard").hits][:2] == [1, 2]
    assert [hit.described.request.track_id for hit in store.search("man with a guitar").hits][:2] == [2, 1]
    alone = store.search("lanyards")
    assert ([hit.described.request.track_id for hit in alone.hits], alone.likely) == ([3, 1], None)
    assert alone.hits[0].words == ("lanyards",)
    both = store.search("lanyard zebra")
    assert {hit.described.request.track_id for hit in both.hits} == {1, 3}
    assert [hit.described.request.track_id for hit in store.search('"red jacket"').hits] == [4]
    assert store.search('"jacket red"').hits == ()
    assert store.search("zebra").hits == ()


def test_text_passes_the_filters_too(store: Store) -> None:
    store.add([seen(track, backpacker(), camera=f"c{track % 5}", at=MONDAY + track) for track in range(100)])
    store.fold()
    hits = store.search("lanyard", filters=Filters(cameras=("c3",), since=MONDAY + 50), limit=50).hits
    assert sorted(hit.described.request.track_id for hit in hits) == list(range(53, 100, 5))


def test_who_looks_alike(store: Store) -> None:
    near, far, other = (0.6, 0.8), (0.8, -0.6), (0.6, 0.8)
    store.add([seen(1, red_jacket(embedding=near)), seen(2, red_jacket(embedding=(0.59, 0.807))),
               seen(3, red_jacket(embedding=far)), seen(4, red_jacket(embedding=other, model="another 2")),
               seen(5, backpacker(embedding=None))])  # fmt: skip
    for folded in (False, True):
        if folded:
            store.fold()
        found = store.similar(store.people().items[-1].request.person, limit=2)
        assert sorted(hit.described.request.track_id for hit in found.hits) == [1, 2]
        assert all(hit.alike is not None and hit.alike > 0.99 for hit in found.hits)
        alike = store.search("a woman", looks=Looks(near, "edge 1"), limit=2).hits
        assert {hit.described.request.track_id for hit in alike} == {1, 2}
        assert alike[0].probability < 0.96
    without = next(one.request.person for one in store.people().items if one.request.track_id == 5)
    with pytest.raises(InputError, match="no embedding"):
        store.similar(without)
    with pytest.raises(InputError, match="no person"):
        store.similar("nobody")


def test_an_empty_store_and_a_question_about_nothing(store: Store) -> None:
    assert store.search("a man").hits == ()
    store.add(strangers(5))
    assert len(store.search("").hits) == 5
    assert len(store.search(Query(terms=(Term.of("gender", "male"),))).hits) == 5
    for limit, offset in ((0, 0), (1, -1)):
        with pytest.raises(InputError, match="at least one"):
            store.search("a man", limit=limit, offset=offset)
