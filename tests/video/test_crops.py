from __future__ import annotations

from time import process_time

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.data.rendered import render
from personvlm.video.crops import Crop, Judgement, Pool, difference, judge, take

HEIGHT, WIDTH = 300, 400


def scene(height: int = 200, blur: float = 0.0, left: int = 150, top: int = 50) -> NDArray[np.uint8]:
    person = render({"view": ("front",)}, seed=3, size=(height // 2, height))
    if blur:
        person = cv2.GaussianBlur(person, None, blur).astype(np.uint8)
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    image[top : top + height, left : left + height // 2] = person
    return image


def box(height: int = 200, left: int = 150, top: int = 50, width: int | None = None) -> tuple[int, int, int, int]:
    return left, top, left + (width or height // 2), top + height


def boxes(*items: tuple[int, int, int, int]) -> NDArray[np.float32]:
    return np.array(items, np.float32)


def score(image: NDArray[np.uint8], *items: tuple[int, int, int, int]) -> float:
    return judge(image, boxes(*items), 0).score


def test_a_whole_sharp_free_person_is_best() -> None:
    good = score(scene(), box())
    assert 0.6 < good <= 1
    assert score(scene(80), box(80)) < 0.75 * good  # small
    assert score(scene(blur=5.0), box()) < 0.8 * good  # out of focus
    assert score(scene(), box(width=50)) < 0.9 * good  # half of it behind a pillar
    assert score(scene(), (150, 150, 250, 250)) < 0.5 * good  # legs only
    assert score(scene(), box(), (200, 60, 300, 270)) < 0.7 * good  # covered by somebody in front
    behind = score(scene(), box(), (200, 20, 300, 200))
    assert score(scene(), box(), (200, 60, 300, 270)) < behind < good


@pytest.mark.parametrize("cut", [(0, 50, 100, 250), (300, 50, 400, 250), (150, 100, 250, 300), (150, 0, 250, 200)])
def test_what_the_frame_cuts_is_worse(cut: tuple[int, int, int, int]) -> None:
    judged = judge(scene(), boxes(cut), 0)
    assert judged.inside <= 0.6
    assert judge(scene(), boxes(box()), 0).inside == 1


def test_parts_multiply() -> None:
    assert Judgement(1, 1, 1, 1, 1).score == 1
    assert Judgement(1, 1, 1, 1, 0.0).score == 0
    assert Judgement(0.25, 1, 1, 1, 1).score == 0.5


def test_a_crop_has_a_margin_and_is_a_copy() -> None:
    image = scene()
    crop = take(image, boxes(box()), 0, 3.0, 0.7)
    assert crop.image.shape == (220, 110, 3)
    assert crop.box == (150, 50, 250, 250)
    image[:] = 0
    assert crop.image.mean() > 50
    edge = take(image, boxes((-5, 100, 60, 299)), 0, 3.0, 0.7)
    assert edge.image.shape[0] <= HEIGHT


def make(time: float, score: float, level: int = 0) -> Crop:
    image = np.full((40, 20, 3), level, np.uint8)
    return take(image, boxes((0, 0, 20, 40)), 0, time, score)


def test_difference_sees_other_clothes_and_not_a_tremble() -> None:
    whole = boxes((0, 0, 128, 256))
    red, blue = (take(render({"view": ("front",), "upper.color": (color,)}, seed=4), whole, 0, 0.0, 1.0)
                 for color in ("red", "blue"))  # fmt: skip
    same = take(np.roll(red.image, 1, 1), whole, 0, 0.0, 1.0)
    assert difference(red, red) == 0
    assert difference(red, same) < 0.03
    assert difference(red, blue) > 0.06


def test_a_full_pool_prefers_what_it_has_not_seen() -> None:
    pool = Pool(keep=3, apart=0.5)
    for time in range(8):
        pool.add(make(time, 0.8, 100))
    assert [crop.time for crop in pool.crops] == [0, 1, 2]
    pool.add(make(9, 0.7, 200))  # another side, nearly as good
    assert {crop.time for crop in pool.crops} == {0, 1, 9}
    pool.add(make(11, 0.3, 30))  # yet another, too poor
    assert {crop.time for crop in pool.crops} == {0, 1, 9}


def test_a_pool_keeps_the_best_of_different_moments() -> None:
    pool = Pool(keep=2, apart=1.0)
    for time, worth in ((0.0, 0.3), (0.5, 0.5), (0.6, 0.4), (2.0, 0.2), (4.0, 0.9), (6.0, 0.1)):
        pool.add(make(time, worth))
    assert sorted(crop.time for crop in pool.crops) == [0.5, 4.0]
    assert pool.best is not None
    assert pool.best.time == 4.0
    assert not pool.wants(9.0, 0.3)
    assert pool.wants(9.0, 0.6)
    assert not pool.wants(4.2, 0.92)  # hardly better than its neighbor in time
    assert Pool().best is None


def test_hundreds_of_people_are_judged_in_a_time_that_grows_with_their_number() -> None:
    from personvlm.video.crops import _clear

    left = np.random.default_rng(0).uniform(0, 500, (3000, 2))
    crowd = np.concatenate([left, left + np.array([30, 80])], 1).astype(np.float32)

    def seconds(boxes: NDArray[np.float32]) -> float:
        def once() -> float:
            start = process_time()
            for _ in range(5):
                _clear(boxes, 0)
            return process_time() - start

        return min(once() for _ in range(5))

    assert seconds(crowd) < 30 * seconds(crowd[:30])
