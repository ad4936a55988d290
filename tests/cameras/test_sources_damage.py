"""What is missing, wrong, damaged or cut off is told in one line, after all that could be read."""

import random
import re
from fractions import Fraction

import av
import numpy as np
import pytest

from cameras.packets import PacketReader
from cameras.sources import open_frames
from pipeline.config import load_site
from pipeline.errors import SourceError

FASTSTART = {"movflags": "faststart"}


@pytest.fixture
def read(one_camera):
    """The frames of a file, and the error that ended it ("" for none)."""

    def frames_and_error(path, **keys):
        frames, error = [], ""
        try:
            frames.extend(iter_frames(open_frames(*one_camera(video=path, **keys)), frames))
        except SourceError as reason:
            error = str(reason)
        assert "\n" not in error
        return frames, error

    def iter_frames(source, frames):
        for frame in source:
            frames.append(frame)
        return []

    return frames_and_error


def open_error(one_camera, path):
    with pytest.raises(SourceError) as error:
        open_frames(*one_camera(video=path))
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nothing.mp4", None, "expected a video file or a folder of images, found nothing"),
        ("empty.mp4", b"", "expected a video, got an empty file"),
        ("text.mp4", b"Dear reader,\n" * 200, "expected a video, got something else"),
        ("noise.mkv", random.Random(0).randbytes(20_000), "expected a video, got something else"),
    ],
)
def test_what_is_no_video(tmp_path, one_camera, name, content, expected):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert open_error(one_camera, path).startswith(f"{path}: {expected}")


def test_a_file_that_may_not_be_read(tmp_path, one_camera, monkeypatch):
    path = tmp_path / "locked.mp4"
    path.write_bytes(b"x")

    def refuse(*arguments, **keys):
        raise av.error.PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("cameras.video.av.open", refuse)  # the tests may run as root
    assert open_error(one_camera, path) == f"{path}: cannot be read: Permission denied"


def test_sound_alone_is_no_video(tmp_path, one_camera):
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((2, 4096), np.float32), format="fltp", layout="stereo"
        )
        silence.sample_rate = 48000
        output.mux(stream.encode(silence))
        output.mux(stream.encode(None))
    assert open_error(one_camera, path) == f"{path}: expected a video, got only audio"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/live?token=abc", "rtsp://10.0.0.5:554/live"),
        ("https://user:secret@host/north.mp4", "https://host/north.mp4"),
        ("rtsps://host/live", "rtsps://host/live"),
        ("srt://user:secret@host:9000/north", "srt://host:9000/north"),
    ],
)
def test_urls_are_not_supported_yet_and_credentials_not_shown(tmp_path, one_camera, url, shown):
    path = tmp_path / "site.yaml"
    path.write_text(f"site: plaza\ncameras: [{{id: north, video: '{url}'}}]\n")
    site = load_site(path)
    for camera, of_site in (one_camera(video=url), (site.cameras[0], site)):
        with pytest.raises(SourceError, match="a live camera cannot be read again") as error:
            open_frames(camera, of_site)
        assert str(error.value).startswith(f"{shown}: ")
        assert "secret" not in str(error.value) and "abc" not in str(error.value)


CUT = [
    ("cut.mp4", {"container_options": FASTSTART, "b_frames": 2}),
    ("cut.mov", {"container_options": FASTSTART, "codec": "mpeg4"}),
    ("cut.mkv", {"b_frames": 2}),
    ("cut.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}}),
    ("cut.avi", {"codec": "mpeg4"}),
    ("cut_mjpeg.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    ("cut.flv", {}),
    ("cut_with_sound.mkv", {"sound_seconds": 6}),
]


@pytest.mark.parametrize(("name", "keys"), CUT)
@pytest.mark.parametrize("share", [0.5, 0.6, 0.9])
def test_a_file_cut_off_gives_what_it_holds_and_then_says_so(
    tmp_path, make_video, read_number, read, name, keys, share
):
    path = make_video(tmp_path / name, 100, **keys)
    whole, error = read(path)
    assert (len(whole), error) == (100, "")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    frames, error = read(path)
    count = len(frames)
    assert 10 <= count < 100
    assert [read_number(frame.image) for frame in frames] == list(range(count))
    assert [frame.index for frame in frames] == list(range(count))
    assert error.startswith(f"{path}: ")
    read_up_to = re.search(r"could read (\d+) of 100 frames, up to ([0-9.]+) s$", error)
    assert read_up_to, error
    assert int(read_up_to[1]) == count
    assert float(read_up_to[2]) == pytest.approx((count - 1) / 25)
    sampled, sampled_error = read(path, rate_hz=5)
    assert [frame.index for frame in sampled] == list(range(0, count, 5))
    assert sampled_error == error


@pytest.mark.parametrize(
    ("name", "header", "keys"),
    [
        ("cut.mp4", 0, {"container_options": FASTSTART}),
        ("cut.avi", 8, {"codec": "mpeg4"}),
        ("cut.flv", 16, {}),
    ],
)
def test_every_whole_picture_before_the_cut_is_delivered(
    tmp_path, make_video, read, name, header, keys
):
    path = make_video(tmp_path / name, 60, **keys)
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = path.read_bytes()
    for number in (1, 13, 14, 40, 59):
        begin = data.index(packets[number])
        for end in (begin - header, begin, begin + len(packets[number]) - 1):
            path.write_bytes(data[:end])
            frames, error = read(path)
            assert len(frames) == number
            few = number >= 58  # a header may be a frame or two wrong
            assert f"could read {number} of 60 frames" in error or (few and not error)


def test_a_video_without_its_index_names_both_possibilities(tmp_path, make_video, one_camera):
    path = make_video(tmp_path / "north.mp4", 50)
    path.write_bytes(path.read_bytes()[:3000])
    assert "cut off before its index" in open_error(one_camera, path)


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_damage_ends_the_video_after_the_frames_before_it(
    tmp_path, make_video, read_number, read, container
):
    path = make_video(tmp_path / f"north.{container}", 100, b_frames=2)
    with av.open(str(path)) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
    victim = next(p for p in packets[50:] if p.is_keyframe)
    data = bytearray(path.read_bytes())
    start = victim.pos + 376 if container == "ts" else data.index(bytes(victim)[:40])
    data[start : start + 300] = random.Random(1).randbytes(300)
    path.write_bytes(data)
    frames, error = read(path)
    assert len(frames) == sum(packet.pts < victim.pts for packet in packets)
    assert [read_number(f.image) for f in frames] == [f.index for f in frames]
    assert [f.index for f in frames] == list(range(len(frames)))
    assert error.startswith(f"{path}: damaged")
    assert f"could read {len(frames)}" in error


def test_a_video_without_a_frame_that_can_be_decoded(tmp_path, make_video, read):
    path = make_video(tmp_path / "north.mkv", 5)
    with av.open(str(path)) as source, av.open(str(tmp_path / "late.mkv"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size and not packet.is_keyframe:  # references without what they refer to
                packet.stream = stream
                output.mux(packet)
    frames, error = read(tmp_path / "late.mkv")
    assert frames == []
    assert error == f"{tmp_path / 'late.mkv'}: expected a video, got no frame that can be decoded"


# Sound files whose headers are a little wrong, or tell less than one might think.
GOOD = [
    ("vfr.mp4", {"pts": [*range(0, 400, 10), 3000], "time_base": Fraction(1, 1000)}),
    ("vfr.mkv", {"pts": [*range(0, 400, 10), 3000], "time_base": Fraction(1, 1000)}),
    ("late.mkv", {"pts": range(5000, 6640, 40), "time_base": Fraction(1, 1000)}),
    ("late.mp4", {"pts": range(5000, 6640, 40), "time_base": Fraction(1, 1000), "b_frames": 2}),
    ("one_in_five_seconds.mkv", {"pts": range(0, 205, 5), "time_base": Fraction(1, 1)}),
    ("longer_sound.mp4", {"sound_seconds": 5}),
    ("longer_sound.mkv", {"sound_seconds": 5}),
    ("longer_sound.flv", {"sound_seconds": 5, "codec": "flv1"}),
    ("fragmented.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    ("gaps.avi", {"codec": "mpeg4", "pts": [*range(30), *range(70, 81)]}),
]


@pytest.mark.parametrize(("name", "keys"), GOOD)
def test_good_files_do_not_fail(tmp_path, make_video, read, name, keys):
    path = make_video(tmp_path / name, 41, **keys)
    frames, error = read(path)
    assert (len(frames), error) == (41, "")


def test_a_header_may_count_two_frames_wrong(tmp_path, make_video, read):
    path = make_video(tmp_path / "north.avi", 50, codec="mpeg4")
    data = bytearray(path.read_bytes())
    for announced, is_good in ((48, True), (51, True), (52, True), (60, False), (500, False)):
        for chunk, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
            at = data.index(chunk) + offset
            data[at : at + 4] = announced.to_bytes(4, "little")
        path.write_bytes(data)
        frames, error = read(path)
        assert len(frames) == 50
        assert (error == "") == is_good, (announced, error)


@pytest.mark.parametrize(("name", "is_good"), [("counted.mp4", True), ("timed.mkv", False)])
def test_all_counted_frames_are_enough(tmp_path, make_video, read, monkeypatch, name, is_good):
    monkeypatch.setattr(PacketReader, "_length", lambda reader: Fraction(9))  # a wrong header
    frames, error = read(make_video(tmp_path / name, 50))
    assert len(frames) == 50
    assert ("cut off" in error) != is_good
