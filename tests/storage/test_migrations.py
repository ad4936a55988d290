"""Databases that earlier versions of this program have filled are brought to the newest schema."""

from collections.abc import Callable

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, inspect, make_url, text

from pipeline.timestamps import from_iso
from pipeline.types import EncodedTracklet
from storage import audit, queries
from storage.engine import DRIVERS, MIGRATIONS, reading
from storage.explanations import why
from storage.partitions import Days, drop_empty
from storage.retention import erase_stored_before
from storage.store import open_store

Make = Callable[..., EncodedTracklet]

FIRST = (
    "INSERT INTO camera (id, site, name) VALUES (1, 'plaza', 'north'), (2, 'plaza', 'gate')",
    "INSERT INTO encoder (id, name, sha256, dimension) VALUES (1, 'toy.xml', 'abab', 2)",
    "INSERT INTO run (id, site, status, started_at_us, ended_at_us, settings_json,"
    " settings_sha256, detector) VALUES (1, 'plaza', 'finished', 5, 6, '{}', 'ab', 'toy'),"
    " (2, 'plaza', 'running', 7, NULL, '{}', 'ab', 'toy')",
    "INSERT INTO run_camera (run_id, camera_id, position, source, calibrated, status, message,"
    " frames) VALUES (1, 1, 0, 'north.mp4', false, 'ended', '', 9),"
    " (1, 2, 1, 'gate.mp4', true, 'ended', '', 9)",
    "INSERT INTO tracklet (id, run_id, camera_id, track_id, part, start_us, end_us, boxes,"
    " mean_score, stored_at_us) VALUES (1, 1, 1, 1, 1, 1000, 3000, 3, 900, 8),"
    " (2, 1, 2, 4, 2, 5000, 5500, 2, 800, 8), (3, 1, 2, 5, 1, 6000, 6000, 1, 700, 9)",
    *(
        "INSERT INTO track_point (tracklet_id, frame_index, timestamp_us, x1, y1, x2, y2, score)"
        f" VALUES ({tracklet}, {frame}, {time}, 10, 20, 305, 406, 900)"
        for tracklet, frame, time in (
            *((1, 1, 1000), (1, 2, 2000), (1, 3, 3000)),
            *((2, 5, 5000), (2, 6, 5500), (3, 7, 6000)),
        )
    ),
    "INSERT INTO embedding (tracklet_id, encoder_id, vector) VALUES (1, 1, :vector)",
    "INSERT INTO thumbnail (tracklet_id, position, timestamp_us, jpeg) VALUES"
    " (1, 0, 1000, :jpeg), (1, 1, 2000, :jpeg), (3, 0, 6000, :jpeg)",
    "INSERT INTO identity (id, run_id, number, created_at_us) VALUES (1, 1, 1, 9), (2, 1, 2, 9)",
    "INSERT INTO link (id, tracklet_id, identity_id, method, decided_at_us, valid_to_us,"
    " appearance, transition_time, ground_plane, edits) VALUES"
    " (1, 1, 2, 'first', 9, 10, 0, 0, 0, 0), (2, 1, 1, 'second', 10, NULL, 1.5, 0.5, 0, 0),"
    " (3, 2, 1, 'second', 10, NULL, 1.5, 0.5, 0, 0), (4, 3, 2, 'second', 10, NULL, 0, 0, 0, 0)",
    "INSERT INTO link_pair (link_id, position, other_tracklet_id, similarity, appearance,"
    " transition_time, ground_plane, edits, same_identity) VALUES"
    " (2, 0, 2, 0.5, 1.5, 0.5, 0, 0, true), (2, 1, 3, NULL, -1, 0, 0, 0, false)",
)
VALUES = {"vector": np.array([0.6, -0.8], "<f2").tobytes(), "jpeg": b"a picture"}
SECOND = (
    *FIRST,
    "UPDATE run SET longest_us = 2000 WHERE id = 1",
    "UPDATE tracklet SET size_bytes = 2000",
    "INSERT INTO edit (id, run_id, kind, made_at_us) VALUES (1, 1, 'confirm', 11)",
    "INSERT INTO edit_tracklet (edit_id, tracklet_id, role, link_id) VALUES (1, 1, 'joined', 2)",
    "INSERT INTO erased_tracklet (run_id, camera_id, track_id, part) VALUES (1, 1, 9, 1)",
)
FILLED: dict[str, tuple[str, ...]] = {"0001": FIRST, "0002": SECOND}
"""What a program of each earlier version wrote: whoever adds a version adds the last one here."""


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def fill(url: str, revision: str) -> None:
    """Make a database as a program of an earlier version left it."""
    parsed = make_url(url)
    engine = create_engine(parsed.set(drivername=DRIVERS[parsed.get_backend_name()]))
    if parsed.get_backend_name() == "sqlite":

        @event.listens_for(engine, "connect")
        def hold(connection: object, _: object) -> None:
            connection.execute("PRAGMA foreign_keys = ON").close()  # type: ignore[attr-defined]

    config = configuration()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in FILLED[revision]:
            _execute(connection, statement)
        if connection.dialect.name == "postgresql":  # numbers were given, not drawn
            numbered = ("camera", "encoder", "run", "tracklet", "identity", "link", "edit")
            for table in numbered[: len(numbered) - (revision == "0001")]:
                _execute(
                    connection,
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}",
                )
    engine.dispose()


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(
        text(statement), {name: v for name, v in VALUES.items() if f":{name}" in statement}
    )


def test_every_earlier_version_is_tried() -> None:
    script = ScriptDirectory.from_config(configuration())
    earlier = {revision.revision for revision in script.walk_revisions()}
    assert set(FILLED) == earlier - {script.get_current_head()}


@pytest.mark.parametrize("revision", sorted(FILLED))
@pytest.mark.parametrize("create", [True, False], ids=["run", "query"])
def test_nothing_is_lost_in_an_upgrade(url: str, revision: str, create: bool) -> None:
    fill(url, revision)
    with open_store(url, create=create) as store:
        found = {each.key: (each, e) for each, e in store.load_tracklets(1)}
        assert list(found) == ["north/1", "gate/4.2", "gate/5"]
        tracklet, embedding = found["north/1"]
        assert tracklet.timestamps_us.tolist() == [1000, 2000, 3000]
        np.testing.assert_allclose(tracklet.boxes, [[1, 2, 30.5, 40.6]] * 3, rtol=1e-6)
        np.testing.assert_allclose(embedding.vector, [0.6, -0.8], atol=1e-3)  # type: ignore[union-attr]
        assert [p.identity for p in queries.identities(store, 1)] == [1, 2]
        assert [p.tracklet for p in queries.trajectory(store, 1, 1)] == ["north/1", "gate/4.2"]
        explanation = why(store, 1, "north/1")
        assert explanation.earlier_decisions == 1
        assert [(p.tracklet, p.similarity) for p in explanation.pairs] == [
            ("gate/4.2", 0.5),
            ("gate/5", None),
        ]
        assert queries.thumbnails(store, 1) == {
            "north/1": (b"a picture",) * 2,
            "gate/5": (b"a picture",),
        }
        assert store.resumable_run("plaza", "{}") is None, "of these settings there is none"
        assert audit.entries(store) == []


def test_what_an_older_version_did_not_measure(url: str) -> None:
    """How long the longest tracklet of a run is, and how much room each takes."""
    fill(url, "0001")
    point = 51 if url.startswith("sqlite") else 112
    with open_store(url, create=False) as store, reading(store.engine) as connection:
        runs = connection.execute(text("SELECT id, longest_us FROM run ORDER BY id"))
        assert [tuple(row) for row in runs] == [(1, 2000), (2, 0)]
        sizes = connection.execute(text("SELECT size_bytes FROM tracklet ORDER BY id"))
        assert list(sizes.scalars()) == [
            1500 + 3 * point + 4 + 18,
            1500 + 2 * point,
            1500 + point + 9,
        ]


@pytest.mark.parametrize("revision", sorted(FILLED))
def test_an_upgraded_database_goes_on(url: str, revision: str, make: Make) -> None:
    fill(url, revision)
    with open_store(url, create=True) as store:
        assert store.add_tracklets(1, [make("north", 7, frames=range(30))]) == 1
        assert store.add_tracklets(1, [make("north", 9)]) == (revision == "0001"), "erased by 0002"
        assert len(store.load_tracklets(1)) == 4 + (revision == "0001")
        with reading(store.engine) as connection:
            longest = connection.execute(text("SELECT longest_us FROM run WHERE id = 1")).scalar()
        assert longest == 2_900_000


@pytest.mark.parametrize("revision", sorted(FILLED))
def test_what_an_older_version_left_gives_its_room_back(url: str, revision: str) -> None:
    """PostgreSQL: it becomes a part of its own of what is divided by days since."""
    if url.startswith("sqlite"):
        return
    fill(url, revision)
    with open_store(url, create=False) as store:

        def tables() -> list[str]:
            with reading(store.engine) as connection:
                found = inspect(connection).get_table_names()
            return sorted(name for name in found if name.startswith("track_point"))

        assert tables() == ["track_point", "track_point_19700101"]
        Days(store.engine).begin(from_iso("2026-01-05T10:00:00Z"))
        assert drop_empty(store.engine, 0) == 0, "it is not empty"
        assert erase_stored_before(store, "plaza", 2**60) == 3
        assert drop_empty(store.engine, 0) == 1
        assert tables() == ["track_point", "track_point_20260105"]
