"""The values every reader of labelled clips gives, and what training and evaluation read."""

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.reid.datasets.protocols import Protocol
from pipeline.types import ImageArray, IntArray

JUNK: Final = -1
"""Identity of what is no person, or too badly cut to judge: neither right nor wrong."""

DISTRACTOR: Final = 0
"""Identity of what stands in the gallery to be confused with: always wrong."""


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One passage of one person through one camera, as files; an image is a clip of one frame.

    Attributes:
        frames: Its images in order of time, at least one.
        identity: Number that the data set gives the person; see `Protocol` for `JUNK` and
            `DISTRACTOR`.
        camera: Number that the data set gives the camera.
    """

    frames: tuple[Path, ...]
    identity: int
    camera: int


@dataclass(frozen=True, slots=True)
class ReidData:
    """A data set, split as its authors did.

    Attributes:
        name: Which data set, and which split where there are several.
        train: Clips to learn from; no junk and no distractors.
        query: Clips that are sought.
        gallery: What is searched, all of it: with the queries where the protocol says so.
        protocol: How it is scored.
    """

    name: str
    train: tuple[ClipRecord, ...]
    query: tuple[ClipRecord, ...]
    gallery: tuple[ClipRecord, ...]
    protocol: Protocol


class ClipSource(typing.Protocol):
    """N labelled clips whose pixels can be read; what training and evaluation see of any data."""

    @property
    def identities(self) -> IntArray:
        """Who is in each clip, int64 (N,)."""
        ...

    @property
    def cameras(self) -> IntArray:
        """Which camera saw each clip, int64 (N,)."""
        ...

    @property
    def lengths(self) -> IntArray:
        """How many frames each clip has, int64 (N,), at least 1."""
        ...

    def read(self, clip: int, frames: IntArray) -> ImageArray:
        """Frames of one clip, (len(frames), H, W, 3) uint8 BGR; all clips have one H and W.

        Args:
            clip: Which clip, from 0.
            frames: Which of its frames, from 0, in the order wanted; may repeat.
        """
        ...
