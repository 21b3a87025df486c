from __future__ import annotations

import numpy as np
import pytest

from personvlm.schema import PersonDescription
from personvlm.video.likeness import Likeness, Looks, fit_likeness


def test_a_fit_answers_with_the_right_probability() -> None:
    """Cosines of one person N(0.7, 0.1), of two N(0.3, 0.1): their log ratio is 40 c - 20; attributes tell nothing."""
    rng = np.random.default_rng(0)
    count, people = 6000, 10
    cosine, distance = rng.normal(0.3, 0.1, (count, people)), rng.normal(3, 1, (count, people))
    answers = np.where(rng.random(count) < 0.5, rng.integers(people, size=count), -1)
    there = answers >= 0
    cosine[there, answers[there]] += 0.4
    found = fit_likeness(np.stack([cosine, distance], 2), answers)
    assert found.cosine == pytest.approx(40, abs=4)
    assert found.bias == pytest.approx(-20, abs=2.5)
    assert found.attributes == pytest.approx(0, abs=0.15)


def test_attributes_count_where_they_tell() -> None:
    rng = np.random.default_rng(1)
    cosine, distance = rng.normal(0.5, 0.1, (4000, 5)), rng.normal(5, 1, (4000, 5))
    answers = np.where(np.arange(4000) % 2, rng.integers(5, size=4000), -1)
    distance[answers >= 0, answers[answers >= 0]] -= 3
    found = fit_likeness(np.stack([cosine, distance], 2), answers)
    assert found.attributes == pytest.approx(-3, abs=0.4)
    assert abs(found.cosine) < 1


def test_questions_of_both_kinds_are_needed() -> None:
    for answer in (0, -1):
        with pytest.raises(ValueError, match="in which it is nobody"):
            fit_likeness([[[0.5, 1.0]]], [answer])


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
    assert together == pytest.approx([float(likeness(looks[0], [other])[0]) for other in looks[1:]], abs=1e-5)
    assert likeness(looks[0], []).shape == (0,)
