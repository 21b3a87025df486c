from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from personvlm.data.rendered.scene import Scene, Seen, Settings
from personvlm.data.rendered.scene_plan import Lens, hidden_share, step

BUSY = Settings(seed=3, cameras=3, people=12, twins=3, seconds=60, size=(320, 240))
Shots = list[tuple[int, int, tuple[Seen, ...]]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(BUSY)


@pytest.fixture(scope="module")
def shots(scene: Scene) -> Shots:
    return [(camera, index, scene.shoot(camera, index)[1])
            for camera in range(scene.settings.cameras) for index in range(0, scene.frames, 7)]


def test_a_frame_does_not_depend_on_what_was_shot_before(scene: Scene, shots: Shots) -> None:
    camera, index, truth = next(item for item in shots if len(item[2]) > 1)
    fresh, fresh_truth = Scene(BUSY).shoot(camera, index)
    np.testing.assert_array_equal(fresh, scene.shoot(camera, index)[0])
    assert fresh_truth == truth
    other = Scene(Settings(seed=4, cameras=3, people=12, twins=3, seconds=60))
    assert [walker.seed for walker in other.people] != [walker.seed for walker in scene.people]


def test_people_walk_at_their_speed_and_are_never_in_two_places(scene: Scene) -> None:
    for walker in scene.people:
        assert 0.7 <= walker.speed <= 2.0
        for visit in walker.visits:
            start, end = step(walker, visit, visit.start), step(walker, visit, visit.end - 1e-6)
            assert start is not None
            assert end is not None
            length = sum(math.dist(a, b) for a, b in pairwise(visit.points))
            assert length / (visit.end - visit.start) == pytest.approx(walker.speed)
            near = step(walker, visit, visit.start + 0.1)
            assert near is not None
            assert math.dist((start.x, start.y), (near.x, near.y)) == pytest.approx(0.1 * walker.speed)
        for before, after in pairwise(walker.visits):
            assert after.start > before.end  # and it takes time to get there
            if before.camera != after.camera:
                assert after.start - before.end > 5.0 / walker.speed


def test_several_cameras_see_the_same_people(shots: Shots) -> None:
    seen = [{person.person for camera, _, truth in shots if camera == number for person in truth}
            for number in range(3)]
    assert len(set.union(*seen)) == 12
    assert sum(len([one for one in seen if number in one]) >= 2 for number in range(12)) >= 6


def test_every_path_is_hidden_for_a_fifth_of_its_length(scene: Scene) -> None:
    shares = [hidden_share(scene.lens, scene.pillars[visit.camera], visit.points, walker.height)
              for walker in scene.people for visit in walker.visits]
    assert len(shares) > 20
    assert min(shares) >= 0.2
    open_scene = Scene(Settings(seed=3, cameras=1, people=4, twins=0, seconds=30, occlusion=0))
    assert open_scene.pillars == [()]


def test_truth_agrees_with_the_picture(scene: Scene, shots: Shots) -> None:
    """Where somebody is stated to be, the picture differs from the empty place; what is hidden is stated as hidden."""
    checked = hidden = 0
    for camera, index, truth in shots:
        picture = scene.shoot(camera, index)[0].astype(int)
        stage = scene._stage(camera)
        empty = stage.empty * stage.gain
        for seen in truth:
            assert 0 <= seen.visible <= 1
            x1, y1, x2, y2 = map(int, seen.box)
            assert 0 <= x1 < x2 <= 320
            assert 0 <= y1 < y2 <= 240
            hidden += seen.visible < 0.5
            if seen.shown is None:
                assert seen.visible == 0
                continue
            assert seen.shown[0] >= x1
            assert seen.shown[3] <= y2
            if seen.visible > 0.95 and len(truth) == 1:
                inside = np.abs(picture - empty)[y1:y2, x1:x2].max(2)
                assert (inside > 25).mean() > 0.2, (camera, index)
                checked += 1
    assert checked > 10
    assert hidden > 10


def test_size_follows_from_distance() -> None:
    lens = Lens((640, 480))

    def tall(y: float) -> float:
        return lens.project(0, y, 0)[1] - lens.project(0, y, 1.75)[1]

    assert tall(6) > 1.5 * tall(11)
    assert lens.project(lens.edge(8), 8, 0)[0] == pytest.approx(640)
    assert lens.project(-lens.edge(8), 8, 0)[0] == pytest.approx(0)
    assert Lens((320, 240)).project(1, 8, 0)[0] == pytest.approx(lens.project(1, 8, 0)[0] / 2)


def test_twins_are_dressed_alike_but_for_one_thing(scene: Scene) -> None:
    for first, second in zip(scene.people[:6:2], scene.people[1:6:2], strict=True):
        assert (first.twin, second.twin) == (second.number, first.number)
        assert first.seed != second.seed
        differing = [name for name in first.values if first.values[name] != second.values[name]]
        assert len(differing) == 1
    assert {walker.twin for walker in scene.people[6:]} == {None}


def test_values_are_what_can_be_seen_from_this_side(scene: Scene, shots: Shots) -> None:
    views = set()
    for _, _, truth in shots:
        for seen in truth:
            views.add(seen.values["view"][0])
            walker = scene.people[seen.person]
            assert seen.values["upper.color"] == walker.values["upper.color"]
            if seen.values["view"] == ("back",):
                assert "eyewear" not in seen.values
    assert views == {"front", "back", "side"}


@pytest.mark.parametrize(("settings", "message"), [
    ({"people": 3, "twins": 2}, "half of the people"), ({"rate": 0}, "rate"), ({"cameras": 0}, "cameras"),
    ({"seconds": -1}, "seconds"), ({"size": (20, 20)}, "size"), ({"seed": -1}, "seed"), ({"occlusion": 0.9}, "occl"),
])
def test_settings_that_make_no_scene_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**settings)  # type: ignore[arg-type]
