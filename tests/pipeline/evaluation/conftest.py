"""What the tests of the metrics share: rows as text, and the scores that TrackEval gives them."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from pipeline.errors import SourceError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.motchallenge import read_rows

DATA = Path(__file__).resolve().parents[3] / "../shared/data"


def write_rows(path: Path, rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def read_tracks(path: Path, camera_id: str) -> CameraTracks:
    rows = read_rows(path, SourceError)
    return CameraTracks(camera_id, rows.frame_indices, rows.ids, rows.boxes)


def trackeval_scores(
    truth: Path, predicted: Path, benchmark: str, folder: Path
) -> dict[str, float]:
    """Scores of two files by TrackEval's own loading, preprocessing and metrics, in percent."""
    home = folder / "trackeval"
    places = (
        (truth, home / "truth/sequence/gt/gt.txt"),
        (predicted, home / "trackers/ours/data/sequence.txt"),
    )
    last = 1
    for source, target in places:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        last = max([last, *(read_rows(source, SourceError).frame_indices + 1).tolist()])
    quiet = {"PRINT_CONFIG": False}
    dataset = MotChallenge2DBox(
        quiet
        | {
            "GT_FOLDER": str(home / "truth"),
            "TRACKERS_FOLDER": str(home / "trackers"),
            "BENCHMARK": benchmark,
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": {"sequence": last},
        }
    )
    raw = dataset.get_raw_seq_data("ours", "sequence")
    data = dataset.get_preprocessed_seq_data(raw, "pedestrian")
    hota = HOTA().eval_sequence(data)
    identity = Identity(quiet).eval_sequence(data)
    clear = CLEAR(quiet).eval_sequence(data)
    percent = {name: 100 * float(np.mean(hota[name])) for name in ("HOTA", "DetA", "AssA")}
    percent |= {name: 100 * float(identity[name]) for name in ("IDF1", "IDP", "IDR")}
    return percent | {"MOTA": 100 * float(clear["MOTA"]), "IDSW": int(clear["IDSW"])}


@pytest.fixture
def write() -> Callable[[Path, Iterable[Iterable[object]]], None]:
    return write_rows


@pytest.fixture
def tracks_in() -> Callable[[Path, str], CameraTracks]:
    return read_tracks


@pytest.fixture
def trackeval(tmp_path: Path) -> Callable[[Path, Path, str], dict[str, float]]:
    return lambda truth, predicted, benchmark: trackeval_scores(
        truth, predicted, benchmark, tmp_path
    )


@pytest.fixture
def data() -> Path:
    """Real sequences; the test is skipped where they are not at hand."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    return DATA
