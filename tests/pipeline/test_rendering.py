"""Drawing results: annotated frames and contact sheets, looked at pixel by pixel."""

import cv2
import numpy as np
import pytest

from pipeline.rendering import (
    BAND_HEADER_PX,
    CAPTION_PX,
    CELL_HEIGHT_PX,
    CELL_WIDTH_PX,
    CELLS_PER_ROW,
    COLOURS,
    HEADER_PX,
    PAPER,
    FrameAnnotator,
    SheetPassage,
    Trails,
    contact_sheet,
)
from pipeline.types import ImageArray

BOX = np.array([[100, 200, 160, 400]], np.float32)
CELL_STEP_X = CELL_WIDTH_PX + 6
ROW_PX = CELL_HEIGHT_PX + CAPTION_PX
START_US = 1_767_607_200_000_000


def black(height: int = 480, width: int = 640) -> ImageArray:
    return np.zeros((height, width, 3), np.uint8)


def drawn(annotator: FrameAnnotator, boxes: np.ndarray, *identities: int) -> ImageArray:
    return annotator.draw(black(), boxes.astype(np.float32), np.array(identities, np.int64))


def border_colour(picture: ImageArray, box: np.ndarray) -> tuple[int, ...]:
    """Of the right border, halfway up: there is neither label nor trail."""
    return tuple(picture[int(box[1] + box[3]) // 2, int(box[2])].tolist())


@pytest.mark.parametrize("identity", [1, 2, 19, 400])
def test_an_identity_has_one_colour_in_every_camera(identity: int) -> None:
    north, dock = FrameAnnotator(480, 25.0), FrameAnnotator(1080, 4.0)
    other = np.array([[300, 100, 350, 300]], np.float32)
    drawn(north, other, 77)  # what a camera saw before changes nothing
    both = np.vstack([other, BOX])

    in_north = border_colour(drawn(north, both, 5, identity), BOX[0])
    in_dock = border_colour(drawn(dock, BOX, identity), BOX[0])

    assert in_north == in_dock == COLOURS.by_idx(identity).as_bgr()


def test_neighbouring_identities_have_different_colours() -> None:
    annotator = FrameAnnotator(480, 25.0)
    assert len({border_colour(drawn(annotator, BOX, i), BOX[0]) for i in range(1, 11)}) == 10


def test_each_box_is_drawn_where_it_is() -> None:
    picture = drawn(FrameAnnotator(480, 25.0), BOX, 3)
    colour = COLOURS.by_idx(3).as_bgr()
    for x, y in ((100, 300), (160, 300), (130, 200), (130, 400)):
        assert tuple(picture[y, x].tolist()) == colour
    assert not picture[300, 110:150].any()


def test_the_label_stands_above_the_box_and_tells_identities_apart() -> None:
    one, two = (drawn(FrameAnnotator(480, 25.0), BOX, i) for i in (1, 21))
    strips = [picture[180:199, 100:130] for picture in (one, two)]
    assert all(strip.any() for strip in strips)
    # The same colour again, a whole palette later: only the number differs.
    again = drawn(FrameAnnotator(480, 25.0), BOX, 1 + len(COLOURS.colors))
    assert border_colour(again, BOX[0]) == border_colour(one, BOX[0])
    assert not np.array_equal(again[180:199], one[180:199])


def test_a_frame_without_people_is_copied_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    kept = image.copy()
    picture = FrameAnnotator(48, 25.0).draw(
        image, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    )
    assert np.array_equal(picture, kept)
    assert not np.shares_memory(picture, image)
    picture[:] = 0
    assert np.array_equal(image, kept)


def test_the_frame_given_is_not_drawn_on() -> None:
    image = black()
    FrameAnnotator(480, 25.0).draw(image, BOX, np.array([1]))
    assert not image.any()


def test_frames_that_cannot_be_written_to_can_be_drawn() -> None:
    image, boxes, identities = black(), BOX.copy(), np.array([1])
    for array in (image, boxes, identities):
        array.flags.writeable = False
    assert FrameAnnotator(480, 25.0).draw(image, boxes, identities).any()


def test_the_trail_follows_the_feet() -> None:
    annotator = FrameAnnotator(480, 25.0)
    for step in range(11):
        picture = drawn(annotator, BOX + np.array([10 * step, 0, 10 * step, 0]), 1)
    # Feet went from (130, 400) to (230, 400); the last box reaches from x = 200 to 260.
    colour = COLOURS.by_idx(1).as_bgr()
    assert all(tuple(picture[400, x].tolist()) == colour for x in range(131, 200))
    assert not picture[400, :129].any()  # lines are two pixels wide
    assert not picture[398, 140:195].any()


def test_a_trail_lasts_two_seconds() -> None:
    annotator = FrameAnnotator(480, 5.0)  # ten frames
    for step in range(30):
        picture = drawn(annotator, BOX + np.array([10 * step, 0, 10 * step, 0]), 1)
    # The last ten feet are at x = 130 + 200 ... 130 + 290.
    assert picture[400, 331].any()
    assert not picture[400, :329].any()


@pytest.mark.parametrize("company", [False, True], ids=["nobody", "somebody else"])
def test_who_comes_back_later_begins_a_new_trail(company: bool) -> None:
    annotator = FrameAnnotator(480, 5.0)
    drawn(annotator, BOX, 1)
    nobody, other = np.zeros((0, 4)), np.array([[20, 20, 40, 60]])
    for _ in range(10):
        drawn(annotator, *((other, 2) if company else (nobody,)))
    picture = drawn(annotator, BOX + np.array([300, 0, 300, 0]), 1)
    assert not picture[400, 170:390].any()


def test_trails_of_several_people_are_kept_apart() -> None:
    trails = Trails(3)
    two = np.array([[0, 0, 10, 20], [100, 0, 120, 50]], np.float32)
    trails.add(two, np.array([7, 8]))
    trails.add(two + 1, np.array([7, 8]))
    trails.add(two[1:] + 2, np.array([8]))
    assert trails.of(7).tolist() == [[5, 20], [6, 21]]
    assert trails.of(8).tolist() == [[110, 50], [111, 51], [112, 52]]
    assert trails.of(9).tolist() == []
    trails.add(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert trails.of(7).tolist() == [[6, 21]]
    assert trails.of(8).tolist() == [[111, 51], [112, 52]]


Colour = tuple[int, int, int]
RED, GREEN, BLUE, WHITE = (0, 0, 250), (0, 250, 0), (250, 0, 0), (255, 255, 255)


def jpeg(colour: Colour) -> bytes:
    picture = np.full((128, 64, 3), colour, np.uint8)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def passage(key: str, *colours: Colour, start_us: int = START_US) -> SheetPassage:
    camera = key.partition("/")[0]
    return SheetPassage(
        key, camera, start_us, start_us + 1_500_000, tuple(jpeg(colour) for colour in colours)
    )


def cell(sheet: ImageArray, top: int, column: int) -> ImageArray:
    left = column * CELL_STEP_X
    return sheet[top : top + CELL_HEIGHT_PX, left : left + CELL_WIDTH_PX]


def shows(sheet: ImageArray, top: int, column: int, colour: Colour) -> bool:
    part = cell(sheet, top, column).astype(int)
    return part.shape == (CELL_HEIGHT_PX, CELL_WIDTH_PX, 3) and bool(
        (np.abs(part - colour) < 12).all()
    )


def is_paper(part: ImageArray) -> bool:
    return part.size > 0 and bool((part == PAPER).all())


FIRST_TOP = HEADER_PX + BAND_HEADER_PX


def test_thumbnails_stand_side_by_side_in_order_of_time() -> None:
    sheet = contact_sheet("identity 1", [passage("a/1", RED, GREEN), passage("a/2", BLUE)])
    assert [shows(sheet, FIRST_TOP, i, c) for i, c in enumerate((RED, GREEN, BLUE))] == [True] * 3
    assert sheet.shape[0] == FIRST_TOP + ROW_PX
    gap = sheet[FIRST_TOP : FIRST_TOP + CELL_HEIGHT_PX, CELL_WIDTH_PX:CELL_STEP_X]
    assert is_paper(gap)


def test_a_caption_stands_under_the_first_thumbnail_of_each_passage() -> None:
    sheet = contact_sheet("identity 1", [passage("a/1", RED, GREEN), passage("a/2", BLUE)])
    captions = sheet[FIRST_TOP + CELL_HEIGHT_PX :]
    written = [not is_paper(captions[:, i * CELL_STEP_X : (i + 1) * CELL_STEP_X]) for i in range(3)]
    assert written == [True, False, True]


def test_captions_differ_with_the_time() -> None:
    early, late = (
        contact_sheet("identity 1", [passage("a/1", RED, start_us=START_US + hour * 3_600_000_000)])
        for hour in (0, 5)
    )
    captions = slice(FIRST_TOP + CELL_HEIGHT_PX, None)
    assert not np.array_equal(early[captions], late[captions])
    assert np.array_equal(early[: captions.start], late[: captions.start])


def test_thumbnails_wrap_into_rows() -> None:
    count = CELLS_PER_ROW + 2
    colours = [(10 * i, 250 - 10 * i, 100) for i in range(count)]
    sheet = contact_sheet("identity 1", [passage(f"a/{i}", c) for i, c in enumerate(colours)])
    for index, colour in enumerate(colours):
        row, column = divmod(index, CELLS_PER_ROW)
        assert shows(sheet, FIRST_TOP + row * ROW_PX, column, colour)
    assert sheet.shape == (FIRST_TOP + 2 * ROW_PX, CELLS_PER_ROW * CELL_STEP_X, 3)
    assert is_paper(sheet[FIRST_TOP + ROW_PX :, 2 * CELL_STEP_X :])


def test_exactly_one_row_is_not_followed_by_an_empty_one() -> None:
    sheet = contact_sheet("identity 1", [passage("a/1", *[RED] * CELLS_PER_ROW)])
    assert sheet.shape[0] == FIRST_TOP + ROW_PX


def test_there_is_a_band_a_camera_in_order_of_first_visit() -> None:
    # z was visited first, then a, then z again.
    passages = [passage("z/1", RED), passage("a/5", GREEN), passage("z/2", BLUE)]
    sheet = contact_sheet("identity 1", passages)
    second_top = FIRST_TOP + ROW_PX + BAND_HEADER_PX
    assert shows(sheet, FIRST_TOP, 0, RED)
    assert shows(sheet, FIRST_TOP, 1, BLUE)
    assert shows(sheet, second_top, 0, GREEN)
    assert sheet.shape[0] == second_top + ROW_PX
    for top in (HEADER_PX, FIRST_TOP + ROW_PX):
        assert not is_paper(sheet[top : top + BAND_HEADER_PX])


def test_a_passage_without_thumbnails_has_an_empty_frame() -> None:
    sheet = contact_sheet("identity 1", [passage("a/1"), passage("a/2", RED)])
    blank = cell(sheet, FIRST_TOP, 0)
    assert is_paper(blank[2:-2, 2:-2])
    assert not any(is_paper(edge) for edge in (blank[0], blank[-1], blank[:, 0], blank[:, -1]))
    assert shows(sheet, FIRST_TOP, 1, RED)


def test_names_are_written_whole_however_long() -> None:
    """The last letter of a heading changes the sheet: it is not cut off."""
    name = "a" * 63
    sheets = [contact_sheet("identity 1", [passage(f"{name}{end}/1", RED)]) for end in "bM"]
    assert any(not is_paper(sheet[HEADER_PX:FIRST_TOP, 480:]) for sheet in sheets)
    widest = min(sheet.shape[1] for sheet in sheets)
    one, other = (sheet[HEADER_PX:FIRST_TOP, :widest] for sheet in sheets)
    assert not np.array_equal(one, other)
    assert all(is_paper(sheet[:, -8:]) for sheet in sheets)


def test_the_title_is_written_whole_however_narrow_the_bands() -> None:
    sheet = contact_sheet("identity 1234: 12 passages, run 1234567", [passage("a/1", RED)])
    assert not is_paper(sheet[:HEADER_PX])
    assert is_paper(sheet[:, -8:])
    assert sheet.shape[1] > 3 * CELL_STEP_X
