"""What was seen and said, links between people, and the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Float(53)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "cameras",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("keep_days", TIME, nullable=True),
        sa.Column("crop_days", TIME, nullable=True),
        sa.Column("keep_crops", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "tracks",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("description", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["camera"], ["cameras.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("person"),
    )
    op.create_index("tracks_camera_seen", "tracks", ["camera", "last_seen"])
    op.create_index("tracks_seen", "tracks", ["last_seen"])
    op.create_table(
        "descriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("track", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("frame_time", TIME, nullable=False),
        sa.Column("described_at", TIME, nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("scores", sa.LargeBinary(), nullable=True),
        sa.Column("quality", TIME, nullable=False),
        sa.Column("crops", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "model", name="descriptions_event_model"),
    )
    op.create_index("descriptions_time", "descriptions", ["frame_time"])
    op.create_index("descriptions_track", "descriptions", ["track", "revision"])
    op.create_table(
        "terms",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("group_name", "value", name="terms_name"),
    )
    op.create_table(
        "attributes",
        sa.Column("term", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("track", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("confidence", sa.REAL(), nullable=False),
        sa.PrimaryKeyConstraint("term", "track"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "embeddings",
        sa.Column("track", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("track"),
    )
    op.create_table(
        "links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("one", sa.Text(), nullable=False),
        sa.Column("other", sa.Text(), nullable=False),
        sa.Column("probability", TIME, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("undone_at", TIME, nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("links_one", "links", ["one"])
    op.create_index("links_other", "links", ["other"])
    op.create_table(
        "audit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("audit")
    op.drop_table("links")
    op.drop_table("embeddings")
    op.drop_table("attributes")
    op.drop_table("terms")
    op.drop_table("descriptions")
    op.drop_table("tracks")
    op.drop_table("cameras")
