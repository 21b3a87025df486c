"""PostgreSQL: pairs of neighboring words in the text index, so that a phrase is found without reading every text."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEX = "CREATE INDEX search_text_words ON search_text USING gin (words) WITH (gin_pending_list_limit = 256)"
_UP = (
    # Neighbors, each cut to its stem: "red jackets" gives {"red jacket"}.
    r"""CREATE FUNCTION search_pairs(said text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT coalesce(array_agg(DISTINCT stem || ' ' || following), '{}') FROM (
            SELECT stem, lead(stem) OVER (ORDER BY place) AS following FROM (
                SELECT coalesce((ts_lexize('english_stem', word))[1], word) AS stem, place
                FROM regexp_split_to_table(lower(said), '[^[:alnum:]''’-]+') WITH ORDINALITY AS t (word, place)
                WHERE word <> ''
            ) AS words
        ) AS pairs WHERE following IS NOT NULL $$""",
    """CREATE FUNCTION search_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('english', said) || array_to_tsvector(search_pairs(said)) $$""",
    # Made anew rather than changed row by row: of a million rows that is minutes against the better part of an hour.
    "TRUNCATE search_text",
    "DROP INDEX search_text_words",
    "INSERT INTO search_text (track, words) SELECT id, search_words(text) FROM search_text_source",
    _INDEX,
)
_DOWN = (
    "TRUNCATE search_text",
    "DROP INDEX search_text_words",
    "INSERT INTO search_text (track, words) SELECT id, to_tsvector('english', text) FROM search_text_source",
    _INDEX,
    "DROP FUNCTION search_words",
    "DROP FUNCTION search_pairs",
)


def upgrade() -> None:
    """Add them."""
    _run(_UP)


def downgrade() -> None:
    """Take them out."""
    _run(_DOWN)


def _run(statements: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in statements:
            op.execute(statement)
