"""Several pictures of one person, described together. Needs neither cameras nor trackers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from personvlm.models.own import without_replaced
from personvlm.runtime.calibration import Calibration, Say
from personvlm.runtime.describer import Describer, _worth_saying
from personvlm.runtime.engine import Engine
from personvlm.runtime.fusion import fuse
from personvlm.runtime.generate import generate
from personvlm.schema import Attribute, PersonDescription

Image = NDArray[np.uint8]
Scored = tuple[Image, float]
"""A picture, RGB ``uint8 [H, W, 3]``, and how well it shows the person, 0..1."""

Moving = Mapping[str, Mapping[str, float]]
"""Group -> value -> probability of what no picture shows: a posture, from the way somebody moves."""

SURE = 0.75
"""Probability from which it is said how somebody moves; a stated precision that is higher counts instead."""

_LEAST = 0.05  # weight of a crop that is said to show nothing


@dataclass(frozen=True)
class Look:
    """What the model sees in one picture: ``tokens [T, D]``, ``logits [C]``, ``embedding [E]``, ``quality`` 0..1."""

    tokens: NDArray[np.float32] = field(repr=False)
    logits: NDArray[np.float32] = field(repr=False)
    embedding: NDArray[np.float32] = field(repr=False)
    quality: float


def worth(look: Look, score: float) -> float:
    """How much a picture counts among those of a person: the model's own quality times the picture's ``score``."""
    return look.quality * max(_LEAST, score)


@dataclass(frozen=True)
class _Judged:
    """Everything about a person but the words."""

    tokens: NDArray[np.float32]
    scores: dict[str, dict[str, float]]
    attributes: dict[str, Attribute]
    own: dict[str, Attribute]
    embedding: NDArray[np.float32]
    quality: float


class TrackModel:
    """Describes people of whom there are several pictures. Safe to use from several threads.

    Args:
        describer: the model.
        say, min_precision: see :meth:`personvlm.runtime.describer.Describer.describe`.
        gender, age: False leaves the group out of text, attributes and scores.

    Example:
        >>> model = TrackModel(Describer.load())  # doctest: +SKIP
        >>> model.describe_all([[(front, 0.9), (back, 0.4)], [(somebody_else, 1.0)]])  # doctest: +SKIP
    """

    def __init__(self, describer: Describer, *, say: Say = "confident", min_precision: float | None = None,
                 gender: bool = True, age: bool = True) -> None:  # fmt: skip
        self.describer, self._say = describer, say
        self._min_precision = min_precision
        self._hidden = frozenset(name for name, on in (("gender", gender), ("age", age)) if not on)
        # Alone, a crop is what the model was calibrated for.
        self._alone: Calibration = describer._deciding(say, min_precision)
        self._fused = self._alone.for_tracks()

    @property
    def name(self) -> str:
        """Name and version of the model."""
        return self.describer.name

    def look(self, images: Sequence[Image], engine: Engine | None = None) -> list[Look]:
        """Look at pictures, of whomever."""
        seen = (engine or self.describer.engine).encode(self.describer.pixels(images))
        return [Look(seen.tokens[row], seen.logits[row], seen.embedding[row], float(seen.quality[row]))
                for row in range(len(images))]  # fmt: skip

    def say(self, looks: Sequence[Look], scores: Sequence[float],
            moving: Moving | None = None) -> PersonDescription:  # fmt: skip
        """What pictures of one person say together, and what else is known of the track.

        Attributes are decided on the mean of the pictures' logits, weighted with the model's own quality and the
        picture's score, and calibrated for tracks. Words are found while looking at the picture of the highest weight.

        Args:
            moving: group -> value -> probability of what no picture shows (a posture, from the way somebody moves); it
                is said from :data:`SURE` on.

        Raises:
            ValueError: no pictures.
        """
        return self._words([self._judge(looks, scores, moving)], self.describer.engine)[0]

    def describe_all(self, people: Sequence[Sequence[Scored]],
                     moving: Sequence[Moving | None] | None = None) -> list[PersonDescription]:  # fmt: skip
        """One batch of people, each with one picture or more. An answer does not depend on the others.

        Args:
            moving: of each person, see :meth:`say`.

        Raises:
            ValueError: somebody without a picture.
        """
        given = list(zip(people, [None] * len(people) if moving is None else moving, strict=True))
        if self.describer.engine.workers:  # cores: one person each; else everybody at once
            return self.describer._side_by_side(self._batch, given, most=1)
        return self._batch(given, self.describer.engine)

    def _batch(self, people: Sequence[tuple[Sequence[Scored], Moving | None]],
               engine: Engine) -> list[PersonDescription]:  # fmt: skip
        if not people:
            return []
        looks = iter(self.look([image for person, _ in people for image, _ in person], engine))
        judged = [self._judge([next(looks) for _ in person], [score for _, score in person], moving)
                  for person, moving in people]  # fmt: skip
        return self._words(judged, engine)

    def _judge(self, looks: Sequence[Look], scores: Sequence[float], moving: Moving | None = None) -> _Judged:
        if not looks:
            raise ValueError("no crops to describe")
        weights = np.array([worth(look, score) for look, score in zip(looks, scores, strict=True)])
        calibration = self._fused if len(looks) > 1 else self._alone
        fused = fuse(np.stack([look.logits for look in looks]), [look.quality for look in looks],
                     [max(_LEAST, score) for score in scores])  # fmt: skip
        probable = calibration.scores(calibration.probabilities(fused[None])[0], self._hidden)
        attributes = calibration.decide(probable, self._say)
        if len(looks) > 1:
            attributes = {name: item.model_copy(update={"source": "fused"}) for name, item in attributes.items()}
        embedding = np.average(np.stack([look.embedding for look in looks]), 0, weights)
        embedding /= max(1e-9, float(np.linalg.norm(embedding)))
        best = looks[int(weights.argmax())]
        own = self.describer._own(best.tokens[None], best.embedding[None], best.logits[None], self._say,
                                  self._min_precision)[0]  # fmt: skip
        attributes = without_replaced(attributes, own)
        for name, told in (moving or {}).items():
            value = max(told, key=told.__getitem__)
            probable[name] = dict(told)
            if told[value] >= max(SURE, self._min_precision or 0.0):
                attributes[name] = Attribute(value=value, confidence=told[value], source="track")
        return _Judged(best.tokens, probable, attributes, own, embedding, best.quality)

    def _words(self, judged: Sequence[_Judged], engine: Engine) -> list[PersonDescription]:
        texts = generate(engine, np.stack([one.tokens for one in judged]),
                         [_worth_saying(one.attributes) for one in judged], self.describer.tokenizer,
                         self.describer.max_words)  # fmt: skip
        return [
            PersonDescription(text=self.describer._with_own(text, one.attributes, one.own), scores=one.scores,
                              attributes=one.attributes, own=one.own,
                              embedding=tuple(one.embedding.tolist()), quality=one.quality, model=self.name)
            for text, one in zip(texts, judged, strict=True)
        ]  # fmt: skip
