"""How well tracks follow the truth: HOTA, MOTA, IDF1, computed by the `trackers` library."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from supervision import box_iou_batch
from trackers.eval import compute_clear_metrics, compute_hota_metrics, compute_identity_metrics

Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """Figures of one or several sequences.

    Attributes:
        hota: Luiten et al. 2021; detection and association, 0..1.
        mota: Bernardin and Stiefelhagen 2008; below 0 where errors outnumber people.
        idf1: Ristani et al. 2016; share of boxes with the one right identity, 0..1.
        recall, precision: of boxes, at an overlap of 0.5.
        switches: how often a true person changed the track.
    """

    hota: float
    mota: float
    idf1: float
    recall: float
    precision: float
    switches: int


@dataclass
class MotLog:
    """Collects truth and tracks frame by frame. Identities may be anything hashable; sequences are told apart by
    their identities, for example ``(camera, person)``.

    Example:
        >>> log = MotLog()
        >>> box = np.array([[0, 0, 10, 20]], np.float32)
        >>> for _ in range(3):
        ...     log.add(["anna"], box, [7], box)
        >>> log.score().idf1
        1.0
    """

    _truth: dict[Hashable, int] = field(default_factory=dict)
    _tracks: dict[Hashable, int] = field(default_factory=dict)
    _frames: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)

    def add(self, people: Sequence[Hashable], boxes: Boxes, tracks: Sequence[Hashable], tracked: Boxes) -> None:
        """One frame: who is where (``boxes [N, 4]``), and which track is where (``tracked [M, 4]``), corners."""
        truth = np.array([self._truth.setdefault(one, len(self._truth)) for one in people], np.int64)
        found = np.array([self._tracks.setdefault(one, len(self._tracks)) for one in tracks], np.int64)
        overlap = np.zeros((len(truth), len(found)))
        if len(truth) and len(found):
            overlap = np.asarray(box_iou_batch(np.asarray(boxes, float), np.asarray(tracked, float)), np.float64)
        self._frames.append((truth, found, overlap))

    def score(self) -> Score:
        """The figures over all frames so far."""
        truth, found, overlap = ([frame[part] for frame in self._frames] for part in range(3))
        clear = compute_clear_metrics(truth, found, overlap)
        identity = compute_identity_metrics(truth, found, overlap)
        hota = compute_hota_metrics(truth, found, overlap)
        return Score(float(hota["HOTA"]), float(clear["MOTA"]), float(identity["IDF1"]), float(clear["CLR_Re"]),
                     float(clear["CLR_Pr"]), int(clear["IDSW"]))  # fmt: skip
