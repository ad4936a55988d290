"""Clips of the people in videos: a track is an identity, its halves are two clips."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from commands.video_clips import video_archive
from pipeline.errors import UserError
from pipeline.reid.datasets.archive import ClipArchive
from pipeline.reid.training.recipe import VideoClips

SIZE = (64, 32)
RED, GREEN, BLUE = (60, 60, 250), (60, 250, 60), (250, 60, 60)
FRAMES = 55
Film = Callable[..., Path]


@pytest.fixture(scope="module")
def videos(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red and a green person who walk side by side, and a blue one in another video."""
    folder = tmp_path_factory.mktemp("videos")
    two = [(RED, lambda i: (8 * i + 40, 32)), (GREEN, lambda i: (8 * i + 40, 224))]
    film(folder / "two.mp4", two, FRAMES)
    film(folder / "one.mp4", [(BLUE, lambda i: (8 * i + 40, 120))], FRAMES)
    film(folder / "none.mp4", [], 10)
    return folder


def clips(folder: Path, detector: Path, *names: str) -> VideoClips:
    return VideoClips(folder=folder, files=tuple(map(Path, names)), detector=detector, frames=5)


def test_halves_of_a_track_are_clips_of_one_identity(
    videos: Path, toy_detector: Path, tmp_path: Path
) -> None:
    wanted = clips(videos, toy_detector, "two.mp4", "one.mp4")
    archive = video_archive(wanted, SIZE, tmp_path, lambda: False, lambda *_: None)
    assert archive is not None
    assert archive.identities.tolist() == [0, 0, 1, 1, 2, 2]
    assert archive.cameras.tolist() == [0, 1, 0, 1, 2, 3]
    assert archive.lengths.min() >= 2 and archive.lengths.max() == 5
    middles = [
        archive.read(i, np.arange(2))[:, 24:40, 12:20].mean(axis=(0, 1, 2)) for i in range(6)
    ]
    for half, middle in enumerate(middles):
        assert middle.argmax() == middles[half - half % 2].argmax()
    assert {int(middles[i].argmax()) for i in (0, 2)} == {1, 2}  # green and red, in either order
    assert middles[4].argmax() == 0


def test_people_in_other_clothes_are_more_people(
    videos: Path, toy_detector: Path, tmp_path: Path
) -> None:
    wanted = clips(videos, toy_detector, "one.mp4").model_copy(update={"redressed": 3})
    archive = video_archive(wanted, SIZE, tmp_path, lambda: False, lambda *_: None)
    assert archive is not None
    assert archive.identities.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert archive.cameras.tolist() == [0, 1, 2, 3, 2, 3, 2, 3]
    filmed, other = (archive.read(clip, np.array([0]))[0] for clip in (0, 2))
    assert abs(filmed.astype(int) - other).max() > 50


def test_one_that_is_cut_goes_on_with_the_next_video(
    videos: Path, toy_detector: Path, tmp_path: Path
) -> None:
    wanted = clips(videos, toy_detector, "one.mp4", "two.mp4")
    looks = iter([False, True])
    seen: list[tuple[int, int]] = []
    cut = video_archive(wanted, SIZE, tmp_path, lambda: next(looks), lambda *at: seen.append(at))
    assert cut is None and seen == [(0, 2), (1, 2)]
    (part,) = tmp_path.glob("parts-*/*.npz")
    written = part.stat().st_mtime_ns
    with pytest.raises(UserError, match=r"two\.mp4"):
        (videos / "two.mp4").rename(videos / "away.mp4")
        video_archive(wanted, SIZE, tmp_path, lambda: False, lambda *_: None)
    (videos / "away.mp4").rename(videos / "two.mp4")
    assert part.stat().st_mtime_ns == written
    archive = video_archive(wanted, SIZE, tmp_path, lambda: False, lambda *_: None)
    assert isinstance(archive, ClipArchive)
    assert archive.identities.tolist() == [0, 0, 1, 1, 2, 2]
    assert not list(tmp_path.glob("parts-*"))


def test_a_video_of_nobody_is_refused(videos: Path, toy_detector: Path, tmp_path: Path) -> None:
    wanted = clips(videos, toy_detector, "none.mp4")
    with pytest.raises(UserError, match=r"none\.mp4: nobody was tracked"):
        video_archive(wanted, SIZE, tmp_path, lambda: False, lambda *_: None)
