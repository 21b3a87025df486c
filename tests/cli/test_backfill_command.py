"""``personvlm backfill`` leaves out what it is told not to say."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from personvlm.cli import main
from personvlm.data.rendered import render
from personvlm.runtime.describer import shipped
from personvlm.store import Store


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "crops"
    folder.mkdir()
    for number in range(2):
        picture = render({"upper.color": (("red", "blue")[number],)}, seed=number, size=(64, 128))
        Image.fromarray(picture).save(folder / f"{number}.jpg")
    return folder


def groups(place: Path) -> list[set[str]]:
    """What is known of each person, said or not."""
    with Store.open(place) as store:
        people = list(store.people().items)
        return [{*one.description.attributes, *one.description.scores} for one in people]


@pytest.mark.skipif(not shipped().is_dir(), reason="this checkout has no shipped weights")
def test_gender_and_age_can_be_left_out(archive: Path, tmp_path: Path) -> None:
    for name, options in (("all.db", []), ("less.db", ["--no-gender", "--no-age"])):
        with pytest.raises(SystemExit) as ended:
            main(["backfill", str(archive), "--store", str(tmp_path / name), "-q", *options])
        assert not ended.value.code
    assert all({"gender", "age"} <= known for known in groups(tmp_path / "all.db"))
    less = groups(tmp_path / "less.db")
    assert len(less) == 2
    assert all("upper.color" in known and not {"gender", "age"} & known for known in less)


def test_with_a_queue_it_is_for_the_workers_to_say_less(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backfill", str(archive), "--queue", str(tmp_path / "queue.db"), "--no-gender"])
    assert ended.value.code == 2
    assert "workers describe" in " ".join(capsys.readouterr().err.split())
