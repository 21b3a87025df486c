"""Drafts: what is proposed, and how much of it a decoder's own choices keep."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.runtime.draft import Drafter, Lookup, NgramTable, accepted

CORPUS = [[1, 5, 6, 7, 2], [1, 5, 6, 8, 2], [1, 5, 6, 8, 2], [1, 9, 6, 7, 2], [1, 9, 6, 7, 2]]


@pytest.mark.parametrize(("draft", "chosen", "count"), [
    ([], [4], 0), ([4, 5], [4, 5, 6], 2), ([4, 5], [4, 6, 5], 1), ([4, 5], [7, 5, 6], 0),
])  # fmt: skip
def test_what_is_kept_is_what_the_decoder_chose(draft: list[int], chosen: list[int], count: int) -> None:
    assert accepted(draft, chosen) == count


def test_lookup_goes_on_with_what_was_expected() -> None:
    drafter = Lookup((1, 5, 6, 7, 8, 2))
    assert drafter.draft([1], 99) == [5, 6, 7, 8, 2]
    assert drafter.draft([1, 5, 6], 2) == [7, 8]
    assert drafter.draft([1, 5, 6, 7, 8, 2], 99) == []


def test_lookup_follows_words_that_changed_places() -> None:
    drafter = Lookup((1, 5, 6, 7, 8, 9, 6, 2))
    assert drafter.draft([1, 7], 99) == [6, 5, 8, 9, 6, 2], "7 and 5 changed places"
    assert drafter.draft([1, 7, 6, 5, 8, 6], 99) == [9, 2], "so did 9 and 6, further on"
    assert drafter.draft([1, 9], 99) == [6, 2], "too far away for that: it is taken for where the text is"


def test_lookup_finds_its_way_back() -> None:
    drafter = Lookup((1, 5, 6, 7, 8, 6, 3, 9, 2))
    assert drafter.draft([1, 5, 3], 99) == [9, 2], "words left out"
    assert drafter.draft([1, 5, 4, 4, 6], 99) == [3, 9, 2], "of two places the nearer"
    assert drafter.draft([1, 5, 4], 99) == [], "a word that nobody expected"


def test_the_commonest_word_after_the_longest_known_context() -> None:
    table = NgramTable.count(CORPUS, order=3, least=1)
    assert table.draft([1, 5, 6], 99) == [8, 2]
    assert table.draft([1, 9, 6], 99) == [7, 2]
    assert table.draft([1, 9, 6], 1) == [7]
    assert table.draft([1, 4], 99) == [], "an unknown word"
    assert table.draft([4, 9, 6], 1) == [7], "two words suffice"


def test_a_table_does_not_depend_on_the_order_of_its_texts_and_is_read_back(tmp_path: Path) -> None:
    table = NgramTable.count(CORPUS, order=4)
    shuffled = list(CORPUS)
    random.Random(1).shuffle(shuffled)
    assert NgramTable.count(shuffled, order=4) == table
    table.save(tmp_path)
    assert NgramTable.load(tmp_path, 10) == table
    with pytest.raises(InputError, match="vocabulary of 8"):
        NgramTable.load(tmp_path, 8)
    (tmp_path / "draft.json").write_text("{}")
    with pytest.raises(InputError, match=r"draft\.json"):
        NgramTable.load(tmp_path, 10)


def test_shorter_contexts_that_say_the_same_are_not_kept_twice() -> None:
    table = NgramTable.count([[1, 5, 6, 2]] * 2, order=4)
    assert set(table.following) == {(1,), (5,), (6,)}


def test_both_are_drafters() -> None:
    drafters: list[Drafter] = [Lookup((1, 2)), NgramTable.count(CORPUS)]
    assert all(drafter.draft([1], 0) == [] for drafter in drafters)


def test_a_draft_ends_where_its_words_are_unlikely(tmp_path: Path) -> None:
    table = NgramTable.count(CORPUS, order=3, least=1, sure=0.5)
    assert table.draft([1, 5], 99) == [6, 8, 2], "8 follows in two of three texts"
    assert table.draft([1], 99) == [5, 6], "5 in three of five, and 8 in two of three of those"
    assert NgramTable.count(CORPUS, order=3, least=1, sure=0.7).draft([1, 5], 99) == [6]
    table.save(tmp_path)
    assert NgramTable.load(tmp_path, 10) == table
