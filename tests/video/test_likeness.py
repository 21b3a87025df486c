from __future__ import annotations

import numpy as np
import pytest

from personvlm.schema import PersonDescription
from personvlm.video.likeness import Likeness, Looks, fit_likeness


def test_a_fit_finds_the_ratio_that_pairs_were_drawn_from() -> None:
    """Cosines of one person N(0.7, 0.1), of two N(0.2, 0.1): the log ratio is 50 c - 22.5 and asks for nothing else."""
    rng = np.random.default_rng(0)
    pairs = [np.column_stack([rng.normal(center, 0.1, 40_000), rng.normal(3, 1, 40_000)]) for center in (0.7, 0.2)]
    found = fit_likeness(*pairs)
    # A touch of ridge holds weights back that are as large as these.
    assert 20 < found.cosine < 52
    assert -found.bias / found.cosine == pytest.approx(0.45, abs=0.02)
    assert abs(found.attributes) < 0.1 * found.cosine


def test_attributes_count_where_they_tell() -> None:
    rng = np.random.default_rng(1)
    same = np.column_stack([rng.normal(0.5, 0.2, 5000), rng.normal(2, 1, 5000)])
    different = np.column_stack([rng.normal(0.4, 0.2, 5000), rng.normal(5, 1, 5000)])
    assert fit_likeness(same, different).attributes == pytest.approx(-3.0, abs=0.4)


def test_pairs_of_both_kinds_are_needed() -> None:
    with pytest.raises(ValueError, match="of two are needed"):
        fit_likeness([[0.5, 1.0]], [])


def test_many_at_once_are_each_by_itself() -> None:
    rng = np.random.default_rng(2)
    looks = []
    for _ in range(5):
        vector = rng.normal(size=8)
        vector /= np.linalg.norm(vector)
        scores = {"gender": {"male": 0.3, "female": 0.7}, "carrying": {"backpack": float(rng.random())}}
        description = PersonDescription(text="A person.", embedding=tuple(vector), scores=scores)
        found = Looks.of(description)
        assert found is not None
        looks.append(found)
    likeness = Likeness(attributes=-1.0)
    together = likeness(looks[0], looks[1:])
    assert together == pytest.approx([float(likeness(looks[0], [other])[0]) for other in looks[1:]])
    assert likeness(looks[0], []).shape == (0,)
