"""Search: segments of columns, and full text. All of it can be made again from the descriptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.Float(53)

_SOURCE = """CREATE VIEW search_text_source AS SELECT tracks.id AS id, descriptions.text AS text
             FROM tracks JOIN descriptions ON descriptions.id = tracks.description"""
_TEXT = {
    "sqlite": (
        _SOURCE,
        """CREATE VIRTUAL TABLE search_text USING fts5(text, content='search_text_source', content_rowid='id',
           tokenize='porter unicode61')""",
        "INSERT INTO search_text (search_text) VALUES ('rebuild')",
    ),
    "postgresql": (
        _SOURCE,
        "CREATE TABLE search_text (track BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)",
        "INSERT INTO search_text (track, words) SELECT id, to_tsvector('english', text) FROM search_text_source",
        "CREATE INDEX search_text_words ON search_text USING gin (words) WITH (gin_pending_list_limit = 256)",
        # Blobs that are read whole, many at once: compressing them costs more than it saves.
        "ALTER TABLE search_columns ALTER COLUMN data SET STORAGE EXTERNAL",
    ),
}


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "search_recent",
        sa.Column("track", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", TIME, nullable=False),
        sa.PrimaryKeyConstraint("track"),
    )
    op.create_table(
        "search_segments",
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("segment"),
    )
    op.create_table(
        "search_columns",
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "name"),
    )
    for statement in _TEXT[op.get_bind().dialect.name]:
        op.execute(statement)
    op.execute("INSERT INTO search_recent (track, stamp) SELECT id, last_seen FROM tracks")


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE search_text")
    op.execute("DROP VIEW search_text_source")
    op.drop_table("search_columns")
    op.drop_table("search_segments")
    op.drop_table("search_recent")
