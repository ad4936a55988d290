"""What MOT and CSV exports say, to the byte."""

import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.motchallenge import read_rows
from pipeline.types import EncodedTracklet, Link
from storage import stored_boxes
from storage.exports import csv as csv_export
from storage.exports import mot as mot_export
from storage.store import Store, open_store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]

NORTH = """\
1,1,10.0,20.5,30.0,79.5,0.900,-1,-1,-1
1,2,300.2,20.5,30.0,79.5,0.900,-1,-1,-1
2,1,11.0,20.5,30.0,79.5,0.900,-1,-1,-1
2,2,301.2,20.5,30.0,79.5,0.900,-1,-1,-1
3,1,12.0,20.5,30.0,79.5,0.900,-1,-1,-1
3,2,302.2,20.5,30.0,79.5,0.900,-1,-1,-1
4,1,13.0,20.5,30.0,79.5,0.900,-1,-1,-1
4,2,303.2,20.5,30.0,79.5,0.900,-1,-1,-1
5,1,14.0,20.5,30.0,79.5,0.900,-1,-1,-1
5,2,304.2,20.5,30.0,79.5,0.900,-1,-1,-1
"""
DOCK = """\
1,2,200.0,20.5,30.0,79.5,0.900,-1,-1,-1
2,2,201.0,20.5,30.0,79.5,0.900,-1,-1,-1
3,2,202.0,20.5,30.0,79.5,0.900,-1,-1,-1
4,1,2.5,20.5,30.0,79.5,0.900,-1,-1,-1
4,2,203.0,20.5,30.0,79.5,0.900,-1,-1,-1
5,1,3.5,20.5,30.0,79.5,0.900,-1,-1,-1
5,2,204.0,20.5,30.0,79.5,0.900,-1,-1,-1
6,1,4.5,20.5,30.0,79.5,0.900,-1,-1,-1
7,1,5.5,20.5,30.0,79.5,0.900,-1,-1,-1
8,1,6.5,20.5,30.0,79.5,0.900,-1,-1,-1
"""
GATE_FRAMES = [10, 11, 12, 13, 14]
GATE_CSV = "".join(
    f"gate,{frame},2026-01-05T10:00:01.{frame - 10}00000Z,1,gate/1.2,{frame + 10}.0,20.5,30.0,79.5,"
    "0.900\n"
    for frame in GATE_FRAMES
)
FIRST_CSV = """\
camera,frame,timestamp,identity,tracklet,left,top,width,height,score
north,0,2026-01-05T10:00:00.000000Z,1,north/1,10.0,20.5,30.0,79.5,0.900
north,0,2026-01-05T10:00:00.000000Z,2,north/2,300.2,20.5,30.0,79.5,0.900
north,1,2026-01-05T10:00:00.100000Z,1,north/1,11.0,20.5,30.0,79.5,0.900
"""


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}


def test_mot(store: Store, little_run: int, tmp_path: Path) -> None:
    output = tmp_path / "new" / "mot"
    written = mot_export.export(store, little_run, output)
    assert written == [output / "north.txt", output / "Dock.txt", output / "gate.txt"]
    gate = "".join(f"{f + 1},1,{f + 10}.0,20.5,30.0,79.5,0.900,-1,-1,-1\n" for f in GATE_FRAMES)
    assert contents(output) == {"north.txt": NORTH, "Dock.txt": DOCK, "gate.txt": gate}


def test_mot_with_filled_gaps(
    store: Store, begin: Begin, make: Make, join: Join, tmp_path: Path
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1, frames=[0, 1, 4]), make("north", 2, frames=[2])])
    store.set_links(run_id, [join("north/1", 1), join("north/2", 2)])
    mot_export.export(store, run_id, tmp_path, fill_gaps=True)
    assert (tmp_path / "north.txt").read_text().splitlines() == [
        "1,1,10.0,20.5,30.0,79.5,0.900,-1,-1,-1",
        "2,1,11.0,20.5,30.0,79.5,0.900,-1,-1,-1",
        "3,1,12.0,20.5,30.0,79.5,0.000,-1,-1,-1",
        "3,2,12.0,20.5,30.0,79.5,0.900,-1,-1,-1",
        "4,1,13.0,20.5,30.0,79.5,0.000,-1,-1,-1",
        "5,1,14.0,20.5,30.0,79.5,0.900,-1,-1,-1",
    ]


def test_csv(store: Store, little_run: int, tmp_path: Path) -> None:
    output = tmp_path / "new" / "boxes.csv"
    assert csv_export.export(store, little_run, output) == [output]
    text = output.read_bytes().decode()
    assert text.startswith(FIRST_CSV)
    assert text.endswith(GATE_CSV)
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == (
        ["north"] * 10 + ["Dock"] * 10 + ["gate"] * 5
    )
    assert contents(output.parent) == {"boxes.csv": text}


def test_mot_is_read_back(store: Store, little_run: int, tmp_path: Path) -> None:
    """By our own reader of the format: frames from 0 again, ids shared between cameras."""
    for path in mot_export.export(store, little_run, tmp_path / "mot"):
        found = read_rows(path, UserError)
        expected = list(stored_boxes.export_rows(store, little_run, path.stem))
        assert found.frame_indices.tolist() == [row.frame_index for row in expected]
        assert found.ids.tolist() == [row.identity for row in expected]
        np.testing.assert_allclose(found.boxes, [row.box for row in expected])


def test_cameras_without_anybody(store: Store, begin: Begin, tmp_path: Path) -> None:
    run_id = begin(store)
    mot_export.export(store, run_id, tmp_path / "mot")
    assert contents(tmp_path / "mot") == {"north.txt": "", "Dock.txt": "", "gate.txt": ""}
    [path] = csv_export.export(store, run_id, tmp_path / "boxes.csv")
    assert path.read_text(encoding="utf-8") == FIRST_CSV.splitlines()[0] + "\n"


def test_an_older_export_is_replaced(store: Store, little_run: int, tmp_path: Path) -> None:
    output = tmp_path / "mot"
    output.mkdir()
    (output / "gate.txt").write_text("old and much longer\n" * 100, encoding="utf-8")
    mot_export.export(store, little_run, output)
    assert len(contents(output)["gate.txt"].splitlines()) == 5


def test_the_same_run_gives_the_same_bytes(
    url: str, store: Store, begin: Begin, make: Make, join: Join, tmp_path: Path
) -> None:
    """Whatever the order of arrival, and however many runs are in the database already."""
    items = [
        make(camera, number, part, frames=range(part * 4, part * 4 + 6), left=number * 7.3)
        for camera, number, part in product(("north", "Dock", "gate"), (1, 2, 3), (1, 2))
    ]
    seen: set[tuple[tuple[str, str], ...]] = set()
    for seed in range(4):
        shuffled = random.Random(seed).sample(items, len(items))
        run_id = begin(store)
        for first in range(0, len(shuffled), 5):
            store.add_tracklets(run_id, shuffled[first : first + 5])
        links = [join(i.tracklet.key, i.tracklet.track_id % 2 + 1) for i in shuffled]
        store.set_links(run_id, links)
        folder = tmp_path / str(seed)
        mot_export.export(store, run_id, folder)
        csv_export.export(store, run_id, folder / "boxes.csv")
        seen.add(tuple(contents(folder).items()))
    assert len(seen) == 1


@pytest.fixture
def url_of_sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'other.db'}"


def test_both_databases_give_the_same_bytes(
    store: Store,
    url_of_sqlite: str,
    begin: Begin,
    make: Make,
    join: Join,
    tmp_path: Path,
) -> None:
    items = [make("north", n, left=n * 11.17) for n in range(1, 5)]
    texts = []
    with open_store(url_of_sqlite, create=True) as other:
        for each in (store, other):
            run_id = begin(each)
            each.add_tracklets(run_id, items)
            each.set_links(run_id, [join(i.tracklet.key, 1) for i in items])
            [path] = csv_export.export(each, run_id, tmp_path / "boxes.csv")
            texts.append(path.read_bytes())
    assert texts[0] == texts[1]
