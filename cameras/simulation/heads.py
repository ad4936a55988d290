"""A head's own frame: where its hair, hats and glasses go, whatever its size."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cameras.simulation.body import Body, J, Part
from pipeline.types import DoubleArray, FloatArray

_EYES_TO_TOP_M = 0.118
"""Of the head for which hair and hats are drawn: it is about 21 cm long and 15 cm wide."""


@dataclass(frozen=True, eq=False, slots=True)
class Head:
    """The frame of a head: origin between the ears at the height of the eyes, x ahead.

    Attributes:
        origin: (3,) float64, metres, of the body.
        scale: Size against the head that everything is drawn for.
        points: (V, 3) the body's vertices in this frame, in that head's metres.
        eye: (3,) the left eye, in this frame.
    """

    origin: DoubleArray
    scale: float
    points: DoubleArray
    eye: DoubleArray

    def placed(self, points: npt.ArrayLike) -> DoubleArray:
        """Points (..., 3) of this frame in the body's."""
        return self.origin + self.scale * np.asarray(points, np.float64)

    def face_x(self, y: float, z: float) -> float:
        """How far ahead the face is at a place seen from the front."""
        front = self.points[(self.points[:, 0] > 0.03) & (self.points[:, 2] > -0.13)]
        away = np.hypot(front[:, 1] - y, front[:, 2] - z)
        return float(front[np.argsort(away)[:3], 0].max())


def measure_head(body: Body) -> Head:
    """The frame of a body's head."""
    eye, ear = body.keypoints[1], body.keypoints[3]
    origin = np.array([ear[0], 0, eye[2]], np.float64)
    scale = (body.height_m - float(eye[2])) / _EYES_TO_TOP_M
    return Head(
        origin, scale, (body.vertices - origin) / scale, (eye.astype(np.float64) - origin) / scale
    )


def is_head(body: Body) -> npt.NDArray[np.bool_]:
    """Vertices (V,) of head and neck."""
    return np.isin(body.part, (Part.HEAD, Part.NECK))


def head_weights(body: Body, heights: FloatArray) -> FloatArray:
    """Weights (N, J) of hair at given heights: it follows the head, further down the chest."""
    chin = measure_head(body)
    low = np.clip((chin.origin[2] - 0.12 * chin.scale - heights) / (0.15 * chin.scale), 0, 1)
    weights = np.zeros((len(heights), body.weights.shape[1]), np.float32)
    weights[:, J["head"]] = 1 - low
    weights[:, J["chest"]] = low
    return weights
