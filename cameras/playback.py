"""The frames of a camera once more, to draw on; blank where rows were recorded, not pixels."""

from collections.abc import Iterator, Sequence

import numpy as np

from cameras.encoding import THUMBNAILS, make_thumbnails
from cameras.sources import open_frames, open_observations
from pipeline.config import Camera, PixelCamera, Site
from pipeline.tracking.clips import cut
from pipeline.types import Clip, FloatArray, Frame, ImageArray, Tracklet

BLANK_GREY = 60


def play(camera: Camera, site: Site) -> Iterator[Frame]:
    """The frames that the run looked at, in order.

    Raises:
        SourceError: As reading the camera for a run does.
    """
    if isinstance(camera, PixelCamera):
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


class ThumbnailCutter:
    """Cuts thumbnails out of frames played again, for tracklets of which a run could keep none.

    Args:
        tracklets: Which; of each as many as a run keeps, the surest box of each part of its length.
    """

    def __init__(self, tracklets: Sequence[Tracklet]) -> None:
        self._wanted: dict[tuple[str, int], list[tuple[str, FloatArray]]] = {}
        self._jpegs: dict[str, tuple[bytes, ...]] = {}
        for tracklet in tracklets:
            for part in np.array_split(np.arange(len(tracklet.scores)), THUMBNAILS):
                for row in part[np.argsort(-tracklet.scores[part], kind="stable")[:1]]:
                    place = tracklet.camera_id, int(tracklet.frame_indices[row])
                    wanted = tracklet.key, tracklet.boxes[row]
                    self._wanted.setdefault(place, []).append(wanted)

    def look(self, frame: Frame) -> None:
        """Cut what is wanted of a frame; boxes outside it give nothing."""
        height, width = frame.image.shape[:2]
        for key, box in self._wanted.pop((frame.camera_id, frame.index), []):
            if (np.minimum(box[2:], (width, height)) > np.maximum(box[:2], 0)).all():
                crop = cut(frame.image, box)[None]
                clip = Clip(crop, np.array([frame.timestamp_us]), np.ones(1, np.float32))
                jpegs = tuple(thumbnail.jpeg for thumbnail in make_thumbnails(clip))
                self._jpegs[key] = self._jpegs.get(key, ()) + jpegs

    def thumbnails(self) -> dict[str, tuple[bytes, ...]]:
        """JPEGs of each tracklet seen, in order of time, by the tracklet's key."""
        return dict(self._jpegs)
