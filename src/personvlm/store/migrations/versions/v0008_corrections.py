"""What people put right: who, when, and which description was written again for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.Float(53)


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "corrections",
        sa.Column("id", KEY, nullable=False),
        sa.Column("track", sa.BigInteger(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("undone_at", TIME, nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("corrections_track", "corrections", ["track"])
    op.add_column("descriptions", sa.Column("corrects", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":  # no samples of what erasing could not reach; see version 0006
        for column in ("value", "said"):
            op.execute(f"ALTER TABLE corrections ALTER COLUMN {column} SET STATISTICS 0")


def downgrade() -> None:
    """Take them out. What was put right stays so; who did it, and what stood there before, is lost."""
    op.drop_column("descriptions", "corrects")
    op.drop_table("corrections")
