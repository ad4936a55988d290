"""Playing a camera again gives the frames that a run looked at."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from cameras.encoding import THUMBNAILS
from cameras.playback import BLANK_GREY, ThumbnailCutter, play
from cameras.sources import FrameSource, open_frames, open_observations
from pipeline.config import (
    DetectionsCamera,
    DetectionSettings,
    Site,
    TracksCamera,
    VideoCamera,
)
from pipeline.errors import SourceError
from pipeline.timestamps import to_us
from pipeline.types import Frame, Tracklet

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
START_US = to_us(START)


def site_of(camera: VideoCamera | DetectionsCamera | TracksCamera, rate_hz: float | None) -> Site:
    return Site(
        site="s", start=START, cameras=(camera,), detection=DetectionSettings(rate_hz=rate_hz)
    )


@pytest.mark.parametrize("rate_hz", [None, 5.0])
def test_a_video_is_played_as_the_run_saw_it(
    tmp_path: Path, film: Callable[..., Path], rate_hz: float | None
) -> None:
    path = film(tmp_path / "a.mp4", [((0, 200, 0), lambda i: (10 * i, 100))], 20)
    camera = VideoCamera(id="a", video=str(path))
    site = site_of(camera, rate_hz)

    played = list(play(camera, site))
    seen = list(open_frames(camera, site))

    assert len(played) == (20 if rate_hz is None else 4)
    assert [(f.index, f.timestamp_us) for f in played] == [(f.index, f.timestamp_us) for f in seen]
    assert [(f.index, f.timestamp_us) for f in played] == [
        (i, START_US + 40_000 * i) for i in range(0, 20, 1 if rate_hz is None else 5)
    ]
    assert all(
        np.array_equal(one.image, other.image) for one, other in zip(played, seen, strict=True)
    )


def test_a_folder_of_images_is_played(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((4, 6, 3), 50 * number, np.uint8))
    camera = VideoCamera(id="a", video=str(tmp_path), frame_rate=2)
    played = list(play(camera, site_of(camera, None)))
    assert [frame.image.max() for frame in played] == [0, 50, 100]
    assert [frame.timestamp_us - START_US for frame in played] == [0, 500_000, 1_000_000]


ROWS = "1,1,10,20,30,40,0.9\n4,1,12,20,30,40,0.9\n"


@pytest.mark.parametrize("kind", ["detections", "tracks"])
@pytest.mark.parametrize("rate_hz", [None, 2.0])
def test_where_rows_were_recorded_frames_are_blank(
    tmp_path: Path, kind: str, rate_hz: float | None
) -> None:
    path = tmp_path / "rows.txt"
    path.write_text(ROWS, encoding="utf-8")
    common = {"id": "a", "frame_rate": 4, "image_size": (64, 48)}
    camera = (
        DetectionsCamera(**common, detections=path)
        if kind == "detections"
        else TracksCamera(**common, tracks=path)
    )
    site = site_of(camera, rate_hz)

    played = list(play(camera, site))

    indices = [0, 1, 2, 3] if rate_hz is None else [0, 2]
    assert [(frame.camera_id, frame.index) for frame in played] == [("a", i) for i in indices]
    assert [frame.timestamp_us for frame in played] == [START_US + 250_000 * i for i in indices]
    assert [o.index for o in open_observations(camera, site)] == indices
    for frame in played:
        assert frame.image.shape == (48, 64, 3)  # image_size is width, height
        assert frame.image.dtype == np.uint8
        assert (frame.image == BLANK_GREY).all()


def test_drawing_on_a_blank_frame_does_not_mark_the_next(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_text(ROWS, encoding="utf-8")
    camera = TracksCamera(id="a", frame_rate=4, image_size=(64, 48), tracks=path)
    frame = next(play(camera, site_of(camera, None)))
    with pytest.raises(ValueError, match="read-only"):
        frame.image[:] = 0


def test_what_could_be_read_is_played_before_the_damage_is_told(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((4, 6, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(b"no image")
    camera = VideoCamera(id="a", video=str(tmp_path), frame_rate=2)
    frames = play(camera, site_of(camera, None))
    assert next(frames).index == 0
    with pytest.raises(SourceError, match=r"1\.png: expected an image"):
        next(frames)


def test_a_missing_source_is_told_when_playing_begins(tmp_path: Path) -> None:
    camera = VideoCamera(id="a", video=str(tmp_path / "none.mp4"))
    with pytest.raises(SourceError, match=r"none\.mp4: expected a video file"):
        next(play(camera, site_of(camera, None)))


def test_the_video_is_let_go_of_when_playing_stops_early(
    tmp_path: Path, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", [], 10)
    camera = VideoCamera(id="a", video=str(path))
    sources = []  # so that it is not let go of by being forgotten

    def remembered(*arguments: object) -> FrameSource:
        sources.append(open_frames(*arguments))
        return sources[-1]

    monkeypatch.setattr("cameras.playback.open_frames", remembered)
    frames = play(camera, site_of(camera, None))
    next(frames)
    assert path in _open_files()
    frames.close()
    assert path not in _open_files()


def _open_files() -> set[Path]:
    """What this process has open."""
    return {entry.resolve() for entry in Path("/proc/self/fd").iterdir()}


def tracklet(frames: list[int], box: tuple[float, ...], scores: list[float]) -> Tracklet:
    count = len(frames)
    return Tracklet("a", 1, 1, frames, frames, np.tile(box, (count, 1)), scores)


def shown(cutter: ThumbnailCutter, frames: int) -> list[int]:
    """Greys of the thumbnails, where frame i is grey 10 i inside the box and white around it."""
    for index in range(frames):
        image = np.full((100, 100, 3), 255, np.uint8)
        image[20:80, 30:60] = 10 * index
        cutter.look(Frame("a", index, index, image))
    jpegs = cutter.thumbnails().get("a/1", ())
    pictures = [cv2.imdecode(np.frombuffer(j, np.uint8), cv2.IMREAD_COLOR) for j in jpegs]
    assert all(picture.std() < 3 for picture in pictures)
    return [round(float(picture.mean()) / 10) for picture in pictures]


def test_thumbnails_are_cut_where_each_part_of_a_tracklet_is_surest() -> None:
    scores = [0.5, 0.9, 0.6, 0.7, 0.6, 0.6, 0.5, 0.5, 0.8]
    cutter = ThumbnailCutter([tracklet([2, 3, 4, 6, 7, 8, 9, 10, 11], (30, 20, 60, 80), scores)])
    assert shown(cutter, 20) == [3, 6, 11]
    assert THUMBNAILS == 3


def test_short_tracklets_have_fewer_thumbnails() -> None:
    cutter = ThumbnailCutter([tracklet([4, 5], (30, 20, 60, 80), [1, 1])])
    assert shown(cutter, 9) == [4, 5]


@pytest.mark.parametrize("box", [(120, 20, 150, 80), (-30, 20, 0, 80), (30, 100, 60, 130)])
def test_boxes_outside_the_picture_give_no_thumbnail(box: tuple[float, ...]) -> None:
    assert shown(ThumbnailCutter([tracklet([1, 2, 3], box, [1, 1, 1])]), 5) == []


def test_other_cameras_are_not_cut() -> None:
    cutter = ThumbnailCutter([tracklet([0], (0, 0, 10, 10), [1])])
    cutter.look(Frame("b", 0, 0, np.zeros((20, 20, 3), np.uint8)))
    assert cutter.thumbnails() == {}
