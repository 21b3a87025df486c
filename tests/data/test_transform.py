"""The transform: what the model sees of a picture."""

import json
from pathlib import Path

import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.data.transform import Transform


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_normalised_by_its_definition(channels: str) -> None:
    transform = Transform(8, 4, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), channels=channels)
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 4, 3), np.uint8)
    ordered = images if channels == "RGB" else images[..., ::-1]
    expected = (ordered / 255 - np.array(transform.mean)) / np.array(transform.std)
    found = transform.normalize(images)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_fitted_whole_centered_and_padded() -> None:
    wide = np.full((10, 40, 3), 200, np.uint8)
    fitted = Transform(64, 32, fill=7).fit(wide)
    assert fitted.shape == (64, 32, 3)
    assert (fitted[28:36] == 200).all(), "32 wide, 8 high, in the middle"
    assert (fitted[:28] == 7).all()
    assert (fitted[36:] == 7).all()
    exact = np.random.default_rng(1).integers(0, 256, (64, 32, 3), np.uint8)
    assert (Transform(64, 32).fit(exact) == exact).all()


def test_a_batch_is_its_pictures_one_by_one() -> None:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (height, 30, 3), np.uint8) for height in (20, 60, 90)]
    together = Transform(64, 32)(images)
    for row, image in enumerate(images):
        assert (Transform(64, 32)([image])[0] == together[row]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [("height", 0), ("width", "128"), ("height", 1.5), ("fill", 300), ("std", [1, 0, 1]), ("mean", [0.5, 0.5]),
     ("mean", [0.5, None, 0.5]), ("channels", "rgb"), ("std", 0.5)],
)  # fmt: skip
def test_a_file_that_no_picture_could_be_fitted_by_is_refused(tmp_path: Path, name: str, value: object) -> None:
    Transform(224, 112, channels="BGR").save(tmp_path)
    assert Transform.load(tmp_path) == Transform(224, 112, channels="BGR")
    file = tmp_path / "transform.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    with pytest.raises(InputError, match="not a transform"):
        Transform.load(tmp_path)
