"""The frames of a camera once more, to draw on; blank where rows were recorded, not pixels."""

from collections.abc import Iterator

import numpy as np

from cameras.sources import open_frames, open_observations
from pipeline.config import Camera, Site, VideoCamera
from pipeline.types import Frame, ImageArray

BLANK_GREY = 60


def play(camera: Camera, site: Site) -> Iterator[Frame]:
    """The frames that the run looked at, in order.

    Raises:
        SourceError: As reading the camera for a run does.
    """
    if isinstance(camera, VideoCamera):
        source = open_frames(camera, site)
        try:
            yield from source
        finally:
            source.close()
        return
    width, height = camera.image_size
    blank: ImageArray = np.full((height, width, 3), BLANK_GREY, np.uint8)
    blank.flags.writeable = False  # one for all frames
    for observation in open_observations(camera, site):
        yield Frame(camera.id, observation.index, observation.timestamp_us, blank)
