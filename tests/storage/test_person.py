"""All about one person: as one file, and gone for good."""

import csv
import json
import time
import zipfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import update

from pipeline.errors import StoreError
from pipeline.types import Embedding, EncodedTracklet, EncoderIdentity, Link, Thumbnail, Tracklet
from storage import audit, edits, explanations, queries
from storage import engine as engine_module
from storage.engine import reading, writing
from storage.erasure import Erased, erase_identity
from storage.person import export_identity
from storage.schema import Run
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Dump = Callable[[Store], dict[str, list[tuple[object, ...]]]]


def test_what_is_in_the_file(store: Store, little_run: int, tmp_path: Path) -> None:
    edits.relabel(store, little_run, ["north/2"], 1)
    path = tmp_path / "person.zip"
    assert export_identity(store, little_run, 1, path) == 4
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert sorted(found) == [
        "person.json",
        "points.csv",
        "thumbnails/north-1-0.jpg",
        "thumbnails/north-1-1.jpg",
        "trajectory.csv",
    ]
    assert found["thumbnails/north-1-1.jpg"] == b"n1 second"
    person = json.loads(found["person.json"])
    keys = ["north/1", "north/2", "Dock/1", "gate/1.2"]
    assert [each["tracklet"] for each in person["passages"]] == keys
    assert (person["site"], person["run"], person["identity"]) == ("plaza", little_run, 1)
    assert person["name"] is None
    versions = [each for each in person["decisions"] if each["tracklet"] == "north/2"]
    assert [(each["identity"], each["method"]) for each in versions] == [
        (3, "average-link"),
        (2, "average-link"),
        (1, "relabel"),
    ]
    assert [each["held_until"] is None for each in versions] == [False, False, True]
    assert versions[1]["log_odds"]["appearance"] == 7.5
    pairs = [(each["tracklet"], each["similarity"]) for each in versions[1]["pairs"]]
    assert pairs == [("Dock/2", 0.75), ("Dock/1", -0.5), ("gate/3", None)]
    assert {(each["tracklet"], each["role"]) for each in person["edits"]} == {
        ("north/2", "moved"),
        *((key, "joined") for key in ("north/1", "Dock/1", "gate/1.2")),
    }
    assert [each["vector"] for each in person["embeddings"]] == [[0.5, -0.5, 0.5, -0.5]] * 4
    points = list(csv.DictReader(StringIO(found["points.csv"].decode())))
    assert len(points) == 20
    first = next(point for point in points if point["tracklet"] == "north/2")
    assert first == {
        "tracklet": "north/2",
        "frame": "0",
        "timestamp": "2026-01-05T10:00:00.000000Z",
        "left": "300.2",
        "top": "20.5",
        "right": "330.2",
        "bottom": "100.0",
        "score": "0.9",
    }
    ways = list(csv.DictReader(StringIO(found["trajectory.csv"].decode())))
    assert [way["camera"] for way in ways] == ["north", "north", "Dock", "gate"]
    assert audit.entries(store)[-1].details == {"format": "person", "identity": 1, "tracklets": 4}


def test_the_same_person_gives_the_same_bytes(
    store: Store, little_run: int, tmp_path: Path
) -> None:
    for name in ("a.zip", "b.zip"):
        export_identity(store, little_run, 1, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_nobody_to_export(store: Store, little_run: int, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"^run {little_run} has no identity 3$"):
        export_identity(store, little_run, 3, tmp_path / "person.zip")
    assert list(tmp_path.glob("*.zip")) == []
    assert audit.entries(store) == []


def test_a_person_of_many_tracklets_is_whole_and_goes_in_batches(
    store: Store,
    begin: Begin,
    make: Make,
    join: Join,
    tmp_path: Path,
) -> None:
    run_id, count = begin(store), 450
    store.add_tracklets(run_id, [make("north", n, thumbnails=[b"x"]) for n in range(1, count + 1)])
    store.set_links(run_id, [join(f"north/{n}", 1) for n in range(1, count + 1)])
    export_identity(store, run_id, 1, tmp_path / "person.zip")
    with zipfile.ZipFile(tmp_path / "person.zip") as archive:
        person = json.loads(archive.read("person.json"))
        assert len(archive.read("points.csv").splitlines()) == 5 * count + 1
        assert len([name for name in archive.namelist() if name.endswith(".jpg")]) == count
    for part in ("passages", "decisions", "embeddings"):
        assert len({each["tracklet"] for each in person[part]}) == count
    assert erase_identity(store, run_id, 1).rows.tracklets == count
    batches = [entry.details.get("tracklets") for entry in audit.entries(store)[1:]]
    assert batches == [200, 200, 50, None]


def test_one_person_is_erased_and_nobody_else(store: Store, little_run: int, dump: Dump) -> None:
    before = dump(store)
    done = erase_identity(store, little_run, 1)
    assert done.rows == Erased(tracklets=3, points=15, embeddings=3, thumbnails=2, links=6, pairs=1)
    assert done.is_wiped
    after = dump(store)
    tracklets = {row[0] for row in after["tracklet"]}
    assert len(tracklets) == len(before["tracklet"]) - 3
    for table, column in (
        ("track_point", 0),
        ("embedding", 0),
        ("thumbnail", 0),
        ("link", 1),
        ("link_pair", 2),
    ):
        assert {row[column] for row in after[table]} <= tracklets, table
        assert set(after[table]) <= set(before[table])
    assert [person.identity for person in queries.identities(store, little_run)] == [2]
    assert [p.tracklet for p in explanations.why(store, little_run, "north/2").pairs] == [
        "Dock/2",
        "gate/3",
    ]
    assert [(entry.action, entry.details) for entry in audit.entries(store)] == [
        (
            "erasure",
            {
                "identity": 1,
                "tracklets": 3,
                "points": 15,
                "embeddings": 3,
                "thumbnails": 2,
                "links": 6,
                "pairs": 1,
            },
        ),
        ("erasure proof", {"identity": 1, "identities_left": 0, "wiped": True}),
    ]
    with pytest.raises(StoreError, match="has no identity 1"):
        erase_identity(store, little_run, 1)


def test_who_was_erased_is_not_taken_back(store: Store, little_run: int, make: Make) -> None:
    """A resumed run reads its recordings again."""
    gone = [explanations.parsed(each.tracklet) for each in queries.trajectory(store, little_run, 1)]
    again = [make(camera, track, part) for camera, track, part in gone]
    erase_identity(store, little_run, 1)
    assert store.add_tracklets(little_run, again) == 0
    assert store.add_tracklets(little_run, [*again, make("north", 77)]) == 1


def test_edits_about_the_erased_go_with_them(store: Store, little_run: int, dump: Dump) -> None:
    edits.confirm(store, little_run, 1)
    edits.relabel(store, little_run, ["gate/1.2"], 2)
    erase_identity(store, little_run, 1)
    after = dump(store)
    assert [row[2] for row in after["edit"]] == ["confirm", "relabel"], "gate/1.2 is still there"
    erase_identity(store, little_run, 2)
    after = dump(store)
    assert (after["edit"], after["edit_tracklet"]) == ([], [])


def test_the_number_of_the_erased_is_never_given_again(store: Store, little_run: int) -> None:
    alone = edits.decided(store, little_run).following
    edits.split(store, little_run, ["gate/1.2"])
    erase_identity(store, little_run, alone)
    assert edits.decided(store, little_run).following == alone + 1


def test_what_was_erased_before_a_run_began_was_of_another(store: Store, little_run: int) -> None:
    """Of one that has been dropped since, whose id this one has now."""
    before = edits.decided(store, little_run).following
    edits.split(store, little_run, ["gate/1.2"])
    erase_identity(store, little_run, before)
    with writing(store.engine) as connection:
        later = time.time_ns() // 1000 + 1
        connection.execute(update(Run).where(Run.id == little_run).values(started_at_us=later))
    assert edits.decided(store, little_run).following == before


RANDOM = np.random.default_rng(0)


def somebody(camera: str, number: int) -> tuple[EncodedTracklet, list[bytes]]:
    """A tracklet of random data, and byte strings by which it is found again."""
    vector = RANDOM.normal(size=64)
    vector /= np.linalg.norm(vector)
    jpegs = [RANDOM.bytes(size) for size in (900, 4000, 9000)]
    count = 50
    tracklet = Tracklet(
        camera, number, 1, np.arange(count), np.arange(count) * 100_000,
        RANDOM.uniform(0, 999, (count, 4)), np.ones(count),
    )  # fmt: skip
    embedding = Embedding(vector, EncoderIdentity("toy", "ab" * 32, 64))
    thumbnails = tuple(Thumbnail(k, jpeg) for k, jpeg in enumerate(jpegs))
    packed = embedding.vector.astype("<f2").tobytes()
    traces = [packed[:32], packed[-32:]]
    traces += [jpeg[k : k + 32] for jpeg in jpegs for k in range(0, len(jpeg) - 32, 400)]
    return EncodedTracklet(tracklet, embedding, thumbnails), traces


def files_of(store: Store) -> list[Path]:
    """What a database lies in: SQLite's file and log, PostgreSQL's tables."""
    if store.engine.dialect.name == "sqlite":
        path = Path(str(store.engine.url.database))
        return [file for file in (path, path.with_name(path.name + "-wal")) if file.exists()]
    url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute(
            "SELECT current_setting('data_directory') || '/base/' || oid FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert found is not None
    return [file for file in Path(found[0]).iterdir() if file.is_file()]


def traces_in(files: list[Path], traces: list[bytes]) -> int:
    data = [file.read_bytes() for file in files]
    return sum(any(trace in each for each in data) for trace in traces)


def test_nothing_of_an_erased_person_is_in_the_files(
    store: Store, begin: Begin, join: Join
) -> None:
    """Not in free pages, not in the log; also where rows were written and replaced before."""
    run_id = begin(store)
    people: dict[str, tuple[EncodedTracklet, list[bytes]]] = {}
    for number in range(1, 61):
        for camera in ("north", "gate"):
            people[f"{camera}/{number}"] = somebody(camera, number)
    items = [item for item, _ in people.values()]
    for start in range(0, len(items), 8):
        store.add_tracklets(run_id, items[start : start + 8])
    store.replace_embeddings(run_id, {key: item.embedding for key, (item, _) in people.items()})
    for _ in range(2):
        links = [join(key, index % 12 + 1) for index, key in enumerate(people)]
        store.set_links(run_id, links)
    gone = [trace for key in list(people)[4::12] for trace in people[key][1]]
    kept = [trace for key in list(people)[5::12] for trace in people[key][1]]
    # A few stand across two pages.
    assert traces_in(files_of(store), gone) > 0.9 * len(gone)
    assert erase_identity(store, run_id, 5).is_wiped
    assert traces_in(files_of(store), gone) == 0
    assert traces_in(files_of(store), kept) > 0.9 * len(kept), "who is left is found"


def test_a_reader_keeps_the_erased_in_the_files_and_that_is_said(
    store: Store, little_run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 1)
    with reading(store.engine) as connection:
        connection.exec_driver_sql("SELECT * FROM thumbnail").fetchall()
        done = erase_identity(store, little_run, 1)
        assert not done.is_wiped
    assert done.rows.tracklets == 3
    assert audit.entries(store)[-1].details["wiped"] is False
