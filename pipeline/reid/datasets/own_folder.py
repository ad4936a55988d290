"""One's own crops: `identity/camera/*.jpg`, with any names.

People and cameras are numbered from 1 in the order of their names. All of it is given to train on,
and all of it is sought in all of it: keep people to score with in another folder than people to
train on, for a score on those says nothing.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import folders_in, images_in
from pipeline.reid.datasets.protocols import CROSS_CAMERA
from pipeline.reid.datasets.records import ClipRecord, ReidData

PROTOCOL: Final = replace(CROSS_CAMERA, queries_in_gallery=True)
SPLITS: Final = ("clips", "images")


def read_own_folder(folder: Path, split: str) -> ReidData:
    """The images of a person at a camera as one clip, in order of name, or as a clip each."""
    seen = [(person, camera) for person in folders_in(folder) for camera in folders_in(person)]
    if not seen:
        raise DatasetError(f"{folder}: expected identity/camera/*.jpg, got no such folders")
    people = _numbered({person.name for person, _ in seen})
    cameras = _numbered({camera.name for _, camera in seen})
    clips = [
        ClipRecord(tuple(images_in(camera)), people[person.name], cameras[camera.name])
        for person, camera in seen
    ]
    if split == "images":
        clips = [replace(clip, frames=(frame,)) for clip in clips for frame in clip.frames]
    everything = tuple(clips)
    return ReidData(folder.name, everything, everything, everything, PROTOCOL)


def _numbered(names: set[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(names), start=1)}
