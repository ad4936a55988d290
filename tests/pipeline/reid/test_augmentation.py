"""What training changes, and what stays."""

import numpy as np
import pytest
from torch import manual_seed, zeros
from torchvision.transforms import RandomErasing

from pipeline.reid.augmentation import (
    MEAN_BGR,
    NO_AUGMENTATION,
    AugmentationSettings,
    augmented,
    blurred,
    coarse,
    colour_map,
    compressed,
    erased_boxes,
    shifted,
)
from pipeline.types import ImageArray

SIZE = (32, 16)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def only(**changes: object) -> AugmentationSettings:
    blur = {"blur_share": (0.03, 0.05)}  # pictures here are small
    return NO_AUGMENTATION.model_copy(update=blur | changes)


@pytest.fixture
def clips() -> ImageArray:
    """(6, 4, 32, 16, 3): smooth, all frames of a clip the same."""
    rows, columns = np.meshgrid(np.linspace(40, 200, 32), np.linspace(0, 40, 16), indexing="ij")
    frame = np.stack((rows, rows[::-1], columns + 60), axis=-1)
    shades = np.arange(6)[:, None, None, None] * 3
    return np.repeat((frame[None] + shades)[:, None], 4, axis=1).astype(np.uint8)


def test_nothing_changes_where_nothing_may(clips: ImageArray) -> None:
    changed = augmented(clips, rng(), NO_AUGMENTATION)
    assert np.array_equal(changed, clips)
    assert not np.shares_memory(changed, clips)


def test_all_follows_from_the_generator(clips: ImageArray) -> None:
    before = clips.copy()
    first, again, other = (augmented(clips, rng(s), AugmentationSettings()) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(clips, before)


@pytest.mark.parametrize("change", ["flip", "shift", "colour", "grey", "blur", "resample", "jpeg"])
def test_a_clip_is_changed_alike(clips: ImageArray, change: str) -> None:
    changed = augmented(clips, rng(3), only(**{change: 1.0}))
    assert (changed == changed[:, :1]).all()
    assert (changed != clips).any(axis=(1, 2, 3, 4)).all()


@pytest.mark.parametrize("change", ["flip", "shift", "colour", "grey", "blur", "resample", "jpeg"])
def test_a_change_is_as_frequent_as_set(change: str) -> None:
    noise = rng(9).integers(0, 256, (400, 1, *SIZE, 3), np.uint8)
    changed = augmented(noise, rng(4), only(**{change: 0.3}))
    share = (changed != noise).any(axis=(1, 2, 3, 4)).mean()
    assert share == pytest.approx(0.3, abs=0.08)  # three and a half deviations


def test_flipped_clips_are_mirrored(clips: ImageArray) -> None:
    assert np.array_equal(augmented(clips, rng(), only(flip=1.0)), clips[:, :, :, ::-1])


def test_what_is_shifted_keeps_its_inside_and_repeats_its_border(clips: ImageArray) -> None:
    moved = shifted(clips[0], 3, -2)
    assert np.array_equal(moved[:, 3:, :-2], clips[0][:, :-3, 2:])
    assert (moved[:, :3] == moved[:, 3:4]).all()
    assert (moved[:, :, -2:] == moved[:, :, -3:-2]).all()
    assert np.array_equal(shifted(clips[0], 0, 0), clips[0])


def test_grey_pictures_have_no_colour_and_their_brightness(clips: ImageArray) -> None:
    grey = augmented(clips, rng(), only(grey=1.0))
    assert (grey == grey[..., :1]).all()
    luma = clips @ np.array([0.114, 0.587, 0.299])
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_colours_change_as_far_as_set() -> None:
    """Without any range the map does nothing; a turn of the hue leaves greys grey."""
    strip = rng().integers(0, 256, (4, 4, 3), np.uint8)
    still = only(brightness=0.0, contrast=0.0, saturation=0.0, hue_degrees=0.0)
    assert np.allclose(colour_map(strip, rng(), still), np.eye(3, 4))
    turned = colour_map(strip, rng(), still.model_copy(update={"hue_degrees": 90.0}))
    assert not np.allclose(turned, np.eye(3, 4), atol=0.1)
    assert np.allclose(turned[:, :3] @ np.ones(3), 1)


def test_contrast_turns_about_the_mean() -> None:
    """A picture of one grey has no contrast: only the gain changes it."""
    strip = np.full((4, 4, 3), 100, np.uint8)
    settings = only(brightness=0.0, contrast=0.3, saturation=0.3, hue_degrees=10.0)
    for seed in range(5):
        mapped = colour_map(strip, rng(seed), settings) @ np.array([100, 100, 100, 1])
        assert mapped == pytest.approx(100)


def test_gain_stays_in_its_range() -> None:
    grey = np.full((300, 1, 8, 4, 3), 100, np.uint8)
    settings = only(colour=1.0, gamma=(1.0, 1.0))
    means = augmented(grey, rng(), settings).mean(axis=(1, 2, 3, 4))
    assert 69 <= means.min() < 75 and 125 < means.max() <= 131


def test_pictures_lose_detail_and_keep_their_brightness() -> None:
    noise = rng().integers(0, 256, (2, 32, 16, 3), np.uint8)
    for worse in (coarse(noise, 3), blurred(noise, 1.5)):
        assert worse.std() < 0.6 * noise.std()
        assert worse.mean() == pytest.approx(noise.mean(), abs=3)
    smooth = np.repeat(np.arange(32, dtype=np.uint8)[:, None, None] * 6, 16, axis=1)
    smooth = np.broadcast_to(smooth, (1, 32, 16, 3))
    errors = [np.abs(compressed(smooth, q).astype(int) - smooth).mean() for q in (10, 90)]
    assert errors[1] < errors[0] < 10


def test_boxes_are_as_large_as_those_of_torchvision() -> None:
    """On 1,000 pictures the mean erased area agrees to 2 % of the picture."""
    settings = AugmentationSettings()
    boxes = erased_boxes(rng(), 1000, (256, 128), settings)
    tall, wide = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    ours = tall * wide / (256 * 128)
    manual_seed(0)
    blank = zeros(3, 256, 128)
    sampled = [
        RandomErasing.get_params(blank, list(settings.erase_area), list(settings.erase_aspect))
        for _ in range(1000)
    ]
    theirs = np.array([height * width for _, _, height, width, _ in sampled]) / (256 * 128)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.02)
    assert ours.std() == pytest.approx(theirs.std(), abs=0.02)
    assert ours.min() > 0.018 and ours.max() < 0.41
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= 256).all() and (boxes[:, 3] <= 128).all()
    aspect = tall / wide
    assert aspect.min() > 0.28 and aspect.max() < 3.5


def test_boxes_fall_anywhere() -> None:
    covered = np.zeros(SIZE)
    for top, left, bottom, right in erased_boxes(rng(), 500, SIZE, AugmentationSettings()):
        covered[top:bottom, left:right] += 1
    assert covered.min() > 0
    assert np.abs(covered - covered[::-1, ::-1]).max() < 60


def test_a_box_that_cannot_fit_is_empty() -> None:
    boxes = erased_boxes(rng(), 5, (32, 2), only(erase_area=(0.9, 0.9), erase_aspect=(0.3, 0.4)))
    assert ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) == 0).all()


def erased_places(clips: ImageArray) -> np.ndarray:
    return (clips == MEAN_BGR).all(axis=-1)


@pytest.mark.parametrize(("together", "alike"), [(1.0, 1.0), (0.0, 0.0), (0.5, 0.5)])
def test_frames_share_their_box_as_often_as_set(together: float, alike: float) -> None:
    clips = np.zeros((200, 3, *SIZE, 3), np.uint8)
    places = erased_places(augmented(clips, rng(), only(erase=1.0, erase_together=together)))
    assert places.any(axis=(2, 3)).all()
    same = (places == places[:, :1]).all(axis=(1, 2, 3))
    assert same.mean() == pytest.approx(alike, abs=0.12)


def test_a_frame_is_erased_as_often_as_set() -> None:
    clips = np.zeros((300, 4, *SIZE, 3), np.uint8)
    for together in (0.0, 1.0):
        places = erased_places(augmented(clips, rng(), only(erase=0.5, erase_together=together)))
        assert places.any(axis=(2, 3)).mean() == pytest.approx(0.5, abs=0.1)


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="less than or equal to 1"):
        AugmentationSettings(flip=1.5)
    with pytest.raises(ValueError, match="Extra inputs"):
        AugmentationSettings.model_validate({"flop": 1})
