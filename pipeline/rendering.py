"""Pictures of results: annotated frames, and a contact sheet per identity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import supervision as sv

from pipeline.geometry import foot_points
from pipeline.timestamps import to_iso
from pipeline.types import DoubleArray, FloatArray, ImageArray, IntArray

REFERENCE_HEIGHT_PX: Final = 720
"""Lines and letters keep their share of a picture of this height, but can be read in small ones."""
LEAST_SCALE: Final = 0.65
TRAIL_SECONDS: Final = 2.0
COLOURS: Final = sv.ColorPalette.DEFAULT
LETTERS: Final = sv.ColorPalette(
    [
        sv.Color(40, 40, 40) if 0.299 * c.r + 0.587 * c.g + 0.114 * c.b > 150 else sv.Color.WHITE
        for c in COLOURS.colors
    ]
)
"""What can be read on each colour, by its luminance as in Rec. 601."""

CELL_WIDTH_PX: Final = 96
CELL_HEIGHT_PX: Final = 192
MARGIN_PX: Final = 12
CAPTION_PX: Final = 34
HEADER_PX: Final = 44
BAND_HEADER_PX: Final = 30
CELLS_PER_ROW: Final = 12
PAPER: Final = (250, 250, 250)
INK: Final = (40, 40, 40)
FAINT: Final = (130, 130, 130)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class Trails:
    """Where the people of one camera stood in the last frames.

    Unlike supervision's, they also grow old in frames without anybody: who comes back later begins
    a new trail.

    Args:
        length: How many frames are remembered.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._frame = 0
        self._frames = np.zeros(0, np.int64)
        self._identities = np.zeros(0, np.int64)
        self._feet = np.zeros((0, 2))

    def add(self, boxes: FloatArray, identities: IntArray) -> None:
        """Take in the next frame: boxes (N, 4) xyxy of the identities (N,), N >= 0."""
        self._frame += 1
        kept = self._frames > self._frame - self._length
        now = np.full(len(identities), self._frame)
        self._frames = np.concatenate([self._frames[kept], now])
        self._identities = np.concatenate([self._identities[kept], identities])
        self._feet = np.concatenate([self._feet[kept], foot_points(boxes)])

    def of(self, identity: int) -> DoubleArray:
        """Foot points (M, 2) of an identity, pixels, oldest first."""
        return np.asarray(self._feet[self._identities == identity])


class FrameAnnotator:
    """Draws boxes, identity numbers and short trails; one instance a camera.

    The colour of an identity depends on its number alone, so that it is the same in every camera.

    Args:
        height: Of the frames, pixels.
        frame_rate: Frames drawn per second, for the length of trails.
    """

    def __init__(self, height: int, frame_rate: float) -> None:
        scale = max(height / REFERENCE_HEIGHT_PX, LEAST_SCALE)
        thickness = max(2, round(2 * scale))
        lookup = sv.ColorLookup.TRACK
        self._trails = Trails(max(2, round(TRAIL_SECONDS * frame_rate)))
        self._thickness = thickness
        self._boxes = sv.BoxAnnotator(COLOURS, thickness=thickness, color_lookup=lookup)
        self._labels = sv.LabelAnnotator(
            COLOURS,
            text_color=LETTERS,
            text_scale=0.6 * scale,
            text_thickness=max(1, round(1.5 * scale)),
            text_padding=max(2, round(5 * scale)),
            color_lookup=lookup,
        )

    def draw(self, image: ImageArray, boxes: FloatArray, identities: IntArray) -> ImageArray:
        """A copy of the frame (H, W, 3) with boxes (N, 4) xyxy of the identities (N,).

        To be called for every frame, also where nobody is seen.
        """
        picture: Any = image.copy()
        self._trails.add(boxes, identities)
        if len(boxes) == 0:
            return np.asarray(picture)
        people = sv.Detections(xyxy=np.array(boxes), tracker_id=np.array(identities))
        for identity in identities.tolist():
            trail = np.rint(self._trails.of(identity)).astype(np.int32)
            colour = COLOURS.by_idx(identity).as_bgr()
            cv2.polylines(picture, [trail], False, colour, self._thickness)
        picture = self._boxes.annotate(picture, people)
        labels = [str(identity) for identity in identities]
        return np.asarray(self._labels.annotate(picture, people, labels=labels))


@dataclass(frozen=True, slots=True)
class SheetPassage:
    """One passage on a contact sheet.

    Attributes:
        tracklet: Its key.
        camera_id: Where; empty for a picture from elsewhere, whose times are not shown.
        enter_us: When it begins, microseconds UTC.
        leave_us: When it ends.
        jpegs: Its thumbnails, in order of time; possibly none.
    """

    tracklet: str
    camera_id: str
    enter_us: int
    leave_us: int
    jpegs: tuple[bytes, ...]


def contact_sheet(title: str, passages: Sequence[SheetPassage]) -> ImageArray:
    """All thumbnails of an identity: a band a camera, in order of time within it.

    Cameras come in the order in which the person was first seen there.
    """
    cameras = list(dict.fromkeys(passage.camera_id for passage in passages))
    bands = [
        _band(camera, [passage for passage in passages if passage.camera_id == camera])
        for camera in cameras
    ]
    return _stacked([_heading(title, HEADER_PX, 0.75), *bands])


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """What is shown of a pair: the other tracklet, what became of it, and why."""

    other: SheetPassage
    title: str
    lines: tuple[str, ...]


def evidence_sheet(title: str, subject: SheetPassage, rows: Sequence[EvidenceRow]) -> ImageArray:
    """A tracklet and each of the others side by side, with what speaks for and against."""
    bands = [
        np.hstack([_cells(subject)[0], _cells(row.other)[0], _words(row.title, row.lines)])
        for row in rows
    ]
    return _stacked([_heading(title, HEADER_PX, 0.6), *(bands or [_cells(subject)[0]])])


def _words(title: str, lines: Sequence[str]) -> ImageArray:
    width = max(cv2.getTextSize(line, FONT, 0.5, 1)[0][0] for line in (title, *lines))
    paper = _paper(CELL_HEIGHT_PX + CAPTION_PX, width + 2 * MARGIN_PX)
    for number, line in enumerate((title, *lines)):
        ink = INK if number == 0 else FAINT
        _write(paper, line, (MARGIN_PX, 24 + 22 * number), 0.5, ink)
    return paper


def _band(camera: str, passages: Sequence[SheetPassage]) -> ImageArray:
    """One camera's thumbnails, wrapped into rows."""
    cells = [cell for passage in passages for cell in _cells(passage)]
    number = f"{len(passages)} passage{'s' if len(passages) > 1 else ''}"
    rows = [
        np.hstack(cells[start : start + CELLS_PER_ROW])
        for start in range(0, len(cells), CELLS_PER_ROW)
    ]
    return _stacked([_heading(f"{camera}: {number}", BAND_HEADER_PX, 0.5), *rows])


def _cells(passage: SheetPassage) -> list[ImageArray]:
    """The thumbnails of one passage; an empty frame where none was kept."""
    pictures = [
        cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) for jpeg in passage.jpegs
    ]
    if not pictures:
        blank = _paper(CELL_HEIGHT_PX, CELL_WIDTH_PX)
        cv2.rectangle(blank, (0, 0), (CELL_WIDTH_PX - 1, CELL_HEIGHT_PX - 1), FAINT)
        pictures = [blank]
    cells = [_cell(np.asarray(picture)) for picture in pictures]
    seconds = (passage.leave_us - passage.enter_us) / 1e6
    clock = to_iso(passage.enter_us)[11:19]
    if passage.camera_id:
        _write(cells[0], f"{clock} {seconds:.1f}s", (2, CELL_HEIGHT_PX + 13), 0.4, INK)
    _write(cells[0], passage.tracklet[-15:], (2, CELL_HEIGHT_PX + 27), 0.4, FAINT)
    return cells


def _cell(picture: ImageArray) -> ImageArray:
    cell = _paper(CELL_HEIGHT_PX + CAPTION_PX, CELL_WIDTH_PX + 6)
    size = (CELL_WIDTH_PX, CELL_HEIGHT_PX)
    cell[:CELL_HEIGHT_PX, :CELL_WIDTH_PX] = cv2.resize(
        picture, size, interpolation=cv2.INTER_LINEAR
    )
    return cell


def _paper(height: int, width: int) -> ImageArray:
    return np.full((height, width, 3), PAPER, np.uint8)


def _heading(text: str, height: int, scale: float) -> ImageArray:
    """A line of text on paper that is as wide as it needs."""
    (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    paper = _paper(height, width + 2 * MARGIN_PX)
    _write(paper, text, (MARGIN_PX, height * 2 // 3), scale, INK)
    return paper


def _stacked(parts: Sequence[ImageArray]) -> ImageArray:
    """Pictures below one another, narrow ones filled up with paper on the right."""
    width = max(part.shape[1] for part in parts)
    return np.vstack([np.hstack([p, _paper(p.shape[0], width - p.shape[1])]) for p in parts])


def _write(
    image: ImageArray, text: str, at: tuple[int, int], scale: float, ink: tuple[int, int, int]
) -> None:
    cv2.putText(image, text, at, FONT, scale, ink, 1, cv2.LINE_AA)
