"""The table that follows the cameras, and when it is drawn."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from cameras.live import Link, LiveStatus
from cameras.progress import REFRESH_PER_SECOND, ProgressDisplay, progress_table
from cameras.worker import CameraStatus, State

START_US = 1_767_607_200_000_000


def cells(table: Table) -> list[dict[str, str]]:
    """The table's rows, by heading."""
    columns = {str(column.header): list(column.cells) for column in table.columns}
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, map(str, row), strict=True)) for row in rows]


def running(**changes: object) -> CameraStatus:
    values = {
        "camera_id": "north",
        "state": State.RUNNING,
        "frames": 50,
        "first_us": START_US,
        "position_us": START_US + 3_723_900_000,
        "last_index": 99,
        "expected_frames": 400,
        "open_tracks": 3,
        "tracklets": 12,
    }
    return CameraStatus(**(values | changes))


def test_a_camera_is_one_row() -> None:
    (row,) = cells(progress_table([running()], 4.0))
    assert row == {
        "camera": "north",
        "state": "running",
        "position": "1:02:03",
        "done": "25 %",  # frames 0 to 99 of 400, though only 50 were looked at
        "frames/s": "12.5",
        "open tracks": "3",
        "tracklets": "12",
    }


def test_cameras_stand_in_the_order_given() -> None:
    statuses = [CameraStatus("b"), running(), CameraStatus("a")]
    assert [row["camera"] for row in cells(progress_table(statuses, 1))] == ["b", "north", "a"]


def test_a_camera_that_has_not_begun_is_nowhere() -> None:
    (row,) = cells(progress_table([CameraStatus("north", expected_frames=1)], 0.0))
    assert row["state"] == "waiting"
    assert row["position"] == "0:00:00"
    assert row["done"] == "0 %"
    assert row["frames/s"] == "0.0"


@pytest.mark.parametrize(
    ("last_index", "expected_frames", "shown"),
    [
        (0, 1, "100 %"),
        (0, 3, "33 %"),
        (397, 400, "99 %"),  # never rounded up
        (399, 400, "100 %"),
        (450, 400, "100 %"),  # a header that counted too few
        (450, 0, ""),  # a source that does not say
    ],
)
def test_the_share_done(last_index: int, expected_frames: int, shown: str) -> None:
    status = running(last_index=last_index, expected_frames=expected_frames)
    (row,) = cells(progress_table([status], 1.0))
    assert row["done"] == shown


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_word(state: State) -> None:
    (row,) = cells(progress_table([running(state=state)], 1.0))
    assert row["state"] == state.value


def test_a_live_camera_shows_its_connection() -> None:
    live = LiveStatus(Link.STALLED)
    states = [running(live=live), running(live=live, state=State.ENDED)]
    assert [row["state"] for row in cells(progress_table(states, 1.0))] == ["stalled", "ended"]


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    text = io.StringIO()
    with ProgressDisplay(Console(file=text)) as display:
        display.show([running()])
    assert text.getvalue() == ""


def test_the_table_is_drawn_on_a_terminal() -> None:
    text = io.StringIO()
    with ProgressDisplay(Console(file=text, force_terminal=True, width=120)) as display:
        display.show([running()])
        drawn = text.getvalue()
    assert "north" in drawn
    assert "25 %" in drawn


def test_it_is_drawn_only_a_few_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("cameras.progress.time.monotonic", lambda: now[0])
    text = io.StringIO()
    with ProgressDisplay(Console(file=text, force_terminal=True, width=120)) as display:
        for step in range(100):  # ten seconds
            now[0] = 100 + step / 10
            display.show([running()])
    drawn = text.getvalue().count("25 %")
    assert 10 * REFRESH_PER_SECOND / 2 <= drawn <= 10 * REFRESH_PER_SECOND + 1


def test_the_terminal_is_given_back_after_an_error() -> None:
    text = io.StringIO()
    hidden, visible = "\x1b[?25l", "\x1b[?25h"  # the cursor
    display = ProgressDisplay(Console(file=text, force_terminal=True, width=120))
    with pytest.raises(RuntimeError), display:
        display.show([running()])
        raise RuntimeError
    assert text.getvalue().rindex(visible) > text.getvalue().rindex(hidden)
