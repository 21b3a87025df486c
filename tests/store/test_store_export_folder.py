"""People with pictures for other programs: COCO as pycocotools reads it, FiftyOne, the command and its audit."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from stored_people import MONDAY, backpacker, red_jacket, seen

from personvlm.base.errors import InputError
from personvlm.cli import main
from personvlm.data.readers import read_samples
from personvlm.schema import Described
from personvlm.store import Store
from personvlm.store.export_folder import identities, open_folder, write_folder
from personvlm.store.links import StoredLink


def picture(color: str, form: str = "JPEG", size: tuple[int, int] = (40, 90)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, form)
    return file.getvalue()


PEOPLE = [
    seen(1, red_jacket(), crop=picture("red")),
    seen(2, backpacker(), camera="yard", crop=picture("blue", "PNG", (30, 70))),
    seen(3, backpacker(), at=MONDAY + 9),
]  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store with three people, of whom two have a picture and are one person."""
    path = tmp_path / "people.db"
    with Store.open(path) as store:
        store.add(PEOPLE)
        store.link(*(one.request.person for one in PEOPLE[:2]), 0.9)
    return path


def exported(kept: Path, form: Any, folder: Path) -> tuple[int, int]:
    with Store.open(kept) as store:
        pictures = open_folder(store.blobs, folder, form, store.links())
        write_folder(store.people().items, pictures, form)
    return pictures.written, pictures.without


def command(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(argument) for argument in arguments])
    return int(done.value.code or 0)


def test_coco_is_read_by_pycocotools_and_by_ourselves(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coco"
    assert exported(kept, "coco", folder) == (2, 1)
    file = folder / "annotations.json"
    (two, one) = sorted(json.loads(file.read_text())["annotations"], key=lambda each: each["camera"], reverse=True)
    assert (one["track_id"], one["camera"], one["score"]) == (1, "gate", 0.7)
    assert one["frame_bbox"] == [1, 2, 29, 88]
    assert one["attributes"] == {"gender": "female", "upper.garment": "jacket", "upper.color": ["red"]}
    assert one["attribute_scores"]["upper.color"] == 0.9
    assert one["identity"] == two["identity"], "links say that they are one person"
    assert sorted(path.suffix for path in (folder / "images").iterdir()) == [".jpg", ".png"]

    samples = {sample.labels: sample for sample in read_samples(file, "coco")}
    assert samples["camera=gate",].values == {"gender": ("female",), "upper.garment": ("jacket",),
                                              "upper.color": ("red",)}  # fmt: skip
    assert samples["camera=yard",].values["carrying"] == ("backpack",)
    assert samples["camera=gate",].image.parent == folder / "images", "nothing is cut out of a crop again"
    assert samples["camera=gate",].captions == ("The image shows a woman. She is wearing a red jacket.",)

    tools = pytest.importorskip("pycocotools.coco")
    coco = tools.COCO(str(file))
    (person,) = coco.getCatIds(catNms=["person"])
    assert len(coco.getImgIds(catIds=[person])) == 2
    for number in coco.getAnnIds(catIds=[person], iscrowd=False):
        (found,) = coco.loadAnns([number])
        (image,) = coco.loadImgs([found["image_id"]])
        with Image.open(folder / image["file_name"]) as opened:
            assert opened.size == (image["width"], image["height"]) == tuple(found["bbox"][2:])
    results = coco.loadRes([{"image_id": each["image_id"], "category_id": person, "bbox": each["bbox"],
                             "score": each["score"]} for each in coco.dataset["annotations"]])  # fmt: skip
    scoring = pytest.importorskip("pycocotools.cocoeval").COCOeval(coco, results, "bbox")
    scoring.evaluate()
    scoring.accumulate()
    scoring.summarize()
    assert scoring.stats[0] == pytest.approx(1.0), "the boxes of the file are the boxes of the file"


def test_fiftyone_has_a_sample_for_each_with_everything_to_filter_by(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fo"
    assert exported(kept, "fiftyone", folder) == (2, 1)
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["media_type"] == "image"
    assert "version" not in metadata, "with a version FiftyOne takes it for a dump of its database"
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    by_camera = {sample["camera"]: sample for sample in samples}
    yard = by_camera["yard"]
    assert yard["metadata"] == {"_cls": "ImageMetadata", "size_bytes": len(picture("blue", "PNG", (30, 70))),
                                "mime_type": "image/png", "width": 30, "height": 70}  # fmt: skip
    assert (folder / yard["filepath"]).read_bytes() == picture("blue", "PNG", (30, 70))
    assert yard["carrying"] == {"_cls": "Classifications", "classifications": [
        {"_cls": "Classification", "tags": [], "label": label, "confidence": 0.9} for label in ("backpack", "bag")]}
    assert yard["gender"] == {"_cls": "Classification", "tags": [], "label": "male", "confidence": 0.97}
    (detection,) = yard["people"]["detections"]
    assert (detection["_cls"], detection["label"], detection["bounding_box"]) == ("Detection", "person", [0, 0, 1, 1])
    assert (detection["index"], detection["headwear"], detection["carrying"]) == (2, "cap", "backpack, bag")
    assert not any("." in name for sample in samples for name in sample), "a dot is a field within a field there"


def test_a_folder_that_holds_something_is_left_alone(kept: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "erased-person.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match="out: holds something"):
        exported(kept, "coco", folder)
    assert [path.name for path in folder.iterdir()] == ["erased-person.jpg"]


def test_without_any_picture_there_is_nothing_to_write(tmp_path: Path) -> None:
    with Store.open(tmp_path / "none.db") as store:
        store.add(PEOPLE[2:])
    with pytest.raises(InputError, match="of 1 people no picture is kept"):
        exported(tmp_path / "none.db", "coco", tmp_path / "out")
    assert not (tmp_path / "out" / "annotations.json").exists()
    with Store.open(tmp_path / "none.db", keep_crops=False) as store, pytest.raises(InputError, match="--blobs"):
        open_folder(store.blobs, tmp_path / "other", "coco")


def test_a_picture_that_is_gone_or_broken_is_replaced_by_the_next_best(tmp_path: Path) -> None:
    from personvlm.schema import Crop

    good = [Crop(data=picture("green"), time=MONDAY - 1), Crop(data=picture("white"), time=MONDAY - 2)]
    one = seen(1, red_jacket(), crop=b"no picture", others=tuple(good))
    with Store.open(tmp_path / "p.db") as store:
        store.add([one])
        latest = store.latest(one.request.person)
        assert latest is not None
        assert store.blobs is not None
        assert latest.request.others[0].reference is not None
        store.blobs.delete(latest.request.others[0].reference)
        pictures = open_folder(store.blobs, tmp_path / "out", "coco")
        write_folder([latest], pictures, "coco")
    (file,) = (tmp_path / "out" / "images").iterdir()
    assert file.read_bytes() == picture("white")


def test_identities_follow_chains_of_links() -> None:
    made = [StoredLink(one, other, 0.9, 0.0, "identity") for one, other in ("cb", "de", "ba", "ed")]
    assert identities(made) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


def test_the_command_writes_and_the_audit_tells(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "coco"
    assert command("store", "export", "--store", kept, "--format", "coco", "--out", out, "--camera", "gate") == 0
    assert "1 people in" in capsys.readouterr().err.replace("\n", " ")
    assert command("store", "export", "--store", kept, "--history", "--until", "2000-01-01") == 0
    assert capsys.readouterr().out == ""
    with Store.open(kept) as store:
        first, second = store.audited()
        assert store.verify_audit() is None
    assert (first.actor, first.action, first.subject) == ("command line", "export", "people")
    assert first.detail == {"format": "coco", "history": False, "cameras": ["gate"], "since": None, "until": None,
                            "out": str(out)}  # fmt: skip
    assert (second.detail["format"], second.detail["history"], second.detail["out"]) == ("jsonl", True, None)
    assert second.detail["until"] is not None


@pytest.mark.parametrize("wrong", [["--format", "coco"], ["--format", "fiftyone", "--out", "x", "--history"],
                                   ["--address", "http://x/"]])  # fmt: skip
def test_what_makes_no_sense_together_is_refused_and_leaves_no_audit(kept: Path, wrong: list[str]) -> None:
    assert command("store", "export", "--store", kept, *wrong) == 2
    with Store.open(kept) as store:
        assert store.audited() == []


@pytest.mark.skipif(sys.platform == "win32", reason="names of files")
def test_label_studio_and_back(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, back = tmp_path / "my studio", tmp_path / "back"
    assert command("store", "export", "--store", kept, "--format", "labelstudio", "--out", folder) == 0
    assert (folder / "interface.xml").read_text().startswith("<View>")
    tasks = json.loads((folder / "tasks.json").read_text())
    assert len(tasks) == 2
    assert tasks[0]["data"]["image"].startswith("/data/local-files/?d=my%20studio/images/")
    done = []
    for number, task in enumerate(tasks):
        result = list(task["predictions"][0]["result"])
        for item in result:
            if item["from_name"] == "gender" and task["data"]["camera"] == "gate":
                item["value"]["choices"] = ["male"]  # and the sentence still says "a woman"
        done.append({"id": number, "data": task["data"], "annotations": [{"result": result}]})
    export = folder / "project-1.json"
    export.write_text(json.dumps([*done, {"id": 9, "data": tasks[0]["data"], "annotations": []}]))
    capsys.readouterr()
    assert command("data", "labelstudio", export, "--out", back) == 0
    assert "2 pictures; left out: 1 tasks that nobody has done, 1 sentences" in capsys.readouterr().out
    samples = {sample.labels: sample for sample in read_samples(back / "people.jsonl", "personvlm")}
    gate, yard = samples["camera=gate",], samples["camera=yard",]
    assert gate.values["gender"] == ("male",)
    assert gate.captions == ()
    assert yard.captions == ("The image shows a man. He is carrying a backpack and a lanyard.",)
    assert gate.identity == yard.identity
    assert gate.image.read_bytes() == picture("red")
    assert command("data", "prepare", back / "people.jsonl", "--out", tmp_path / "data") == 0


def of(described: Described) -> str:
    return described.request.person


def test_addresses_of_ones_own(kept: Path, tmp_path: Path) -> None:
    out = tmp_path / "ls"
    assert command("store", "export", "--store", kept, "--format", "labelstudio", "--out", out, "--address",
                   "https://pictures.example/crops/", "-q") == 0  # fmt: skip
    images = {task["data"]["image"] for task in json.loads((out / "tasks.json").read_text())}
    assert f"https://pictures.example/crops/{of(PEOPLE[0])}-1.jpg" in images
