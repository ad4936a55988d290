"""Real videos, written by the test: which frames come, when, and how they look."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from cameras.sources import open_frames
from cameras.video import _upright
from pipeline.errors import SourceError

QUIET_X265 = {"x265-params": "log-level=none"}


@pytest.fixture
def frames_of(one_camera):
    """The frames of a file."""

    def read(path, **keys):
        return list(open_frames(*one_camera(video=path, **keys)))

    return read


def times_ms(frames):
    return [frame.timestamp_us / 1000 for frame in frames]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("plain.mp4", {}),
        ("reordered.mp4", {"b_frames": 2}),
        ("reordered.mkv", {"b_frames": 3}),
        ("reordered.ts", {"b_frames": 2}),
        ("reordered.flv", {"b_frames": 2}),
        ("reordered.avi", {"b_frames": 2}),  # its container has decoding times only
        ("asp.avi", {"codec": "mpeg4", "b_frames": 2}),
        ("asp.mp4", {"codec": "mpeg4"}),
        ("intra.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("mpeg2.mpg", {"codec": "mpeg2video", "b_frames": 2}),
        ("hevc.mp4", {"codec": "libx265", "options": QUIET_X265}),
        ("vp8.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}}),
        ("fragmented.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
        ("faststart.mov", {"container_options": {"movflags": "faststart"}}),
        ("with_sound.mp4", {"sound_seconds": 2}),
        ("longer_sound.mkv", {"sound_seconds": 4}),
    ],
)
def test_every_frame_comes_once_in_order_with_its_time(
    tmp_path, make_video, read_number, frames_of, name, keys
):
    frames = frames_of(make_video(tmp_path / name, 40, **keys))
    assert [frame.index for frame in frames] == list(range(40))
    assert [read_number(frame.image) for frame in frames] == list(range(40))
    assert times_ms(frames) == [40 * k for k in range(40)]
    assert all(frame.camera_id == "north" for frame in frames)
    assert frames[0].image.shape == (96, 128, 3) and frames[0].image.dtype == np.uint8


def test_times_are_presentation_times_not_counts(tmp_path, make_video, read_number, frames_of):
    pts = [0, 10, 50, 51, 400, 433, 1000, 1001, 2500, 2600]
    path = make_video(tmp_path / "vfr.mp4", 10, pts=pts, time_base=Fraction(1, 1000), b_frames=2)
    frames = frames_of(path)
    assert times_ms(frames) == pts
    assert [read_number(frame.image) for frame in frames] == list(range(10))


def test_time_counts_from_the_first_frame(tmp_path, make_video, frames_of):
    pts = [900 + 40 * k for k in range(5)]
    path = make_video(tmp_path / "late.mkv", 5, pts=pts, time_base=Fraction(1, 1000))
    assert times_ms(frames_of(path)) == [0, 40, 80, 120, 160]


def test_times_of_dropped_frames_are_kept_in_avi(tmp_path, make_video, frames_of):
    pts = [*range(10), *range(50, 60)]
    for name, keys in (("h264.avi", {}), ("mjpeg.avi", {"codec": "mjpeg"})):
        keys = keys | {"pixel_format": "yuvj420p" if "mjpeg" in name else "yuv420p"}
        frames = frames_of(make_video(tmp_path / name, 20, pts=pts, **keys))
        assert times_ms(frames) == [40 * k for k in pts]
        assert [frame.index for frame in frames] == list(range(20))


def test_an_elementary_stream_has_its_nominal_times_and_says_so(
    tmp_path, make_video, frames_of, caplog
):
    path = make_video(tmp_path / "raw.h264", 20, b_frames=2, container="h264")
    assert times_ms(frames_of(path)) == [40 * k for k in range(20)]
    assert len(caplog.messages) == 1 and "raw.h264" in caplog.messages[0]


def test_start_offset_and_creation_time(tmp_path, make_video, frames_of, caplog):
    stamped = make_video(
        tmp_path / "stamped.mp4", 3, metadata={"creation_time": "2026-01-05T10:00:00.250000Z"}
    )
    created_us = 1_767_607_200_000_000  # the container keeps whole seconds

    def first_us(**keys):
        return frames_of(stamped, **keys)[0].timestamp_us

    assert first_us(site_start=None) == created_us
    assert first_us(site_start=None, time_offset_ms=-40.5) == created_us - 40_500
    assert first_us(site_start="1970-01-01T00:00:09Z") == 9_000_000
    assert first_us(start="1970-01-01T00:00:07Z", time_offset_ms=1) == 7_001_000
    assert caplog.messages == []
    bare = make_video(tmp_path / "bare.mp4", 3)
    assert frames_of(bare, site_start=None)[0].timestamp_us == 0
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("name", "keys", "expected"),
    [
        ("counted.mp4", {}, 30),
        ("timed.mkv", {}, 30),
        ("counted.avi", {"codec": "mpeg4"}, 30),
        ("transport.ts", {}, None),
        ("raw.h264", {"container": "h264"}, None),
    ],
)
def test_expected_frames_are_what_the_container_says(
    tmp_path, make_video, one_camera, name, keys, expected
):
    path = make_video(tmp_path / name, 30, **keys)
    for rate_hz in (None, 5):
        source = open_frames(*one_camera(video=path, rate_hz=rate_hz))
        assert source.expected_frames == expected
        assert source.camera_id == "north"
        source.close()


# Corners of the stored picture that are shown top left, top right, bottom left, bottom right.
TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (0, 0), (0, 1), (1, 0), (1, 1)
ONE = 1 << 16
DISPLAY_MATRICES = {  # a b c d, and which stored corners stand where when shown
    "upright": ((1, 0, 0, 1), (TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT)),
    # a telephone held upright: turned clockwise when shown, the stored left side comes to the top
    "clockwise": ((0, 1, -1, 0), (BOTTOM_LEFT, TOP_LEFT, BOTTOM_RIGHT, TOP_RIGHT)),
    "upside down": ((-1, 0, 0, -1), (BOTTOM_RIGHT, BOTTOM_LEFT, TOP_RIGHT, TOP_LEFT)),
    "counterclockwise": ((0, -1, 1, 0), (TOP_RIGHT, BOTTOM_RIGHT, TOP_LEFT, BOTTOM_LEFT)),
    "mirrored": ((-1, 0, 0, 1), (TOP_RIGHT, TOP_LEFT, BOTTOM_RIGHT, BOTTOM_LEFT)),
    "upended": ((1, 0, 0, -1), (BOTTOM_LEFT, BOTTOM_RIGHT, TOP_LEFT, TOP_RIGHT)),
    "transposed": ((0, 1, 1, 0), (TOP_LEFT, BOTTOM_LEFT, TOP_RIGHT, BOTTOM_RIGHT)),
}


def corners(image):
    """Mean grey of the four corners, by (bottom, right)."""
    parts = [image[:20, :20], image[:20, -20:], image[-20:, :20], image[-20:, -20:]]
    keys = (TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT)
    return {key: round(part.mean()) for key, part in zip(keys, parts, strict=True)}


@pytest.mark.parametrize("name", DISPLAY_MATRICES)
def test_pictures_are_shown_upright(tmp_path, make_video, frames_of, name):
    (a, b, c, d), shown = DISPLAY_MATRICES[name]
    numbers = [1 << 0, 1 << 3, 1 << 12, 1 << 15]  # bright top left, top right, bottom left, right
    path = make_video(tmp_path / "turned.mp4", numbers)
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # behind version, flags, times, ids, layer and volume
    assert struct.unpack_from(">9i", data, matrix) == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, matrix, *(k * ONE for k in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    path.write_bytes(data)
    frames = frames_of(path)
    size = (96, 128) if a else (128, 96)
    assert all(frame.image.shape == (*size, 3) for frame in frames)
    assert all(frame.image.flags.c_contiguous for frame in frames)
    stored = (TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT)
    for corner, frame in zip(stored, frames, strict=True):
        grey = corners(frame.image)
        brightest = max(grey, key=grey.get)
        assert shown[stored.index(brightest)] == corner


def test_rotation_agrees_with_libav(tmp_path, make_video):
    """libav tells the same matrix as an angle, counterclockwise: turn by it with NumPy."""
    path = tmp_path / "angle.mp4"
    for degrees in (90, 180, -90):
        with (
            av.open(str(make_video(tmp_path / "flat.mp4", 1))) as flat,
            av.open(str(path), "w") as turned,
        ):
            stream = turned.add_stream_from_template(flat.streams.video[0])
            stream.set_display_rotation(degrees)
            for packet in flat.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    turned.mux(packet)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            stored = frame.to_ndarray(format="bgr24")
            assert abs(frame.rotation) == abs(degrees)
            expected = np.rot90(stored, frame.rotation // 90)
            np.testing.assert_array_equal(_upright(frame), expected)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "color_range", "options"),
    [
        ("libx264", "yuv420p", 1, {}),
        ("libx264", "yuv420p", 2, {}),
        ("libx264", "yuvj420p", 2, {}),
        ("libx264", "yuv422p10le", 1, {}),
        ("libx264", "yuv420p10le", 2, {}),
        ("libx265", "yuv420p10le", 1, QUIET_X265),
        ("libx265", "yuv420p10le", 2, QUIET_X265),
        ("libx264", "yuv444p", 1, {}),
        ("libx264", "gray", 2, {}),
    ],
)
def test_black_is_black_and_white_is_white(
    tmp_path, frames_of, codec, pixel_format, color_range, options
):
    path = tmp_path / "range.ts"  # MP4 sometimes refuses the headers of 10-bit x265
    steps = np.repeat(np.array([0, 85, 170, 255], np.uint8), 16)  # four grey bars
    image = np.broadcast_to(steps[None, :, None], (64, 64, 3)).copy()
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixel_format
        stream.codec_context.color_range = color_range
        stream.codec_context.options = options | {"crf": "1"}
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame = frame.reformat(format=pixel_format, dst_color_range=color_range)
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    (frame,) = frames_of(path)
    greys = frame.image[32, 8::16].mean(axis=1)
    np.testing.assert_allclose(greys, [0, 85, 170, 255], atol=4)


def test_a_change_of_resolution_changes_the_frames(tmp_path, make_video, read_number, frames_of):
    small = make_video(tmp_path / "small.ts", 25, b_frames=2)
    large = make_video(
        tmp_path / "large.ts", range(25, 50), size=(256, 192), pts=range(30, 55), b_frames=2
    )
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    for rate_hz, step in ((None, 1), (5, 5)):
        frames = frames_of(joined, rate_hz=rate_hz)
        numbers = [read_number(frame.image) for frame in frames]
        assert numbers == [frame.index for frame in frames]
        assert len(numbers) == pytest.approx(50 / step, abs=1)
        heights = [frame.image.shape[0] for frame in frames]
        assert heights == [96 if number < 25 else 192 for number in numbers]


def test_joined_recordings_whose_clock_starts_anew_go_on(
    tmp_path, make_video, read_number, frames_of
):
    parts = [make_video(tmp_path / f"{k}.ts", range(50 * k, 50 * k + 50)) for k in range(2)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = frames_of(joined)
    assert [read_number(frame.image) for frame in frames] == list(range(100))
    assert times_ms(frames) == [40 * k for k in range(100)]
    assert [f.index for f in frames_of(joined, rate_hz=5)] == list(range(0, 100, 5))


def test_a_stream_that_begins_within_an_open_group_starts_at_its_key_frame(
    tmp_path, make_video, read_number, frames_of
):
    for codec, options in (
        ("libx264", {"x264-params": "open-gop=1:scenecut=0"}),
        ("libx265", {"x265-params": "open-gop=1:scenecut=0:log-level=none"}),
    ):
        whole = make_video(tmp_path / "whole.mkv", 60, codec=codec, b_frames=3, options=options)
        cut = tmp_path / "cut.mkv"
        with av.open(str(whole)) as source, av.open(str(cut), "w") as output:
            stream = output.add_stream_from_template(source.streams.video[0])
            packets = [packet for packet in source.demux(video=0) if packet.size]
            keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
            key = packets[keys[2]]
            assert packets[keys[2] + 1].pts < key.pts  # open: shown before its key frame
            for packet in packets[keys[2] - 3 :]:  # and some packets before any key frame
                packet.stream = stream
                output.mux(packet)
        frames = frames_of(cut)
        first = read_number(frames[0].image)
        assert first == round(key.pts * key.time_base * 25)
        assert [read_number(f.image) for f in frames] == list(range(first, 60))
        assert [f.index for f in frames] == list(range(60 - first))
        assert times_ms(frames) == [40 * k for k in range(60 - first)]
        sampled = frames_of(cut, rate_hz=5)
        assert [f.index for f in sampled] == list(range(0, 60 - first, 5))


@pytest.mark.parametrize("rate_hz", [None, 5])
def test_what_stands_before_the_first_key_frame_is_left_out(
    tmp_path, make_video, read_number, frames_of, rate_hz
):
    # this codec would decode pictures without what they refer to
    whole = make_video(tmp_path / "whole.mp4", 60, codec="mpeg4")
    cut = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets[5:]:
            packet.stream = stream
            output.mux(packet)
    frames = frames_of(cut, rate_hz=rate_hz)
    assert [read_number(f.image) for f in frames] == list(range(12, 60, 5 if rate_hz else 1))
    assert [f.index for f in frames] == list(range(0, 48, 5 if rate_hz else 1))


def write_streams(path, streams):
    """A file of several video streams: (size, picture shown, disposition)."""
    with av.open(str(path), "w") as output:
        encoders = []
        for size, _, disposition in streams:
            stream = output.add_stream("mjpeg", rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p"
            stream.disposition = disposition
            encoders.append(stream)
        for stream, (_, image, _) in zip(encoders, streams, strict=True):
            for pts in range(3):
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts = pts
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))


def test_the_best_stream_is_taken(tmp_path, number_picture, read_number, frames_of):
    small, large = (128, 96), (256, 192)
    plain, default = Disposition(0), Disposition.default
    for number, (streams, expected) in enumerate(
        [
            ([(small, plain), (large, plain)], 1),  # the largest
            ([(large, plain), (small, plain)], 0),
            ([(small, default), (large, plain)], 0),  # the default one even if smaller
            ([(small, plain), (small, plain)], 0),  # the first of equals
        ]
    ):
        path = tmp_path / f"{number}.mkv"
        numbered = [(s, number_picture(k, s), d) for k, (s, d) in enumerate(streams)]
        write_streams(path, numbered)
        assert {read_number(frame.image) for frame in frames_of(path)} == {expected}


def test_a_cover_picture_is_no_video(tmp_path, make_video, number_picture, frames_of):
    plain = make_video(tmp_path / "plain.mp4", 5)
    path = tmp_path / "cover.mp4"

    def add_cover(output):
        cover = output.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 512, 384, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(number_picture(999, (512, 384)), format="bgr24")
        frame.pts = 0
        return [*cover.encode(frame), *cover.encode(None)]

    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        covers = add_cover(output)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
        output.mux(covers)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    assert [frame.image.shape for frame in frames_of(path)] == [(96, 128, 3)] * 5
    only = tmp_path / "only_cover.mp3"
    with av.open(str(only), "w") as output:
        sound = output.add_stream("mp3", rate=48000)
        covers = add_cover(output)
        samples = av.AudioFrame.from_ndarray(
            np.zeros((2, 4 * 1152), np.float32), format="fltp", layout="stereo"
        )
        samples.sample_rate = 48000
        output.mux(covers)
        output.mux(sound.encode(samples))
        output.mux(sound.encode(None))
    with pytest.raises(SourceError, match=r"only_cover\.mp3: expected a video, got only audio"):
        frames_of(only)


def test_a_source_is_read_once_and_can_be_closed(tmp_path, make_video, one_camera):
    path = make_video(tmp_path / "north.mp4", 10)
    source = open_frames(*one_camera(video=path))
    assert [frame.index for frame, _ in zip(source, range(4), strict=False)] == [0, 1, 2, 3]
    assert next(iter(source)).index == 5  # zip took one more; iterating goes on where it stopped
    source.close()
    source.close()
    assert list(source) == []
    unread = open_frames(*one_camera(video=path))
    unread.close()
    assert list(unread) == []


def test_the_same_file_gives_the_same_frames(tmp_path, make_video, frames_of):
    options = {"x264-params": "sliced-threads=1:slices=4"}
    path = make_video(tmp_path / "north.mp4", 50, b_frames=2, size=(256, 192), options=options)
    first, second = ([frame.image.tobytes() for frame in frames_of(path)] for _ in range(2))
    assert first == second
