from __future__ import annotations

import numpy as np
import pytest

from personvlm.metrics.reid import cross_camera


def test_only_other_cameras_count() -> None:
    """The best match of everybody is on the same camera, and must not help."""
    vectors = [[1, 0], [1, 0.01], [0, 1], [0.01, 1], [0.2, 0.9], [0.9, 0.2]]
    found = cross_camera(vectors, ["a", "a", "b", "b", "a", "b"], [1, 1, 1, 1, 2, 2])
    assert found.rank1 == 0.0
    assert found.map == pytest.approx((4 * 1 / 2 + 2 * (1 / 3 + 2 / 4) / 2) / 6)
    assert found.n == 6


def test_precision_of_a_ranking_by_hand() -> None:
    vectors = [[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]
    found = cross_camera(vectors, ["a", "a", "b", "a"], [1, 2, 2, 2])
    # Of the four queries only the first and the last three ask; b's person is nowhere else.
    assert found.n == 3
    assert found.rank1 == 1.0
    assert found.map == pytest.approx(((1 / 1 + 2 / 3) / 2 + 1 + 1) / 3)


def test_chance_is_chance() -> None:
    rng = np.random.default_rng(0)
    people = [i % 50 for i in range(400)]
    cameras = [i // 200 for i in range(400)]
    assert cross_camera(rng.normal(size=(400, 16)), people, cameras).rank1 < 0.06


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody is on two cameras"):
        cross_camera([[1.0], [2.0]], ["a", "b"], [1, 2])
    with pytest.raises(ValueError, match="one of each"):
        cross_camera([[1.0], [2.0]], ["a"], [1, 2])
