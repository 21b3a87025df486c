"""Tables of every version, up and down, on both databases, with people in them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from stored_people import backpacker, red_jacket, seen

from personvlm.base.errors import InputError
from personvlm.store import Store, migrate, tables
from personvlm.store.database import connect


@pytest.fixture
def fresh(where: str) -> str:
    """The address of a database without tables."""
    engine = connect(where)
    migrate.move(engine, "base")
    engine.dispose()
    return where


@pytest.fixture(autouse=True)
def _whole_again(where: str) -> object:
    """Other tests use the same database on PostgreSQL."""
    yield
    if "://" in where:
        connect(where, upgrade=True).dispose()


def differences(engine: sa.Engine) -> list[object]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def ours(item: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
        return not (name or "").startswith("search_text")

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={
            "compare_type": True, "compare_server_default": True, "include_object": ours})  # fmt: skip
        return list(compare_metadata(context, tables.metadata))


def test_the_migrations_make_exactly_the_tables(fresh: str) -> None:
    engine = connect(fresh)
    assert differences(engine) == []
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE links ADD COLUMN note TEXT"))
    assert len(differences(engine)) == 1, "the comparison sees nothing"
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE links DROP COLUMN note"))
    engine.dispose()


def test_the_program_works_with_the_newest_version() -> None:
    assert migrate.scripts().get_heads() == [migrate.HEAD]


def test_search_goes_down_and_comes_up_again_with_its_people(fresh: str) -> None:
    with Store.open(fresh, keep_crops=False) as store:
        store.add([seen(1, red_jacket()), seen(2, backpacker())])
        store.fold()
        store.audit("test", "look", "everything")
        assert migrate.move(store.engine, "0004") == ["0009", "0008", "0007", "0006", "0005"]
        assert not sa.inspect(store.engine).has_table("search_columns")
    assert migrate.version(_connection(fresh)) == "0004"
    with Store.open(fresh, keep_crops=False, upgrade=True) as store:
        assert [hit.described.request.track_id for hit in store.search("lanyard").hits] == [2]
        assert store.search("woman in a red jacket").hits[0].described.request.track_id == 1
        assert store.verify_audit() is None
        assert store.fold() == 2
        assert store.search("backpack").hits[0].described.request.track_id == 2


def _connection(where: str) -> sa.Connection:
    url = where if "://" in where else f"sqlite:///{where}"
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool).connect()


def test_one_step_at_a_time_down_to_nothing_and_up_again(fresh: str) -> None:
    engine = connect(fresh)
    with Store(engine, None) as store:
        store.add([seen(1, red_jacket())])
    versions = [revision.revision for revision in migrate.scripts().walk_revisions()]
    for target in (*versions[1:], "base"):
        assert len(migrate.move(engine, target)) == 1
    names = set(sa.inspect(engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    assert names == set()
    for target in reversed(versions):
        assert migrate.move(engine, target) == [target]
    assert differences(engine) == []
    engine.dispose()


def test_a_database_of_a_newer_program_is_left_alone(fresh: str) -> None:
    engine = connect(fresh)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match="newer than this program"):
        Store.open(fresh)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :head"), {"head": migrate.HEAD})
    engine.dispose()


def test_old_tables_go_up_by_themselves_on_sqlite_and_on_demand_on_postgresql(fresh: str) -> None:
    engine = connect(fresh)
    migrate.move(engine, "0003")
    engine.dispose()
    if "://" in fresh:
        with pytest.raises(InputError, match="personvlm store upgrade"):
            Store.open(fresh)
        Store.open(fresh, upgrade=True).close()
    else:
        with pytest.raises(InputError, match="version 0003"):
            Store.open(fresh, upgrade=False)
        Store.open(fresh).close()
    with pytest.raises(InputError, match="not a version"):
        migrate.move(connect(fresh), "12")
