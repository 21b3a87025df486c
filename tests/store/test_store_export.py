"""People out of a store: JSON lines, CSV, Parquet, ONVIF."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from stored_people import MONDAY, backpacker, red_jacket, seen

from personvlm.schema.mappings.onvif import BODY, from_xml
from personvlm.store.export import write

EVENTS = [seen(1, red_jacket(), camera='gate "ä" & co'), seen(2, backpacker(), at=MONDAY + 60.5, final=True)]


def test_json_lines_and_csv_say_the_same() -> None:
    lines, table = io.StringIO(), io.StringIO()
    assert write(EVENTS, lines, "jsonl") == write(EVENTS, table, "csv") == 2
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    rows = list(csv.DictReader(io.StringIO(table.getvalue())))
    assert records[0]["camera"] == rows[0]["camera"] == 'gate "ä" & co'
    assert records[0]["attributes"]["upper.color"] == {"value": ["red"], "confidence": 0.9}
    assert (rows[0]["upper.color"], rows[0]["upper.color.confidence"]) == ("red", "0.9")
    assert rows[1]["carrying"] == "backpack; bag"
    assert [record["person"] for record in records] == [one.request.person for one in EVENTS]
    assert records[1]["final"] is True


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert write(iter(EVENTS * 700), tmp_path / "people.parquet", "parquet") == 1400
    table = parquet.read_table(tmp_path / "people.parquet")
    assert table.num_rows == 1400
    row = table.slice(1, 1).to_pylist()[0]
    assert (row["carrying"], row["time"], row["final"]) == ("backpack; bag", MONDAY + 60.5, True)
    assert row["hair.color"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["people.parquet"]


def test_onvif_is_read_back() -> None:
    out = io.StringIO()
    assert write(EVENTS, out, "onvif") == 2
    root = ET.fromstring(out.getvalue().encode())
    frames = list(root.iter("{http://www.onvif.org/ver10/schema}Frame"))
    assert [frame.get("Source") for frame in frames] == ['gate "ä" & co', "gate"]
    assert frames[1].get("UtcTime", "").startswith("2026-")
    body = next(frames[0].iter(f"{{{BODY}}}HumanBody"))
    back = from_xml(ET.tostring(body, encoding="unicode"))
    assert back.attributes["upper.garment"].value == "jacket"
    assert back.attributes["upper.color"].values == ("red",)


def test_a_file_that_could_not_be_finished_is_not_there(tmp_path: Path) -> None:
    def broken() -> object:
        yield EVENTS[0]
        raise RuntimeError("no more")

    for form in ("jsonl", "csv", "onvif"):
        with pytest.raises(RuntimeError, match="no more"):
            write(broken(), tmp_path / form, form)  # type: ignore[arg-type]
        assert not (tmp_path / form).exists()
