"""Clips from files, memory, archives and several of them at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.errors import DatasetError
from pipeline.reid.datasets.archive import ArchiveWriter, ClipArchive
from pipeline.reid.datasets.records import ClipRecord, ClipSource
from pipeline.reid.datasets.sources import (
    ClipsInMemory,
    FewerFrames,
    FileClips,
    JoinedClips,
    class_labels,
    resized,
)
from pipeline.types import ImageArray, IntArray


def numbers(*values: int) -> IntArray:
    return np.array(values, np.int64)


def clip(length: int, seed: int, size: tuple[int, int] = (8, 4)) -> ImageArray:
    return np.random.default_rng(seed).integers(0, 256, (length, *size, 3), np.uint8)


@pytest.fixture
def two() -> ClipsInMemory:
    return ClipsInMemory([clip(3, 0), clip(1, 1)], numbers(5, 2), numbers(1, 9))


def archived(folder: Path, source: ClipSource) -> ClipArchive:
    with ArchiveWriter(folder, (8, 4), {"made": "for a test", "seed": 3}) as writer:
        for index, length in enumerate(source.lengths):
            images = source.read(index, np.arange(length))
            writer.append(images, int(source.identities[index]), int(source.cameras[index]))
    return ClipArchive(folder)


def test_files_are_read_at_one_size(tmp_path: Path, picture: Callable[..., None]) -> None:
    paths = tuple(tmp_path / f"{shade}.png" for shade in (10, 200))
    for path, size in zip(paths, ((8, 4), (40, 30)), strict=True):
        picture(path, int(path.stem), size)
    source = FileClips([ClipRecord(paths, 7, 2), ClipRecord(paths[:1], 8, 3)], (16, 8))
    assert source.lengths.tolist() == [2, 1]
    assert (source.identities.tolist(), source.cameras.tolist()) == ([7, 8], [2, 3])
    read = source.read(0, numbers(1, 0, 1))
    assert read.shape == (3, 16, 8, 3)
    assert read.mean(axis=(1, 2, 3)).tolist() == [200, 10, 200]


def test_a_file_that_is_gone_or_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    gone, bad = tmp_path / "gone.jpg", tmp_path / "bad.jpg"
    source = FileClips([ClipRecord((gone, bad), 1, 1)], (8, 4))
    with pytest.raises(DatasetError, match=r"gone\.jpg: .* is not there"):
        source.read(0, numbers(0))
    with pytest.raises(DatasetError, match=r"bad\.jpg: .* is no image"):
        source.read(0, numbers(1))


def test_frames_shrink_by_areas() -> None:
    """The mean stays, which picking pixels would not keep."""
    fine = clip(1, 4, (256, 128))
    coarse = resized(fine, (128, 64))
    blocks = fine.reshape(1, 128, 2, 64, 2, 3).mean(axis=(2, 4))
    assert np.abs(coarse - blocks).max() <= 0.75


def test_an_archive_gives_back_what_was_written(tmp_path: Path, two: ClipsInMemory) -> None:
    archive = archived(tmp_path / "clips", two)
    assert archive.identities.tolist() == [5, 2]
    assert archive.cameras.tolist() == [1, 9]
    assert archive.lengths.tolist() == [3, 1]
    assert archive.size == (8, 4)
    assert archive.made_by == {"made": "for a test", "seed": 3}
    for index, wanted in ((0, numbers(2, 0, 2)), (1, numbers(0))):
        assert np.array_equal(archive.read(index, wanted), two.read(index, wanted))
    archive.read(0, numbers(0))[:] = 0
    assert np.array_equal(archive.read(0, numbers(0)), two.read(0, numbers(0)))
    assert yaml.safe_load((tmp_path / "clips/archive.yaml").read_text())["frames"] == 4


def test_the_frames_of_an_archive_are_a_plain_numpy_file(
    tmp_path: Path, two: ClipsInMemory
) -> None:
    archived(tmp_path / "clips", two)
    assert np.load(tmp_path / "clips/clips.npy").shape == (4, 8, 4, 3)


def test_an_archive_is_written_at_its_own_size(tmp_path: Path) -> None:
    large = clip(2, 5, (256, 128))
    with ArchiveWriter(tmp_path / "clips", (128, 64), {}) as writer:
        writer.append(large, 1, 1)
    read = ClipArchive(tmp_path / "clips").read(0, numbers(0, 1))
    assert np.array_equal(read, resized(large, (128, 64)))


def test_a_half_written_archive_does_not_come_to_be(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), ArchiveWriter(tmp_path / "a", (8, 4), {}) as writer:
        writer.append(clip(2, 0), 1, 1)
        assert not (tmp_path / "a").exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_written_over(tmp_path: Path, two: ClipsInMemory) -> None:
    writer = ArchiveWriter(tmp_path / "a", (8, 4), {})
    writer.__enter__().append(clip(5, 0), 1, 1)  # and no more is heard of it
    with pytest.raises(DatasetError, match="expected an archive of clips"):
        ClipArchive(tmp_path / "a.partial")
    assert archived(tmp_path / "a", two).lengths.tolist() == [3, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    writer.__exit__(KeyboardInterrupt, None, None)


def test_an_archive_is_not_written_over(tmp_path: Path, two: ClipsInMemory) -> None:
    archived(tmp_path / "a", two)
    with pytest.raises(DatasetError, match="expected a new folder"):
        ArchiveWriter(tmp_path / "a", (8, 4), {})


def test_an_archive_of_nothing_and_clips_of_nothing_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="at least one clip"),
        ArchiveWriter(tmp_path / "a", (8, 4), {}),
    ):
        pass
    with (
        pytest.raises(ValueError, match="K >= 1"),
        ArchiveWriter(tmp_path / "a", (8, 4), {}) as writer,
    ):
        writer.append(np.zeros((0, 8, 4, 3), np.uint8), 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_archive_is_named(tmp_path: Path, two: ClipsInMemory) -> None:
    folder = tmp_path / "a"
    archived(folder, two)
    np.save(folder / "clips.npy", clip(3, 0))
    with pytest.raises(DatasetError, match=r"clips\.npy and clips\.npz are not of one archive"):
        ClipArchive(folder)
    (folder / "clips.npz").unlink()
    with pytest.raises(DatasetError, match=r"expected an archive of clips: .*clips\.npz"):
        ClipArchive(folder)
    with pytest.raises(DatasetError, match="expected an archive of clips"):
        ClipArchive(tmp_path / "nowhere")


def test_joined_sources_share_nobody_and_no_camera(tmp_path: Path, two: ClipsInMemory) -> None:
    other = ClipsInMemory([clip(2, 2), clip(4, 3)], numbers(0, -1), numbers(1, 1))
    joined = JoinedClips([two, archived(tmp_path / "a", other), two])
    assert joined.identities.tolist() == [5, 2, 6, -1, 12, 9]
    assert joined.cameras.tolist() == [1, 9, 11, 11, 13, 21]
    assert joined.lengths.tolist() == [3, 1, 2, 4, 3, 1]
    for index, (source, inner) in enumerate(
        [(two, 0), (two, 1), (other, 0), (other, 1), (two, 0), (two, 1)]
    ):
        last = numbers(int(source.lengths[inner]) - 1)
        assert np.array_equal(joined.read(index, last), source.read(inner, last))


def test_sources_of_different_sizes_are_not_joined(two: ClipsInMemory) -> None:
    other = ClipsInMemory([clip(1, 0, (9, 4))], numbers(1), numbers(1))
    with pytest.raises(ValueError, match=r"one frame size, got \[\(8, 4\), \(9, 4\)\]"):
        JoinedClips([two, other])


def test_clips_in_memory_need_their_labels() -> None:
    with pytest.raises(ValueError, match="1 clips, 2 identities, 1 cameras"):
        ClipsInMemory([clip(1, 0)], numbers(1, 2), numbers(1))


def test_labels_follow_the_order_of_identities() -> None:
    assert class_labels(numbers(30, 7, 30, 11)).tolist() == [2, 0, 2, 1]


def test_fewer_frames_are_spread_evenly() -> None:
    long = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 2, 3), np.uint8)
    clips = ClipsInMemory([long, long[:3]], np.array([5, 6]), np.array([0, 1]))
    fewer = FewerFrames(clips, 4)
    assert fewer.lengths.tolist() == [4, 3]
    assert fewer.identities.tolist() == [5, 6] and fewer.cameras.tolist() == [0, 1]
    assert fewer.read(0, np.array([0, 3, 1]))[:, 0, 0, 0].tolist() == [1, 8, 3]
    assert fewer.read(1, np.arange(3))[:, 0, 0, 0].tolist() == [0, 1, 2]
