"""Writing to the trajectory store. Each call is one transaction: all of it is kept, or nothing."""

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased

from pipeline.errors import StoreError
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    LastSeen,
    Link,
    NoEmbedding,
    Split,
    Tracklet,
)
from storage import adding, embeddings, partitions, rows
from storage.claims import Release, claimed
from storage.engine import open_engine, reading, shown, writing
from storage.linking import (
    EditedMeanwhileError,
    EditsVersion,
    add_links,
    current_identities,
    edits_version,
    lock_run,
    replace_links,
)
from storage.reconnecting import reconnecting
from storage.schema import (
    Camera,
    EmbeddingRow,
    Encoder,
    ErasedTracklet,
    Identity,
    LinkRow,
    Run,
    RunCamera,
    TrackletRow,
    TrackPoint,
)
from storage.splitting import split_tracklets


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """A camera as a run remembers it: its name, its source without credentials."""

    name: str
    source: str
    calibrated: bool


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run at its beginning; the settings hold no credentials."""

    site: str
    settings_json: str
    detector: str
    cameras: tuple[CameraRecord, ...]
    started_at_us: int


class Store:
    """A trajectory store that is open; made by `open_store`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._claims: dict[int, Release] = {}
        self._open: dict[int, frozenset[str]] = {}
        self._days = partitions.Days(engine)

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for run_id in list(self._claims):
            self._hand_back(run_id)
        self.engine.dispose()

    def claim(self, run_id: int) -> None:
        """Make sure that no other program writes to a run until it ends, or this store is closed.

        Raises:
            StoreError: One does.
        """
        if run_id in self._claims:
            return
        release = claimed(self.engine, run_id)
        if release is None:
            raise StoreError(
                f"database {self.name}: run {run_id} is being written by another program;"
                " let it end first"
            )
        self._claims[run_id] = release

    def _hand_back(self, run_id: int) -> None:
        if run_id in self._claims:
            self._claims.pop(run_id)()

    @property
    def name(self) -> str:
        """The database's URL as messages show it: without credentials."""
        return shown(self.engine.url)

    def begin_run(self, record: RunRecord) -> int:
        """A new run, with its cameras in the order of the site file; its number."""
        with writing(self.engine) as connection:
            run_id = rows.inserted(
                connection.execute(
                    insert(Run).returning(Run.id),
                    {
                        "site": record.site,
                        "status": "running",
                        "started_at_us": record.started_at_us,
                        "settings_json": record.settings_json,
                        "settings_sha256": _sha256(record.settings_json),
                        "detector": record.detector,
                    },
                )
            )
            _add_cameras(connection, run_id, record.site, record.cameras)
        self.claim(run_id)
        return run_id

    @reconnecting
    def change_run(
        self,
        run_id: int,
        settings_json: str,
        changed: Sequence[CameraRecord],
        gone: Collection[str] = (),
    ) -> None:
        """Other settings from now on, without credentials.

        Args:
            run_id: Of which run.
            settings_json: All of them.
            changed: Cameras that are new or other than they were.
            gone: Names of those that are no longer looked at; what they saw stays.
        """
        sha256 = _sha256(settings_json)
        with writing(self.engine) as connection:
            site = connection.execute(select(Run.site).where(Run.id == run_id)).scalar_one()
            connection.execute(
                update(Run)
                .where(Run.id == run_id)
                .values(settings_json=settings_json, settings_sha256=sha256)
            )
            known = rows.run_cameras(connection, run_id)
            states = [(known[each.name], _as_begun(each)) for each in changed if each.name in known]
            states += [(known[name], {"status": "ended"}) for name in gone if name in known]
            for camera_id, values in states:
                connection.execute(
                    update(RunCamera)
                    .where(RunCamera.run_id == run_id, RunCamera.camera_id == camera_id)
                    .values(**values)
                )
            new = [each for each in changed if each.name not in known]
            _add_cameras(connection, run_id, site, new, len(known))

    def resumable_run(self, site: str, settings_json: str) -> int | None:
        """The newest run of the site with these settings, if it has not come to its end."""
        query = (
            select(Run.id, Run.status)
            .where(Run.site == site, Run.settings_sha256 == _sha256(settings_json))
            .order_by(Run.id.desc())
            .limit(1)
        )
        with reading(self.engine) as connection:
            newest = connection.execute(query).first()
        return None if newest is None or newest.status == "finished" else int(newest.id)

    def newest_settings(self, site: str) -> str | None:
        """Those of the newest run of a site, if there is one."""
        query = select(Run.settings_json).where(Run.site == site).order_by(Run.id.desc()).limit(1)
        with reading(self.engine) as connection:
            return connection.execute(query).scalar()

    def resume_run(self, run_id: int) -> None:
        """Set a run going again.

        Tracklets of a camera that failed are erased: its damage may have cut them short, and where
        it has been repaired they come back whole. The others are what they would be again.

        Raises:
            StoreError: Another program is writing to it.
        """
        self.claim(run_id)
        with writing(self.engine) as connection:
            failed = select(RunCamera.camera_id).where(
                RunCamera.run_id == run_id, RunCamera.status == "failed"
            )
            connection.execute(
                delete(TrackletRow).where(
                    TrackletRow.run_id == run_id, TrackletRow.camera_id.in_(failed)
                )
            )
            connection.execute(
                update(RunCamera)
                .where(RunCamera.run_id == run_id, RunCamera.status == "failed")
                .values(status="running", message="", frames=0)
            )
            connection.execute(
                update(Run).where(Run.id == run_id).values(status="running", ended_at_us=None)
            )

    def ended_cameras(self, run_id: int) -> set[str]:
        """Names of the run's cameras that have come to their end."""
        query = (
            select(Camera.name)
            .join(RunCamera, RunCamera.camera_id == Camera.id)
            .where(RunCamera.run_id == run_id, RunCamera.status == "ended")
        )
        with reading(self.engine) as connection:
            return set(connection.execute(query).scalars())

    @reconnecting
    def last_seen(self, run_id: int) -> dict[str, LastSeen]:
        """What each camera came to so far, by name; none for those without tracklets.

        Numbers of tracks that were erased count: they are refused.
        """
        tracks: dict[tuple[str, int], int] = {}
        with reading(self.engine) as connection:
            for table in (TrackletRow, ErasedTracklet):
                query = (
                    select(Camera.name, Camera.id, func.max(table.track_id))
                    .join(Camera, Camera.id == table.camera_id)
                    .where(table.run_id == run_id)
                    .group_by(Camera.name, Camera.id)
                )
                for name, camera_id, last in connection.execute(query):
                    tracks[name, camera_id] = max(tracks.get((name, camera_id), 0), int(last))
            return {
                name: LastSeen(track, _last_frame(connection, run_id, camera_id))
                for (name, camera_id), track in tracks.items()
            }

    @reconnecting
    def add_tracklets(self, run_id: int, encoded: Sequence[EncodedTracklet]) -> int:
        """Keep tracklets; one that the run has already is left as it is. How many were new.

        One that is open is kept as far as it has come, and goes on by later calls until it closes.
        """
        self._days.begin(time.time_ns() // 1000)
        with writing(self.engine) as connection:
            added = adding.add(connection, run_id, encoded, self._open.get(run_id, frozenset()))
        self._open[run_id] = added.open
        return added.new

    @reconnecting
    def end_camera(self, run_id: int, camera: str, status: str, message: str, frames: int) -> None:
        """Put down how a camera fared: `ended` or `failed`."""
        with writing(self.engine) as connection:
            camera_id = rows.run_cameras(connection, run_id)[camera]
            connection.execute(
                update(RunCamera)
                .where(RunCamera.run_id == run_id, RunCamera.camera_id == camera_id)
                .values(status=status, message=message, frames=frames)
            )

    @reconnecting
    def end_run(self, run_id: int, status: str, ended_at_us: int) -> None:
        """Put down how the run ended: `finished`, `interrupted` or `failed`; hand it back."""
        with writing(self.engine) as connection:
            connection.execute(
                update(Run).where(Run.id == run_id).values(status=status, ended_at_us=ended_at_us)
            )
        self._hand_back(run_id)

    @reconnecting
    def load_tracklets(
        self, run_id: int, ended_since_us: int | None = None
    ) -> list[tuple[Tracklet, Embedding | NoEmbedding]]:
        """What association works on, ordered by camera, start, track and part.

        Args:
            run_id: Of which run.
            ended_since_us: Only those that ended then or later.
        """
        chosen = TrackletRow.run_id == run_id
        if ended_since_us is not None:
            chosen &= TrackletRow.end_us >= ended_since_us
        with reading(self.engine) as connection:
            found = connection.execute(_tracklets_query(chosen)).all()
            points = rows.points_of(connection, [row.id for row in found])
        return [(rows.tracklet(row, points[row.id]), rows.embedding(row)) for row in found]

    def encoders(self, run_id: int) -> list[EncoderIdentity]:
        """Which encoders made the run's embeddings, by name and hash."""
        with reading(self.engine) as connection:
            return embeddings.encoders(connection, run_id)

    @reconnecting
    def replace_embeddings(self, run_id: int, new: Mapping[str, Embedding | NoEmbedding]) -> int:
        """Put embeddings in the place of those that tracklets have, by the tracklets' keys.

        What is not named is left as it is; what has been erased meanwhile stays erased. How many
        of the tracklets are there.
        """
        with writing(self.engine) as connection:
            return embeddings.replace(connection, run_id, new)

    def split_tracklets(self, run_id: int, splits: Sequence[Split]) -> int:
        """Split tracklets where they go on with another person; how many new parts there are.

        The first part keeps the key, the second has the next number but one, and so move those of
        the track's later parts. Neither part has an embedding: it was of both people. Only for
        cameras that have ended: what is read again would come back under the old numbers.
        """
        with writing(self.engine) as connection:
            return split_tracklets(connection, run_id, splits)

    @reconnecting
    def set_links(
        self, run_id: int, links: Sequence[Link], edits: EditsVersion | None = None
    ) -> None:
        """A new version of who is who: the links before it are closed, none is rewritten.

        Args:
            run_id: The run, all of whose links these are.
            links: One a tracklet.
            edits: Those that the links obey; None where nobody edits the run.

        Raises:
            EditedMeanwhileError: There are other edits by now.
            UnknownTrackletError: A link or its evidence names a tracklet that the run does not
                have, or has no more.
            ValueError: A link holds evidence that is no finite number.
        """
        now_us = time.time_ns() // 1000
        with writing(self.engine) as connection:
            _check_edits(connection, run_id, edits)
            replace_links(connection, run_id, links, now_us)

    @reconnecting
    def add_links(self, run_id: int, links: Sequence[Link], edits: EditsVersion) -> frozenset[str]:
        """New versions of who some tracklets are; the links of others stay as they are.

        Args:
            run_id: Their run.
            links: At most one a tracklet.
            edits: Those that the links obey.

        Returns:
            Keys of tracklets that are named and that the run does not have, or has no more.

        Raises:
            EditedMeanwhileError: There are other edits by now.
            ValueError: A link holds evidence that is no finite number.
        """
        now_us = time.time_ns() // 1000
        with writing(self.engine) as connection:
            _check_edits(connection, run_id, edits)
            return add_links(connection, run_id, links, now_us)

    @reconnecting
    def newest_us(self, run_id: int) -> int | None:
        """When the run's last tracklet ended; None where it has none."""
        query = select(func.max(TrackletRow.end_us)).where(TrackletRow.run_id == run_id)
        with reading(self.engine) as connection:
            return connection.execute(query).scalar_one()

    @reconnecting
    def current_identities(self, run_id: int) -> dict[str, int]:
        """Numbers of the identities that hold, by the tracklets' keys."""
        with reading(self.engine) as connection:
            return current_identities(connection, run_id)

    @reconnecting
    def missing(self, run_id: int, keys: Collection[str]) -> frozenset[str]:
        """Which of these tracklets the run does not have, or has no more."""
        with reading(self.engine) as connection:
            return frozenset(keys) - set(rows.tracklet_ids_of(connection, run_id, keys))


def open_store(url: str, *, create: bool) -> Store:
    """The store behind a URL.

    Args:
        url: `sqlite:///tracking.db`, or `postgresql://user:password@host/name`.
        create: Make it where there is none; queries never do.

    Raises:
        StoreError: It cannot be opened, is none of ours, or of a newer version.
    """
    return Store(open_engine(url, create=create))


def _check_edits(connection: Connection, run_id: int, obeyed: EditsVersion | None) -> None:
    """Let nobody else decide about the run until the end of the transaction."""
    lock_run(connection, run_id)
    if obeyed is not None and obeyed != edits_version(connection, run_id):
        raise EditedMeanwhileError


def _sha256(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def _add_cameras(
    connection: Connection,
    run_id: int,
    site: str,
    cameras: Sequence[CameraRecord],
    first_position: int = 0,
) -> None:
    added: list[dict[str, object]] = [
        {
            "run_id": run_id,
            "camera_id": rows.found_or_made(
                connection, Camera, {"site": site, "name": camera.name}
            ),
            "position": position,
            **_as_begun(camera),
        }
        for position, camera in enumerate(cameras, first_position)
    ]
    rows.insert_all(connection, RunCamera, added)


def _as_begun(camera: CameraRecord) -> dict[str, object]:
    """What stands in the run's row of a camera that begins."""
    return {
        "source": camera.source,
        "calibrated": camera.calibrated,
        "status": "running",
        "message": "",
        "frames": 0,
    }


def _last_frame(connection: Connection, run_id: int, camera_id: int) -> int:
    """Number of the last frame in which a camera saw somebody; -1: none. They rise with time."""
    latest = (
        select(TrackletRow.id)
        .where(TrackletRow.run_id == run_id, TrackletRow.camera_id == camera_id)
        .order_by(TrackletRow.end_us.desc())
        .limit(1)
    )
    number = connection.execute(latest).scalar()
    if number is None:
        return -1
    last = select(func.max(TrackPoint.frame_index)).where(TrackPoint.tracklet_id == number)
    found = connection.execute(last).scalar()
    return -1 if found is None else int(found)


def _tracklets_query(chosen: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            TrackletRow.id,
            Camera.name.label("camera"),
            TrackletRow.track_id,
            TrackletRow.part,
            EmbeddingRow.vector,
            Encoder.name.label("encoder"),
            Encoder.sha256,
            Encoder.dimension,
        )
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(
            RunCamera,
            (RunCamera.run_id == TrackletRow.run_id)
            & (RunCamera.camera_id == TrackletRow.camera_id),
        )
        .outerjoin(EmbeddingRow, EmbeddingRow.tracklet_id == TrackletRow.id)
        .outerjoin(Encoder, Encoder.id == EmbeddingRow.encoder_id)
        .where(chosen)
        .order_by(RunCamera.position, TrackletRow.start_us, TrackletRow.track_id, TrackletRow.part)
    )


def drop_empty(engine: Engine, site: str, started_before_us: int) -> None:
    """Identities without links, and runs of that time that have ended and hold no tracklets.

    The last identity of a run stays, without a name: its number is not given again.
    """
    with writing(engine) as connection:
        of_site = select(Run.id).where(Run.site == site)
        is_linked = exists().where(LinkRow.identity_id == Identity.id)
        later = aliased(Identity)
        is_last = ~exists().where(later.run_id == Identity.run_id, later.number > Identity.number)
        empty = Identity.run_id.in_(of_site) & ~is_linked
        connection.execute(delete(Identity).where(empty, ~is_last))
        connection.execute(update(Identity).where(empty).values(label=None, created_at_us=0))
        holds = exists().where(TrackletRow.run_id == Run.id)
        connection.execute(
            delete(Run).where(
                Run.site == site,
                Run.status != "running",
                Run.started_at_us < started_before_us,
                ~holds,
            )
        )
