"""Alerts hold no pictures of their own: they name the one that the store keeps, and have none where it keeps none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take them out. Alerts get the reference of what is kept of the same occasion; copies of pictures that were never
    to be kept, or are kept no longer, are gone."""
    first = "(crops::json -> 0 ->> 0)" if _postgresql() else "json_extract(crops, '$[0][0]')"
    op.execute(f"UPDATE alerts SET crop = (SELECT {first} FROM descriptions WHERE descriptions.event_id = "
               "alerts.event_id ORDER BY descriptions.id DESC LIMIT 1) "
               "WHERE crop IS NULL OR crop LIKE 'until/%'")  # fmt: skip
    op.drop_column("alerts", "picture")


def downgrade() -> None:
    """Put their column back, empty."""
    op.add_column("alerts", sa.Column("picture", sa.LargeBinary(), nullable=True))
    if _postgresql():  # no samples of what erasing could not reach; see version 0006
        op.execute("ALTER TABLE alerts ALTER COLUMN picture SET STATISTICS 0")


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
