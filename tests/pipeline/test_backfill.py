from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from personvlm.base.errors import InputError
from personvlm.cli import main
from personvlm.data.rendered import render
from personvlm.events import QueueSettings
from personvlm.events.memory import MemoryQueue
from personvlm.pipeline.backfill import backfill, enqueue
from personvlm.pipeline.backfill_ray import ArchiveDescriber, backfill_ray, keep
from personvlm.pipeline.backfill_sources import pieces, read
from personvlm.runtime.describer import Describer, shipped
from personvlm.runtime.tracks import TrackModel
from personvlm.store import Store

real_model = pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six crops in two folders, one file that is no picture although it is called so, and a note."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("archive")
    for number in range(6):
        place = folder / f"day{number // 3}" / f"{number}.jpg"
        place.parent.mkdir(exist_ok=True)
        picture = render({"upper.color": (("red", "blue")[number % 2],)}, seed=number, size=(64, 128))
        Image.fromarray(picture).save(place)
    (folder / "day1" / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.jpg").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def model() -> TrackModel:
    return TrackModel(Describer.load(threads=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "people.db") as opened:
        yield opened


def test_folders_patterns_lists_and_addresses_name_the_same_crops(archive: Path, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    folder = list(pieces(str(archive)))
    assert [Path(each.place).name for each in folder] == [*(f"{n}.jpg" for n in range(6)), "broken.jpg"]
    assert {each.camera for each in folder} == {"archive"}
    assert all(each.time == Path(each.place).stat().st_mtime for each in folder)
    assert list(pieces(f"{archive}/**/*.jpg")) == folder
    listed = archive / "list.jsonl"
    first = {"image": "day0/1.jpg", "camera": "gate", "time": 12.5, "label": "x"}
    listed.write_text(f'{json.dumps(first)}\n\n{{"image": "day1/3.jpg"}}\n')
    gate, other = pieces(str(listed))
    listed.unlink()
    assert (gate.place, gate.camera, gate.time) == (str(archive / "day0/1.jpg"), "gate", 12.5)
    assert other == folder[3]
    remote = list(pieces(f"local://{archive}"))
    assert [read(each.place) for each in remote] == [read(each.place) for each in folder]
    assert len({each.event_id for each in folder}) == 7


@pytest.mark.parametrize("source", ["nowhere", "nowhere/*.jpg", "list.jsonl", "nosuchprotocol://bucket/crops"])
def test_a_source_that_is_not_there(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"nowhere|list\.jsonl|nosuchprotocol"):
        list(pieces(source))


def test_a_line_that_is_no_crop_is_named(tmp_path: Path) -> None:
    place = tmp_path / "list.jsonl"
    for line in (b"{", b"[]", b'{"picture": "a.jpg"}', b'{"image": "a.jpg", "time": "noon"}', b'{"image": "\xe4.jpg"}',
                 b'{"image": "a.jpg", "camera": "x\\ud800"}', b'{"image": "\\ud800.jpg"}', b'{"image": "\\u0000"}',
                 b'{"image": "a.jpg", "camera": "\\u0000"}', b'{"image": "a.jpg", "time": NaN}'):  # fmt: skip
        place.write_bytes(b'{"image": "x.jpg"}\n' + line + b"\n")
        with pytest.raises(InputError, match="line 2"):
            list(pieces(str(place)))


@real_model
def test_an_archive_is_described_once_and_a_broken_run_goes_on(
    archive: Path, store: Store, model: TrackModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("personvlm.pipeline.backfill.STORED_AT_ONCE", 2)

    def lose_power(done: Any) -> None:
        if done.described >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(pieces(str(archive)), store, model, batch=2, watch=lose_power)
    rest = backfill(pieces(str(archive)), store, model)
    assert (rest.seen, rest.known, rest.described, rest.failed) == (7, 4, 2, 1)
    assert [(Path(place).name, "picture" in why) for place, why in rest.problems] == [("broken.jpg", True)]
    again = backfill(pieces(str(archive)), store, model)
    assert (again.known, again.described, again.failed) == (6, 0, 1)
    crops = [each for each in pieces(str(archive)) if "broken" not in each.place]
    people = [store.latest(each.request(b"").person) for each in crops]
    expected = model.describer.describe([each.place for each in crops])
    assert [one and one.description.text for one in people] == [each.text for each in expected]
    assert {one.request.trigger for one in people if one} == {"backfill"}


@real_model
def test_the_class_for_ray_gives_what_the_local_engine_gives(archive: Path, store: Store, model: TrackModel) -> None:
    found = list(pieces(str(archive)))
    batch = {"place": [each.place for each in found], "camera": [each.camera for each in found],
             "time": [each.time for each in found]}  # fmt: skip
    result = ArchiveDescriber(threads=1)(batch)
    from personvlm.pipeline.backfill import Backfilled

    done = Backfilled()
    keep(result, store, done)
    assert (done.described, done.failed) == (6, 1)
    assert backfill(iter(found), store, model).known == 6


@real_model
def test_ray_describes_an_archive(archive: Path, store: Store, model: TrackModel) -> None:
    pytest.importorskip("ray", reason="the ray extra is not installed")
    done = backfill_ray(pieces(str(archive)), store, model.name, batch=4)
    assert (done.seen, done.described, done.failed) == (7, 6, 1)
    again = backfill_ray(pieces(str(archive)), store, model.name, batch=4)
    assert (again.known, again.described) == (6, 0)


def test_an_archive_is_queued_behind_everything_else(archive: Path) -> None:
    queue = MemoryQueue(QueueSettings())
    done = enqueue(pieces(str(archive)), queue)
    assert (done.seen, done.queued) == (7, 7)
    assert queue.stats().waiting["backfill"] == 7
    assert enqueue(pieces(str(archive)), queue).known == 7


def test_what_cannot_be_queued_does_not_keep_the_others_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    for name, size in (("a.jpg", 100), ("b.jpg", 70_000), ("c.jpg", 100)):
        (folder / name).write_bytes(bytes(size))
    (folder / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    with pytest.raises(SystemExit) as ended:
        main(["backfill", str(folder), "--queue", str(tmp_path / "queue.db"), "--json"])
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert {**json.loads(out), "seconds": 0} == {"seen": 4, "known": 0, "described": 0, "queued": 2, "failed": 2,
                                                 "seconds": 0}  # fmt: skip
    assert all(f"{folder / name}: " in err for name in ("b.jpg", "gone.jpg")), err


@real_model
def test_the_command(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backfill", str(archive), "--store", str(tmp_path / "a.db"), "--json"])
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert {**json.loads(out), "seconds": 0} == {"seen": 7, "known": 0, "described": 6, "queued": 0, "failed": 1,
                                                 "seconds": 0}  # fmt: skip
    assert "broken.jpg" in err
    with pytest.raises(SystemExit) as ended:
        main(["backfill", str(archive)])
    assert ended.value.code == 2


def test_what_is_named_twice_is_counted(archive: Path, tmp_path: Path, model: TrackModel, store: Store) -> None:
    listed = tmp_path / "list.jsonl"
    listed.write_text(f'{{"image": "{archive}/day0/0.jpg"}}\n' * 3)
    done = backfill(pieces(str(listed)), store, model)
    assert (done.seen, done.known, done.described, done.failed) == (3, 2, 1, 0)


def test_milliseconds_are_no_time(tmp_path: Path) -> None:
    """They were stored, and nothing could list or search what was stored beside them any more."""
    listed = tmp_path / "list.jsonl"
    listed.write_text('{"image": "a.jpg", "time": 1700000000000}\n')
    with pytest.raises(InputError, match=r"line 1: .*seconds since 1970, not milliseconds"):
        list(pieces(str(listed)))


def test_a_folder_without_pictures_is_said_and_one_that_cannot_be_read_is_counted(
        archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    with pytest.raises(InputError, match="this folder holds no pictures"):
        list(pieces(str(tmp_path)))
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("day0"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [Path(each.place).name for each in pieces(str(archive))] == ["3.jpg", "4.jpg", "5.jpg", "broken.jpg", "day0"]
    with pytest.raises(OSError, match="day0"):
        read(str(archive / "day0"))
