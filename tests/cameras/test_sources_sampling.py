"""Sampling decodes only what it needs, and delivers what decoding everything would."""

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cameras.clock import SamplingGrid
from cameras.decoding import LONGEST_GROUP, DamagedVideoError, PictureDecoder
from cameras.sources import open_frames
from cameras.timeline import Timeline

OPEN_H264 = {"x264-params": "open-gop=1:scenecut=0:b-pyramid=2"}
OPEN_HEVC = {"x265-params": "open-gop=1:scenecut=0:log-level=none"}
REFRESH = {"x264-params": "intra-refresh=1:keyint=20"}

# name: how the video is made, and whether pictures can be skipped in it
VIDEOS = {
    "plain.mp4": ({"gop": 12}, True),
    "reordered.mp4": ({"gop": 12, "b_frames": 2}, True),
    "long.mkv": ({"gop": 50, "b_frames": 3}, True),
    "ragged.mp4": ({"gop": 17, "b_frames": 3}, True),
    "intra.mp4": ({"gop": 1}, True),
    "intra.avi": ({"codec": "mjpeg", "pixel_format": "yuvj420p"}, True),
    "open.mp4": ({"gop": 12, "b_frames": 3, "options": OPEN_H264}, True),
    "open.mkv": ({"gop": 9, "b_frames": 3, "options": OPEN_H264}, True),
    "open_hevc.mp4": ({"codec": "libx265", "gop": 12, "b_frames": 3, "options": OPEN_HEVC}, True),
    "open.mpg": ({"codec": "mpeg2video", "gop": 12, "b_frames": 2}, True),
    "transport.ts": ({"gop": 12, "b_frames": 2}, True),
    "vp9.webm": ({"codec": "libvpx-vp9", "gop": 12, "options": {"deadline": "realtime"}}, True),
    # one group only: nothing can be left out
    "one.mp4": ({"gop": 1000, "b_frames": 2}, False),
    # key frames at which decoding cannot begin
    "refresh.ts": ({"options": REFRESH}, False),
    # no presentation times
    "reordered.avi": ({"gop": 12, "b_frames": 2}, False),
    "raw.h264": ({"gop": 12, "b_frames": 2, "container": "h264"}, False),
}


class CountingDecoder:
    """A real decoder that counts the packets it is given."""

    def __init__(self, decoder):
        self.decoder = decoder
        self.decoded = 0

    def decode(self, packet):
        self.decoded += packet is not None
        return self.decoder.decode(packet)

    def flush_buffers(self):
        self.decoder.flush_buffers()


def naive_frames(path):
    """(time in us, pixels) of all frames, by plain PyAV, for files with good times."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    first = frames[0].pts
    times = [round((frame.pts - first) * frame.time_base * 10**6) for frame in frames]
    return times, [frame.to_ndarray(format="bgr24") for frame in frames]


def naive_sample(times, rate_hz):
    """Numbers of the frames that are first at or after each grid point."""
    step = Fraction(10**6) / Fraction(str(rate_hz))
    points = [k * step for k in range(int((times[-1] + 500) / step) + 1)]
    return sorted({next(n for n, t in enumerate(times) if t + 500 >= p) for p in points})


def pictures(path, rate_hz, method):
    """What `PictureDecoder` gives, and how many packets it decoded."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = (packet for packet in container.demux(stream) if packet.size)
        decoder = CountingDecoder(stream.codec_context)
        time_base = stream.time_base
        line = Timeline(0, time_base, Fraction(1, 25) / time_base, SamplingGrid(rate_hz))
        is_avi = container.format.name == "avi"
        reordered = not stream.codec_context.codec.intra_only
        source = PictureDecoder(decoder, line, has_pts=not (is_avi and reordered))
        run = source.every(packets) if method == "every" else source.sampled(packets, Fraction(999))
        got = [(p.place, p.frame.to_ndarray(format="bgr24").tobytes()) for p in run]
    return got, decoder.decoded


@pytest.fixture(scope="module")
def video(make_video, tmp_path_factory):
    """The videos of the table, each made once."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name):
        path = folder / name
        return path if path.exists() else make_video(path, 120, **VIDEOS[name][0])

    return make


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("rate_hz", [0.4, 1, 5, 12.5])
def test_sampling_equals_decoding_everything(video, name, rate_hz):
    path = video(name)
    expected, all_packets = pictures(path, rate_hz, "every")
    got, _ = pictures(path, rate_hz, "sampled")
    assert [place.index for place, _ in got] == [place.index for place, _ in expected]
    assert got == expected
    assert all_packets == 120
    wanted = naive_sample([40_000 * k for k in range(120)], rate_hz)
    assert [place.index for place, _ in got] == wanted


@pytest.mark.parametrize("name", VIDEOS)
def test_only_the_needed_packets_are_decoded(video, name):
    keys, can_skip = VIDEOS[name]
    _, decoded = pictures(video(name), 0.4, "sampled")  # pictures 0 and 63 of 120
    gop = keys.get("gop", 1) if "mjpeg" not in keys.values() else 1
    if can_skip:
        # the trial: the first group and the opening of the second twice; then the first picture,
        # and at most a group (two where it is open) for the second
        assert decoded <= gop + 16 + 1 + 2 * gop
    else:
        assert decoded >= 120


def test_pictures_after_the_last_wanted_of_a_group_are_not_decoded(video):
    _, decoded = pictures(video("plain.mp4"), 25 / 12, "sampled")  # the key frames only
    assert decoded == (12 + 8 + 8) + 10
    _, decoded = pictures(video("intra.mp4"), 1, "sampled")  # 0, 25, 50, 75, 100
    assert decoded == (1 + 1 + 1) + 5


def test_open_sources_skip_too(video, one_camera, monkeypatch):
    counted = []

    class Spy(PictureDecoder):
        def __init__(self, decoder, timeline, **keys):
            counted.append(CountingDecoder(decoder))
            super().__init__(counted[-1], timeline, **keys)

    monkeypatch.setattr("cameras.video.PictureDecoder", Spy)
    for rate_hz, most in ((1, 90), (12.5, 120), (None, 120)):
        list(open_frames(*one_camera(video=video("plain.mp4"), rate_hz=rate_hz)))
        assert counted[-1].decoded <= most


@pytest.mark.parametrize("name", ["reordered.mp4", "open.mkv", "open_hevc.mp4", "long.mkv"])
@pytest.mark.parametrize("rate_hz", [1, 3, 7, 40])
def test_sources_equal_plain_decoding_and_filtering(video, one_camera, name, rate_hz):
    times, images = naive_frames(video(name))
    frames = list(open_frames(*one_camera(video=video(name), rate_hz=rate_hz)))
    wanted = naive_sample(times, rate_hz)
    assert [frame.index for frame in frames] == wanted
    assert [frame.timestamp_us for frame in frames] == [times[k] for k in wanted]
    for frame in frames:
        np.testing.assert_array_equal(frame.image, images[frame.index])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    gaps=st.lists(st.integers(1, 300), min_size=30, max_size=60),
    gop=st.integers(1, 20),
    b_frames=st.integers(0, 3),
    is_open=st.booleans(),
    rate_hz=st.sampled_from([0.5, 1, 2.5, 5, 12.5]),
)
def test_with_any_frame_distances(
    tmp_path_factory, make_video, gaps, gop, b_frames, is_open, rate_hz
):
    pts = [0]
    for gap in gaps:
        pts.append(pts[-1] + gap)
    path = make_video(
        tmp_path_factory.mktemp("vfr") / "vfr.mp4",
        len(pts),
        pts=pts,
        time_base=Fraction(1, 1000),
        gop=gop,
        b_frames=b_frames,
        options=OPEN_H264 if is_open else {},
    )
    got, _ = pictures(path, rate_hz, "sampled")
    assert [place.index for place, _ in got] == naive_sample([t * 1000 for t in pts], rate_hz)
    assert [place.timestamp_us for place, _ in got] == [pts[p.index] * 1000 for p, _ in got]
    assert got == pictures(path, rate_hz, "every")[0]


def join(target, parts):
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


@pytest.mark.parametrize("first_options", [{}, OPEN_H264])
def test_a_stream_that_turns_irregular_goes_on_by_decoding_everything(
    tmp_path, make_video, read_number, one_camera, first_options
):
    begin = make_video(tmp_path / "a.ts", 60, b_frames=3, options=first_options)
    again = make_video(tmp_path / "b.ts", range(60, 100), b_frames=2)  # its clock starts anew
    joined = join(tmp_path / "joined.ts", [begin, again])
    expected, _ = pictures(joined, 3, "every")
    got, _ = pictures(joined, 3, "sampled")
    assert got == expected
    frames = list(open_frames(*one_camera(video=joined, rate_hz=3)))
    assert [read_number(frame.image) for frame in frames] == [frame.index for frame in frames]


def test_a_group_that_grows_too_long_is_decoded_throughout(tmp_path, make_video):
    count = LONGEST_GROUP + 60
    begin = make_video(tmp_path / "a.ts", 36, gop=12, b_frames=2)
    long = make_video(
        tmp_path / "b.ts", range(36, count), gop=10**6, b_frames=2, pts=range(40, count + 4)
    )
    end = make_video(
        tmp_path / "c.ts", range(count, count + 24), gop=12, pts=range(count + 8, count + 32)
    )
    joined = join(tmp_path / "joined.ts", [begin, long, end])
    expected, everything = pictures(joined, 0.5, "every")
    got, decoded = pictures(joined, 0.5, "sampled")
    assert got == expected
    assert everything == count + 24
    assert decoded > LONGEST_GROUP


class StrictDecoder(CountingDecoder):
    """A real decoder that refuses what is shown before the first key frame, or marks it."""

    def __init__(self, decoder, key_pts, refuses):
        super().__init__(decoder)
        self.key_pts = key_pts
        self.refuses = refuses

    def decode(self, packet):
        is_leading = packet is not None and packet.pts < self.key_pts
        if is_leading and self.refuses:
            raise av.error.InvalidDataError(1, "reference picture missing")
        marked = [SimpleNamespace(pts=packet.pts, is_corrupt=True)] if is_leading else []
        return [*marked, *super().decode(packet)]


@pytest.mark.parametrize("refuses", [True, False])
def test_pictures_that_refer_to_before_the_stream_may_fail(video, refuses):
    with av.open(str(video("open.mkv"))) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        pairs = enumerate(pairwise(packets))
        cut = packets[next(n for n, (one, two) in pairs if one.is_keyframe and two.pts < one.pts) :]
        decoder = StrictDecoder(stream.codec_context, cut[0].pts, refuses)
        line = Timeline(0, stream.time_base, Fraction(40), SamplingGrid(None))
        shown = list(PictureDecoder(decoder, line, has_pts=True).every(cut))
    leading = [packet for packet in cut if packet.pts < cut[0].pts]
    assert [picture.place.index for picture in shown] == list(range(len(cut) - len(leading)))
    assert shown[0].frame.pts == cut[0].pts
    assert shown[0].place.timestamp_us == 0


class LossyDecoder(CountingDecoder):
    """A real decoder that keeps a picture back, as some do with damaged ones."""

    lost_pts = 16 * 512  # number 16, of the second group
    trials = 2

    def decode(self, packet):
        frames = super().decode(packet)
        return [frame for frame in frames if self.trials or frame.pts != self.lost_pts]

    def flush_buffers(self):
        self.trials -= self.trials > 0
        super().flush_buffers()


def test_a_picture_that_does_not_come_out_is_damage(video):
    with av.open(str(video("plain.mp4"))) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        decoder = LossyDecoder(stream.codec_context)
        line = Timeline(0, stream.time_base, Fraction(512), SamplingGrid(6.25))
        run = PictureDecoder(decoder, line, has_pts=True).sampled(packets, Fraction(4))
        got = []
        with pytest.raises(DamagedVideoError, match="missing picture"):
            got.extend(p.place.index for p in run if got.append(p.place.index))
    assert got == [0, 4, 8, 12]


def test_new_decoder_settings_in_a_group_that_is_left_out_are_heeded(
    tmp_path, make_video, read_number, one_camera
):
    small = make_video(tmp_path / "a.flv", 60)
    large = make_video(tmp_path / "b.flv", range(60, 120), size=(256, 192))
    joined = tmp_path / "joined.flv"
    header = 13  # the second file's tags follow those of the first
    joined.write_bytes(small.read_bytes() + large.read_bytes()[header:])
    frames = list(open_frames(*one_camera(video=joined, rate_hz=1 / 3)))  # frames 0 and 75
    assert [(frame.index, read_number(frame.image)) for frame in frames] == [(0, 0), (75, 75)]
    assert [frame.image.shape for frame in frames] == [(96, 128, 3), (192, 256, 3)]
