"""Issue 6 on real clips, and on rendered scenes whose truth is known.

The scenes' seeds were not used while the tracker was tuned (that was seed 100). ``pets2009_people.json`` was written by
eye. Prints the figures; run with ``-s`` to see them.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from personvlm.runtime.describer import Describer, shipped

pytestmark = [pytest.mark.accept,
              pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")]  # fmt: skip

PETS = Path(__file__).with_name("pets2009_people.json")


@pytest.fixture(scope="module")
def videos() -> Path:
    folder = Path(os.environ.get("PERSONVLM_ASSETS", "")) / "data" / "videos"
    if not os.environ.get("PERSONVLM_ASSETS") or not folder.is_dir():
        pytest.skip("PERSONVLM_ASSETS has no data/videos")
    return folder


@pytest.fixture(scope="module")
def describer() -> Any:
    from personvlm.video.describing import TrackDescriber

    return TrackDescriber(Describer.load())


@dataclass
class Outcome:
    """What became of the cameras."""

    events: list[dict[str, Any]] = field(default_factory=list)
    boxes: dict[str, dict[int, dict[int, Any]]] = field(default_factory=lambda: defaultdict(dict))

    def people(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for event in self.events:
            found.setdefault(event["id"], []).append(event)
        return found


def run(source: str, describer: Any, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Outcome:
    """Run it as `personvlm run` does, and note where every track was."""
    from personvlm.pipeline.run import run as run_cameras
    from personvlm.pipeline.run_cameras import cameras
    from personvlm.video.watch import CameraWatch

    outcome, step = Outcome(), CameraWatch.step

    def noting(self: CameraWatch, frame: Any, detections: Any) -> Any:
        watched = step(self, frame, detections)
        ids = watched.people.tracker_id
        outcome.boxes[frame.camera][frame.index] = dict(zip([] if ids is None else ids.tolist(), watched.people.xyxy,
                                                            strict=True))  # fmt: skip
        return watched

    monkeypatch.setattr(CameraWatch, "step", noting)
    status = run_cameras(cameras([source], **settings), describer, lambda event: outcome.events.append(event.record()))
    assert status.errors == []
    return outcome


@pytest.mark.parametrize(("clip", "people"), [("one-by-one-person-detection.mp4", 6), ("store-aisle-detection.gif", 3)])
def test_everybody_is_found_once(clip: str, people: int, videos: Path, describer: Any,
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Six people walk through the room one by one, three are in the aisle; at most one split."""
    stories = run(str(videos / clip), describer, monkeypatch).people()
    assert people <= len(stories) <= people + 1
    for story in stories.values():
        assert [event["event"] for event in story].count("end") == 1
        assert story[-1]["text"].startswith("The image shows")
    told = sum(map(len, stories.values()))
    print(f"\n{clip}: {len(stories)} tracks of {people} people, {told / people:.1f} revisions per person")


def test_pets_by_eye(videos: Path, describer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = json.loads(PETS.read_text())["visits"]
    outcome = run(str(videos / "pets2009-s2l1.mp4"), describer, monkeypatch)
    seen = outcome.boxes["pets2009-s2l1"]
    hits: dict[str, list[int | None]] = {}
    for visit, points in truth.items():
        hits[visit] = [_at(seen.get(frame, {}), x, y) for frame, x, y in points]
    found = [visit for visit, tracks in hits.items() if sum(track is not None for track in tracks) >= len(tracks) / 2]
    points = [track for tracks in hits.values() for track in tracks]
    stories = outcome.people()
    firsts, told = len(stories), len(outcome.events)
    print(f"\nPETS: {len(found)} of {len(truth)} visits found, {sum(track is not None for track in points)} of "
          f"{len(points)} places; {firsts} tracks described, {firsts / len(truth):.2f} per visit, "
          f"{told / len(truth):.2f} revisions per visit")  # fmt: skip
    assert len(found) >= 0.9 * len(truth)
    assert sum(track is not None for track in points) >= 0.9 * len(points)


def _at(boxes: dict[int, Any], x: float, y: float) -> int | None:
    """The track whose feet are there, within 0.4 of its height."""
    off = {track: float(np.hypot((box[0] + box[2]) / 2 - x, box[3] - y) / (box[3] - box[1]))
           for track, box in boxes.items()}  # fmt: skip
    best = min(off, key=off.__getitem__, default=None)
    return best if best is not None and off[best] < 0.4 else None


@pytest.mark.parametrize("seed", [901, 902])
def test_rendered_scenes(seed: int) -> None:
    """Four cameras, twenty people, five pairs dressed nearly alike, a fifth of every path hidden."""
    from personvlm.pipeline.run import Run
    from personvlm.pipeline.run_cameras import cameras
    from personvlm.pipeline.run_truth import Referee
    from personvlm.video.describing import TrackDescriber

    model, referee = Describer.load(), Referee()
    running = Run(cameras([f"rendered:seed={seed},cameras=4,people=20,twins=5,seconds=120"]), TrackDescriber(model),
                  referee.told, seen=referee.seen)  # fmt: skip
    assert running.go().errors == []
    report = referee.report(running.links(), TrackDescriber(model, say="all"))
    print(f"\nseed {seed}: {json.dumps(report)}")
    assert report["tracking"]["idf1"] >= 0.85
    assert report["described"]["people_share"] >= 0.95
    assert report["described"]["first_per_visit"] <= 1.3
    assert report["links"]["precision"] >= 0.9
    assert report["links"]["recall"] >= 0.6
    # One scene tells a gain only to within a point or two.
    assert report["crop_choice"]["gain"] > -2 * report["crop_choice"]["gain_se"]
