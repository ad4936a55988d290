"""Reading MOTChallenge text: its columns, its ways of writing, and every error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GroundTruthError, SourceError
from pipeline.motchallenge import MotRows, read_rows

ROW = "1,1,10,20,30,40,0.9,1,2,3"


def read(tmp_path: Path, text: str | bytes) -> MotRows:
    path = tmp_path / "rows.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rows(path, SourceError)


def test_columns(tmp_path: Path) -> None:
    rows = read(tmp_path, "3,-1,10.5,20,30,40,0.25,7,8,9\n1,12,-5,0,1,2,1,-1,-1,-1\n")
    assert rows.frame_indices.tolist() == [2, 0]
    assert rows.ids.tolist() == [-1, 12]
    assert rows.boxes.tolist() == [[10.5, 20, 40.5, 60], [-5, 0, -4, 2]]
    assert rows.scores.tolist() == [0.25, 1]
    assert rows.extra.tolist() == [[7, 8, 9], [-1, -1, -1]]
    assert rows.row_numbers.tolist() == [1, 2]
    assert rows.columns == 10
    assert rows.frame_indices.dtype == rows.ids.dtype == rows.row_numbers.dtype == np.int64
    assert rows.boxes.dtype == rows.scores.dtype == rows.extra.dtype == np.float64


@pytest.mark.parametrize(
    ("columns", "score", "extra"),
    [(6, 1, [-1, -1, -1]), (7, 0.9, [-1, -1, -1]), (8, 0.9, [1, -1, -1]), (9, 0.9, [1, 2, -1])],
)
def test_files_may_lack_the_last_columns(
    columns: int, score: float, extra: list[float], tmp_path: Path
) -> None:
    rows = read(tmp_path, ",".join(ROW.split(",")[:columns]))
    assert rows.columns == columns
    assert rows.scores.tolist() == [score]
    assert rows.extra.tolist() == [extra]


SAME = [
    ROW,
    ROW.replace(",", " "),
    ROW.replace(",", "\t"),
    ROW.replace(",", ", "),
    ROW.replace(",", "  ,  "),
    "  " + ROW + "  ",
    ROW + ",",
    ROW + " , ",
    ROW + "\r",
    "\n \n" + ROW + "\n\n",
    "\ufeff" + ROW,  # as spreadsheets save it
    "1.0,1e0,1e1,+20,30.,40,.9,1,2,3",
]


@pytest.mark.parametrize("text", SAME)
def test_ways_of_writing_a_row(text: str, tmp_path: Path) -> None:
    rows = read(tmp_path, text + "\n")
    assert rows.columns == 10
    assert rows.boxes.tolist() == [[10, 20, 40, 60]]
    assert (*rows.frame_indices, *rows.ids, *rows.scores) == (0, 1, 0.9)
    assert rows.extra.tolist() == [[1, 2, 3]]


def test_row_numbers_are_those_of_the_editor(tmp_path: Path) -> None:
    assert read(tmp_path, f"\n{ROW}\n\n \n{ROW}\n").row_numbers.tolist() == [2, 5]


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_a_file_without_rows(text: str, tmp_path: Path) -> None:
    rows = read(tmp_path, text)
    assert rows.boxes.shape == (0, 4)
    assert rows.extra.shape == (0, 3)
    assert rows.ids.shape == rows.frame_indices.shape == rows.row_numbers.shape == (0,)
    assert rows.columns == 10


ERRORS = {
    "row 1: expected 6 to 10 columns, got 5": "1,1,10,20,30",
    "row 1: expected 6 to 10 columns, got 11": ROW + ",4",
    "row 2: expected 10 columns as in the first row, got 6": ROW + "\n2,1,10,20,30,4",
    "row 4: expected 6 columns as in the first row, got 7": (
        "\n1,1,1,1,1,1\n\n2,1,10,20,30,4,0.5\n"
    ),
    "row 1: expected numbers, got 1,1,ten,20,30,40": "1,1,ten,20,30,40",
    "row 1: expected numbers, got # frame id x y z w": "# frame id x y z w",
    # a value left out does not shift the others
    "row 1: expected numbers, got 1,1,,10,20,30,40": "1,1,,10,20,30,40",
    "row 1: expected numbers, got ,1,10,20,30,40": ",1,10,20,30,40",
    "row 1: expected finite numbers, got 1,1,nan,20,30,40": "1,1,nan,20,30,40",
    "row 1: expected finite numbers, got 1,1,10,20,inf,40": "1,1,10,20,inf,40",
    "row 1: expected finite numbers, got 1,1,10,20,1e999,40": "1,1,10,20,1e999,40",
    "row 1: expected a frame number from 1, got 0": "0,1,10,20,30,40",
    "row 1: expected a frame number from 1, got -3": "-3,1,10,20,30,40",
    "row 1: expected a frame number from 1, got 1.5": "1.5,1,10,20,30,40",
    "row 1: expected a frame number from 1, got 1e10": "1e10,1,10,20,30,40",
    "row 1: expected a whole number as id, got 1.5": "1,1.5,10,20,30,40",
    "row 1: expected a whole number as id, got 1e300": "1,1e300,10,20,30,40",
    # the smallest ids that float64 cannot tell apart
    "row 1: expected a whole number as id, got 9007199254740993": "1,9007199254740993,10,20,3,4",
    "row 1: expected a whole number as id, got -9007199254740992": "1,-9007199254740992,1,2,3,4",
    "row 1: expected a box in pixels, got 1e300 20 30 40": "1,1,1e300,20,30,40",
    "row 1: expected a box in pixels, got 10 20 30 2e9": "1,1,10,20,30,2e9",
    "row 1: expected a width and height above 0, got 0 x 40": "1,1,10,20,0,40",
    "row 1: expected a width and height above 0, got 30 x -1": "1,1,10,20,30,-1",
    # long rows are shown in part
    f"row 1: expected numbers, got {'9' * 60}": "9" * 70 + ",a,1,1,1,1",
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_name_file_and_row(message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, ERRORS[message])
    assert str(caught.value) == f"{tmp_path / 'rows.txt'}: {message}"


def test_binary_data(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, b"\x89PNG\r\n\xff\xfe")
    assert (
        str(caught.value) == f"{tmp_path / 'rows.txt'}: expected MOTChallenge text, got binary data"
    )


def test_no_file_raises_the_error_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "missing.txt"
    with pytest.raises(GroundTruthError) as caught:
        read_rows(path, GroundTruthError)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


VALUE = st.floats(-1e6, 1e6)
LENGTH = st.floats(1e-3, 1e4)
ROWS = st.lists(
    st.tuples(
        st.integers(1, 10**9), st.integers(-1, 2**53 - 1), VALUE, VALUE, LENGTH, LENGTH, VALUE
    ),
    max_size=8,
)


@given(rows=ROWS, separator=st.sampled_from([",", " ", ", ", "\t"]))
def test_what_is_written_is_read(
    rows: list[tuple[float, ...]], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.txt"
    path.write_text("".join(separator.join(map(repr, row)) + "\n" for row in rows))
    result = read_rows(path, SourceError)
    assert (result.frame_indices + 1).tolist() == [row[0] for row in rows]
    assert result.ids.tolist() == [row[1] for row in rows]
    expected = [[x, y, x + w, y + h] for _, _, x, y, w, h, _ in rows]
    assert result.boxes.tolist() == expected
    assert result.scores.tolist() == [row[6] for row in rows]
