"""boxes lie in a table for each day, on PostgreSQL."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

EARLIER = "track_point_19700101"
"""What was there before days were told apart, by the day to which its numbers belong."""
NUMBERS_A_DAY = 2**32


def upgrade() -> None:
    """Apply. The table that is there becomes the first part of a new one: nothing is copied."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.rename_table("track_point", EARLIER)
    op.execute(f"ALTER TABLE {EARLIER} RENAME CONSTRAINT pk_track_point TO pk_{EARLIER}")
    op.create_table(
        "track_point",
        sa.Column("tracklet_id", sa.BigInteger(), nullable=False),
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
        postgresql_partition_by="RANGE (tracklet_id)",
    )
    op.execute(
        f"ALTER TABLE track_point ATTACH PARTITION {EARLIER}"
        f" FOR VALUES FROM (0) TO ({NUMBERS_A_DAY})"
    )
