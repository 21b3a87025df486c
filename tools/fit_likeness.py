"""Fit what depends on the model's appearance vector: how likely a likeness is, and from where a track goes on.

    python tools/fit_likeness.py [MODEL] [--data ../shared/data/peta/val.jsonl]

Prints the numbers for ``personvlm.video.likeness.Likeness`` and ``personvlm.video.tracking.Tracking``. The people are
those of PETA's validation split with several pictures, which no model trains on; their pictures are split into two
tracks at random.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from personvlm.base.images import decode
from personvlm.data.readers import read_peta
from personvlm.runtime.describer import Describer
from personvlm.video.crops import Crop
from personvlm.video.describing import TrackDescriber
from personvlm.video.likeness import Looks, disagreements, fit_likeness

MOST = 10
"""Pictures of one person."""

AMONG = 19
"""People among whom somebody is looked for."""

Names = NDArray[np.str_]
Floats = NDArray[Any]


def tracks(describer: TrackDescriber, data: Path, draws: int) -> Iterator[tuple[str, Looks]]:
    """(person, looks) of two tracks of everybody with several pictures, ``draws`` times."""
    people: dict[str, list[Path]] = {}
    for sample in read_peta(data):
        people.setdefault(sample.identity or "", []).append(sample.image)
    rng = np.random.default_rng(0)
    for person, pictures in people.items():
        if len(pictures) < 2 or not person:
            continue
        empty = np.zeros((16, 8, 3), np.float32)
        kept = [pictures[row] for row in rng.permutation(len(pictures))[:MOST]]
        crops = [Crop(0.0, (0, 0, 1, 1), decode(path), 1.0, empty) for path in kept]
        for _ in range(draws if len(crops) > 2 else 1):
            order = rng.permutation(len(crops))
            for half in (order[: len(order) // 2], order[len(order) // 2 :]):
                looks = Looks.of(describer.describe([crops[row] for row in half]))
                assert looks is not None
                yield person, looks


def questions(people: Names, alike: Floats, distance: Floats, draws: int = 6) -> tuple[Floats, NDArray[np.int64]]:
    """Every track asks, ``draws`` times, who of :data:`AMONG` people it is; every other time it is one of them."""
    rng, pairs, answers = np.random.default_rng(0), [], []
    names = np.unique(people)
    for _ in range(draws):
        for track in range(len(people)):
            others = rng.choice(names[names != people[track]], AMONG, replace=False)
            rows = [int(rng.choice(np.flatnonzero(people == name))) for name in others]
            own = [row for row in np.flatnonzero(people == people[track]) if row != track]
            answers.append(-1)
            if rng.random() < 0.5:
                answers[-1] = int(rng.integers(AMONG))
                rows[answers[-1]] = int(rng.choice(own))
            pairs.append(np.column_stack([alike[track, rows], distance[track, rows]]))
    return np.stack(pairs), np.array(answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("PERSONVLM_ASSETS", "../shared")) / "data" / "peta" / "val.jsonl")
    parser.add_argument("--draws", type=int, default=2)
    chosen = parser.parse_args()
    found = list(tracks(TrackDescriber(Describer.load(chosen.model, threads=1)), chosen.data, chosen.draws))
    looks, people = [each for _, each in found], np.array([person for person, _ in found])
    alike = np.stack([each.embedding for each in looks]) @ np.stack([each.embedding for each in looks]).T
    scores = np.stack([each.scores for each in looks])
    distance = np.stack([disagreements(row, scores) for row in scores])
    print(f"{len(set(people.tolist()))} people, {len(people)} tracks")
    print(fit_likeness(*questions(people, alike, distance)))
    mine = people[:, None] == people
    same, different = alike[mine & ~np.eye(len(people), dtype=bool)], alike[~mine]
    print(f"cosine of one person: {np.quantile(same, [0.05, 0.25, 0.5]).round(3)} (5, 25, 50 %)")
    print(f"Tracking.alike: {np.quantile(different, 0.99):.3f} (one pair of strangers in a hundred is above it)")
    print(f"Tracking.akin: {np.quantile(different, 0.9):.3f} (one in ten)")


if __name__ == "__main__":
    main()
