from __future__ import annotations

import numpy as np
import pytest

from personvlm.video.path import Box, Path


def walker(time: float) -> Box:
    """100 pixels tall, 40 wide, 80 pixels per second to the right; the pillar's left edge stands at column 200."""
    left = 40 + 80 * time
    return np.array([left, 50, left + 40, 150], np.float32)


def behind(box: Box) -> Box:
    return np.minimum(box, np.array([200, 999, 200, 999], np.float32))


def test_the_straight_way_goes_on() -> None:
    path = Path()
    for step in range(10):
        path.add(step / 10, walker(step / 10))
    np.testing.assert_allclose(path.expect(2.0), walker(2.0), atol=0.1)
    assert path.off(walker(2.0), 2.0) == pytest.approx(0, abs=0.01)


def test_a_box_that_shrinks_behind_a_pillar_does_not_slow_its_person_down() -> None:
    path = Path()
    for step in range(20):
        path.add(step / 10, behind(walker(step / 10)))
    np.testing.assert_allclose(path.expect(3.0)[[0, 2]], walker(3.0)[[0, 2]], atol=12)
    assert abs(float(path.expect(3.0)[2] - path.expect(3.0)[0]) - 40) < 10


def test_a_part_of_the_expected_box_fits_and_what_reaches_out_does_not() -> None:
    path = Path()
    for step in range(10):
        path.add(step / 10, walker(step / 10))
    whole = walker(2.0)
    part = np.array([whole[2] - 12, whole[1], whole[2], whole[3]], np.float32)
    assert path.off(part, 2.0) == pytest.approx(0, abs=0.01)
    assert path.off(whole + np.array([60, 0, 60, 0], np.float32), 2.0) == pytest.approx(0.6, abs=0.02)
    assert path.off(whole - np.array([200, 0, 200, 0], np.float32), 2.0) > 1.5
    smaller = np.array([whole[0], whole[1] + 40, whole[2], whole[3]], np.float32)
    assert path.off(smaller, 2.0) == pytest.approx(0.2, abs=0.01)


def test_one_sighting_stands_still() -> None:
    path = Path()
    path.add(0.0, walker(0.0))
    np.testing.assert_array_equal(path.expect(9.0), walker(0.0))


def test_somebody_who_turned_and_is_narrower_for_good_is_no_longer_on_the_old_way() -> None:
    path = Path()
    for step in range(60):
        time = step / 10
        left, wide = (40 + 80 * time, 60) if time < 2 else (200, 36)
        path.add(time, np.array([left, 50, left + wide, 150], np.float32))
    stands = np.array([200, 50, 236, 150], np.float32)
    np.testing.assert_allclose(path.moved(stands, 0.3), stands, atol=0.5)
    np.testing.assert_allclose(path.expect(6.5), stands, atol=0.5)
