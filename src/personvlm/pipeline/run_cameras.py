"""Which cameras to run, and how: from the command line or from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from personvlm.base.errors import InputError
from personvlm.video.frame import Report, Source
from personvlm.video.identity import Identity
from personvlm.video.paced import Paced
from personvlm.video.sources import camera_names, open_sources
from personvlm.video.streams import hidden
from personvlm.video.triggers import Timing

YAML = (".yaml", ".yml")

OWN = ("auto", "yolox", "motion", "given")
"""Detectors that know what a person is."""

_YEAR_3000 = 32_503_680_000
_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*(s|f)?")


class When(BaseModel):
    """When people are described. What is left out is usual; see :class:`personvlm.video.triggers.Timing`.

    Attributes:
        deadline: seconds after first sight, whatever the pictures are like.
        update: between two updates of a person, at least: ``10s``, or ``300f``, which are frames of the camera.
        novelty: how different a picture must be from all described ones to be new evidence, 0 to 1; 0 takes any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    deadline: Annotated[float, Field(ge=0)] | None = None
    update: str | None = None
    novelty: Annotated[float, Field(ge=0, le=1)] | None = None

    @field_validator("update", mode="before")
    @classmethod
    def _span(cls, value: Any) -> Any:
        text = str(value) if isinstance(value, int | float) else value
        if isinstance(text, str) and (_EVERY.fullmatch(text) is None or float(text.rstrip("sf ")) <= 0):
            raise ValueError(f"{text!r} is no time; give seconds, as in 10s, or frames, as in 300f")
        return text

    def settings(self, base: Timing, rate: float, camera: str) -> Timing:
        """As a camera of ``rate`` frames per second takes it.

        Raises:
            InputError: frames, of a camera whose rate is unknown.
        """
        every = base.every
        if self.update is not None:
            every = float(self.update.rstrip("sf "))
            if self.update.endswith("f"):
                if rate <= 0:
                    raise InputError(f"{camera}: an update every {self.update}, but the camera does not say how many "
                                     "frames it has per second; give seconds, as in 10s")  # fmt: skip
                every /= rate
        return replace(base, every=every,
                       deadline=base.deadline if self.deadline is None else self.deadline,
                       novel=base.novel if self.novelty is None else self.novelty)  # fmt: skip

    def over(self, other: When) -> When:
        """This, and what ``other`` says where this says nothing."""
        return other.model_copy(update=self.model_dump(exclude_none=True))


class Camera(BaseModel):
    """One entry of a camera file. Everything but ``source`` may be left out.

    Attributes:
        source: a video file, a folder of pictures, a MOTChallenge sequence, an address, a webcam (``webcam:0``), or
            ``rendered:…``.
        detector: ``auto`` takes boxes that come with the source, else YOLOX-nano, else motion; or the path of an ONNX
            file.
        person_class: number of the class that is a person, of a detector of your own; 0 by default.
        every: detect in every how many frames; by default about ten times a second.
        tracker: one of the trackers.
        start: time of the first frame of a file, seconds since the epoch.
        rate: frames per second of a folder of pictures.
        detections: a MOTChallenge file with the boxes of every frame.
        timing: when people are described.
        live: play a recording at the speed at which it was taken, as a camera would: what is not looked at in time is
            dropped. ``late`` lets it begin so many seconds later.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    source: str = Field(min_length=1)
    detector: str = "auto"
    person_class: Annotated[int, Field(ge=0)] | None = None
    every: Annotated[int, Field(ge=1)] | None = None
    tracker: Literal["bytetrack", "ocsort", "botsort"] = "bytetrack"
    start: float | None = None
    rate: Annotated[float, Field(gt=0, lt=1000)] = 10.0
    detections: Path | None = None
    timing: When = When()
    live: bool = False
    late: Annotated[float, Field(ge=0)] = 0.0

    @field_validator("source", mode="before")
    @classmethod
    def _webcam(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("start")
    @classmethod
    def _seconds(cls, value: float | None) -> float | None:
        if value is not None and not 0 <= value < _YEAR_3000:
            raise ValueError(f"{value:.0f} s since 1970 is after the year 3000, or before 1970; give seconds, not "
                             "milliseconds")  # fmt: skip
        return value

    @model_validator(mode="after")
    def _classes(self) -> Camera:
        if self.person_class is not None and self.detector in OWN:
            raise ValueError(f"person_class counts the classes of a detector of your own, {self.detector} has none; "
                             "name its ONNX file as detector")  # fmt: skip
        return self


class Way(BaseModel):
    """How long people take from one camera to another, ``seconds: [least, most]``."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    start: str = Field(alias="from")
    end: str = Field(alias="to")
    seconds: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def _in_order(self) -> Way:
        if self.seconds[0] > self.seconds[1]:
            raise ValueError("seconds: [least, most], the smaller number first")
        return self


class People(BaseModel):
    """How people are known again on other cameras. Everything may be left out.

    Attributes:
        expiry, known, sure, most: see :class:`personvlm.video.identity.Identity`.
        travel: ways between cameras; those that are not named may take any time.
        overlapping: pairs of cameras that see the same place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    expiry: Annotated[float, Field(gt=0)] = Identity.expiry
    known: Annotated[float, Field(gt=0, lt=1)] = Identity.known
    sure: Annotated[float, Field(gt=0, le=1)] = Identity.sure
    most: Annotated[int, Field(ge=1)] = Identity.most
    travel: tuple[Way, ...] = ()
    overlapping: tuple[tuple[str, str], ...] = ()

    def named(self) -> set[str]:
        """Cameras that it names."""
        return {name for way in self.travel for name in (way.start, way.end)} | {
            name for pair in self.overlapping for name in pair}  # fmt: skip

    def settings(self) -> Identity:
        """As the gallery takes it."""
        return Identity(self.expiry, self.known, self.sure, {(way.start, way.end): way.seconds for way in self.travel},
                        frozenset(frozenset(pair) for pair in self.overlapping), self.most)  # fmt: skip


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cameras: dict[str, Camera] = Field(min_length=1)
    identity: People | Literal[False] | None = None
    timing: When = When()


def cameras(arguments: Sequence[str], **defaults: Any) -> dict[str, Camera]:
    """Cameras by name: sources as they are named, and those of YAML files among them.

    Args:
        arguments: sources and YAML files (``cameras: {NAME: {source: …}}``; ``timing`` beside it holds for all).
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


def when(update: str | None) -> When:
    """When people are described, as the command line says it.

    Raises:
        InputError: ``update`` is neither seconds nor frames.
    """
    try:
        return When(update=update)
    except ValidationError as error:
        raise InputError(f"--update-every: {_first(error)}") from None


def identity(arguments: Sequence[str]) -> Identity | None:
    """How people are known again: what the ``identity`` of the YAML files among ``arguments`` says, else the usual;
    None where it is ``false``.

    Raises:
        InputError: two files say it, or it names a camera that there is not.
    """
    paths = [Path(text) for text in arguments if text.lower().endswith(YAML)]
    files = {path: _load(path) for path in paths}
    said = {path: file.identity for path, file in files.items() if file.identity is not None}
    if len(said) > 1:
        raise InputError(f"{list(said)[1]}: a second `identity`; one file can say it for all")
    names = [*(name for file in files.values() for name in file.cameras),
             *camera_names([text for text in arguments if Path(text) not in files])]  # fmt: skip
    for path, people in said.items():
        if people is False or people is None:
            return None
        # The cameras of a scene are called after it: lobby-1, lobby-2.
        known = tuple(f"{name}-" for name in names)
        unknown = [name for name in people.named() if name not in names and not name.startswith(known)]
        if unknown:
            raise InputError(f"{path}: identity names {min(unknown)}, which is no camera; there are {', '.join(names)}")
        return people.settings()
    return Identity()


def sources(name: str, camera: Camera, report: Report) -> list[Source]:
    """What ``camera`` watches: one source, or several of a rendered scene.

    Raises:
        InputError: it cannot be opened.
    """
    opened = open_sources(camera.source, name, start=camera.start, rate=camera.rate, detections=camera.detections,
                          report=report)  # fmt: skip
    return [Paced(source, camera.late) if camera.live and not source.live else source for source in opened]


def file_name(camera: str, taken: Collection[str]) -> str:
    """What a file about ``camera`` may be called, unlike all that is ``taken``."""
    name = "".join(char if char.isalnum() or char in "-_." else "_" for char in camera)
    return name if name not in taken else f"{name}-{len(taken)}"


def _camera(fields: dict[str, Any], name: str) -> Camera:
    try:
        return Camera(**fields)
    except ValidationError as error:
        raise InputError(f"{hidden(name)}: {_first(error)}") from None


def _read(path: Path, defaults: dict[str, Any]) -> dict[str, Camera]:
    folder, file = path.parent, _load(path)
    timing = file.timing.over(defaults.get("timing", When()))
    found = {}
    for name, camera in file.cameras.items():
        mine = camera.model_fields_set
        # The number of a class belongs to the detector that it was said with.
        usual = {key: value for key, value in defaults.items()
                 if key not in mine and (key != "person_class" or "detector" not in mine)}  # fmt: skip
        whole = {key: getattr(camera, key) for key in mine} | usual | {"timing": camera.timing.over(timing)}
        found[name] = _beside(folder, _camera(whole, f"{path}: {name}"))
    return found


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML itself lets the last of two equal keys win: the first of two cameras of one name would not be watched."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        double = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
        if double is not None:
            raise yaml.constructor.ConstructorError(None, None, f"{double!r} stands there twice", node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _load(path: Path) -> _File:
    try:
        content = yaml.load(path.read_text("utf-8"), _Loader)  # a safe loader, see above
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or a 30th of February
        raise InputError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())})") from None
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first(error)}; the form is `cameras: {{NAME: {{source: …}}}}`") from None


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
