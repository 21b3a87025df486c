"""Pictures by reference: in a folder, and through fsspec."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from personvlm.base.errors import InputError
from personvlm.store import BlobMissingError, Blobs


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return Blobs.open(tmp_path / "blobs")
    fsspec = pytest.importorskip("fsspec")
    fsspec.filesystem("memory").store.clear()
    return Blobs.open("memory://crops/here")


def test_bytes_come_back_until_they_are_deleted(blobs: Blobs) -> None:
    data = os.urandom(100_000)
    reference, other = blobs.put(data), blobs.put(b"")
    assert blobs.get(reference) == data
    assert blobs.get(other) == b""
    assert sorted(blobs.references()) == sorted([reference, other])
    assert blobs.delete(reference)
    assert not blobs.delete(reference)
    with pytest.raises(BlobMissingError, match="deleted, or expired"):
        blobs.get(reference)
    assert list(blobs.references()) == [other]


def test_a_name_is_replaced(blobs: Blobs) -> None:
    assert blobs.put(b"a", name="event-0") == blobs.put(b"b", name="event-0") == blobs.reference("event-0")
    assert blobs.get(blobs.reference("event-0")) == b"b"


def test_what_has_expired_is_swept_and_nothing_else(blobs: Blobs) -> None:
    kept, later, old = blobs.put(b"kept"), blobs.put(b"later", expires=10_000.0), blobs.put(b"old", expires=3_000.0)
    assert blobs.sweep(2_000.0) == 0
    assert blobs.sweep(3_600.0) == 1
    assert sorted(blobs.references()) == sorted([kept, later])
    with pytest.raises(BlobMissingError):
        blobs.get(old)
    assert blobs.sweep(20_000.0) == 1
    assert blobs.get(kept) == b"kept"


@pytest.mark.parametrize("reference", ["../../etc/passwd", "keep/00/../../x", "/etc/passwd", "keep/00/", "",
                                       "keep/zz/x", "keep/00/a/b", "until/x/00/a", "keep/00/..",
                                       "keep/00/a\x00b"])  # fmt: skip
def test_references_lead_nowhere_else(blobs: Blobs, reference: str) -> None:
    for what in (blobs.get, blobs.delete):
        with pytest.raises(InputError, match="not a reference"):
            what(reference)
    with pytest.raises(InputError, match="not a reference"):
        blobs.put(b"x", name="../x")


def test_a_missing_blob_is_not_a_missing_disk(tmp_path: Path) -> None:
    blobs = Blobs.open(tmp_path)
    reference = blobs.put(b"x")
    path = tmp_path / reference
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=r".") as problem:
        blobs.get(reference)
    assert not isinstance(problem.value, BlobMissingError)


def test_an_address_that_nobody_serves(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(InputError, match="nonsense"):
        Blobs.open("nonsense://x")
