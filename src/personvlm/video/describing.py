"""One answer about a track: its crops are looked at, what they tell is fused, and said in one sentence."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer
from personvlm.runtime.tracks import Look, TrackModel, worth
from personvlm.schema import PersonDescription


class Picture(Protocol):
    """What is needed of a :class:`personvlm.video.crops.Crop`: RGB ``uint8 [H, W, 3]`` and a score 0..1."""

    @property
    def image(self) -> NDArray[np.uint8]: ...

    @property
    def score(self) -> float: ...


P = TypeVar("P", bound=Picture)


class TrackDescriber:
    """Describes tracks with the model of a :class:`~personvlm.runtime.describer.Describer`.

    A crop is looked at once, however often its track is described. What was seen is forgotten with the crop.

    Args:
        describer: the model.
        say, min_precision: see :meth:`personvlm.runtime.describer.Describer.describe`.
        gender, age: False leaves the group out of text, attributes and scores.
    """

    def __init__(self, describer: Describer, *, say: Say = "confident", min_precision: float | None = None,
                 gender: bool = True, age: bool = True) -> None:  # fmt: skip
        self._model = TrackModel(describer, say=say, min_precision=min_precision, gender=gender, age=age)
        # By identity. Held as long as the crop, whose picture is none of ours to keep once its person has left.
        self._looks: dict[int, tuple[weakref.ref[Picture], Look]] = {}

    def describe(self, crops: Sequence[Picture], posture: Mapping[str, float] | None = None) -> PersonDescription:
        """What all ``crops`` of one person say together; see :meth:`personvlm.runtime.tracks.TrackModel.say`.

        Args:
            posture: probabilities of postures, from the way the person moves.

        Raises:
            ValueError: no crops.
        """
        if not crops:
            raise ValueError("no crops to describe")
        moving = None if posture is None else {"posture": posture}
        return self._model.say(self._look(crops), [crop.score for crop in crops], moving=moving)

    def ranked(self, crops: Sequence[P]) -> tuple[P, ...]:
        """``crops``, those first that the model itself finds best: by its own quality times their score."""
        looks = {id(crop): look for crop, look in zip(crops, self._look(crops), strict=True)}
        return tuple(sorted(crops, key=lambda crop: -worth(looks[id(crop)], crop.score)))

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Appearance ``[N, E]`` of pictures; what :class:`personvlm.video.tracking.Tracker` asks for."""
        describer = self._model.describer
        return np.asarray(describer.engine.encode(describer.pixels(images)).embedding, np.float32)

    def _look(self, crops: Sequence[Picture]) -> list[Look]:
        fresh = [crop for crop in crops if id(crop) not in self._looks]
        if fresh:
            for crop, look in zip(fresh, self._model.look([crop.image for crop in fresh]), strict=True):
                self._looks[id(crop)] = (self._reference(crop), look)
        return [self._looks[id(crop)][1] for crop in crops]

    def _reference(self, crop: Picture) -> weakref.ref[Picture]:
        key, looks = id(crop), self._looks

        def forget(gone: weakref.ref[Picture]) -> None:
            looks.pop(key, None)

        return weakref.ref(crop, forget)
