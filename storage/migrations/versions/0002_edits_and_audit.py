"""edits, audit, names; how long and how large tracklets are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
POINT_BYTES = {"sqlite": 51, "postgresql": 112}


def upgrade() -> None:
    """Apply. Columns are added in place: to copy a table would erase all that hangs on it."""
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("details_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "edit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("made_at_us", sa.BigInteger(), nullable=False),
        sa.Column("undone_at_us", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('merge', 'split', 'relabel', 'confirm', 'reject')", name=op.f("ck_edit_kind")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_edit_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edit")),
    )
    op.create_index(op.f("ix_edit_run_id"), "edit", ["run_id"], unique=False)
    op.create_table(
        "edit_tracklet",
        sa.Column("edit_id", KEY, nullable=False),
        sa.Column("tracklet_id", KEY, nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("link_id", KEY, nullable=True),
        sa.CheckConstraint(
            "role IN ('moved', 'joined', 'left')", name=op.f("ck_edit_tracklet_role")
        ),
        sa.ForeignKeyConstraint(
            ["edit_id"], ["edit.id"], name=op.f("fk_edit_tracklet_edit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["link_id"], ["link.id"], name=op.f("fk_edit_tracklet_link_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["tracklet_id"],
            ["tracklet.id"],
            name=op.f("fk_edit_tracklet_tracklet_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("edit_id", "tracklet_id", name=op.f("pk_edit_tracklet")),
    )
    op.create_table(
        "erased_tracklet",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("camera_id", KEY, nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_erased_tracklet_camera_id")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_erased_tracklet_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "run_id", "camera_id", "track_id", "part", name=op.f("pk_erased_tracklet")
        ),
    )
    for column in ("link_id", "tracklet_id"):
        op.create_index(op.f(f"ix_edit_tracklet_{column}"), "edit_tracklet", [column], unique=False)
    op.add_column("identity", sa.Column("label", sa.Text(), nullable=True))
    for table, column in (("run", "longest_us"), ("tracklet", "size_bytes")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), server_default="0", nullable=False))
    _measure(POINT_BYTES[op.get_bind().dialect.name])


def _measure(point_bytes: int) -> None:
    """The new columns of what is there."""
    op.execute(
        "UPDATE run SET longest_us = coalesce((SELECT max(end_us - start_us) FROM tracklet"
        " WHERE tracklet.run_id = run.id), 0)"
    )
    measured = sa.text(
        "UPDATE tracklet SET size_bytes = 1500 + :point_bytes * boxes"
        " + coalesce((SELECT length(vector) FROM embedding WHERE tracklet_id = tracklet.id), 0)"
        " + coalesce((SELECT sum(length(jpeg)) FROM thumbnail WHERE tracklet_id = tracklet.id), 0)"
    )
    op.get_bind().execute(measured, {"point_bytes": point_bytes})
