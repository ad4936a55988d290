"""Clips in one file that is mapped into memory: nothing is decoded while training.

An archive is a folder: `clips.npy`, uint8 (all frames, H, W, 3); `clips.npz` with the identity and
camera of each clip and where its frames begin; `archive.yaml`, what made it. It is written under
another name and renamed when complete, so one that can be opened is whole.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final
from zipfile import BadZipFile

import numpy as np
import yaml
from numpy.lib import format as npy

from pipeline.errors import DatasetError
from pipeline.reid.datasets.sources import resized
from pipeline.types import ImageArray, IntArray

FRAMES: Final = "clips.npy"
LABELS: Final = "clips.npz"
DESCRIPTION: Final = "archive.yaml"


class ArchiveWriter:
    """Writes an archive clip by clip; used with `with`, which completes or removes it.

    Args:
        folder: The archive; must not be there yet.
        size: H and W of its frames, pixels; larger ones are shrunk by areas.
        made_by: What made the clips: source, seed, settings.

    Raises:
        DatasetError: The folder is there already.
    """

    def __init__(
        self, folder: Path, size: tuple[int, int], made_by: Mapping[str, str | int | float]
    ) -> None:
        if folder.exists():
            raise DatasetError(f"{folder}: expected a new folder for the archive, it is there")
        self._folder, self._size, self._made_by = folder, size, dict(made_by)
        self._partial = folder.with_name(f"{folder.name}.partial")
        self._identities: list[int] = []
        self._cameras: list[int] = []
        self._offsets = [0]

    def __enter__(self) -> "ArchiveWriter":
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        self._file = (self._partial / FRAMES).open("wb")
        self._data_at = self._write_header()
        return self

    def append(self, clip: ImageArray, identity: int, camera: int) -> None:
        """Add a clip (K, h, w, 3) uint8 BGR of at least one frame.

        Raises:
            ValueError: The clip is empty or of another form.
        """
        if clip.ndim != 4 or len(clip) == 0 or clip.shape[3] != 3 or clip.dtype != np.uint8:
            raise ValueError(f"expected (K, h, w, 3) uint8, K >= 1; got {clip.shape} {clip.dtype}")
        self._file.write(np.ascontiguousarray(resized(clip, self._size)).data)
        self._identities.append(identity)
        self._cameras.append(camera)
        self._offsets.append(self._offsets[-1] + len(clip))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            with self._file:
                if kind is None:
                    self._complete()
            if kind is None:
                self._partial.rename(self._folder)
        finally:
            shutil.rmtree(self._partial, ignore_errors=True)

    def _write_header(self) -> int:
        """Put down how many frames there are; gives the place at which the first begins."""
        shape = (self._offsets[-1], *self._size, 3)
        self._file.seek(0)
        npy.write_array_header_1_0(
            self._file, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        return self._file.tell()

    def _complete(self) -> None:
        if not self._identities:
            raise ValueError(f"{self._folder}: expected at least one clip in an archive, got none")
        # NumPy pads a header so that the first axis may grow; else the frames would be overwritten.
        if self._write_header() != self._data_at:
            raise ValueError(f"{self._partial}: the header of {FRAMES} changed its length")
        self._file.flush()
        os.fsync(self._file.fileno())
        np.savez(
            self._partial / LABELS,
            identities=np.array(self._identities, np.int64),
            cameras=np.array(self._cameras, np.int64),
            offsets=np.array(self._offsets, np.int64),
        )
        description = {
            "clips": len(self._identities),
            "frames": self._offsets[-1],
            "size": list(self._size),
            "made_by": self._made_by,
        }
        (self._partial / DESCRIPTION).write_text(
            yaml.safe_dump(description, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


class ClipArchive:
    """The clips of an archive, mapped into memory.

    Attributes:
        size: H and W of the frames, pixels.
        made_by: What made the clips.

    Raises:
        DatasetError: The folder is no archive, or its files do not fit together.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.made_by = dict(yaml.safe_load((folder / DESCRIPTION).read_text())["made_by"])
            self._frames = np.load(folder / FRAMES, mmap_mode="r")
            with np.load(folder / LABELS) as labels:
                self.identities: IntArray = labels["identities"]
                self.cameras: IntArray = labels["cameras"]
                self._offsets: IntArray = labels["offsets"]
        except (OSError, ValueError, KeyError, TypeError, BadZipFile, yaml.YAMLError) as reason:
            line = str(reason).splitlines()[0]
            raise DatasetError(f"{folder}: expected an archive of clips: {line}") from None
        self.lengths: IntArray = np.diff(self._offsets)
        if self._offsets[-1] != len(self._frames) or len(self.lengths) != len(self.identities):
            raise DatasetError(f"{folder}: {FRAMES} and {LABELS} are not of one archive")
        self.size: tuple[int, int] = (self._frames.shape[1], self._frames.shape[2])

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Frames of one clip."""
        return np.asarray(self._frames[self._offsets[clip] + frames])
