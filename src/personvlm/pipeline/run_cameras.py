"""Which cameras to run, and how: from the command line or from a YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from personvlm.base.errors import InputError
from personvlm.video.frame import Report, Source
from personvlm.video.sources import camera_names, open_sources

YAML = (".yaml", ".yml")


class Camera(BaseModel):
    """One entry of a camera file. Everything but ``source`` may be left out.

    Attributes:
        source: a video file, a folder of pictures, a MOTChallenge sequence, an address, or ``rendered:…``.
        detector: ``auto`` takes boxes that come with the source, else YOLOX-nano, else motion; or the path of an ONNX
            file.
        every: detect in every how many frames; by default about ten times a second.
        tracker: one of the trackers.
        start: time of the first frame of a file, seconds since the epoch.
        rate: frames per second of a folder of pictures.
        detections: a MOTChallenge file with the boxes of every frame.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    detector: str = "auto"
    every: Annotated[int, Field(ge=1)] | None = None
    tracker: Literal["bytetrack", "ocsort", "botsort"] = "bytetrack"
    start: float | None = None
    rate: Annotated[float, Field(gt=0, lt=1000)] = 10.0
    detections: Path | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cameras: dict[str, Camera] = Field(min_length=1)


def cameras(arguments: Sequence[str], **defaults: Any) -> dict[str, Camera]:
    """Cameras by name: sources as they are named, and those of YAML files among them.

    Args:
        arguments: sources and YAML files (``cameras: {NAME: {source: …}}``).
        defaults: fields of :class:`Camera` for sources that are named outright, and for what a file leaves out.

    Raises:
        InputError: a file that cannot be read, a field that does not exist, two cameras of one name.
    """
    plain = [text for text in arguments if not text.lower().endswith(YAML)]
    found = {}
    for name, text in zip(camera_names(plain), plain, strict=True):
        found[name] = _camera({**defaults, "source": text}, text)
    for text in arguments:
        if text.lower().endswith(YAML):
            for name, camera in _read(Path(text), defaults).items():
                if name in found:
                    raise InputError(f"{text}: a second camera called {name}; give it another name")
                found[name] = camera
    if not found:
        raise InputError("no camera; name a source or a YAML file")
    return found


def sources(name: str, camera: Camera, report: Report) -> list[Source]:
    """What ``camera`` watches: one source, or several of a rendered scene.

    Raises:
        InputError: it cannot be opened.
    """
    return open_sources(camera.source, name, start=camera.start, rate=camera.rate, detections=camera.detections,
                        report=report)  # fmt: skip


def _camera(fields: dict[str, Any], name: str) -> Camera:
    try:
        return Camera(**fields)
    except ValidationError as error:
        raise InputError(f"{name}: {_first(error)}") from None


def _read(path: Path, defaults: dict[str, Any]) -> dict[str, Camera]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    try:
        named = _File.model_validate(content).cameras
    except ValidationError as error:
        raise InputError(f"{path}: {_first(error)}; the form is `cameras: {{NAME: {{source: …}}}}`") from None
    folder = path.parent
    return {name: _beside(folder, camera.model_copy(update={
        key: value for key, value in defaults.items() if key not in camera.model_fields_set
    })) for name, camera in named.items()}  # fmt: skip


def _beside(folder: Path, camera: Camera) -> Camera:
    """Paths in a file are meant from where the file lies."""
    changed: dict[str, Any] = {}
    if camera.detections is not None:
        changed["detections"] = folder / camera.detections
    for key in ("source", "detector"):
        text = getattr(camera, key)
        if (folder / text).exists():
            changed[key] = str(folder / text)
    return camera.model_copy(update=changed)


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
