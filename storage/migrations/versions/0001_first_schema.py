"""first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "camera",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera")),
        sa.UniqueConstraint("site", "name", name=op.f("uq_camera_site_name")),
    )
    op.create_table(
        "encoder",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encoder")),
        sa.UniqueConstraint(
            "name", "sha256", "dimension", name=op.f("uq_encoder_name_sha256_dimension")
        ),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger(), nullable=True),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("settings_sha256", sa.String(length=64), nullable=False),
        sa.Column("detector", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'finished', 'interrupted', 'failed')", name=op.f("ck_run_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(
        op.f("ix_run_site_settings_sha256"), "run", ["site", "settings_sha256"], unique=False
    )

    op.create_table(
        "identity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_identity_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_identity_run_id_number")),
    )
    op.create_table(
        "run_camera",
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "camera_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("calibrated", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("frames", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'ended', 'failed')", name=op.f("ck_run_camera_status")
        ),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"], name=op.f("fk_run_camera_camera_id")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_run_camera_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "camera_id", name=op.f("pk_run_camera")),
    )
    op.create_table(
        "tracklet",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "camera_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("boxes", sa.Integer(), nullable=False),
        sa.Column("mean_score", sa.Integer(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["camera.id"], name=op.f("fk_tracklet_camera_id")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_tracklet_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracklet")),
        sa.UniqueConstraint(
            "run_id",
            "camera_id",
            "track_id",
            "part",
            name=op.f("uq_tracklet_run_id_camera_id_track_id_part"),
        ),
    )
    op.create_index(
        op.f("ix_tracklet_camera_id_start_us_end_us"),
        "tracklet",
        ["camera_id", "start_us", "end_us"],
        unique=False,
    )
    op.create_index(op.f("ix_tracklet_stored_at_us"), "tracklet", ["stored_at_us"], unique=False)

    op.create_table(
        "embedding",
        sa.Column(
            "tracklet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "encoder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["encoder_id"], ["encoder.id"], name=op.f("fk_embedding_encoder_id")
        ),
        sa.ForeignKeyConstraint(
            ["tracklet_id"],
            ["tracklet.id"],
            name=op.f("fk_embedding_tracklet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tracklet_id", name=op.f("pk_embedding")),
    )
    op.create_table(
        "link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "tracklet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "identity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("decided_at_us", sa.BigInteger(), nullable=False),
        sa.Column("valid_to_us", sa.BigInteger(), nullable=True),
        sa.Column("appearance", sa.Double(), nullable=False),
        sa.Column("transition_time", sa.Double(), nullable=False),
        sa.Column("ground_plane", sa.Double(), nullable=False),
        sa.Column("edits", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identity.id"], name=op.f("fk_link_identity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tracklet_id"], ["tracklet.id"], name=op.f("fk_link_tracklet_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
    )
    op.create_index(op.f("ix_link_identity_id"), "link", ["identity_id"], unique=False)
    op.create_index(op.f("ix_link_tracklet_id"), "link", ["tracklet_id"], unique=False)
    op.create_index(
        "uq_link_current",
        "link",
        ["tracklet_id"],
        unique=True,
        sqlite_where=sa.text("valid_to_us IS NULL"),
        postgresql_where=sa.text("valid_to_us IS NULL"),
    )

    op.create_table(
        "thumbnail",
        sa.Column(
            "tracklet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("timestamp_us", sa.BigInteger(), nullable=False),
        sa.Column("jpeg", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tracklet_id"],
            ["tracklet.id"],
            name=op.f("fk_thumbnail_tracklet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tracklet_id", "position", name=op.f("pk_thumbnail")),
    )
    op.create_table(
        "track_point",
        sa.Column(
            "tracklet_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("frame_index", sa.BigInteger(), nullable=False),
        sa.Column("timestamp_us", sa.BigInteger(), nullable=False),
        sa.Column("x1", sa.Integer(), nullable=False),
        sa.Column("y1", sa.Integer(), nullable=False),
        sa.Column("x2", sa.Integer(), nullable=False),
        sa.Column("y2", sa.Integer(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tracklet_id"],
            ["tracklet.id"],
            name=op.f("fk_track_point_tracklet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tracklet_id", "frame_index", name=op.f("pk_track_point")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_pair",
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column(
            "other_tracklet_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("similarity", sa.Double(), nullable=True),
        sa.Column("appearance", sa.Double(), nullable=False),
        sa.Column("transition_time", sa.Double(), nullable=False),
        sa.Column("ground_plane", sa.Double(), nullable=False),
        sa.Column("edits", sa.Double(), nullable=False),
        sa.Column("same_identity", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["link.id"], name=op.f("fk_link_pair_link_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_tracklet_id"],
            ["tracklet.id"],
            name=op.f("fk_link_pair_other_tracklet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("link_id", "position", name=op.f("pk_link_pair")),
    )
    op.create_index(
        op.f("ix_link_pair_other_tracklet_id"), "link_pair", ["other_tracklet_id"], unique=False
    )
