"""People out of a store, for other programs: JSON lines, CSV, Parquet, ONVIF's metadata.

One row per person, what holds of them; or everything that was ever said. Times are seconds since the epoch.
"""

from __future__ import annotations

import csv
import json
import xml.sax.saxutils as escaping
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TextIO

from personvlm.base.errors import InputError, extra
from personvlm.schema import GROUP, Described
from personvlm.schema.mappings.onvif import to_xml
from personvlm.store.bulk import chunks

Format = Literal["jsonl", "csv", "parquet", "onvif"]

_PLAIN = ("person", "revision", "event", "event_id", "camera", "track", "time", "first_seen", "final", "described_at",
          "text", "quality", "model", "picture")  # fmt: skip
_NUMBERS = frozenset(("time", "first_seen", "described_at", "quality"))
_COUNTS = frozenset(("revision", "track"))


def record(one: Described) -> dict[str, Any]:
    """One described event, fit for JSON; other programs rely on it."""
    request, said = one.request, one.description
    return {
        "person": request.person, "revision": request.revision, "event": request.trigger, "event_id": request.event_id,
        "camera": request.camera, "track": request.track_id, "time": request.frame_time,
        "first_seen": request.seen_since, "final": request.final,
        "described_at": one.described_at, "text": said.text, "quality": said.quality, "model": said.model,
        "picture": request.crop.reference,
        "attributes": {name: {"value": item.value if isinstance(item.value, str) else list(item.value),
                              "confidence": round(item.confidence, 4)} for name, item in said.attributes.items()},
    }  # fmt: skip


def write(people: Iterable[Described], path: Path | TextIO, form: Format) -> int:
    """Write ``people`` to a file, or to an open one (not Parquet); returns how many.

    Raises:
        InputError: Parquet without pyarrow, or into an open file; or ``path`` is a folder.
    """
    if isinstance(path, Path) and path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it")
    with ExitStack() as stack:
        if form == "parquet":
            if not isinstance(path, Path):
                raise InputError("Parquet cannot be written to the terminal: give a file with --out")
            return _parquet(people, path)
        # A file that was begun and not finished must not be taken for a whole one.
        half = path.with_name(path.name + ".part") if isinstance(path, Path) else None
        out = path if half is None else stack.enter_context(half.open("w", encoding="utf-8", newline=""))
        assert not isinstance(out, Path)
        count = _WRITERS[form](people, out)
    if half is not None and isinstance(path, Path):
        half.replace(path)
    return count


def _jsonl(people: Iterable[Described], out: TextIO) -> int:
    count = 0
    for one in people:
        out.write(json.dumps(record(one), ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _flat(one: Described) -> dict[str, Any]:
    """A record with a column per group (sets joined by "; ") and one with its confidence."""
    row = record(one)
    for name, item in row.pop("attributes").items():
        row[name] = item["value"] if isinstance(item["value"], str) else "; ".join(item["value"])
        row[f"{name}.confidence"] = item["confidence"]
    return row


def _header() -> list[str]:
    return [*_PLAIN, *(column for name in GROUP for column in (name, f"{name}.confidence"))]


def _csv(people: Iterable[Described], out: TextIO) -> int:
    table = csv.DictWriter(out, _header(), restval="", lineterminator="\n")
    table.writeheader()
    count = 0
    for one in people:
        table.writerow(_flat(one))
        count += 1
    return count


def _parquet(people: Iterable[Described], path: Path) -> int:
    with extra("Parquet", "parquet"):
        import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
        import pyarrow.parquet as pq  # type: ignore[import-untyped,unused-ignore]

    def kind(name: str) -> Any:
        if name in _NUMBERS or name.endswith(".confidence"):
            return pa.float64()
        return pa.int64() if name in _COUNTS else pa.bool_() if name == "final" else pa.string()

    schema = pa.schema([(name, kind(name)) for name in _header()])
    half, count = path.with_name(path.name + ".part"), 0
    with pq.ParquetWriter(half, schema) as file:
        for part in chunks(people):
            file.write_table(pa.Table.from_pylist([_flat(one) for one in part], schema=schema))
            count += len(part)
    half.replace(path)
    return count


def _onvif(people: Iterable[Described], out: TextIO) -> int:
    """A ``tt:MetadataStream`` with one frame per description, as ONVIF's analytics service sends it."""
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n<tt:MetadataStream '
              'xmlns:tt="http://www.onvif.org/ver10/schema">\n')  # fmt: skip
    count = 0
    for one in people:
        count += 1
        request = one.request
        at = datetime.fromtimestamp(request.frame_time, timezone.utc).isoformat(timespec="milliseconds")
        box = request.crop.box
        shape = "" if box is None else (
            f'<tt:Shape><tt:BoundingBox left="{box[0]:g}" top="{box[1]:g}" right="{box[2]:g}" bottom="{box[3]:g}"/>'
            f'<tt:CenterOfGravity x="{(box[0] + box[2]) / 2:g}" y="{(box[1] + box[3]) / 2:g}"/></tt:Shape>'
        )  # fmt: skip
        when, where = escaping.quoteattr(at.replace("+00:00", "Z")), escaping.quoteattr(request.camera)
        out.write(
            f' <tt:VideoAnalytics><tt:Frame UtcTime={when} Source={where}><tt:Object ObjectId="{request.track_id}">'
            f"<tt:Appearance>{shape}<tt:Class><tt:Type Likelihood=\"1\">Human</tt:Type></tt:Class>"
            f"{to_xml(one.description)}</tt:Appearance></tt:Object></tt:Frame></tt:VideoAnalytics>\n"
        )  # fmt: skip
    out.write("</tt:MetadataStream>\n")
    return count


_WRITERS: MappingProxyType[str, Callable[[Iterable[Described], TextIO], int]] = MappingProxyType({
    "jsonl": _jsonl, "csv": _csv, "onvif": _onvif,
})  # fmt: skip
