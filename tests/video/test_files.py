from __future__ import annotations

import itertools
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from personvlm.base.errors import InputError
from personvlm.video.files import VideoFile
from personvlm.video.frame import Frame
from personvlm.video.sources import camera_names, open_sources


def test_every_frame_in_order_with_the_container_s_times(make_video) -> None:
    path = make_video(frames=30, metadata={"creation_time": "2024-05-01T10:00:00Z"})
    source = VideoFile(path, "hall")
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(30))
    assert source.rate == 10
    np.testing.assert_allclose([frame.time for frame in frames], 1714557600 + np.arange(30) / 10, atol=1e-4)
    assert {frame.camera for frame in frames} == {"hall"}
    for frame in frames:
        assert frame.image.shape == (120, 160, 3)
        assert abs(float(np.median(frame.image)) - 4 * frame.index) < 4


def test_pixels_are_rgb(tmp_path: Path) -> None:
    import av

    path = tmp_path / "red.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        red = np.zeros((64, 64, 3), np.uint8)
        red[..., 0] = 220
        container.mux([*stream.encode(av.VideoFrame.from_ndarray(red, format="rgb24")), *stream.encode()])
    image = next(VideoFile(path, "c").frames()).image
    assert image[..., 0].mean() > 200
    assert image[..., 1:].mean() < 40


def test_without_a_creation_time_the_file_s_date_is_the_end(make_video) -> None:
    path = make_video("clip.mkv")
    os.utime(path, (1_600_000_100, 1_600_000_100))
    assert next(VideoFile(path, "c").frames()).time == pytest.approx(1_600_000_097, abs=0.01)
    assert next(VideoFile(path, "c", start=5.0).frames()).time == 5.0


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mjpeg")])
def test_a_file_that_ends_mid_frame_gives_what_it_has_and_says_so(make_video, name: str, codec: str) -> None:
    options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = make_video(name, frames=60, codec=codec, options=options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    frames: list[Frame] = []
    with pytest.raises(InputError, match=r"breaks off after \d+ frames, \d\.\d s of \d\.\d s; those were used"):
        frames.extend(VideoFile(path, "c").frames())
    assert 20 < len(frames) < 60


def test_damage_inside_is_skipped_and_reported(make_video) -> None:
    path = make_video("a.mkv", frames=60)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(data)
    notes: list[str] = []
    frames = list(VideoFile(path, "c", report=notes.append).frames())
    assert 40 < len(frames) <= 60
    assert all(later.time > earlier.time for earlier, later in itertools.pairwise(frames))
    assert len(notes) == (len(frames) < 60)


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(VideoFile(path, "c").frames())
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_no_video_is_refused(tmp_path: Path, make_video) -> None:
    assert "no such file" in refused(tmp_path / "nothing.mp4")
    empty, text, playlist = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "list.m3u8"
    empty.touch()
    text.write_text("hello\n" * 100)
    playlist.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n")
    assert "0 bytes" in refused(empty)
    assert "not a video" in refused(text)
    assert "not a video" in refused(playlist)  # and nothing was fetched: see PROTOCOLS
    cut = make_video("cut.mp4", frames=60)
    cut.write_bytes(cut.read_bytes()[:20_000])
    assert "cut off" in refused(cut)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in refused(tmp_path / "pipe.mp4")


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    import wave

    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    assert "holds no pictures" in refused(path)


def test_closing_ends_the_frames(make_video) -> None:
    source = VideoFile(make_video(frames=30), "c")
    seen = 0
    for _ in source.frames():
        seen += 1
        if seen == 3:
            source.close()
    assert seen == 3


def test_a_name_that_looks_like_a_protocol_is_a_file(make_video, monkeypatch, tmp_path: Path) -> None:
    path = make_video()
    path.rename(tmp_path / "concat:a.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list(open_sources("concat:a.mp4", "c")[0].frames())) == 30


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(InputError, match="no camera answers to gopher"):
        open_sources("gopher://a/b", "c")


def test_camera_names_are_short_and_unique() -> None:
    texts = ["/a/gate.mp4", "/b/gate.mp4", "rtsp://user:secret@10.0.0.7:554/live", "hall/"]
    assert camera_names(texts) == ["gate", "gate-2", "10.0.0.7:554", "hall"]


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_pictures_stand_upright_as_the_container_says(make_video, matrix: tuple[int, ...], turns: int) -> None:
    """The matrix of an MP4's track header (ISO 14496-12, 8.3.2) turns column vectors: x' = ax + cy, y' = bx + dy."""
    path = make_video(frames=2)
    plain = next(VideoFile(path, "c").frames()).image
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    rows = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    data[place : place + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in rows)
    path.write_bytes(data)
    np.testing.assert_array_equal(next(VideoFile(path, "c").frames()).image, np.rot90(plain, turns))


def made(path: Path, times: list[float], last: float) -> Path:
    """Frames at ``times``; the last is shown for ``last`` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.codec_context.max_b_frames = 0  # the last packet is the last picture
        packets = []
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.zeros((120, 160, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        packets[-1].duration = round(last / packets[-1].time_base)
        for packet in packets:
            container.mux(packet)
    return path


@pytest.mark.parametrize(("name", "first", "last"), [("still.mp4", 0.0, 5.0), ("part-2.mkv", 3600.0, 0.1)])
def test_a_file_is_whole_whose_last_picture_stays_or_whose_clock_goes_on(tmp_path: Path, name: str, first: float,
                                                                         last: float) -> None:
    """A camera that sends nothing where nothing moves; a recording in parts."""
    path = made(tmp_path / name, [first + step / 10 for step in range(20)], last)
    assert len(list(VideoFile(path, "c").frames())) == 20


def test_what_nothing_here_decodes_is_refused(make_video, tmp_path: Path) -> None:
    path = make_video()
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))
    assert "coded in a way that this FFmpeg does not know; export it as H.264" in refused(path)


def test_what_the_system_refuses_is_a_fault_of_the_input() -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        open_sources("a" * 300 + ".mp4", "c")
