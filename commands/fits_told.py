"""What a live run finds of clocks and floors, told while it runs."""

import logging
from collections.abc import Sequence
from math import dist

from pipeline.association.floor_fit import LEAST_OFFSET_S, LEAST_SHIFT_M, CameraFit

logger = logging.getLogger(__name__)


class FitsTold:
    """Logs which cameras' clock or floor is not that of the others, once until it changes.

    Less than what is told at all is no change: every minute's estimate is a little another.
    """

    def __init__(self) -> None:
        self._told: dict[str, CameraFit] = {}

    def tell(self, fits: Sequence[CameraFit]) -> None:
        """What has changed since the last time; what can be told no more is no change."""
        for fit in fits:
            before = self._told.get(fit.camera)
            if before is None or _is_another(before, fit):
                self._told[fit.camera] = fit
                words = "%s; association allows for it"
                logger.warning(words, fit.words, extra={"camera": fit.camera})


def _is_another(one: CameraFit, other: CameraFit) -> bool:
    is_moved = dist(one.shift_m, other.shift_m) >= LEAST_SHIFT_M
    return is_moved or abs(one.clock_s - other.clock_s) >= LEAST_OFFSET_S
