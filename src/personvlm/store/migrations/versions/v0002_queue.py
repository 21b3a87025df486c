"""The queue in the same database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Float(53)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "queue_events",
        sa.Column("id", KEY, nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("dead", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("due", TIME, nullable=False),
        sa.Column("put_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("died_at", TIME, nullable=True),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id"),
    )
    op.create_index("queue_events_next", "queue_events", ["dead", "lane", "due", "id"])
    op.create_index("queue_events_person", "queue_events", ["person"])
    op.create_table(
        "queue_counts",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("depth", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("accepted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("acked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("died", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("replayed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("superseded", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("shed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("erased", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("shard"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("queue_counts")
    op.drop_table("queue_events")
