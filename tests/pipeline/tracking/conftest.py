"""People walking through an image, as a detector would report them."""

from collections.abc import Callable

import numpy as np
import pytest
import supervision as sv

MakeDetections = Callable[..., sv.Detections]


@pytest.fixture
def detections() -> MakeDetections:
    """`detections(boxes, scores=0.9, ids=None)`: boxes (N, 4) xyxy, one score or N of them."""

    def make(boxes, scores=0.9, ids=None) -> sv.Detections:
        xyxy = np.asarray(boxes, np.float32).reshape(-1, 4)
        return sv.Detections(
            xyxy=xyxy,
            confidence=np.broadcast_to(np.float32(scores), len(xyxy)).astype(np.float32),
            class_id=np.zeros(len(xyxy), int),
            tracker_id=None if ids is None else np.asarray(ids, int),
        )

    return make
