"""Folders of images, one file a frame."""

import re
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np

from cameras.clock import SamplingGrid, exact, frame_offset_us, start_us
from cameras.onepass import OnePass
from pipeline.config import Site, VideoCamera
from pipeline.errors import SourceError
from pipeline.types import Frame, ImageArray

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def open_images(camera: VideoCamera, site: Site) -> OnePass[Frame]:
    """The images of a folder in natural order of their names, at the site's sampling rate.

    Frames are numbered from 0 whatever numbers the names hold. Hidden files are left aside, and so
    are the folders in it.

    Raises:
        SourceError: The folder cannot be read, holds no image, or has no `frame_rate`. While
            iterating: a file that is looked at is no image; those before it have been delivered.
    """
    folder = Path(camera.video)
    try:
        paths = sorted(filter(_is_image, folder.iterdir()), key=_natural_order)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be read: {error.strerror}") from None
    if not paths:
        kinds = " ".join(sorted(SUFFIXES))
        raise SourceError(f"{folder}: expected a folder of images ({kinds}), found none in it")
    if camera.frame_rate is None:
        number = [other.id for other in site.cameras].index(camera.id)
        raise SourceError(
            f"{folder}: a folder of images has no times:"
            f" expected cameras[{number}].frame_rate, got none"
        )
    return OnePass(camera.id, len(paths), _frames(camera, site, paths, camera.frame_rate))


def _frames(
    camera: VideoCamera, site: Site, paths: list[Path], frame_rate: float
) -> Generator[Frame, None, None]:
    first_us, rate = start_us(camera, site), exact(frame_rate)
    grid = SamplingGrid(site.detection.rate_hz)
    for index, path in enumerate(paths):
        timestamp_us = first_us + frame_offset_us(index, rate)
        if grid.wants(timestamp_us):
            yield Frame(camera.id, index, timestamp_us, _read(path))


def _is_image(path: Path) -> bool:
    is_hidden = path.name.startswith(".")  # also macOS's `._name.jpg`
    return path.suffix.lower() in SUFFIXES and not is_hidden and path.is_file()


def _natural_order(path: Path) -> tuple[list[str | int], str]:
    """Key that sorts img2 before img10: runs of digits compare as numbers."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], path.name


def _read(path: Path) -> ImageArray:
    """The pixels (H, W, 3) uint8 BGR; turned as its Exif data says, transparency dropped."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise SourceError(f"{path}: expected an image, got a file that cannot be decoded")
    return np.asarray(image, np.uint8)
