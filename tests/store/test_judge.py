"""Judging coarsely: what a floor saves changes nobody who reaches it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from personvlm.schema.groups import GROUPS
from personvlm.store.codes import Terms
from personvlm.store.judge import Judge
from personvlm.store.query_parser import parse_query
from personvlm.store.segments import CAMERA, Part

sys.path.insert(0, str(Path(__file__).parents[1] / "accept"))
from search_times import QUESTIONS

ASKED = [*QUESTIONS["attributes"], "no dress or skirt", "not black or blue trousers and a jacket", "no red jacket"]


def numbered() -> Terms:
    """Terms as a store has them, numbered from 0 on."""
    pairs = [(group.name, value) for group in GROUPS for value in group.values]
    return Terms({pair: number for number, pair in enumerate(pairs)})


@pytest.mark.parametrize("question", ASKED)
def test_a_floor_changes_nobody_who_reaches_it(question: str) -> None:
    numbers, rng = numbered(), np.random.default_rng(7)
    count, first = 20_000, 50_000
    judge = Judge(parse_query(question).terms, numbers)
    # Most are unlikely to have a value, as in life; of a tenth of the people nothing is known.
    columns = {name: (rng.beta(0.3, 1.0, count) * 256).astype(np.uint8) for name in judge.names}
    for column in columns.values():
        column[rng.random(count) < 0.1] = 0
    part = Part(np.arange(first, first + count), columns, first=first)
    everybody = np.ones(count, bool)
    plain = judge.coarsely(part, everybody)
    assert plain.max() > plain.min()
    for floor in (1e-3, 0.02, 0.1, 0.3, 0.5):
        quick = judge.coarsely(part, everybody, floor)
        reaches = plain >= floor
        np.testing.assert_allclose(quick[reaches], plain[reaches], rtol=1e-5)
        assert ((quick == 0) | np.isclose(quick, plain, rtol=1e-5)).all()
    for share in (0.01, 0.2, 0.9):
        allowed = rng.random(count) < share
        np.testing.assert_allclose(judge.coarsely(part, allowed, 0.1)[allowed & (plain >= 0.1)],
                                   plain[allowed & (plain >= 0.1)], rtol=1e-5)  # fmt: skip
        assert not judge.coarsely(part, allowed)[~allowed].any()


def test_of_few_the_numbers_stay_theirs() -> None:
    column = np.arange(100, dtype=np.int32)
    few = Part(np.arange(1000, 1100), {CAMERA: column}, first=1000).at(np.array([3, 50, 99])).at(np.array([0, 2]))
    assert few.numbers.tolist() == [1003, 1099]
    assert few[CAMERA].tolist() == [3, 99]
