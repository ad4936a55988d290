"""Recorded detections and tracks."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cameras.sources import open_observations
from pipeline.config import load_site
from pipeline.errors import SourceError

SHARED = Path(__file__).resolve().parents[2] / "../shared"

# frame, id, left, top, width, height, confidence; frames 2 and 4 are empty, 3 stands before 1
ROWS = """\
3,7,30,31,10,20,0.5
1,5,10,11,10,20,0.9
3,5,-900,31,4000,20,0.05

1,9,12,13,10,20,1.0
5,7,50,51,10,20,0.25
"""
ROW_LINES = [1, 2, 3, 5, 6]


@pytest.fixture
def recorded(tmp_path, one_camera):
    """Opens rows as detections or tracks, with embeddings where given."""

    def open_rows(kind, rows=ROWS, **keys):
        path = tmp_path / "gate.txt"
        path.write_text(rows)
        keys = {"frame_rate": 4, "image_size": (1920, 1080)} | keys
        return open_observations(*one_camera(**{kind: path}, **keys))

    return open_rows


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_every_frame_to_the_last_row_is_delivered_in_the_order_of_the_file(recorded):
    source = recorded("detections")
    assert (source.camera_id, source.expected_frames) == ("north", 5)
    observations = list(source)
    assert [o.index for o in observations] == [0, 1, 2, 3, 4]
    assert [o.timestamp_us for o in observations] == [0, 250_000, 500_000, 750_000, 1_000_000]
    assert [len(o.detections) for o in observations] == [2, 0, 2, 0, 1]
    third = observations[2].detections
    # boxes outside the image and weak detections are left as they are
    np.testing.assert_array_equal(third.xyxy, [[30, 31, 40, 51], [-900, 31, 3100, 51]])
    np.testing.assert_array_equal(third.confidence, np.array([0.5, 0.05], np.float32))
    for observation in observations:
        people = observation.detections
        assert people.xyxy.dtype == np.float32 and people.xyxy.shape == (len(people), 4)
        assert people.confidence.dtype == np.float32
        assert people.tracker_id is None
        assert people.data == {}


def test_tracks_carry_their_ids(recorded):
    observations = list(recorded("tracks"))
    assert [list(o.detections.tracker_id) for o in observations] == [[5, 9], [], [7, 5], [], [7]]
    assert all(o.detections.tracker_id.dtype == np.int64 for o in observations)


@pytest.mark.parametrize("kind", ["detections", "tracks"])
def test_embeddings_belong_to_their_rows(recorded, tmp_path, kind):
    vectors = np.arange(15, dtype=np.float32).reshape(5, 3)
    path = save(tmp_path / "gate.npz", embedding=vectors)
    observations = list(recorded(kind, embeddings=path))
    expected = [[1, 3], [], [0, 2], [], [4]]
    for observation, rows in zip(observations, expected, strict=True):
        got = observation.detections.data["embedding"]
        assert got.dtype == np.float32 and got.shape == (len(rows), 3)
        np.testing.assert_array_equal(got, vectors[rows])


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_embeddings_of_another_precision_are_converted(recorded, tmp_path, dtype):
    path = save(tmp_path / "gate.npz", embedding=np.full((5, 2), 0.5, dtype))
    first = next(iter(recorded("detections", embeddings=path)))
    assert first.detections.data["embedding"].dtype == np.float32


def test_times_are_exact_and_sampled(recorded):
    rows = "".join(f"{frame},-1,1,1,1,1,1\n" for frame in range(1, 1001))
    keys = {"frame_rate": 29.97, "start": "2026-01-05T10:00:00Z", "time_offset_ms": -20}
    observations = list(recorded("detections", rows, **keys))
    start = 1_767_607_200_000_000 - 20_000
    times = [start + round(k * 10**8 / Fraction(2997)) for k in range(1000)]
    assert [o.timestamp_us for o in observations] == times
    sampled = list(recorded("detections", rows, rate_hz=3, **keys))
    assert [o.index for o in sampled][:4] == [0, 10, 20, 30]
    assert [o.timestamp_us for o in sampled] == [times[o.index] for o in sampled]
    assert len(sampled) == 101  # 33.3 s at 3 Hz


def test_many_rows_keep_their_order(recorded):
    frames = np.random.default_rng(0).integers(0, 3, 1000)
    rows = "".join(f"{f + 1},{n + 1},{n},0,1,1,1\n" for n, f in enumerate(frames))
    observations = list(recorded("tracks", rows))
    for observation in observations:
        expected = np.flatnonzero(frames == observation.index)
        np.testing.assert_array_equal(observation.detections.xyxy[:, 0], expected)
        np.testing.assert_array_equal(observation.detections.tracker_id, expected + 1)


def test_without_rows_there_is_nothing(recorded):
    for kind in ("detections", "tracks"):
        source = recorded(kind, "\n\n")
        assert source.expected_frames == 0
        assert list(source) == []


def test_closing_ends_it(recorded):
    source = recorded("detections")
    next(iter(source))
    source.close()
    assert list(source) == []


@pytest.mark.parametrize(
    ("kind", "rows", "expected"),
    [
        ("detections", "1,-1,1,1,1,1,1\n2,-1,1,one,1,1,1\n", "row 2: expected numbers"),
        ("tracks", "1,1,1,1,1,1,1\n0,1,1,1,1,1,1\n", "row 2: expected a frame number from 1"),
        (
            "tracks",
            "\n1,1,1,1,1,1,1\n1,-1,1,1,1,1,1\n",
            "row 3: expected a track id from 1, got -1",
        ),
        ("tracks", "1,0,1,1,1,1,1\n", "row 1: expected a track id from 1, got 0"),
        (
            "tracks",
            "2,4,1,1,1,1,1\n1,4,1,1,1,1,1\n\n2,4,9,9,1,1,1\n2,4,9,9,1,1,1\n",
            "row 4: expected each track id once in a frame, got 4 again in frame 2",
        ),
    ],
)
def test_a_malformed_row_is_named_before_anything_is_delivered(
    recorded, tmp_path, kind, rows, expected
):
    with pytest.raises(SourceError) as error:
        recorded(kind, rows)
    assert str(error.value).startswith(f"{tmp_path / 'gate.txt'}: {expected}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"embedding": np.zeros((4, 3), np.float32)}, "one embedding for each of the 5 rows"),
        ({"embedding": np.zeros((6, 3), np.float32)}, "got 6"),
        ({"features": np.zeros((5, 3), np.float32)}, "expected the key embedding, got features"),
        ({}, "expected the key embedding, got none"),
        ({"embedding": np.zeros(5, np.float32)}, "expected float32 (N, D), got float32 (5)"),
        ({"embedding": np.zeros((5, 3, 1), np.float32)}, "got float32 (5, 3, 1)"),
        ({"embedding": np.zeros((5, 0), np.float32)}, "got float32 (5, 0)"),
        ({"embedding": np.zeros((5, 3), np.int64)}, "got int64 (5, 3)"),
        ({"embedding": np.array([[object()]] * 5)}, "expected an NPZ file"),
        ({"embedding": np.full((5, 3), np.inf)}, "embedding[0]: expected finite numbers"),
        ({"embedding": np.full((5, 3), 1e300)}, "embedding[0]: expected finite numbers"),
        (b"", "expected an NPZ file"),
        (b"no archive at all", "expected an NPZ file"),
        (b"PK\x03\x04 an archive cut off", "expected an NPZ file"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_wrong_embeddings_are_named(recorded, tmp_path, content, expected):
    path = tmp_path / "gate.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, allow_pickle=True, **content)
    with pytest.raises(SourceError) as error:
        recorded("detections", embeddings=path)
    assert str(error.value).startswith(f"{path}: ")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


def test_nan_is_named_with_its_row(recorded, tmp_path):
    vectors = np.ones((5, 3), np.float32)
    vectors[3, 1] = np.nan
    path = save(tmp_path / "gate.npz", embedding=vectors)
    with pytest.raises(SourceError, match=rf"embedding\[3\].*row {ROW_LINES[3]} of .*gate\.txt"):
        recorded("tracks", embeddings=path)


def test_an_array_file_and_a_damaged_archive_are_no_npz(recorded, tmp_path):
    array = tmp_path / "gate.npy"
    np.save(array, np.zeros((5, 3), np.float32))
    path = save(tmp_path / "gate.npz", embedding=np.ones((5, 300), np.float32))
    data = bytearray(path.read_bytes())
    data[1000:1100] = bytes(100)
    path.write_bytes(data)
    for wrong in (array, path):
        with pytest.raises(SourceError, match="expected an NPZ file"):
            recorded("detections", embeddings=wrong)


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
def test_public_recordings_with_embeddings_are_read():
    site = load_site(SHARED / "sites/cmc1.yaml")
    for camera in site.cameras:
        observations = list(open_observations(camera, site))
        assert len(observations) == 261
        assert observations[-1].timestamp_us - observations[0].timestamp_us == 65_000_000
        assert all(o.detections.data["embedding"].shape[1] == 128 for o in observations)
