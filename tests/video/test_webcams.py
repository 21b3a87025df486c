"""Webcams as far as one gets without one: everything up to PyAV's opening of a device, and from there on a container
that PyAV made of a file."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from personvlm.base.errors import InputError
from personvlm.video import webcams
from personvlm.video.container import Damage, decoded
from personvlm.video.feed import Feed
from personvlm.video.frame import Frame
from personvlm.video.sources import camera_names, open_sources
from personvlm.video.streams import Patience
from personvlm.video.webcams import Webcam, is_webcam

QUICK = Patience(silence=1.0, first_wait=0.01, longest_wait=0.05)
Asked = list[tuple[str, str | None, dict[str, str]]]


@pytest.fixture
def plugged(make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Asked:
    """PyAV opens a file wherever it is asked for a device; what it was asked for."""
    clip, asked, original = make_video(frames=25), list[Any](), av.open

    def opened(url: str, mode: str = "r", *, format: str | None = None, options: Any = None, **more: Any) -> Any:
        asked.append((url, format, {key: value for key, value in options.items() if key != "protocol_whitelist"}))
        return original(str(clip))

    monkeypatch.setattr("personvlm.video.container.av.open", opened)
    monkeypatch.setattr("pathlib.Path.exists", lambda path: str(path) in ("/dev/video0", "/dev/video2"))
    return asked


def collect(source: Any, enough: int) -> list[Frame]:
    frames: list[Frame] = []
    for frame in source.frames():
        frames.append(frame)
        if len(frames) == enough:
            source.close()
    return frames


@pytest.mark.parametrize(("text", "device", "options"), [
    ("webcam:0", "/dev/video0", {}), ("0", "/dev/video0", {}), ("/dev/video2", "/dev/video2", {}),
    ("webcam:/dev/video2", "/dev/video2", {}),
    ("webcam:2,size=640x480,rate=15", "/dev/video2", {"video_size": "640x480", "framerate": "15"}),
])
def test_a_device_is_opened_as_one(plugged: Asked, monkeypatch: pytest.MonkeyPatch, text: str, device: str,
                                   options: dict[str, str]) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    (source,) = open_sources(text, "door")
    frames = collect(source, 5)
    assert plugged == [(device, "v4l2", options)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].image.shape == (120, 160, 3)
    assert source.live
    assert source.rate == pytest.approx(10)


@pytest.mark.parametrize(("system", "text", "asked"), [
    ("darwin", "webcam:1", ("1:none", "avfoundation", {"framerate": "30"})),
    ("darwin", "webcam:FaceTime HD Camera,rate=15", ("FaceTime HD Camera:none", "avfoundation", {"framerate": "15"})),
    ("win32", "webcam:Integrated Camera", ("video=Integrated Camera", "dshow", {})),
])
def test_other_systems_name_devices_otherwise(plugged: Asked, monkeypatch: pytest.MonkeyPatch, system: str, text: str,
                                              asked: Any) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(webcams, "_formats", lambda: {"v4l2"})
    with pytest.raises(InputError, match=f"{text}: this PyAV was built without {asked[1]}"):
        collect(Webcam(text, "door"), 1)
    monkeypatch.setattr(webcams, "_formats", lambda: {asked[1]})
    collect(Webcam(text, "door"), 1)
    assert plugged == [asked]


def test_a_webcam_that_was_unplugged_is_opened_again(plugged: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip has an announced end; of a device the end of its frames is a fault, however it looks."""
    notes: list[str] = []
    source = Webcam("webcam:0", "door", patience=QUICK, report=notes.append)
    frames = collect(source, 60)
    assert len(plugged) == 3
    assert [frame.index for frame in frames] == list(range(60))
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))
    assert sum("connecting again" in note for note in notes) == 2
    assert notes[-1] == "door: connected again"


def test_a_device_that_has_no_frame_yet_is_asked_again(make_video: Callable[..., Path],
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """AVFoundation's way to give frames."""

        def __init__(self, container: Any) -> None:
            self.container, self.packets = container, container.demux(video=0)
            self.asked = 0

        def demux(self, stream: Any) -> Any:
            self.asked += 1
            if self.asked % 2:
                raise av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            yield from itertools.islice(self.packets, 5)
            if self.asked < 12:
                raise av.error.BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with av.open(str(make_video(frames=20))) as container:
        damage, slow = Damage(), Slow(container)
        frames = list(decoded(slow, container.streams.video[0], damage))  # type: ignore[arg-type]
    assert len(frames) == 20
    assert slow.asked == 12
    assert damage.why is None
    monkeypatch.setattr("personvlm.video.container._NOTHING_YET", 0.02)
    with av.open(str(make_video(frames=20))) as container:
        silent = Slow(container)
        silent.packets = itertools.repeat(0, 0)
        monkeypatch.setattr(silent, "demux", lambda stream: Slow(container).demux(stream))
        assert list(decoded(silent, container.streams.video[0], damage)) == []  # type: ignore[arg-type]
    assert damage.why == "Resource temporarily unavailable"


def test_of_a_webcam_only_the_latest_frame_is_held(plugged: Asked) -> None:
    feed = Feed(Webcam("webcam:0", "door", patience=Patience(first_wait=30.0)))
    while feed.read < 25:
        feed._thread.join(0.01)
    frame = feed.take()
    assert frame is not None
    assert (frame.index, feed.dropped) == (24, 24)
    feed.close()


def test_a_missing_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for text in ("webcam:77", "77", "/dev/video77"):
        with pytest.raises(InputError, match=r"there is no /dev/video77; (no camera is|there (is|are) /dev)"):
            open_sources(text, "door")
    with pytest.raises(InputError, match="which webcam"):
        open_sources("webcam:", "door")
    with pytest.raises(InputError, match="'colour=red' says nothing about a webcam; size="):
        open_sources("webcam:0,colour=red", "door")
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(InputError, match="webcam:NAME"):
        open_sources("webcam:0", "door")


@pytest.mark.skipif("v4l2" not in webcams._formats() or not Path("/dev/null").is_char_device(), reason="needs V4L2")
def test_a_device_that_is_no_camera_is_refused_by_v4l2_itself() -> None:
    feed = Feed(open_sources("/dev/null", "door")[0])
    feed._thread.join(10)
    assert feed.state == "failed"
    assert "/dev/null: Inappropriate ioctl for device; this is no camera" in str(feed.error)


@pytest.mark.parametrize(("error", "mend"), [
    (av.error.PermissionError(errno.EACCES, "Permission denied"), "usermod -aG video"),
    (av.error.OSError(errno.EBUSY, "Device or resource busy"), "close the other program"),
])
def test_what_is_refused_at_first_contact_names_the_mend(plugged: Asked, monkeypatch: pytest.MonkeyPatch,
                                                         error: Exception, mend: str) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("personvlm.video.container.av.open", refuse)
    with pytest.raises(InputError, match=mend):
        collect(Webcam("webcam:0", "door", patience=QUICK), 1)


def test_a_file_that_is_called_like_a_number_is_a_file(make_video: Callable[..., Path], tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    make_video("7.mp4").rename(tmp_path / "7")
    monkeypatch.chdir(tmp_path)
    assert not is_webcam("7")
    assert not open_sources("7", "c")[0].live
    assert is_webcam("8")
    assert not is_webcam("clip.mp4")


def test_names_of_webcams() -> None:
    names = camera_names(["webcam:0", "webcam:0,rate=5", "webcam:Integrated Camera", "88", "/dev/video3"])
    assert names == ["webcam-0", "webcam-0-2", "webcam-Integrated-Camera", "webcam-88", "video3"]
