"""Who comes when: the events of cameras, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.runtime.batching_queue import Priority

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Crowd:
    """What happens in front of the cameras.

    Attributes:
        cameras: how many.
        people_per_minute: that appear on each.
        stay: mean seconds that somebody is in sight (log-normal, as long as its mean is spread).
        every: seconds between two looks at whether there is something new to see.
        news: how often there is.
        reid: share of people about whom somebody asks for re-identification.
        crops: pictures of an update or of the last event; a first one has one.
    """

    cameras: int = 1
    people_per_minute: float = 10.0
    stay: float = 15.0
    every: float = 10.0
    news: float = 0.5
    reid: float = 0.0
    crops: int = 4

    def __post_init__(self) -> None:
        if self.cameras < 1 or self.crops < 1 or min(self.people_per_minute, self.stay, self.every) <= 0:
            raise InputError(f"{self}: cameras, crops, people, stay and every must be above 0")
        if not (0 <= self.news <= 1 and 0 <= self.reid <= 1):
            raise InputError(f"{self}: news and reid are shares between 0 and 1")


@dataclass(frozen=True)
class Arrivals:
    """Events in order of time: seconds, :class:`Priority`, whom they are about, whether they are the last of somebody,
    and how many pictures they have; all ``[N]``."""

    time: Floats
    priority: NDArray[np.int64]
    key: NDArray[np.int64]
    final: NDArray[np.bool_]
    crops: NDArray[np.int64]

    @classmethod
    def poisson(cls, rate: float, seconds: float, seed: int) -> Arrivals:
        """Single pictures of different people, ``rate`` a second."""
        times = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, max(1, round(rate * seconds))))
        return cls.of_times(times)

    @classmethod
    def of_times(cls, times: Floats) -> Arrivals:
        """Single pictures of different people at these times."""
        n = len(times)
        ones = np.full(n, int(Priority.NEW_TRACK))
        return cls(np.asarray(times, np.float64), ones, np.arange(n), np.zeros(n, bool), np.ones(n, np.int64))

    @classmethod
    def of_crowd(cls, crowd: Crowd, seconds: float, seed: int) -> Arrivals:
        """What ``crowd`` does in ``seconds``; people who are there at the beginning came before it."""
        rng = np.random.default_rng(seed)
        before = 4 * crowd.stay
        count = int(rng.poisson(crowd.cameras * crowd.people_per_minute / 60 * (seconds + before)))
        came = rng.uniform(-before, seconds, count)
        sigma = np.sqrt(np.log(2.0))  # a standard deviation as large as the mean
        stay = rng.lognormal(np.log(crowd.stay) - sigma**2 / 2, sigma, count)
        person = np.arange(count)
        first = came + np.minimum(stay, rng.uniform(0.1, 1.5, count))  # a good crop comes, or the deadline
        rows: list[tuple[Floats, int, NDArray[np.int64], bool, int]] = [
            (first, Priority.NEW_TRACK, person, False, 1),
            (came + stay, Priority.TRACK_UPDATE, person, True, crowd.crops)]
        looks = 1
        while (there := stay > looks * crowd.every + 1.5).any():
            told = there & (rng.random(count) < crowd.news)
            rows.append(((first + looks * crowd.every)[told], Priority.TRACK_UPDATE, person[told], False, crowd.crops))
            looks += 1
        asked = rng.random(count) < crowd.reid
        rows.append(((first + rng.uniform(0, stay))[asked], Priority.REID_REQUEST, person[asked], False, 1))
        time = np.concatenate([row[0] for row in rows])
        sizes = [len(row[0]) for row in rows]
        order = np.argsort(time, kind="stable")
        order = order[(time[order] >= 0) & (time[order] < seconds)]
        priority, final, crops = (np.repeat(values, sizes)[order] for values in (
            [int(row[1]) for row in rows], [row[3] for row in rows], [row[4] for row in rows]))  # fmt: skip
        return cls(time[order], priority, np.concatenate([row[2] for row in rows])[order], final, crops)
