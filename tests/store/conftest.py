"""A store on SQLite and one on PostgreSQL: every test of the store runs on both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from personvlm.store import Store, tables
from personvlm.store.database import connect

sys.path.insert(0, str(Path(__file__).parents[1]))
import services


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """One database on the shared PostgreSQL, with tables."""
    made: list[str] = []
    url = services.postgres_url(databases=made)
    connect(url).dispose()
    yield url
    for each in made:
        services.drop_postgres(each)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if request.param == "sqlite":
        return str(tmp_path / "people.db")
    url: str = request.getfixturevalue("postgres")
    engine = connect(url)
    with engine.begin() as connection:
        names = ", ".join([*tables.metadata.tables, "search_text"])
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
    engine.dispose()
    return url


@pytest.fixture
def store(where: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store that keeps pictures in a folder."""
    with Store.open(where, blobs=tmp_path / "crops") as opened:
        yield opened
