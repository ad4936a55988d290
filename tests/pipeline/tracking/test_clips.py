import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tracking import clips
from pipeline.tracking.clips import (
    CUT_QUALITY,
    FIRST_SLOT_US,
    LOOK_INTERVAL_US,
    BlindView,
    EmbeddingView,
    Pick,
    PixelView,
    Slots,
    cut,
    fineness,
    occlusion,
    sharpness,
    wholeness,
)
from pipeline.types import Clip, FrameEmbeddings, NoAppearance

EMPTY = np.zeros(0)


def fill(slots: Slots, candidates: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Offer (time, quality) and return what is kept."""
    for time, quality in candidates:
        slots.offer(time, quality, lambda t=time, q=quality: Pick(t, q, EMPTY))
    return [(pick.timestamp_us, pick.quality) for pick in slots.picks()]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(deadline=None)
@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(1, 3_000_000), st.integers(1, 5)), min_size=1, max_size=60),
)
def test_slots_equal_brute_force(size, steps):
    """With every candidate at hand: the final width is known, and each slot keeps its first best.

    Merging as time goes on must come to the same.
    """
    start = 1_000
    times = start + np.cumsum([0, *(step for step, _ in steps[1:])])
    candidates = [(int(t), q / 5) for t, (_, q) in zip(times, steps, strict=True)]
    width = FIRST_SLOT_US
    while (candidates[-1][0] - start) // width >= size:
        width *= 2
    best: dict[int, tuple[int, float]] = {}
    for time, quality in candidates:
        slot = (time - start) // width
        if slot not in best or quality > best[slot][1]:
            best[slot] = (time, quality)
    assert fill(Slots(size, start, 0), candidates) == [best[slot] for slot in sorted(best)]


def test_hand_worked_merge():
    # two slots of 0.25 s; the third time doubles the width: {0, 1} merge, the better one stays
    slots = Slots(2, 0, 0)
    assert fill(slots, [(0, 0.2), (250_000, 0.8), (260_000, 0.7)]) == [(0, 0.2), (250_000, 0.8)]
    assert fill(slots, [(500_000, 0.1)]) == [(250_000, 0.8), (500_000, 0.1)]
    # a pause over many slots: everything before ends up in the first
    assert fill(slots, [(60_000_000, 0.3)]) == [(250_000, 0.8), (60_000_000, 0.3)]


def test_picks_are_spread_and_bounded():
    kept = fill(Slots(8, 0, 0), [(40_000 * i, 0.5) for i in range(10_000)])
    times = [time for time, _ in kept]
    assert 5 <= len(kept) <= 8
    assert max(np.diff(times)) <= 400e6 / 4
    assert times == sorted(times)


def test_a_candidate_that_cannot_win_is_not_looked_at():
    looks: list[int] = []
    slots = Slots(4, 0, 0)

    def offer(time: int, bound: float, quality: float) -> None:
        slots.offer(time, bound, lambda: looks.append(time) or Pick(time, quality, EMPTY))

    offer(0, 0.0, 0.0)  # worth nothing
    offer(1, 0.9, 0.5)
    offer(2, 0.5, 0.5)  # at best as good as what is held
    offer(3, 0.6, 0.2)  # could win, does not
    offer(4, 0.9, 0.5)  # turns out as good: the earlier one stays
    assert [pick.timestamp_us for pick in slots.picks()] == [1]
    offer(5, 0.6, 0.6)
    assert looks == [1, 3, 4, 5]
    assert [pick.timestamp_us for pick in slots.picks()] == [5]


def test_looks_are_limited_in_time_but_an_empty_slot_gets_one():
    looks: list[int] = []
    slots = Slots(8, 0, LOOK_INTERVAL_US)
    times = range(0, 4_000_000, 40_000)
    for time in times:
        slots.offer(time, 1.0, lambda t=time: looks.append(t) or Pick(t, 0.5, EMPTY))
    assert len(looks) <= 4e6 / LOOK_INTERVAL_US + 8
    assert len(slots.picks()) == 8


def test_hand_worked_occlusion():
    # b covers the right half of a and stands nearer; c touches nobody; d is behind a
    a, b, c = [0, 0, 10, 20], [5, 0, 15, 30], [50, 0, 60, 20]
    d = [0, 0, 10, 10]
    assert occlusion(np.array([a, b, c, d], float)).tolist() == [0.5, 0, 0, 1]
    assert occlusion(np.array([a, a], float)).tolist() == [0, 0]  # neither is nearer
    assert occlusion(np.zeros((0, 4))).tolist() == []


def test_hand_worked_wholeness():
    boxes = [
        [100, 100, 140, 200],  # inside
        [-20, 100, 20, 200],  # half of it outside
        [0, 100, 40, 200],  # at the border, where detectors end their boxes
        [600, 380, 640, 480],  # at the lower right corner
        [700, 100, 740, 200],  # outside
    ]
    whole = wholeness(np.array(boxes, float), 640, 480)
    assert whole.tolist() == [1, CUT_QUALITY / 2, CUT_QUALITY, CUT_QUALITY, 0]


def test_hand_worked_fineness():
    boxes = np.array([[0, 0, 128, 256], [0, 0, 64, 128], [0, 0, 500, 900]], float)
    assert fineness(boxes).tolist() == [1, 0.5, 1]


def test_cut_takes_whole_pixels_inside_the_image():
    image = np.zeros((100, 60, 3), np.uint8)
    image[10:50, 20:40] = 200
    assert (cut(image, np.array([20.4, 10.2, 39.7, 49.9])) == 200).all()
    assert cut(image, np.array([-30.0, -30.0, 300.0, 300.0])).shape == (256, 128, 3)
    assert cut(image, np.array([59.5, 99.5, 80.0, 120.0])).shape == (256, 128, 3)


def test_cut_averages_when_it_shrinks():
    board = np.indices((1024, 512)).sum(0) % 2 * 255
    crop = cut(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), np.array([0, 0, 512, 1024]))
    assert np.abs(crop.astype(int) - 128).max() <= 1  # every other method finds black or white


def test_sharpness_falls_with_blur():
    crop = noise(256, 128)
    soft = clips.cv2.GaussianBlur(crop, (0, 0), 2)
    softer = clips.cv2.GaussianBlur(crop, (0, 0), 5)
    assert 1 > sharpness(crop) > sharpness(soft) > sharpness(softer) > 0
    assert sharpness(np.full_like(crop, 128)) == 0


def test_hand_worked_sharpness():
    # one bright pixel of 16 on black: the Laplacian has one -64 and four 16, sum 0
    crop = np.zeros((256, 128, 3), np.uint8)
    crop[100, 50] = 16
    variance = (64**2 + 4 * 16**2) / (256 * 128)
    assert sharpness(crop) == pytest.approx(variance / (variance + clips.HALF_SHARP))


def show(view, slots: Slots, rows: int = 1) -> None:
    for row in range(rows):
        view.offer(row, slots)


def test_the_sharper_of_two_pictures_is_kept(detections):
    image = noise(480, 640)
    blurred = clips.cv2.GaussianBlur(image, (0, 0), 3)
    box = detections([[100, 100, 200, 300]])
    for order in ([image, blurred], [blurred, image]):
        slots = Slots(1, 0, LOOK_INTERVAL_US)
        for index, picture in enumerate(order):
            time = index * LOOK_INTERVAL_US
            show(PixelView(box, picture, time), slots)
        clip = PixelView.appearance(slots.picks())
        assert isinstance(clip, Clip)
        expected = cut(image, np.array([100, 100, 200, 300]))
        assert clip.crops.tolist() == expected[None].tolist()
        assert clip.qualities[0] == pytest.approx(
            0.9 * np.sqrt(100 * 200 / (256 * 128)) * sharpness(expected)
        )


def test_a_moment_without_occlusion_is_kept(detections):
    image = noise(480, 640)
    hidden = detections([[100, 100, 200, 300], [120, 100, 220, 320]])
    free = detections([[100, 100, 200, 300], [400, 100, 500, 320]])
    slots = Slots(1, 0, 0)
    for time, frame in enumerate([hidden, free, hidden]):
        PixelView(frame, image, time).offer(0, slots)
    assert [pick.timestamp_us for pick in slots.picks()] == [1]


def test_a_whole_person_is_preferred_to_one_at_the_border(detections):
    image = noise(480, 640)
    slots = Slots(1, 0, 0)
    for time, left in enumerate([0, 100, 0]):
        show(PixelView(detections([[left, 100, left + 80, 300]]), image, time), slots)
    assert [pick.timestamp_us for pick in slots.picks()] == [1]


def test_a_person_outside_the_image_has_no_crop(detections):
    slots = Slots(4, 0, 0)
    show(PixelView(detections([[700, 100, 800, 300]]), noise(480, 640), 0), slots)
    assert len(PixelView.appearance(slots.picks()).crops) == 0


def test_recorded_embeddings_are_chosen_by_confidence(detections):
    slots = Slots(2, 0, 0)
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    times = [0, 100_000, 250_000, 300_000]
    for time, score, vector in zip(times, [0.5, 0.8, 0.9, 0.6], vectors, strict=True):
        frame = detections([[0, 0, 100, 200]], score)
        frame.data["embedding"] = vector[None]
        show(EmbeddingView(frame, time), slots)
    kept = EmbeddingView.appearance(slots.picks())
    assert isinstance(kept, FrameEmbeddings)
    assert kept.vectors.tolist() == vectors[[1, 2]].tolist()
    assert kept.timestamps_us.tolist() == [100_000, 250_000]


def test_a_hidden_person_still_has_an_embedding(detections):
    frame = detections([[0, 0, 100, 200], [0, 0, 100, 210]])
    frame.data["embedding"] = np.ones((2, 3), np.float32)
    slots = Slots(2, 0, 0)
    EmbeddingView(frame, 0).offer(0, slots)
    assert len(slots.picks()) == 1


def test_without_picks_there_is_an_empty_or_no_appearance():
    assert EmbeddingView.appearance([]).vectors.shape[0] == 0
    assert PixelView.appearance([]).crops.shape == (0, 256, 128, 3)
    slots = Slots(2, 0, 0)
    BlindView().offer(0, slots)
    assert BlindView.appearance(slots.picks()) == NoAppearance()
