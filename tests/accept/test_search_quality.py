"""PETA's test people, described by the shipped model: how well questions built from human labels are answered.

Issue 7, acceptance 3: precision of the first ten, macro-averaged over questions with at least 30 fitting crops, is at
least .85 for one attribute and .70 for two, and better than BM25 over the texts and than the embedding alone.
"""

from __future__ import annotations

import os
from pathlib import Path

import peta_queries
import pytest
import sqlalchemy as sa

from personvlm.data.readers import read_peta
from personvlm.runtime.describer import Describer
from personvlm.schema import Crop, Described, DescribeRequest
from personvlm.store import Store, tables

pytestmark = pytest.mark.accept

WANTED = {1: 0.85, 2: 0.70}


def test_precision_of_the_first_ten_on_peta(tmp_path: Path) -> None:
    data = Path(os.environ.get("PERSONVLM_ASSETS", ""), "data", "peta", "test.jsonl")
    if not data.is_file():
        pytest.skip("PERSONVLM_ASSETS does not hold data/peta/test.jsonl")
    samples = read_peta(data)
    described = Describer.load().describe([sample.image for sample in samples])
    requests = [DescribeRequest.build("peta", number, "backfill", float(number + 1), Crop())
                for number in range(len(described))]  # fmt: skip
    events = [Described(request=request, description=one, described_at=request.frame_time)
              for request, one in zip(requests, described, strict=True)]  # fmt: skip
    with Store.open(tmp_path / "peta.db", keep_crops=False) as store:
        store.add(events)
        store.fold()
        rows = {event.request.person: number for number, event in enumerate(events)}
        with store.read() as connection:
            query = sa.select(tables.tracks.c.id, tables.tracks.c.person)
            numbers = {row.id: rows[row.person] for row in connection.execute(query)}
        reached = {}
        for attributes, wanted in WANTED.items():
            asked = peta_queries.questions(samples, attributes)
            search, each = peta_queries.mean_precision(asked, peta_queries.by_search(store, rows))
            bm25, _ = peta_queries.mean_precision(asked, peta_queries.by_bm25(store, numbers))
            looks, _ = peta_queries.by_embedding(asked, samples, described)
            print(f"\n{attributes} attribute(s), {len(asked)} questions: search {search:.3f} (wanted {wanted:.2f}), "
                  f"BM25 {bm25:.3f}, embedding {looks:.3f}")  # fmt: skip
            worst = sorted(zip(each, asked, strict=True), key=lambda pair: pair[0])[:12]
            print("  hardest: " + "; ".join(f"{one.words} {p:.1f}" for p, one in worst))
            assert search > bm25
            assert search > looks
            reached[attributes] = search
    assert {number: value for number, value in reached.items() if value < WANTED[number]} == {}
