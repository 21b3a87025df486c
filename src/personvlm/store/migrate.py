"""Tables of another version become those of this one, and back: Alembic, run from Python, without files to configure.

A database remembers its version in ``alembic_version``; the migrations lie in the package (``store/migrations``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from personvlm.base.errors import InputError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

HEAD = "0009"
"""The version that this code works with."""

_LOCK = 0x7065727376  # "persv": one migration at a time on PostgreSQL


def version(connection: sa.Connection) -> str | None:
    """The version of a database; None where it has no tables of a store."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def check(engine: sa.Engine, shown: str, run: bool | None) -> None:
    """Make sure that the tables are those of this version; see :func:`personvlm.store.database.connect`.

    Raises:
        InputError: they are not, and may not be made so.
    """
    with engine.connect().execution_options(reading=True) as connection:
        found = version(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise InputError(f"{shown} has tables of version {found}, newer than this program's {HEAD}: update personvlm")
    automatic = engine.dialect.name == "sqlite" or found is None
    if run is False or (run is None and not automatic):
        raise InputError(f"{shown} has tables of version {found}, this program needs {HEAD}: "
                         "stop the workers, then run `personvlm store upgrade --store URL`")  # fmt: skip
    move(engine, HEAD)


def move(engine: sa.Engine, target: str = HEAD) -> list[str]:
    """Run what lies between the database's version and ``target`` in one transaction.

    Args:
        target: a version, or ``base`` for no tables at all.

    Returns:
        The versions that were passed, in their order.

    Raises:
        InputError: there is no such version.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    script = scripts()
    known = {revision.revision for revision in script.walk_revisions()}
    if target not in (*known, "base"):
        raise InputError(f"{target!r} is not a version of the tables; there are {', '.join(sorted(known))} and base")
    passed: list[str] = []

    def steps(found: Any, context: Any) -> Any:
        current = found[0] if found else None
        up = target != "base" and (current is None or current < target)
        plan = (script._upgrade_revs if up else script._downgrade_revs)(target, current)  # type: ignore[arg-type]
        passed.extend(step.revision.revision for step in plan)
        return plan

    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        with EnvironmentContext(Config(), script, fn=steps) as environment:
            environment.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False)
            environment.run_migrations()
    return passed


def scripts() -> ScriptDirectory:
    """The migrations."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent / "migrations"))
