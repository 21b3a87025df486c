"""One answer about a track: its crops are looked at, what they tell is fused, and said in one sentence."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from personvlm.runtime.calibration import Say
from personvlm.runtime.describer import Describer, _worth_saying
from personvlm.runtime.engine import Seen
from personvlm.runtime.fusion import fuse
from personvlm.runtime.generate import generate
from personvlm.schema import PersonDescription
from personvlm.video.crops import Crop

_REMEMBERED = 512


@dataclass(frozen=True)
class _Look:
    tokens: NDArray[np.float32] = field(repr=False)
    logits: NDArray[np.float32] = field(repr=False)
    embedding: NDArray[np.float32] = field(repr=False)
    quality: float


class TrackDescriber:
    """Describes tracks with the model of a :class:`~personvlm.runtime.describer.Describer`.

    A crop is looked at once, however often its track is described.

    Args:
        describer: the model.
        say: see :meth:`personvlm.runtime.describer.Describer.describe`.
        gender, age: False leaves the group out of text, attributes and scores.
    """

    def __init__(self, describer: Describer, *, say: Say = "confident", gender: bool = True, age: bool = True) -> None:
        self._describer, self._say = describer, say
        self._hidden = frozenset(name for name, on in (("gender", gender), ("age", age)) if not on)
        self._calibration = describer.calibration
        self._looks: OrderedDict[int, tuple[Crop, _Look]] = OrderedDict()  # by identity: crops hold pictures

    def describe(self, crops: Sequence[Crop]) -> PersonDescription:
        """What all ``crops`` of one person say together.

        Attributes are decided on the mean of the crops' logits, weighted with the model's own quality and the crop's
        score, and calibrated for tracks. Words are found while looking at the crop of the highest weight.

        Raises:
            ValueError: no crops.
        """
        if not crops:
            raise ValueError("no crops to describe")
        looks = self._look(crops)
        weights = np.array([look.quality * max(0.05, crop.score) for look, crop in zip(looks, crops, strict=True)])
        # Alone, a crop is what the model was calibrated for.
        calibration = self._calibration.for_tracks() if len(crops) > 1 else self._calibration
        fused = fuse(np.stack([look.logits for look in looks]), weights)
        scores = calibration.scores(calibration.probabilities(fused[None])[0], self._hidden)
        attributes = calibration.decide(scores, self._say)
        if len(crops) > 1:
            attributes = {name: item.model_copy(update={"source": "fused"}) for name, item in attributes.items()}
        best = looks[int(weights.argmax())]
        text = generate(self._describer.engine, best.tokens[None], [_worth_saying(attributes)],
                        self._describer.tokenizer, self._describer.max_words)[0]  # fmt: skip
        embedding = np.average(np.stack([look.embedding for look in looks]), 0, weights)
        embedding /= max(1e-9, float(np.linalg.norm(embedding)))
        return PersonDescription(text=text, scores=scores, attributes=attributes, embedding=tuple(embedding.tolist()),
                                 quality=best.quality, model=self._describer.name)  # fmt: skip

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Appearance ``[N, E]`` of pictures; what :class:`personvlm.video.tracking.Tracker` asks for."""
        return np.asarray(self._encode(images).embedding, np.float32)

    def _encode(self, images: list[NDArray[np.uint8]]) -> Seen:
        return self._describer.engine.encode(self._describer.transform(images))

    def _look(self, crops: Sequence[Crop]) -> list[_Look]:
        fresh = [crop for crop in crops if id(crop) not in self._looks]
        if fresh:
            seen = self._encode([crop.image for crop in fresh])
            for row, crop in enumerate(fresh):
                look = _Look(seen.tokens[row], seen.logits[row], seen.embedding[row], float(seen.quality[row]))
                self._looks[id(crop)] = (crop, look)  # the crop is held too, so that its id stays its own
        looks = [self._looks[id(crop)][1] for crop in crops]
        for crop in crops:
            self._looks.move_to_end(id(crop))
        while len(self._looks) > max(_REMEMBERED, len(crops)):
            self._looks.popitem(last=False)
        return looks
