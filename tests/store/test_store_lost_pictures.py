"""Erasing and sweeping where the pictures are somewhere else: nothing is lost silently."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from stored_people import MONDAY, backpacker, red_jacket, seen

import services
from personvlm.store import Store
from personvlm.store.hot import with_cache

DAY = 86_400.0


@pytest.fixture
def stored(where: str, tmp_path: Path) -> tuple[str, str, str]:
    """A store whose pictures are in a folder of their own: its address, a person on the camera gate, the picture."""
    with Store.open(where, blobs=tmp_path / "elsewhere") as store:
        store.add([seen(1, red_jacket(), crop=b"one"), seen(2, backpacker(), camera="yard", crop=b"two"),
                   seen(3, backpacker(), at=MONDAY + 1)])  # fmt: skip
        one = next(each for each in store.people().items if each.request.track_id == 1)
        assert one.request.crop.reference is not None
        return where, one.request.person, one.request.crop.reference


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("scrub", [False, True])
def test_a_receipt_names_pictures_that_were_not_found(stored: tuple[str, str, str], scrub: bool, cached: bool) -> None:
    where, person, picture = stored
    with Store.open(where) as plain:
        cache = f"redis://127.0.0.1:{services.free_port()}/0" if cached else None
        receipt = with_cache(plain, cache).erase([person], scrub=scrub)
    named = [place for place in receipt.remaining if picture in place]
    assert len(named) == 1
    assert receipt.counts["pictures"] == 0
    assert any("free space" in place for place in receipt.remaining) != scrub
    assert any("backups" in place for place in receipt.remaining) == scrub


def test_a_receipt_names_no_picture_that_was_deleted(stored: tuple[str, str, str], tmp_path: Path) -> None:
    where, person, picture = stored
    with Store.open(where, blobs=tmp_path / "elsewhere") as store:
        receipt = store.erase([person], scrub=False)
    assert receipt.counts["pictures"] == 1
    assert picture not in " ".join(receipt.remaining)


def test_a_sweep_without_the_pictures_leaves_what_names_them(stored: tuple[str, str, str], tmp_path: Path,
                                                             caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    where, _, picture = stored
    files = tmp_path / "elsewhere"
    with Store.open(where) as store:
        store.keep("gate", days=1)
        store.keep("yard", crop_days=1)
        with caplog.at_level(logging.WARNING):
            swept = store.sweep(MONDAY + 3 * DAY)
        assert (swept.people, swept.pictures, swept.left) == (1, 0, 2), "who has no picture goes"
        assert "2 pictures are too old" in caplog.text
        assert picture in [one.request.crop.reference for one in store.people().items]
    assert len([path for path in files.rglob("*") if path.is_file()]) == 2
    with Store.open(where, blobs=files) as store:
        swept = store.sweep(MONDAY + 3 * DAY)
        assert (swept.people, swept.pictures, swept.left) == (1, 2, 0)
        assert [one.request.crop.reference for one in store.people().items] == [None]
    assert not [path for path in files.rglob("*") if path.is_file()]


def test_pictures_that_are_gone_stop_no_sweep(stored: tuple[str, str, str], tmp_path: Path) -> None:
    where, _, picture = stored
    with Store.open(where, blobs=tmp_path / "elsewhere") as store:
        assert store.blobs is not None
        assert store.blobs.delete(picture)  # as where a sweep was cut off before it was committed
        store.keep("gate", days=1)
        assert store.sweep(MONDAY + 3 * DAY).people == 2
