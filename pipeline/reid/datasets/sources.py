"""Clips from files, from memory, and several sources as one."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline.errors import DatasetError
from pipeline.reid.datasets.records import JUNK, ClipRecord, ClipSource
from pipeline.reid.samplers import even_frames
from pipeline.types import ImageArray, IntArray


class FileClips:
    """Clips whose frames are image files, read and resized when asked for.

    Args:
        records: The clips.
        size: H and W to bring every frame to, pixels.
    """

    def __init__(self, records: Sequence[ClipRecord], size: tuple[int, int]) -> None:
        self._records, self._size = tuple(records), size
        self.identities = np.array([one.identity for one in self._records], np.int64)
        self.cameras = np.array([one.camera for one in self._records], np.int64)
        self.lengths = np.array([len(one.frames) for one in self._records], np.int64)

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Frames of one clip; raises `DatasetError` where a file is no image."""
        paths = self._records[clip].frames
        images = np.empty((len(frames), *self._size, 3), np.uint8)
        for row, frame in enumerate(frames):
            images[row] = resized(read_image(paths[frame])[None], self._size)[0]
        return images


class ClipsInMemory:
    """Clips that are at hand, (K, H, W, 3) uint8 BGR each, of any K and one H and W."""

    def __init__(
        self, clips: Sequence[ImageArray], identities: IntArray, cameras: IntArray
    ) -> None:
        if not len(clips) == len(identities) == len(cameras):
            counts = f"{len(clips)} clips, {len(identities)} identities, {len(cameras)} cameras"
            raise ValueError(f"expected an identity and a camera for every clip, got {counts}")
        self._clips = tuple(clips)
        self.identities = np.asarray(identities, np.int64)
        self.cameras = np.asarray(cameras, np.int64)
        self.lengths = np.array([len(clip) for clip in clips], np.int64)

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Frames of one clip."""
        return self._clips[clip][frames]


class JoinedClips:
    """Several sources to train on as one; nobody and no camera is in two of them.

    Identities and cameras of each source are moved past those of the sources before it; `JUNK`
    stays what it is.

    Raises:
        ValueError: The sources are empty or their frames differ in size.
    """

    def __init__(self, sources: Sequence[ClipSource]) -> None:
        sizes = {source.read(0, np.zeros(1, np.int64)).shape[1:3] for source in sources}
        if len(sizes) != 1:
            raise ValueError(f"expected sources of one frame size, got {sorted(sizes)}")
        self._sources = tuple(sources)
        counts = [len(source.identities) for source in sources]
        self._starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        self.identities = _moved([source.identities for source in sources])
        self.cameras = _moved([source.cameras for source in sources])
        self.lengths = np.concatenate([source.lengths for source in sources])

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Frames of one clip."""
        source = int(np.searchsorted(self._starts, clip, side="right")) - 1
        return self._sources[source].read(clip - int(self._starts[source]), frames)


class FewerFrames:
    """Clips of which only some frames are looked at, evenly spread.

    Args:
        source: The clips.
        count: So many frames of each; all of those that have no more.
    """

    def __init__(self, source: ClipSource, count: int) -> None:
        self._source, self._count = source, count
        self.identities, self.cameras = source.identities, source.cameras
        self.lengths = np.minimum(source.lengths, count)

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Some of the frames that are left of one clip."""
        kept = even_frames(int(self._source.lengths[clip]), self._count)
        return self._source.read(clip, kept[frames])


def _moved(numbers: Sequence[IntArray]) -> IntArray:
    """Numbers one after the other, each group past those before it; `JUNK` as it is."""
    moved, past = [], 0
    for group in numbers:
        moved.append(np.where(group == JUNK, JUNK, group + past))
        past = max(past, int(moved[-1].max()) + 1)
    return np.concatenate(moved)


def class_labels(identities: IntArray) -> IntArray:
    """Labels from 0 without gaps, (N,), in the order of the identities' numbers."""
    return np.unique(identities, return_inverse=True)[1].astype(np.int64)


def read_image(path: Path) -> ImageArray:
    """An image (H, W, 3) uint8 BGR.

    Raises:
        DatasetError: There is no such file, or it is no image.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        wrong = "is no image" if path.is_file() else "is not there"
        raise DatasetError(f"{path}: expected an image of the data set, the file {wrong}")
    return np.asarray(image, np.uint8)


def resized(crops: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Crops (K, H, W, 3) at another H and W: by areas where they shrink, else linearly."""
    height, width = crops.shape[1:3]
    if (height, width) == size:
        return crops
    how = cv2.INTER_AREA if height * width > size[0] * size[1] else cv2.INTER_LINEAR
    result = np.empty((len(crops), *size, 3), np.uint8)
    for crop, into in zip(crops, result, strict=True):
        into[:] = cv2.resize(crop, size[::-1], interpolation=how)
    return result
