"""The renderer of people: the same seed gives the same picture, and the picture shows what its values say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.data.rendered import RENDERABLE, person_layer, random_person, render, rendered_samples
from personvlm.data.rendered.palette import CLOTH
from personvlm.schema import Annotations
from personvlm.schema.groups import GROUP

PLAIN = {
    "gender": ("male",), "age": ("young adult",), "body": ("normal",), "view": ("front",), "posture": ("standing",),
    "upper.garment": ("t-shirt",), "upper.sleeve": ("short",), "upper.pattern": ("plain",),
    "lower.garment": ("trousers",), "carrying": ("none",), "neckwear": ("none",), "headwear": ("none",), "activity": (),
    "hair.length": ("short",), "hair.color": ("black",), "eyewear": ("none",), "face": ("none",),
}
NAMED = [name for name in CLOTH if name not in ("dark", "light", "multicolored")]


def region(picture: NDArray[np.uint8], rows: tuple[float, float], columns: tuple[float, float]) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    box = picture[int(rows[0] * height):int(rows[1] * height), int(columns[0] * width):int(columns[1] * width), :3]
    return box.reshape(-1, 3).astype(float)


def torso(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    return region(picture, (0.33, 0.47), (0.4, 0.6))


def thighs(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    return region(picture, (0.58, 0.7), (0.38, 0.62))


def nearest(pixels: NDArray[np.float64]) -> str:
    """The color word whose paint the median pixel resembles most; hue counts more than brightness."""

    def opponent(color: NDArray[np.float64]) -> NDArray[np.float64]:
        red, green, blue = color
        return np.array([(red + green + blue) / 3 * 0.7, red - green, (red + green) / 2 - blue])

    seen = opponent(np.median(pixels, axis=0))
    return min(NAMED, key=lambda name: float(np.linalg.norm(opponent(np.array(CLOTH[name], float)) - seen)))


def test_the_same_seed_gives_the_same_picture() -> None:
    values = random_person(np.random.default_rng(3))
    first = render(values, seed=11)
    np.testing.assert_array_equal(first, render(values, seed=11))
    assert np.abs(first.astype(int) - render(values, seed=12)).mean() > 3


def test_random_numbers_of_the_process_do_not_matter() -> None:
    first = [picture for picture, _ in rendered_samples(2, seed=5)]
    np.random.seed(99)
    again = [picture for picture, _ in rendered_samples(3, seed=5)]
    for one, other in zip(first, again[:2], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [(128, 256), (64, 128), (48, 96), (192, 256), (20, 40)])
def test_size(size: tuple[int, int]) -> None:
    picture = render({}, seed=1, size=size)
    assert picture.shape == (size[1], size[0], 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("color", NAMED)
@pytest.mark.parametrize("seed", range(6))
def test_torso_and_legs_have_the_stated_colors(color: str, seed: int) -> None:
    other = "white" if color != "white" else "black"
    assert nearest(torso(render({**PLAIN, "upper.color": (color,), "lower.color": (other,)}, seed=seed))) == color
    assert nearest(thighs(render({**PLAIN, "upper.color": (other,), "lower.color": (color,)}, seed=seed))) == color


@pytest.mark.parametrize("seed", range(4))
def test_dark_light_and_multicolored(seed: int) -> None:
    pictures = {name: torso(render({**PLAIN, "upper.color": (name,)}, seed=seed))
                for name in ("dark", "light", "multicolored", "red")}
    assert np.median(pictures["dark"]) < 95
    assert np.median(pictures["light"]) > 150
    assert pictures["multicolored"].std(axis=0).mean() > 2 * pictures["red"].std(axis=0).mean()


@pytest.mark.parametrize("view", ["front", "back", "side"])
def test_every_value_is_drawn(view: str) -> None:
    for group, values in RENDERABLE.items():
        for value in values:
            if group != "view":
                layer = person_layer({group: (value,), "view": (view,)}, 7, 64, 0.3)
                assert 0.08 < (layer[..., 3] > 127).mean() < 0.7, (group, value)


# What differs between two values of a group, in the view given, must be visible: the bare layer shows it best.
@pytest.mark.parametrize(("group", "view", "pairs"), [
    ("upper.garment", "front", "t-shirt shirt|shirt jacket|jacket coat|coat padded coat|sweater hoodie|suit jacket"),
    ("upper.sleeve", "back", "sleeveless short|short long"),
    ("upper.pattern", "back", "plain plaid|plain thin stripes|thin stripes thick stripes|plain logo|plain spotted"),
    ("upper.neckline", "front", "v-neck round"),
    ("lower.garment", "back", "trousers jeans|trousers shorts|shorts hot pants|short skirt long skirt|jeans leggings"),
    ("footwear.type", "side", "sneakers boots|boots sandals|leather shoes sneakers"),
    ("carrying", "back", "none backpack|none suitcase|handbag plastic bag|backpack messenger bag"),
    ("carrying", "front", "none backpack|none box|none umbrella|suitcase luggage|phone folder"),
    ("headwear", "front", "none hat|hat cap|cap helmet|none headscarf|none headband|none hood"),
    ("hair.length", "back", "bald short|short long"),
    ("eyewear", "front", "none glasses|glasses sunglasses"),
    ("face", "side", "none mask"),
    ("neckwear", "front", "none scarf|none tie|scarf shawl"),
    ("headphones", "back", "none headphones"),
    ("gloves", "front", "none gloves"),
    ("posture", "side", "standing walking|walking running"),
    ("activity", "front", "making a phone call arms crossed"),
    ("activity", "back", "hands behind back arms crossed"),
    ("age", "front", "child young adult|young adult elderly"),
    ("body", "front", "thin fat|thin normal"),
    ("gender", "front", "male female"),
])
def test_values_look_different(group: str, view: str, pairs: str) -> None:
    for pair in pairs.split("|"):
        first, second = next((pair[:cut], pair[cut + 1:]) for cut in range(len(pair))
                             if pair[:cut] in RENDERABLE[group] and pair[cut + 1:] in RENDERABLE[group])
        values = {**PLAIN, "view": (view,), "upper.color": ("red",), "lower.color": ("blue",)}
        layers = [person_layer({**values, group: (value,)}, 3, 200, 0.3) for value in (first, second)]
        rows = min(layer.shape[0] for layer in layers)
        a, b = (layer[-rows:].astype(int) for layer in layers)
        changed = (np.abs(a - b).max(axis=2) > 40).sum()
        assert changed > 25, (first, second, changed)


def test_back_differs_from_front() -> None:
    front, back = (person_layer({**PLAIN, "view": (view,)}, 4, 200, 0.0) for view in ("front", "back"))
    top = slice(10, 34)  # the head
    skin_in_front = front[top][front[top][..., 3] > 200][:, :3].mean()
    hair_behind = back[top][back[top][..., 3] > 200][:, :3].mean()
    assert hair_behind < 0.75 * skin_in_front


def test_side_view_is_narrower_and_looks_where_it_is_told() -> None:
    values = {**PLAIN, "view": ("side",)}
    left, right = (person_layer(values, 4, 200, 0.0, facing=facing) for facing in ("left", "right"))
    front = person_layer(PLAIN, 4, 200, 0.0)

    def chest(layer: NDArray[np.uint8]) -> int:
        return int((layer[70, :, 3] > 127).sum())

    assert chest(left) < 0.8 * chest(front)
    feet = [np.nonzero(layer[-12:, :, 3] > 127)[1].mean() - layer.shape[1] / 2 for layer in (left, right)]
    assert feet[0] < -1
    assert feet[1] > 1


def test_one_person_keeps_their_colors_in_every_view_and_phase() -> None:
    values = {**PLAIN, "upper.color": ("green",)}
    seen = []
    for view in ("front", "back", "side"):
        for phase in (0.0, 0.25, 0.6):
            layer = person_layer({**values, "view": (view,), "posture": ("walking",)}, 8, 200, phase)
            middle = layer.shape[1] // 2
            seen.append(np.median(layer[70:90, middle - 5:middle + 5, :3].reshape(-1, 3), axis=0))
    assert np.ptp(np.array(seen), axis=0).max() < 40


def test_walking_moves_the_legs_and_returns_after_one_stride() -> None:
    values = {**PLAIN, "view": ("side",), "posture": ("walking",)}
    start, quarter, end = (person_layer(values, 2, 160, phase) for phase in (0.0, 0.25, 1.0))
    assert (np.abs(start[110:, :, 3].astype(int) - quarter[110:, :, 3]) > 127).sum() > 300
    np.testing.assert_allclose(start.astype(int), end, atol=1)


def test_soles_stand_on_the_bottom_edge() -> None:
    for view in ("front", "back", "side"):
        layer = person_layer({**PLAIN, "view": (view,)}, 6, 200, 0.0)
        lowest = int(np.nonzero((layer[..., 3] > 127).any(axis=1))[0].max())
        assert layer.shape[0] - 12 <= lowest < layer.shape[0]


def test_random_people_are_legal_seen_and_varied() -> None:
    rng = np.random.default_rng(0)
    people = [random_person(rng) for _ in range(400)]
    for person in people:
        Annotations.build(person)
        for group, values in person.items():
            assert set(values) <= set(RENDERABLE[group])
            assert len(values) == 1 or GROUP[group].kind == "set"
        if person["view"] == ("back",):
            assert not {"eyewear", "face", "upper.neckline"} & set(person)
        if person["upper.garment"] == ("dress",):
            assert "lower.color" not in person
    for group in ("upper.garment", "upper.color", "carrying", "headwear", "lower.garment", "hair.color"):
        assert len({person[group] for person in people if group in person}) >= 5, group


def test_stated_values_survive_and_do_not_change_the_rest() -> None:
    """Color is a trait of its own: another one leaves body, background and hair as they were."""
    one, other = (render({**PLAIN, "upper.color": (color,)}, seed=9).astype(int) for color in ("red", "blue"))
    changed = np.abs(one - other).max(axis=2) > 45
    assert changed[80:120, 50:78].mean() > 0.8
    assert changed[:40].mean() < 0.02
    assert changed[150:].mean() < 0.02


@pytest.mark.parametrize(("values", "message"), [
    ({"posture": ("sitting",)}, "cannot draw 'sitting'"),
    ({"upper.color": ("mauve",)}, "'mauve' is not a value"),
    ({"shoes": ("red",)}, "not an attribute group"),
    ({"gender": ("male", "female")}, "'gender' takes one value"),
])
def test_what_cannot_be_drawn_is_refused(values: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(values)


def test_sizes_that_are_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 by 32"):
        render({}, size=(8, 16))
    with pytest.raises(ValueError, match="at least 24"):
        person_layer({}, 0, 10, 0.0)
