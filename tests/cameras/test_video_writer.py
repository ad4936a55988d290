"""Videos are written, then decoded again: what comes back is what was written."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cameras.video_writer import VideoWriter
from pipeline.errors import UserError

Image = npt.NDArray[np.uint8]


def decoded(path: Path) -> tuple[list[int], list[Image]]:
    """Microseconds since the first frame, and pictures, of every frame of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        times = [round(frame.pts * frame.time_base * 1_000_000) for frame in frames]
        return times, [frame.to_ndarray(format="bgr24") for frame in frames]


def grey(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def noise(seed: int, width: int = 320, height: int = 240) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def written(path: Path, times_us: list[int], width: int = 64, height: int = 48) -> Path:
    with VideoWriter(path, width, height) as video:
        for index, time_us in enumerate(times_us):
            video.write(grey(index * 20 % 250, width, height), time_us)
    return path


START_US = 1_767_607_200_123_456


@pytest.mark.parametrize(
    "offsets_us",
    [
        [0],
        [0, 40_000, 80_000, 120_000],
        [0, 33_333, 66_667, 100_000, 133_333],  # rounded to 1/90000 s and back
        [0, 10_000, 500_000, 510_000, 7_000_000, 3_607_000_000],  # an hour's gap
        [250_000 * index for index in range(30)],  # more frames than the encoder holds back
    ],
    ids=["one", "25 Hz", "30 Hz", "variable", "4 Hz"],
)
def test_every_frame_is_shown_at_its_time(tmp_path: Path, offsets_us: list[int]) -> None:
    path = written(tmp_path / "a.mp4", [START_US + offset for offset in offsets_us])
    times, _ = decoded(path)
    assert len(times) == len(offsets_us)
    assert np.abs(np.subtract(times, offsets_us)).max() <= 6  # half a tick of 1/90000 s


@settings(max_examples=15, deadline=None)
@given(gaps=st.lists(st.integers(100, 5_000_000), max_size=12))
def test_any_spacing_comes_back(tmp_path_factory: pytest.TempPathFactory, gaps: list[int]) -> None:
    offsets = np.concatenate([[0], np.cumsum(gaps, dtype=np.int64)])
    path = written(tmp_path_factory.mktemp("spacing") / "a.mp4", (START_US + offsets).tolist())
    times, _ = decoded(path)
    assert len(times) == len(offsets)
    assert np.abs(np.array(times) - offsets).max() <= 6


def test_frames_at_one_time_are_all_shown_in_their_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", [5_000_000, 5_000_000, 5_000_000, 5_040_000])
    times, pictures = decoded(path)
    assert times == [0, 11, 22, 40_000]  # a tick is 11.1 microseconds
    assert [round(float(picture.mean()) / 20) for picture in pictures] == [0, 1, 2, 3]


def test_pictures_come_back_in_their_colours(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32], image[:, 32:] = (200, 60, 30), (20, 90, 220)
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as video:
        video.write(image, 0)
    _, (picture,) = decoded(tmp_path / "a.mp4")
    difference = np.abs(picture.astype(int) - image)
    assert difference[4:-4, 4:28].max() < 20
    assert difference[4:-4, 36:-4].max() < 20


@pytest.mark.parametrize("size", [(65, 49), (64, 49), (65, 48)])
def test_an_odd_last_row_or_column_is_left_out(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    image = grey(0, width, height)
    image[48:], image[:, 64:] = 255, 255  # scaling would bring some of it in
    with VideoWriter(tmp_path / "a.mp4", width, height) as video:
        video.write(image, 0)
    _, (picture,) = decoded(tmp_path / "a.mp4")
    assert picture.shape == (48, 64, 3)
    assert picture.max() < 10


@pytest.mark.parametrize("factor", [2, 0.5])
def test_a_frame_of_another_size_is_scaled(tmp_path: Path, factor: float) -> None:
    width, height = int(64 * factor), int(48 * factor)
    image = grey(0, width, height)
    image[:, width // 2 :] = 250
    with VideoWriter(tmp_path / "a.mp4", 64, 48) as video:
        video.write(grey(0), 0)
        video.write(image, 40_000)
    _, (_, picture) = decoded(tmp_path / "a.mp4")
    assert picture.shape == (48, 64, 3)
    assert picture[:, :28].max() < 40
    assert picture[:, 36:].min() > 210


def test_the_file_has_its_name_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 64, 48) as video:
        video.write(grey(10), 0)
        assert not path.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_no_file(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), VideoWriter(tmp_path / "a.mp4", 64, 48) as video:
        for index in range(20):
            video.write(noise(index, 64, 48), index * 40_000)
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"of before")
    with pytest.raises(RuntimeError), VideoWriter(path, 64, 48) as video:
        video.write(grey(10), 0)
        raise RuntimeError
    assert path.read_bytes() == b"of before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_of_before_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"of before")
    written(path, [0, 40_000])
    assert decoded(path)[0] == [0, 40_000]


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 64, 48):
        pass
    assert list(tmp_path.iterdir()) == []


def one_line(path: Path, error: pytest.ExceptionInfo[UserError], reason: str) -> bool:
    return str(error.value) == f"{path}: cannot be written: {reason}"


def test_a_missing_folder_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.mp4"
    with pytest.raises(UserError) as error:
        VideoWriter(path, 64, 48)
    assert one_line(path, error, "No such file or directory")


def test_a_folder_of_that_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.mkdir()
    with pytest.raises(UserError) as error:
        written(path, [0])
    assert one_line(path, error, "Is a directory")
    assert list(tmp_path.iterdir()) == [path]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """What a full disk is like: writing beyond this size fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("frames", [3, 80], ids=["at the end", "while writing"])
def test_a_full_disk_is_told_and_leaves_no_file(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "a.mp4"
    open_before = _open_files()
    with files_of_at_most(30_000), pytest.raises(UserError) as error:  # noqa: SIM117
        with VideoWriter(path, 320, 240) as video:
            for index in range(frames):
                video.write(noise(index), index * 40_000)
    assert one_line(path, error, "File too large")
    assert list(tmp_path.iterdir()) == []
    del video
    assert _open_files() == open_before


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_an_error_while_the_disk_is_full_stays_itself(tmp_path: Path) -> None:
    with files_of_at_most(0), pytest.raises(KeyboardInterrupt):  # noqa: SIM117
        with VideoWriter(tmp_path / "a.mp4", 320, 240) as video:
            with pytest.raises(UserError):
                for index in range(80):
                    video.write(noise(index), index * 40_000)
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_time_base_is_fine_enough_for_any_camera(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp4", [0, 1_000, 2_000])  # 1000 frames a second
    with av.open(str(path)) as container:
        assert container.streams.video[0].time_base <= Fraction(1, 90_000)
    assert np.abs(np.subtract(decoded(path)[0], [0, 1_000, 2_000])).max() <= 6


def test_the_encoder_can_be_told_to_save(tmp_path: Path) -> None:
    sizes = []
    for quality in ("20", "35"):
        path = tmp_path / f"{quality}.mp4"
        with VideoWriter(path, 320, 240, {"crf": quality, "preset": "veryfast"}) as video:
            for index in range(5):
                video.write(noise(index), 100_000 * index)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] / 2
