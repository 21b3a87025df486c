"""One answer about a track: its crops are looked at, what they tell is fused, and said in one sentence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer
from personvlm.runtime.tracks import Look, TrackModel
from personvlm.schema import PersonDescription

_REMEMBERED = 512


class Picture(Protocol):
    """What is needed of a :class:`personvlm.video.crops.Crop`: RGB ``uint8 [H, W, 3]`` and a score 0..1."""

    @property
    def image(self) -> NDArray[np.uint8]: ...

    @property
    def score(self) -> float: ...


class TrackDescriber:
    """Describes tracks with the model of a :class:`~personvlm.runtime.describer.Describer`.

    A crop is looked at once, however often its track is described.

    Args:
        describer: the model.
        say: see :meth:`personvlm.runtime.describer.Describer.describe`.
        gender, age: False leaves the group out of text, attributes and scores.
    """

    def __init__(self, describer: Describer, *, say: Say = "confident", gender: bool = True, age: bool = True) -> None:
        self._model = TrackModel(describer, say=say, gender=gender, age=age)
        self._looks: OrderedDict[int, tuple[Picture, Look]] = OrderedDict()  # by identity: crops hold pictures

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

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Appearance ``[N, E]`` of pictures; what :class:`personvlm.video.tracking.Tracker` asks for."""
        describer = self._model.describer
        return np.asarray(describer.engine.encode(describer.transform(images)).embedding, np.float32)

    def _look(self, crops: Sequence[Picture]) -> list[Look]:
        fresh = [crop for crop in crops if id(crop) not in self._looks]
        if fresh:
            # The crop is held too, so that its id stays its own.
            for crop, look in zip(fresh, self._model.look([crop.image for crop in fresh]), strict=True):
                self._looks[id(crop)] = (crop, look)
        looks = [self._looks[id(crop)][1] for crop in crops]
        for crop in crops:
            self._looks.move_to_end(id(crop))
        while len(self._looks) > max(_REMEMBERED, len(crops)):
            self._looks.popitem(last=False)
        return looks
