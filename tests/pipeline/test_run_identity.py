"""The same people on several cameras: told with events, asked for, undone, switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from personvlm.base.errors import InputError
from personvlm.pipeline.run import Run
from personvlm.pipeline.run_cameras import cameras, identity
from personvlm.pipeline.run_events import PersonEvent
from personvlm.pipeline.run_identity import Identities
from personvlm.schema import PersonDescription, Track, event_id
from personvlm.video.crops import Crop
from personvlm.video.identity import Identity
from personvlm.video.triggers import Kind, Occasion

CROP = Crop(0.0, (0, 0, 1, 1), np.zeros((2, 2, 3), np.uint8), 1.0, np.zeros((16, 8, 3), np.float32))
SCENE = "rendered:seed=5,cameras=2,people=3,seconds=40,rate=5,width=320,occlusion=0"


def event(camera: str, first: float, last: float, kind: Kind = "end", vector: tuple[float, ...] | None = (1.0, 0.0),
          crops: int = 3) -> PersonEvent:  # fmt: skip
    track = Track(camera=camera, track_id=1, first_seen=first, last_seen=last)
    occasion = Occasion(kind, track, last, (CROP,) * crops, f"{camera} {last}")
    said = PersonDescription(text="A person.", embedding=vector)
    return PersonEvent(f"{camera} {first:g}", 1, occasion, said, None, 0.0)


def test_events_say_who_it_is() -> None:
    identities = Identities(Identity())
    assert identities.told(event("gate", 0, 10)).same_as == ()
    assert identities.told(event("yard", 0, 12, vector=(0.0, 1.0))).same_as == ()
    (same,) = identities.told(event("hall", 30, 31, "new")).same_as
    assert (same.id, same.camera, same.first_seen, same.last_seen) == ("gate 0", "gate", 0, 10)
    assert same.probability > 0.95
    assert json.loads(json.dumps(same.record())).keys() == {"id", "camera", "probability", "first_seen", "last_seen"}
    assert identities.told(event("hall", 30, 40)).same_as[0].id == "gate 0"
    assert [(link.sighting, link.same_as) for link in identities.links()] == [("hall 30", "gate 0")]


def test_an_answer_names_who_is_linked_and_who_is_not_sure() -> None:
    identities = Identities(Identity(sure=0.999999))
    identities.told(event("gate", 0, 10))
    identities.told(event("yard", 0, 12, vector=(0.6, 0.8)))
    identities.told(event("hall", 30, 40))
    found = identities.who("hall 30")
    assert [one.id for one in found] == ["gate 0", "yard 0"]
    assert found[0].probability > 0.9 > found[1].probability
    asked = identities.told(event("hall", 30, 40, "reid"))
    assert asked.same_as == found
    linked = Identities(Identity())
    for one in (event("gate", 0, 10), event("hall", 30, 40)):
        linked.told(one)
    assert [one.id for one in linked.who("hall 30")] == ["gate 0"]  # the link is no reason not to name it


def test_a_link_is_undone_for_good() -> None:
    identities = Identities(Identity())
    identities.told(event("gate", 0, 10))
    assert identities.told(event("hall", 30, 35, "update")).same_as
    identities.undo("hall 30", "gate 0")
    assert identities.links() == []
    assert identities.told(event("hall", 30, 40)).same_as == ()
    with pytest.raises(InputError, match="not linked"):
        identities.undo("hall 30", "gate 0")


def test_a_question_is_an_occasion_of_its_own() -> None:
    identities = Identities(Identity(), pictures=2)
    identities.told(event("gate", 0, 10, "new"))
    present = identities.question("gate 0")
    assert present is not None
    assert (present.kind, len(present.crops)) == ("reid", 3)
    assert present.event_id == event_id("gate", 1, "reid_request", 10)
    for number in range(3):
        identities.told(event("gate", 100 * number, 100 * number + 10))
    assert identities.question("gate 0") is None  # no picture is left, though the looks are
    assert identities.who("gate 0")
    left = identities.question("gate 200")
    assert left is not None
    assert len(left.crops) == 1
    assert identities.question("nobody") is None
    with pytest.raises(InputError, match="not in the gallery"):
        identities.who("nobody")


def test_switched_off_it_links_nobody() -> None:
    identities = Identities(None)
    for one in (event("gate", 0, 10), event("hall", 30, 40)):
        assert identities.told(one).same_as == ()
    assert identities.links() == []
    with pytest.raises(InputError, match="switched off"):
        identities.who("gate 0")
    with pytest.raises(InputError, match="switched off"):
        identities.undo("gate 0", "hall 30")


class Colored:
    """Knows people by their mean color."""

    def describe(self, crops: tuple[Crop, ...], posture: Any = None) -> PersonDescription:
        vector = self.embed([crop.image for crop in crops]).mean(0)
        return PersonDescription(text="A person.", embedding=tuple((vector / np.linalg.norm(vector)).tolist()))

    def ranked(self, crops: Any) -> tuple[Any, ...]:
        return tuple(crops)

    def embed(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        middle = [image[len(image) // 4 : len(image) // 2, image.shape[1] // 3 : -image.shape[1] // 3]
                  for image in images]  # fmt: skip
        vectors = np.array([part.reshape(-1, 3).mean(0) - 100 for part in middle], np.float32) + 1e-3
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_run_answers_while_it_runs_and_overtakes_everybody() -> None:
    events: list[PersonEvent] = []
    answers: list[Any] = []

    def tell(one: PersonEvent) -> None:
        events.append(one)
        if one.occasion.kind == "end" and not answers:
            answers.append(running.reid(one.id))

    running = Run(cameras([SCENE]), Colored(), tell)  # type: ignore[arg-type]
    running.go()
    asked = [one for one in events if one.occasion.kind == "reid"]
    assert len(asked) == 1
    first = next(one for one in events if one.occasion.kind == "end")
    assert (asked[0].id, asked[0].revision) == (first.id, first.revision)
    assert asked[0].record()["event"] == "reid"
    assert asked[0].description is not None
    assert len(answers) == 1
    assert running.links()
    linked = running.links()[0]
    assert linked.same_as in {one.id for one in running.reid(linked.sighting)}  # after its end, too
    running.undo(linked.sighting, linked.same_as)
    assert linked not in running.links()


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


CAMERAS = "cameras:\n  gate: {source: a.mp4}\n  hall: {source: 'rendered:cameras=2'}\n"


def test_the_camera_file_says_how(tmp_path: Path) -> None:
    path = write(tmp_path / "c.yaml", CAMERAS + """identity:
  expiry: 600
  known: 0.7
  sure: 0.9
  travel: [{from: gate, to: hall-1, seconds: [5, 60]}]
  overlapping: [[hall-1, hall-2], [gate, lobby]]
""")
    with pytest.raises(InputError, match="names lobby, which is no camera"):
        identity([path])
    found = identity([path, "lobby.mp4"])
    assert found == Identity(600, 0.7, 0.9, {("gate", "hall-1"): (5, 60)},
                             frozenset({frozenset({"hall-1", "hall-2"}), frozenset({"gate", "lobby"})}))  # fmt: skip
    assert set(cameras([path])) == {"gate", "hall"}
    assert identity(["lobby.mp4", write(tmp_path / "d.yaml", CAMERAS)]) == Identity()
    assert identity([write(tmp_path / "e.yaml", CAMERAS + "identity: false\n")]) is None
    with pytest.raises(InputError, match="a second `identity`"):
        identity([path, str(tmp_path / "e.yaml"), "lobby.mp4"])


@pytest.mark.parametrize(("text", "message"), [
    ("{sure: 2}", "less than or equal to 1"), ("{travel: [{from: gate, to: hall, seconds: [9, 5]}]}", "smaller number"),
    ("{travel: [{from: gate}]}", "Field required"), ("{magic: 1}", "Extra inputs"), ("true", "identity"),
    ("{overlapping: [[gate]]}", "overlapping"), ("{expiry: -1}", "greater than 0"),
])
def test_what_is_wrong_in_it_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cameras([write(tmp_path / "c.yaml", f"{CAMERAS}identity: {text}\n")])
