"""Store then load is the identity, up to what the columns keep."""

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    NoEmbedding,
    Thumbnail,
    Tracklet,
)
from storage.queries import thumbnails
from storage.store import Store

CAMERAS = ("north", "Dock", "gate")
YEAR_2100_US = 4_102_444_800_000_000


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=32)


@st.composite
def embeddings(draw: st.DrawFn) -> Embedding | NoEmbedding:
    vector = draw(st.lists(floats(-1, 1), max_size=6))
    if not vector:
        return NoEmbedding()
    sha256 = draw(st.sampled_from(["ab" * 32, "cd" * 32]))
    encoder = EncoderIdentity(
        draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"))), sha256, len(vector)
    )
    return Embedding(np.array(vector, np.float32), encoder)


@st.composite
def encoded_tracklets(draw: st.DrawFn, camera: str, track_id: int, part: int) -> EncodedTracklet:
    frames = sorted(draw(st.sets(st.integers(0, 2**40), min_size=1, max_size=8)))
    count = len(frames)
    times = sorted(draw(st.lists(st.integers(0, YEAR_2100_US), min_size=count, max_size=count)))
    box = st.tuples(*[floats(-8192, 8192)] * 4)
    jpegs = draw(st.lists(st.binary(max_size=20), max_size=3))
    return EncodedTracklet(
        Tracklet(
            camera,
            track_id,
            part,
            np.array(frames),
            np.array(times),
            np.array(draw(st.lists(box, min_size=count, max_size=count)), np.float32),
            np.array(draw(st.lists(floats(0, 1), min_size=count, max_size=count)), np.float32),
        ),
        draw(embeddings()),
        tuple(Thumbnail(times[0] + k, jpeg) for k, jpeg in enumerate(jpegs)),
    )


@st.composite
def runs(draw: st.DrawFn) -> list[EncodedTracklet]:
    """The tracklets of a run, in any order."""
    keys = draw(
        st.sets(
            st.tuples(st.sampled_from(CAMERAS), st.integers(1, 2**40), st.integers(1, 3)),
            max_size=6,
        )
    )
    return draw(st.permutations([draw(encoded_tracklets(*key)) for key in sorted(keys)]))


@given(encoded=runs(), batch=st.integers(1, 6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_stored_is_loaded(
    store: Store, begin: Callable[..., int], encoded: list[EncodedTracklet], batch: int
) -> None:
    run_id = begin(store, CAMERAS)
    for first in range(0, len(encoded), batch):
        assert store.add_tracklets(run_id, encoded[first : first + batch]) == len(
            encoded[first : first + batch]
        )
    expected = sorted(
        encoded,
        key=lambda item: (
            CAMERAS.index(item.tracklet.camera_id),
            item.tracklet.start_us,
            item.tracklet.track_id,
            item.tracklet.part,
        ),
    )

    loaded = store.load_tracklets(run_id)

    assert [tracklet.key for tracklet, _ in loaded] == [item.tracklet.key for item in expected]
    for (tracklet, embedding), item in zip(loaded, expected, strict=True):
        assert_same_tracklet(tracklet, item.tracklet)
        assert_same_embedding(embedding, item.embedding)
    assert thumbnails(store, run_id) == {
        item.tracklet.key: tuple(thumbnail.jpeg for thumbnail in item.thumbnails)
        for item in encoded
        if item.thumbnails
    }


def assert_same_tracklet(found: Tracklet, expected: Tracklet) -> None:
    assert (found.camera_id, found.track_id, found.part) == (
        expected.camera_id,
        expected.track_id,
        expected.part,
    )
    np.testing.assert_array_equal(found.frame_indices, expected.frame_indices)
    np.testing.assert_array_equal(found.timestamps_us, expected.timestamps_us)
    # Half a tenth of a pixel, and the rounding of float32 at 8192.
    np.testing.assert_allclose(found.boxes, expected.boxes, rtol=0, atol=0.05 + 5e-4)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=0.0005 + 1e-7)


def assert_same_embedding(
    found: Embedding | NoEmbedding, expected: Embedding | NoEmbedding
) -> None:
    if isinstance(expected, NoEmbedding):
        assert found == expected
        return
    assert isinstance(found, Embedding)
    assert found.encoder == expected.encoder
    np.testing.assert_array_equal(found.vector, expected.vector.astype(np.float16))


def test_values_on_the_grid_come_back_exactly(
    store: Store, begin: Callable[..., int], make: Callable[..., EncodedTracklet]
) -> None:
    run_id = begin(store)
    item = make("north", 7)
    store.add_tracklets(run_id, [item])
    [(tracklet, _)] = store.load_tracklets(run_id)
    np.testing.assert_array_equal(tracklet.boxes, item.tracklet.boxes)
    np.testing.assert_array_equal(tracklet.scores, item.tracklet.scores)


def test_a_loaded_run_is_the_same_each_time(
    store: Store, begin: Callable[..., int], make: Callable[..., EncodedTracklet]
) -> None:
    """Loading rounds once: what was loaded, stored again and loaded, does not drift."""
    first, second = begin(store), begin(store)
    store.add_tracklets(first, [make("north", 1, left=0.123456)])
    [(once, embedding)] = store.load_tracklets(first)
    store.add_tracklets(second, [EncodedTracklet(once, embedding, ())])
    [(twice, _)] = store.load_tracklets(second)
    np.testing.assert_array_equal(once.boxes, twice.boxes)
    np.testing.assert_array_equal(once.scores, twice.scores)


def test_a_long_run_is_loaded_whole(
    store: Store, begin: Callable[..., int], make: Callable[..., EncodedTracklet]
) -> None:
    """More points than are read at once; tracklets lie across the borders."""
    run_id = begin(store)
    items = [make("north", number, frames=range(number, number + 3001)) for number in range(1, 5)]
    store.add_tracklets(run_id, items)
    loaded = store.load_tracklets(run_id)
    assert len(loaded) == 4
    for (tracklet, _), item in zip(loaded, items, strict=True):
        np.testing.assert_array_equal(tracklet.frame_indices, item.tracklet.frame_indices)
        np.testing.assert_array_equal(tracklet.boxes, item.tracklet.boxes)


def test_a_run_without_tracklets(store: Store, begin: Callable[..., int]) -> None:
    assert store.load_tracklets(begin(store)) == []
