"""The asset resolver: order of places, sums, atomic downloads, and errors that say what to put where."""

import hashlib
import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from personvlm.base import urls
from personvlm.base.assets import Asset, cache_folder, sha256
from personvlm.base.errors import AssetError
from personvlm.base.urls import FetchError, fetch

GOOD, OTHER_EXPORT = b"weights", b"weights of another export"
URL = "https://example.org/model.onnx"
SUMS = tuple(hashlib.sha256(data).hexdigest() for data in (GOOD, OTHER_EXPORT))
ASSET = Asset("weights/model.onnx", SUMS, (URL,))


class Web:
    """Answers in place of the network: url -> body, or an exception."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []
        self.length: str | None = None
        monkeypatch.setattr(urls, "_open", self.open)

    def open(self, url: str, timeout: float) -> Any:
        self.asked.append(url)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        response = io.BytesIO(answer)
        response.headers = Message()  # type: ignore[attr-defined]
        response.headers["Content-Length"] = self.length or str(len(answer))  # type: ignore[attr-defined]
        return response


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Web:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.delenv("PERSONVLM_ASSETS", raising=False)
    monkeypatch.delenv("PERSONVLM_OFFLINE", raising=False)
    return Web(monkeypatch)


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_users_folder_comes_first_then_the_cache_then_the_network(
    web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PERSONVLM_ASSETS", str(tmp_path / "mine"))
    web.answers[URL] = GOOD
    steps: list[str] = []
    fetched = ASSET.resolve(report=steps.append)
    assert (fetched, fetched.read_bytes()) == (cache_folder() / "weights/model.onnx", GOOD)
    assert [word in step for word, step in zip(("PERSONVLM_ASSETS", "cache", "fetching", "fetched to"), steps,
                                               strict=True)] == [True] * 4  # fmt: skip
    assert ASSET.resolve() == fetched
    assert web.asked == [URL], "the second time it comes from the cache"
    mine = put(tmp_path / "mine/weights/model.onnx", OTHER_EXPORT)
    assert ASSET.resolve() == mine, "any published sum will do"


def test_a_file_with_a_wrong_sum_is_not_used(web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PERSONVLM_ASSETS", str(tmp_path))
    put(tmp_path / "weights/model.onnx", b"broken")
    put(cache_folder() / "weights/model.onnx", b"half")
    web.answers[URL] = GOOD
    steps: list[str] = []
    assert ASSET.resolve(report=steps.append).read_bytes() == GOOD
    assert sum("wrong sum" in step for step in steps) == 2


@pytest.mark.parametrize("answer", [b"something else", urllib.error.URLError("no route"), TimeoutError("timed out"),
                                    urllib.error.HTTPError(URL, 404, "Not Found", Message(), None)])  # fmt: skip
def test_a_failed_download_leaves_nothing_and_says_what_to_put_where(web: Web, answer: bytes | Exception) -> None:
    web.answers[URL] = answer
    with pytest.raises(AssetError) as caught:
        ASSET.resolve()
    message = str(caught.value)
    assert "PERSONVLM_ASSETS is not set" in message
    assert str(cache_folder() / "weights/model.onnx") in message
    assert URL in message
    assert not [path for path in cache_folder().rglob("*") if path.is_file()]


def test_the_second_address_is_tried_when_the_first_fails(web: Web) -> None:
    web.answers = {URL: b"moved", URL + "2": GOOD}
    assert Asset(ASSET.path, SUMS, (URL, URL + "2")).resolve().read_bytes() == GOOD


def test_offline_nothing_is_asked(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssetError, match="offline"):
        ASSET.resolve(offline=True)
    monkeypatch.setenv("PERSONVLM_OFFLINE", "1")
    with pytest.raises(AssetError, match="offline"):
        ASSET.resolve()
    assert not web.asked


@pytest.mark.parametrize("url", ["http://example.org/a", "file:///etc/passwd", "ftp://example.org/a", "example.org/a"])
def test_only_https_is_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="only https"):
        fetch(url, tmp_path / "a", max_bytes=10)
    request = urllib.request.Request(URL)
    with pytest.raises(FetchError, match="only https"):
        urls._HttpsOnly().redirect_request(request, io.BytesIO(), 302, "Found", Message(), url)  # type: ignore[arg-type]


def test_size_time_and_length_are_bounded(web: Web, tmp_path: Path) -> None:
    web.answers[URL] = b"x" * 100
    with pytest.raises(FetchError, match="100 bytes, at most 99"):
        fetch(URL, tmp_path / "a", max_bytes=99)
    web.length = "unknown"
    with pytest.raises(FetchError, match="more than 99"):
        fetch(URL, tmp_path / "a", max_bytes=99)
    with pytest.raises(FetchError, match="not done after -1 s"):
        fetch(URL, tmp_path / "a", max_bytes=100, deadline=-1.0)
    web.length = "101"
    with pytest.raises(FetchError, match="broke off after 100 of 101"):
        fetch(URL, tmp_path / "a", max_bytes=200)
    web.length = None
    seen: list[tuple[int, int | None]] = []
    fetch(URL, tmp_path / "a", max_bytes=100, progress=lambda done, total: seen.append((done, total)))
    assert (seen, sha256(tmp_path / "a")) == ([(100, 100)], hashlib.sha256(b"x" * 100).hexdigest())
