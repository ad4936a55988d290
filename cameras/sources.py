"""Where frames and recorded observations come from: the door to every kind of source."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cameras.images import open_images
from cameras.recorded import open_detections, open_tracks
from cameras.video import open_video
from pipeline.config import (
    DetectionsCamera,
    PixelCamera,
    SimulationCamera,
    Site,
    TracksCamera,
    redact,
)
from pipeline.errors import SourceError
from pipeline.types import Frame, Observation


class FrameSource(Protocol):
    """Pixels of one camera: frames in order of time, in one pass.

    Attributes:
        camera_id: Which camera.
        expected_frames: How many frames the source says that it has, for showing progress by
            `Frame.index`; frames that the sampling rate leaves out are counted. None when it does
            not say.
    """

    camera_id: str
    expected_frames: int | None

    def __iter__(self) -> Iterator[Frame]:
        """The frames on the sampling grid; timestamps never decrease.

        Raises:
            SourceError: The source ends too early or is damaged; all before has been delivered.
        """
        ...

    def close(self) -> None:
        """Let go of what is open; iterating ends. May be called more than once, and from another
        thread, where it waits for the frame in work."""
        ...


class ObservationSource(Protocol):
    """Recorded detections or tracks of one camera: observations in order of time, in one pass.

    Attributes:
        camera_id: Which camera.
        expected_frames: How many frames were recorded, those included that the sampling rate
            leaves out.
    """

    camera_id: str
    expected_frames: int | None

    def __iter__(self) -> Iterator[Observation]:
        """One observation for every frame on the sampling grid, those without people too."""
        ...

    def close(self) -> None:
        """Iterating ends."""
        ...


def open_frames(camera: PixelCamera, site: Site) -> FrameSource:
    """The frames of a video file, folder of images or simulation, at `site.detection.rate_hz`.

    Raises:
        SourceError: There is nothing at the path, or nothing that can be read as frames.
        SettingsError: The simulation file holds a wrong key or value.
    """
    if isinstance(camera, SimulationCamera):
        # The renderer takes a while to import, and real cameras do not need it.
        from cameras.simulation.source import open_simulation

        return open_simulation(camera, site)
    if camera.is_live:
        raise SourceError(
            f"{redact(camera.video)}: expected a video file or a folder of images;"
            " a live camera cannot be read again"
        )
    path = Path(camera.video)
    if not path.exists():
        raise SourceError(f"{path}: expected a video file or a folder of images, found nothing")
    return open_images(camera, site) if path.is_dir() else open_video(camera, site)


def open_observations(camera: DetectionsCamera | TracksCamera, site: Site) -> ObservationSource:
    """Recorded detections, or recorded tracks with `tracker_id`, at `site.detection.rate_hz`.

    Raises:
        SourceError: A file is missing or malformed; all rows are read and checked here.
    """
    if isinstance(camera, TracksCamera):
        return open_tracks(camera, site)
    return open_detections(camera, site)
