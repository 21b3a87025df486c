"""Rendered scenes as sources: several cameras, the same people, boxes that are given."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any

from personvlm.base.errors import InputError
from personvlm.data.rendered.scene import Scene, Seen, Settings
from personvlm.schema import Detection
from personvlm.video.frame import Frame, Truth

PREFIX = "rendered:"
START = 1_704_067_200.0
"""Scenes begin at 2024-01-01 00:00 UTC, so that the same scene gives the same events."""

ENOUGH = 0.3
"""Share of a body that must be visible for a box to be given."""

_KINDS = {"seed": int, "cameras": int, "people": int, "twins": int, "seconds": float, "rate": float,
          "occlusion": float, "width": int}  # fmt: skip


class RenderedCamera:
    """One camera of a scene.

    Args:
        scene: may be shared by the cameras.
        number: which camera, from 0.
        camera: its name.
    """

    live = False

    def __init__(self, scene: Scene, number: int, camera: str) -> None:
        self.scene, self.number, self.camera = scene, number, camera
        self.rate = scene.settings.rate
        self._stopped = Event()

    def frames(self) -> Iterator[Frame]:
        """See :class:`personvlm.video.frame.Source`."""
        for index in range(self.scene.frames):
            if self._stopped.is_set():
                return
            image, truth = self.scene.shoot(self.number, index)
            yield Frame(self.camera, index, START + index / self.rate, image, given(truth), self._true(truth, index))

    def _true(self, seen: tuple[Seen, ...], index: int) -> tuple[Truth, ...]:
        return tuple(Truth(str(one.person), f"{self.camera} {one.person} {self._visit(one.person, index)}",
                           one.shown if one.visible >= ENOUGH else None, one.values) for one in seen)  # fmt: skip

    def _visit(self, person: int, index: int) -> int:
        """Which of the person's visits frame ``index`` belongs to."""
        visits, time = self.scene.people[person].visits, index / self.rate
        return next(number for number, visit in enumerate(visits)
                    if visit.camera == self.number and visit.start <= time < visit.end)  # fmt: skip

    def close(self) -> None:
        """See :class:`personvlm.video.frame.Source`."""
        self._stopped.set()


def given(truth: tuple[Seen, ...]) -> tuple[Detection, ...]:
    """What a perfect detector finds: a box around what is visible of everybody of whom enough is."""
    return tuple(Detection(box=seen.shown, confidence=1.0) for seen in truth
                 if seen.shown is not None and seen.visible >= ENOUGH)  # fmt: skip


def rendered_cameras(text: str, camera: str) -> list[RenderedCamera]:
    """All cameras of the scene that ``rendered:seed=1,cameras=4,people=20,twins=5,seconds=120`` describes.

    Args:
        text: any of the settings may be left out; see :class:`personvlm.data.rendered.scene.Settings`. ``width`` is
            that of the pictures in pixels, which are 4:3.
        camera: where there are several cameras they are called ``camera-1``, ``camera-2`` and so on.

    Raises:
        InputError: a setting that does not exist or a value that is not legal.
    """
    settings: dict[str, Any] = {}
    for part in filter(None, text.removeprefix(PREFIX).split(",")):
        name, _, value = part.partition("=")
        try:
            settings[name] = _KINDS[name](value)
        except KeyError:
            raise InputError(f"{text}: {name!r} is no setting of a scene; legal: {', '.join(_KINDS)}") from None
        except ValueError:
            raise InputError(f"{text}: {name}={value} is not a number") from None
    if "width" in settings:
        width = settings.pop("width")
        settings["size"] = (width, width * 3 // 4)
    if "people" in settings:
        settings.setdefault("twins", 0)
    try:
        scene = Scene(Settings(**settings))
    except ValueError as error:
        raise InputError(f"{text}: {error}") from None
    count = scene.settings.cameras
    names = [camera] if count == 1 else [f"{camera}-{number + 1}" for number in range(count)]
    return [RenderedCamera(scene, number, name) for number, name in enumerate(names)]
