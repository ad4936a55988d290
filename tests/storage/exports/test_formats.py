"""Every format read back: by readers of other packages where there are any."""

import json
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO
from trackeval.datasets import Kitti2DBox, MotChallenge2DBox

from pipeline.config import OriginSettings
from pipeline.timestamps import to_iso
from pipeline.types import Calibration, EncodedTracklet, Link
from storage import queries, stored_boxes
from storage.exports import aicity, coco, csv, duke, geojson, kitti, mdx, mot, parquet
from storage.exports.rows import camera_numbers
from storage.store import Store, open_store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Export = Callable[[Store, int, Path], list[Path]]

# Ten pixels a metre, the y axis up the image; feet at (25, 100) px are at (2.5, -10) m, and the
# body is a shoe's length further.
FROM_ABOVE = Calibration(
    np.array([[0.1, 0, 0], [0, -0.1, 0], [0, 0, 1]]), np.eye(3), np.zeros(5), np.inf
)
BODY_Y_M = -10 + 0.18
CALIBRATIONS = {"gate": FROM_ABOVE, "north": FROM_ABOVE}
ORIGIN = OriginSettings(latitude=52.5, longitude=13.4, heading_degrees=90.0)
SIZES = {"north": (640, 360)}

EXPORTS: Mapping[str, Export] = {
    "mot": mot.export,
    "duke": duke.export,
    "kitti": kitti.export,
    "csv": csv.export,
    "coco": lambda *given: coco.export(*given, SIZES),
    "aicity": lambda *given: aicity.export(*given, CALIBRATIONS),
    "mdx": lambda *given: mdx.export(*given, CALIBRATIONS),
    "parquet": lambda *given: parquet.export(*given, CALIBRATIONS),
    "geojson": lambda *given: geojson.export(*given, CALIBRATIONS, ORIGIN),
}


def all_rows(store: Store, run_id: int) -> list[stored_boxes.ExportRow]:
    cameras = queries.cameras(store, run_id)
    return [row for camera in cameras for row in stored_boxes.export_rows(store, run_id, camera)]


def test_duke(store: Store, little_run: int, tmp_path: Path) -> None:
    [path] = EXPORTS["duke"](store, little_run, tmp_path / "duke.txt")
    lines = path.read_text().splitlines()
    assert lines[:2] == ["1 1 1 10 20 30 80", "1 2 1 300 20 30 80"]
    found = np.loadtxt(path, np.int64)
    rows = all_rows(store, little_run)
    numbers = {"north": 1, "Dock": 2, "gate": 3}
    assert found[:, 0].tolist() == [numbers[row.camera] for row in rows]
    assert found[:, 1].tolist() == [row.identity for row in rows]
    assert found[:, 2].tolist() == [row.frame_index + 1 for row in rows]
    assert np.abs(found[:, 3] - [row.box[0] for row in rows]).max() <= 0.5


def test_aicity(store: Store, little_run: int, tmp_path: Path) -> None:
    [path] = EXPORTS["aicity"](store, little_run, tmp_path / "track1.txt")
    lines = path.read_text().splitlines()
    assert lines[0] == "1 1 0 10 20 30 80 2.500 -9.820"
    assert next(line for line in lines if line[0] == "2") == "2 2 0 200 20 30 80 -1 -1"
    assert len(lines) == len(all_rows(store, little_run))


def test_numbers_of_cameras() -> None:
    assert camera_numbers(["c041", "c7", "roof 12"]) == {"c041": 41, "c7": 7, "roof 12": 12}
    assert camera_numbers(["c041", "gate"]) == {"c041": 1, "gate": 2}
    assert camera_numbers(["hall-1", "roof-1"]) == {"hall-1": 1, "roof-1": 2}


def read_by_trackeval(dataset: object, rows: list[stored_boxes.ExportRow], first: int) -> None:
    """The reader's ids and confidences of each frame, against the rows of the store."""
    raw = dataset.get_raw_seq_data("ours", "north")  # type: ignore[attr-defined]
    for frame in range(raw["num_timesteps"]):
        here = [row for row in rows if row.frame_index == frame]
        assert raw["tracker_ids"][frame].tolist() == [row.identity for row in here]
        np.testing.assert_allclose(raw["tracker_confidences"][frame], [row.score for row in here])
        sides = [np.subtract(row.box, (0, 0, *(first * np.array(row.box[:2])))) for row in here]
        np.testing.assert_allclose(raw["tracker_dets"][frame], sides, atol=0.051)


def test_trackeval_reads_mot(store: Store, little_run: int, tmp_path: Path) -> None:
    EXPORTS["mot"](store, little_run, tmp_path / "trackers" / "ours" / "data")
    truth = tmp_path / "truth" / "north" / "gt" / "gt.txt"
    truth.parent.mkdir(parents=True)
    truth.write_bytes((tmp_path / "trackers" / "ours" / "data" / "north.txt").read_bytes())
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "truth"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SEQ_INFO": {"north": 5},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
    rows = [row for row in all_rows(store, little_run) if row.camera == "north"]
    read_by_trackeval(dataset, rows, first=1)  # left, top, width, height


def test_trackeval_reads_kitti(store: Store, little_run: int, tmp_path: Path) -> None:
    EXPORTS["kitti"](store, little_run, tmp_path / "trackers" / "ours" / "data")
    line = (tmp_path / "trackers" / "ours" / "data" / "north.txt").read_text().splitlines()[0]
    assert line == (
        "0 1 Pedestrian -1 -1 -10 10.0 20.5 40.0 100.0 -1 -1 -1 -1000 -1000 -1000 -10 0.900"
    )
    truth = tmp_path / "truth"
    EXPORTS["kitti"](store, little_run, truth / "label_02")
    (truth / "evaluate_tracking.seqmap.training").write_text("north empty 000000 000005\n")
    dataset = Kitti2DBox(
        {
            "GT_FOLDER": str(truth),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "CLASSES_TO_EVAL": ["pedestrian"],
            "PRINT_CONFIG": False,
        }
    )
    rows = [row for row in all_rows(store, little_run) if row.camera == "north"]
    read_by_trackeval(dataset, rows, first=0)  # left, top, right, bottom


def test_pycocotools_reads_coco(
    store: Store, little_run: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [path] = EXPORTS["coco"](store, little_run, tmp_path / "boxes.json")
    read = COCO(path)
    capsys.readouterr()
    videos = {video["id"]: video["name"] for video in read.dataset["videos"]}
    assert list(videos.values()) == ["north", "Dock", "gate"]
    assert list(read.anns) == list(range(1, 26))
    assert list(read.imgs) == list(range(1, 5 + 8 + 5 + 1))
    found = [
        (
            videos[each["video_id"]],
            read.imgs[each["image_id"]]["frame_index"],
            each["track_id"],
            each["bbox"],
        )
        for each in read.loadAnns(read.getAnnIds())
    ]
    assert found == [
        (
            row.camera,
            row.frame_index,
            row.identity,
            pytest.approx(
                [*row.box[:2], row.box[2] - row.box[0], row.box[3] - row.box[1]], abs=0.051
            ),
        )
        for row in all_rows(store, little_run)
    ]
    assert read.imgs[1] == {
        "id": 1,
        "video_id": 1,
        "frame_index": 0,
        "file_name": "north/000000.jpg",
        "timestamp": "2026-01-05T10:00:00.000000Z",
        "width": 640,
        "height": 360,
    }
    assert "width" not in read.imgs[6]


def test_coco_of_nobody(store: Store, begin: Begin, tmp_path: Path) -> None:
    [path] = EXPORTS["coco"](store, begin(store), tmp_path / "boxes.json")
    tree = json.loads(path.read_text())
    assert tree["annotations"] == tree["images"] == []


def test_mdx(store: Store, little_run: int, tmp_path: Path) -> None:
    [path] = EXPORTS["mdx"](store, little_run, tmp_path / "frames.jsonl")
    frames = [json.loads(line) for line in path.read_text().splitlines()]
    first, second = frames[0]["objects"]
    assert {key: value for key, value in frames[0].items() if key != "objects"} == {
        "version": "4.0",
        "id": "0",
        "timestamp": "2026-01-05T10:00:00.000Z",
        "sensorId": "north",
    }
    assert first == {
        "id": "1",
        "bbox": {"leftX": 10.0, "topY": 20.5, "rightX": 40.0, "bottomY": 100.0},
        "type": "Person",
        "confidence": 0.9,
        "info": {"tracklet": "north/1"},
        "coordinate": {"x": 2.5, "y": -9.82, "z": 0.0},
    }
    assert second["id"] == "2"
    assert "coordinate" not in frames[5]["objects"][0], "Dock is not calibrated"
    found = [(f["sensorId"], int(f["id"]), o["id"]) for f in frames for o in f["objects"]]
    rows = all_rows(store, little_run)
    assert found == [(row.camera, row.frame_index, str(row.identity)) for row in rows]


def test_polars_reads_parquet(
    store: Store, little_run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 4)
    [path] = EXPORTS["parquet"](store, little_run, tmp_path / "boxes.parquet")
    assert pq.ParquetFile(path).num_row_groups == 3 + 3 + 2
    read = pl.read_parquet(path)
    rows = all_rows(store, little_run)
    assert read["camera"].to_list() == [row.camera for row in rows]
    assert read["tracklet"].to_list() == [row.tracklet for row in rows]
    assert read["identity"].to_list() == [row.identity for row in rows]
    times = read["timestamp"].dt.epoch("us").to_list()
    assert [to_iso(time_us) for time_us in times] == [to_iso(row.timestamp_us) for row in rows]
    boxes = read.select("left", "top", (pl.col("left") + pl.col("width")).alias("right")).to_numpy()
    np.testing.assert_allclose(boxes, [row.box[:3] for row in rows], atol=1e-4)
    gate = read.filter(pl.col("camera") == "gate")
    np.testing.assert_allclose(gate["x_m"], [3.5, 3.6, 3.7, 3.8, 3.9])
    np.testing.assert_allclose(gate["y_m"], BODY_Y_M)
    assert read.filter(pl.col("camera") == "Dock")["x_m"].is_null().all()


def test_geojson(store: Store, little_run: int, tmp_path: Path) -> None:
    """A floor whose y axis points east: x goes south."""
    [path] = EXPORTS["geojson"](store, little_run, tmp_path / "ways.geojson")
    tree = json.loads(path.read_text())
    assert tree["type"] == "FeatureCollection"
    tracklets = [feature["properties"]["tracklet"] for feature in tree["features"]]
    assert tracklets == ["north/1", "north/2", "gate/1.2"]
    gate = tree["features"][2]
    assert gate["geometry"]["type"] == "LineString"
    assert len(gate["geometry"]["coordinates"]) == len(gate["properties"]["times"]) == 5
    longitude, latitude = gate["geometry"]["coordinates"][0]
    # At 52.5 degrees a degree is 111,268 m to the north and 67,909 m to the east.
    assert latitude == pytest.approx(52.5 - 3.5 / 111_268, abs=2e-8)
    assert longitude == pytest.approx(13.4 + BODY_Y_M / 67_909, abs=2e-8)


def test_what_was_joined_at_once_is_written_once(
    store: Store, begin: Begin, make: Make, join: Join, tmp_path: Path
) -> None:
    """As a user may do; no reader of these formats takes an identity twice in a frame."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("north", 2, left=200.0)])
    store.set_links(run_id, [join("north/1", 1), join("north/2", 1)])
    for name in ("mot", "kitti", "duke", "aicity"):
        paths = EXPORTS[name](store, run_id, tmp_path / name)
        assert len(paths[0].read_text().splitlines()) == 5, name
    [path] = EXPORTS["csv"](store, run_id, tmp_path / "boxes.csv")
    assert len(path.read_text().splitlines()) == 1 + 10


@pytest.mark.parametrize("name", sorted(set(EXPORTS) - {"geojson"}))
def test_memory_does_not_grow_with_the_run(
    begin: Begin,
    make: Make,
    join: Join,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(stored_boxes, "ROWS_AT_ONCE", 100)
    monkeypatch.setattr("storage.exports.rows.ROWS_AT_ONCE", 100)
    monkeypatch.setattr(parquet, "ROW_GROUP", 100)
    peaks = []
    with open_store(f"sqlite:///{tmp_path / 'tracking.db'}", create=True) as store:
        for length in (100, 500, 2500):  # the first for what is made but once
            run_id = begin(store)
            store.add_tracklets(run_id, [make("north", n, frames=range(length)) for n in (1, 2)])
            store.set_links(run_id, [join("north/1", 1), join("north/2", 2)])
            tracemalloc.start()
            EXPORTS[name](store, run_id, tmp_path / name)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1], "five times as many rows"


def test_nothing_is_left_of_an_export_that_fails(
    store: Store, little_run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(stored_boxes, "export_rows", broken)
    for name in set(EXPORTS) - {"mot", "kitti", "geojson"}:
        with pytest.raises(RuntimeError):
            EXPORTS[name](store, little_run, tmp_path / "exports" / name)
    assert list((tmp_path / "exports").iterdir()) == []
