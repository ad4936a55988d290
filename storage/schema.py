"""Tables of the trajectory store. Times are int64 microseconds UTC; the same on every database."""

from typing import ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PIXEL_SCALE = 10
"""Track points keep tenths of a pixel as integers: half the size of floats (measured)."""
SCORE_SCALE = 1000

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives row numbers by itself only to a column declared INTEGER.
Key = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """All tables of the store."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = {float: Double}


class Camera(Base):
    """A camera of a site."""

    __tablename__ = "camera"
    __table_args__ = (UniqueConstraint("site", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))


class Encoder(Base):
    """Which encoder made an embedding: those of different encoders are never compared."""

    __tablename__ = "encoder"
    __table_args__ = (UniqueConstraint("name", "sha256", "dimension"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    dimension: Mapped[int] = mapped_column(Integer)


class Run(Base):
    """One execution over a site; everything observed and decided belongs to one."""

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(
            "status IN ('running', 'finished', 'interrupted', 'failed')", name="status"
        ),
        Index(None, "site", "settings_sha256"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    started_at_us: Mapped[int] = mapped_column(BigInteger)
    ended_at_us: Mapped[int | None] = mapped_column(BigInteger)
    settings_json: Mapped[str] = mapped_column(Text)  # without credentials
    settings_sha256: Mapped[str] = mapped_column(String(64))
    detector: Mapped[str] = mapped_column(Text)
    # Of its tracklets the longest: what overlaps [a, b] starts in [a - longest, b], an index range.
    longest_us: Mapped[int] = mapped_column(BigInteger, server_default="0")


class RunCamera(Base):
    """How a camera fared in a run."""

    __tablename__ = "run_camera"
    __table_args__ = (CheckConstraint("status IN ('running', 'ended', 'failed')", name="status"),)

    run_id: Mapped[int] = mapped_column(
        ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id"), primary_key=True, type_=Key)
    position: Mapped[int] = mapped_column(Integer)  # in the site file
    source: Mapped[str] = mapped_column(Text)  # without credentials
    calibrated: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text)
    frames: Mapped[int] = mapped_column(BigInteger)


class TrackletRow(Base):
    """A passage of one person through one camera."""

    __tablename__ = "tracklet"
    __table_args__ = (
        UniqueConstraint("run_id", "camera_id", "track_id", "part"),
        Index(None, "camera_id", "start_us", "end_us"),
        Index(None, "stored_at_us"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), type_=Key)
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id"), type_=Key)
    track_id: Mapped[int] = mapped_column(BigInteger)
    part: Mapped[int] = mapped_column(Integer)
    start_us: Mapped[int] = mapped_column(BigInteger)
    end_us: Mapped[int] = mapped_column(BigInteger)
    boxes: Mapped[int] = mapped_column(Integer)
    mean_score: Mapped[int] = mapped_column(Integer)  # per mille
    stored_at_us: Mapped[int] = mapped_column(BigInteger)
    # About what it takes, with all that hangs on it: see `sizes`.
    size_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")


class ErasedTracklet(Base):
    """Of somebody who was erased: where it is read again, the run does not take it back."""

    __tablename__ = "erased_tracklet"

    run_id: Mapped[int] = mapped_column(
        ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    camera_id: Mapped[int] = mapped_column(ForeignKey("camera.id"), primary_key=True, type_=Key)
    track_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)


class TrackPoint(Base):
    """One box of a tracklet, in tenths of a pixel and thousandths of confidence."""

    __tablename__ = "track_point"
    __table_args__ = (
        {"sqlite_with_rowid": False, "postgresql_partition_by": "RANGE (tracklet_id)"},
    )

    tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    frame_index: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    timestamp_us: Mapped[int] = mapped_column(BigInteger)
    x1: Mapped[int] = mapped_column(Integer)
    y1: Mapped[int] = mapped_column(Integer)
    x2: Mapped[int] = mapped_column(Integer)
    y2: Mapped[int] = mapped_column(Integer)
    score: Mapped[int] = mapped_column(Integer)


class EmbeddingRow(Base):
    """The encoder's vector of a tracklet: float16, little endian."""

    __tablename__ = "embedding"

    tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoder.id"), type_=Key)
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class ThumbnailRow(Base):
    """A small JPEG of a tracklet."""

    __tablename__ = "thumbnail"

    tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    timestamp_us: Mapped[int] = mapped_column(BigInteger)
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)


class Identity(Base):
    """One person of a run, numbered from 1."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), type_=Key)
    number: Mapped[int] = mapped_column(Integer)
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str | None] = mapped_column(Text)  # a name, where the site allows names


class LinkRow(Base):
    """A decision tracklet -> identity; the one that holds has no `valid_to_us`."""

    __tablename__ = "link"
    __table_args__ = (
        Index(
            "uq_link_current",
            "tracklet_id",
            unique=True,
            sqlite_where=text("valid_to_us IS NULL"),
            postgresql_where=text("valid_to_us IS NULL"),
        ),
        Index(None, "tracklet_id"),
        Index(None, "identity_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), type_=Key
    )
    identity_id: Mapped[int] = mapped_column(
        ForeignKey("identity.id", ondelete="CASCADE"), type_=Key
    )
    method: Mapped[str] = mapped_column(String(64))
    decided_at_us: Mapped[int] = mapped_column(BigInteger)
    valid_to_us: Mapped[int | None] = mapped_column(BigInteger)
    appearance: Mapped[float]
    transition_time: Mapped[float]
    ground_plane: Mapped[float]
    edits: Mapped[float]


class LinkPair(Base):
    """Evidence of a link: what speaks for and against one other tracklet."""

    __tablename__ = "link_pair"
    __table_args__ = (Index(None, "other_tracklet_id"),)

    link_id: Mapped[int] = mapped_column(
        ForeignKey("link.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    other_tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), type_=Key
    )
    similarity: Mapped[float | None]
    appearance: Mapped[float]
    transition_time: Mapped[float]
    ground_plane: Mapped[float]
    edits: Mapped[float]
    same_identity: Mapped[bool] = mapped_column(Boolean)


class Edit(Base):
    """What a user decided about identities; it holds until it is undone.

    What it says of tracklets outlives the numbers of identities: those that moved and those that
    they joined are one person, and none of those that were left is.
    """

    __tablename__ = "edit"
    __table_args__ = (
        CheckConstraint("kind IN ('merge', 'split', 'relabel', 'confirm', 'reject')", name="kind"),
        Index(None, "run_id"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), type_=Key)
    kind: Mapped[str] = mapped_column(String(16))
    made_at_us: Mapped[int] = mapped_column(BigInteger)
    undone_at_us: Mapped[int | None] = mapped_column(BigInteger)


class EditTracklet(Base):
    """A tracklet that an edit speaks of, and the link that it had before."""

    __tablename__ = "edit_tracklet"
    __table_args__ = (
        CheckConstraint("role IN ('moved', 'joined', 'left')", name="role"),
        Index(None, "tracklet_id"),
        Index(None, "link_id"),
    )

    edit_id: Mapped[int] = mapped_column(
        ForeignKey("edit.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    tracklet_id: Mapped[int] = mapped_column(
        ForeignKey("tracklet.id", ondelete="CASCADE"), primary_key=True, type_=Key
    )
    role: Mapped[str] = mapped_column(String(8))
    link_id: Mapped[int | None] = mapped_column(
        ForeignKey("link.id", ondelete="SET NULL"), type_=Key
    )


class Audit(Base):
    """That something was exported, edited or erased: what, when, how much; nobody's data.

    It outlives the run that it speaks of.
    """

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at_us: Mapped[int] = mapped_column(BigInteger)
    action: Mapped[str] = mapped_column(String(16))
    site: Mapped[str] = mapped_column(String(64))
    run_id: Mapped[int | None] = mapped_column(BigInteger)
    details_json: Mapped[str] = mapped_column(Text)  # counts and kinds
