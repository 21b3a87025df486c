"""Fifty thousand stored people, in three segments and a part of one: filters reach all of them, and only those."""

from __future__ import annotations

import sys
from pathlib import Path

from personvlm.data.rendered import rendered_samples
from personvlm.runtime.describer import Describer
from personvlm.store import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "accept"))
from crowd import BEGINNING, crowd, multiply

from personvlm.store.reading import Filters
from personvlm.store.segments import SIZE


def test_people_of_all_segments_are_found(tmp_path: Path) -> None:
    described = Describer.load().describe([image for image, _ in rendered_samples(24, seed=5)])
    with Store.open(tmp_path / "people.db", keep_crops=False) as store:
        assert list(crowd(store, described, SIZE - 1, days=3))[-1] == store.last_number() == 16_383
        assert multiply(store, 3, segments=1) == 49_149
        assert len(store.search("a man", filters=Filters(since=BEGINNING + 6 * 86_400), limit=5).hits) == 5
        found = store.search("woman in a red jacket", filters=Filters(cameras=("camera 3",)))
        assert {hit.described.request.camera for hit in found.hits} == {"camera 3"}
