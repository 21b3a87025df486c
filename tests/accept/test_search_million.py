"""A million stored people: 95 of 100 searches take at most 50 ms, on SQLite and on PostgreSQL.

``PERSONVLM_CROWD`` sets how many people are stored (default: 1,081,333), in elevenths of which one is loaded through
the store and the others are copied inside the database.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from crowd import BEGINNING, BLOCK, crowd, multiply
from search_times import table

from personvlm.data.rendered import rendered_samples
from personvlm.runtime.describer import Describer
from personvlm.store import Store
from personvlm.store.reading import Filters

sys.path.insert(0, str(Path(__file__).parents[1]))
import services

pytestmark = pytest.mark.accept

DAY = 86_400.0
MOST = 50.0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_million_people_are_searched_in_fifty_milliseconds(kind: str, tmp_path: Path) -> None:
    own = None if kind == "sqlite" else services.OwnPostgres(tmp_path / "cluster")
    try:
        with Store.open(tmp_path / "people.db" if own is None else own.url, keep_crops=False) as store:
            described = Describer.load().describe([image for image, _ in rendered_samples(300, seed=5)])
            for _ in crowd(store, described, BLOCK - 1, days=3):
                pass
            people = multiply(store, max(1, int(os.environ.get("PERSONVLM_CROWD", "1081333")) // (BLOCK - 1)))
            print(f"\n{kind}, {people:,} people")
            everybody = table(store)
            print("  with filters:")
            filters = (Filters(cameras=("camera 0",)), Filters(cameras=("camera 150",)),
                       Filters(since=BEGINNING + 20 * DAY, until=BEGINNING + 25 * DAY))  # fmt: skip
            filtered = table(store, filters=filters)
            slow = {name: figures["p95"] for found in (everybody, filtered) for name, figures in found.items()
                    if figures["p95"] > MOST}  # fmt: skip
            assert slow == {}
    finally:
        if own is not None:
            own.stop()
