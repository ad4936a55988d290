"""What counts as right, wrong and neither when a data set is searched.

Papers disagree on this even for one data set, so a score says which protocol it follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

NO_GROUPS: Final[Mapping[int, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a ranked gallery becomes a score.

    Attributes:
        name: What to print beside the score.
        average_precision: `rectangular`: mean of the precisions at the hits, as most Python code
            has it; `trapezoidal`: the mean of the precisions at and before each hit, 1 before the
            first entry, as the evaluation code of Market-1501 and MARS has it.
        ignore_same_camera: Gallery entries of the query's identity and camera are left out of the
            ranking: they are neither right nor wrong.
        junk: Gallery entries of these identities are left out of every ranking.
        distractors: Gallery entries of these identities stay, and are always wrong.
        queries_in_gallery: Whether the gallery that is searched holds the queries themselves.
            States what `ReidData.gallery` is: a score adds nothing and drops nothing.
        camera_groups: Camera -> place, for cameras that look at one place. All gallery entries of
            cameras in the query's group are left out, whatever their identity (SYSU-MM01: camera 2
            for queries of camera 3). Cameras that are not in it have no group.
        unique_identities: CMC counts identities, each at its best entry, instead of entries
            (SYSU-MM01). Average precision counts entries either way.
    """

    name: str
    average_precision: Literal["rectangular", "trapezoidal"] = "rectangular"
    ignore_same_camera: bool = True
    junk: frozenset[int] = frozenset()
    distractors: frozenset[int] = frozenset()
    queries_in_gallery: bool = False
    camera_groups: Mapping[int, int] = field(default_factory=lambda: NO_GROUPS)
    unique_identities: bool = False


CROSS_CAMERA: Final = Protocol("cross-camera")
"""For one's own footage and simulated people: found again by another camera."""
