"""People who were erased, so that a late answer does not bring them back; no statistics of what was said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# PostgreSQL keeps samples of a column's values beside the table, where erasing does not reach them. None of these
# columns is ever compared with anything, so that it needs none.
_PERSONAL = {
    "descriptions": ("text", "attributes", "scores", "crops"), "embeddings": ("vector",), "search_columns": ("data",),
    "queue_events": ("message", "reason"), "alerts": ("text", "picture", "why", "crop"), "deliveries": ("payload",),
    "alert_states": ("evidence",),
}  # fmt: skip


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "erased",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("person"),
    )
    _statistics(0)


def downgrade() -> None:
    """Drop them."""
    _statistics(-1)
    op.drop_table("erased")


def _statistics(target: int) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, columns in _PERSONAL.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS {target}")
