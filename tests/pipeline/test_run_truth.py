"""Figures beside the truth: whom they count, and that they fall when something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvlm.base.errors import InputError
from personvlm.pipeline.run import Run
from personvlm.pipeline.run_cameras import cameras
from personvlm.pipeline.run_truth import Referee
from personvlm.schema import Attribute, PersonDescription
from personvlm.video.folders import read_mot_truth

pytestmark = pytest.mark.alone

SCENE = "rendered:seed=5,cameras=2,people=3,seconds=30,rate=5,width=320,occlusion=0"


class Colors:
    """Knows people by their mean color, and says that everybody is a man in gloves."""

    def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
        vector = self.embed([crop.image for crop in crops]).mean(0)
        good = crops[0].score >= 0.45 and len(crops) == 1
        attributes = {"gender": Attribute(value="male", confidence=1.0)} if good else {}
        looks = tuple((vector / np.linalg.norm(vector)).tolist())
        return PersonDescription(text=f"A person, {len(crops)}.", embedding=looks, attributes=attributes)

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        middle = [image[len(image) // 4 : len(image) // 2, image.shape[1] // 3 : -image.shape[1] // 3]
                  for image in images]  # fmt: skip
        vectors = np.array([part.reshape(-1, 3).mean(0) - 100 for part in middle], np.float32) + 1e-3
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def judged(source: str, describer: Any = None, choice: bool = False, **options: Any) -> dict[str, Any]:
    referee = Referee()
    running = Run(cameras([source]), describer or Colors(), referee.told, seen=referee.seen, **options)
    running.go()
    return referee.report(running.links(), Colors() if choice else None)  # type: ignore[arg-type]


def test_a_scene_that_is_easy() -> None:
    report = judged(SCENE, choice=True)
    assert report["tracking"]["idf1"] > 0.9
    assert report["tracking"]["hota"] > 0.9
    described = report["described"]
    assert described["people"] == 3
    assert described["people_share"] == described["visits_share"] == 1.0
    assert described["first_per_visit"] <= 1.5
    assert described["revisions_per_visit"] >= 2
    assert described["nobody"] == 0
    assert 0.0 < report["delay_s"]["median"] <= report["delay_s"]["p95"] < 4
    assert report["delay_s"]["n"] >= described["visits"]
    assert report["reid"]["n"] >= 2
    assert 0 <= report["reid"]["map"] <= 1
    links = report["links"]
    assert links["owed"] > 0
    assert links["precision"] is None or 0 <= links["precision"] <= 1
    choice = report["crop_choice"]
    assert choice["n"] >= described["visits"]
    assert choice["gain"] == pytest.approx(choice["chosen"] - choice["random"], abs=1e-3)


def test_words_that_never_come_are_noticed() -> None:
    class Silent(Colors):
        def describe(self, crops: Any, posture: Any = None) -> PersonDescription:
            raise RuntimeError("nothing")

    report = judged(SCENE, Silent(), frames=100)
    assert report["delay_s"] is None
    assert report["reid"] is None


def test_a_tracker_that_loses_everybody_scores_less(tmp_path: Path) -> None:
    """Somebody who runs 50 pixels from detection to detection cannot be followed."""
    truth = "\n".join(f"{frame},4,{2 * frame + 1},31,25,60,1,1,1.0" for frame in range(1, 31))
    source = sequence(tmp_path / "walk", truth)
    report = judged(source)
    chosen = {name: camera.model_copy(update={"every": 8}) for name, camera in cameras([source]).items()}
    referee = Referee()
    Run(chosen, Colors(), referee.told, seen=referee.seen, identity=None).go()  # type: ignore[arg-type]
    assert referee.report([])["tracking"]["idf1"] < report["tracking"]["idf1"]
    assert judged(source)["tracking"] == report["tracking"]  # nothing is left to chance


def sequence(folder: Path, truth: str) -> str:
    (folder / "img1").mkdir(parents=True)
    (folder / "det").mkdir()
    (folder / "gt").mkdir()
    rng = np.random.default_rng(0)
    boxes = []
    for frame in range(1, 31):
        picture = np.full((120, 200, 3), 90, np.uint8)
        picture[30:90, 2 * frame : 2 * frame + 25] = rng.integers(0, 255, (60, 25, 3))
        Image.fromarray(picture).save(folder / "img1" / f"{frame:06}.png")
        boxes.append(f"{frame},-1,{2 * frame + 1},31,25,60,0.9,-1,-1,-1")
    (folder / "det" / "det.txt").write_text("\n".join(boxes))
    (folder / "gt" / "gt.txt").write_text(truth)
    return str(folder)


def test_a_sequence_with_ground_truth(tmp_path: Path) -> None:
    person = "\n".join(f"{frame},4,{2 * frame + 1},31,25,60,1,1,1.0" for frame in range(1, 31))
    ignored = "\n".join(f"{frame},9,150,5,20,50,0,1,1.0\n{frame},10,150,5,20,50,1,7,1.0" for frame in range(1, 31))
    report = judged(sequence(tmp_path / "walk", f"{person}\n{ignored}"))
    assert report["tracking"]["precision"] == 1.0
    assert report["tracking"]["idf1"] > 0.9
    assert report["described"]["people"] == 1
    assert report["described"]["first_per_visit"] == 1.0
    assert report["reid"] is report["links"] is None
    worse = judged(sequence(tmp_path / "two", person + "\n" + person.replace(",4,", ",5,").replace(",31,", ",61,")))
    assert worse["described"]["people_share"] == 0.5
    assert worse["tracking"]["recall"] < 0.6


def test_ground_truth_without_classes_and_what_is_wrong_in_it(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,3,11,21,10,20,1,-1,-1,-1\n2,3,11,21,10,20,0,-1,-1,-1\n")
    assert read_mot_truth(path) == [(0, 3, (10.0, 20.0, 20.0, 40.0))]
    path.write_text("1,x,11,21,10,20,1\n")
    with pytest.raises(InputError, match="not ground truth"):
        read_mot_truth(path)


def test_a_source_that_knows_nothing_is_said(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="no source knows the truth"):
        judged(str(tmp_path))


def test_random_crops_are_drawn_from_the_whole_track(tmp_path: Path) -> None:
    """Over many referees every part of a track comes up."""
    from personvlm.video.detectors import GivenDetector
    from personvlm.video.folders import mot_sequence
    from personvlm.video.watch import CameraWatch

    truth = "\n".join(f"{frame},4,{2 * frame + 1},31,25,60,1,1,1.0" for frame in range(1, 31))
    frames = list(mot_sequence(Path(sequence(tmp_path / "walk", truth)), "c", start=0.0).frames())
    drawn: list[float] = []
    for seed in range(40):
        referee, watch, detector = Referee(seed), CameraWatch("c", 10.0, every=1), GivenDetector()
        for frame in frames:
            referee.seen(frame, watch.step(frame, detector.detect([frame])[0]))
        (held,) = referee._random.values()
        assert held[0] > 20
        drawn.append(held[1].time)
    assert min(drawn) < 0.8
    assert max(drawn) > 2.3
    assert np.mean(drawn) == pytest.approx(1.5, abs=0.5)
