"""Answers on stdout: JSON Lines, one JSON array, CSV, or text for people. Other programs rely on the first three."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from personvlm.pipeline.record import record
from personvlm.schema import GROUP, NONE, DescribeResult

Format = Literal["plain", "json", "jsonl", "csv"]


def print_json(value: Any, *, indent: int | None = None) -> None:
    """JSON as UTF-8 on stdout. NaN is refused: it is not JSON."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent), flush=True)


def write(results: Iterable[DescribeResult], form: Format, own: Iterable[str] = ()) -> int:
    """Print ``results`` as they come (an array: at the end). Returns how many failed.

    Args:
        own: groups of its own that the model was taught: columns of CSV, behind those of the schema.
    """
    failed = 0

    def counted() -> Iterable[DescribeResult]:
        nonlocal failed
        for result in results:
            failed += result.description is None
            yield result

    if form == "csv":
        _csv(counted(), own)
    else:
        _WRITERS[form](counted())
    return failed


def _jsonl(results: Iterable[DescribeResult]) -> None:
    for result in results:
        print_json(record(result))


def _json(results: Iterable[DescribeResult]) -> None:
    print_json([record(result) for result in results], indent=1)


def _csv(results: Iterable[DescribeResult], own: Iterable[str]) -> None:
    """One row per input; per group a column with its value (a set: joined by "; ") and one with its confidence. A value
    of one's own that was added to a group of the schema stands in that group's column, where it holds."""
    groups = [column for name in dict.fromkeys((*GROUP, *own)) for column in (name, f"{name}.confidence")]
    header = ["input", "text", "error", "quality", "model", "latency_ms", *groups]
    table = csv.DictWriter(sys.stdout, header, restval="", lineterminator="\n")
    table.writeheader()
    for result in results:
        row = record(result)
        row.pop("candidates", None)
        mine = {name: item for name, item in row.pop("own", {}).items() if name not in GROUP or item["value"] != NONE}
        for name, item in {**row.pop("attributes", {}), **mine}.items():
            row[name] = item["value"] if isinstance(item["value"], str) else "; ".join(item["value"])
            row[f"{name}.confidence"] = item["confidence"]
        table.writerow(row)
        sys.stdout.flush()


def _plain(results: Iterable[DescribeResult]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out, err = Console(highlight=False, soft_wrap=True), Console(stderr=True, highlight=False, soft_wrap=True)
    for result in results:
        described = result.description
        if described is None:
            reason = (result.error or "no description").removeprefix(f"{result.input}: ")
            err.print(Text.assemble((printable(result.input) or "''", "bold"), ": ", ("error", "bold red"), ": ",
                                    printable(reason)))  # fmt: skip
            continue
        out.print(Text.assemble((printable(result.input), "bold"), (f"  {result.latency_ms:.0f} ms", "dim")))
        out.print(Text(described.text or "(nothing is certain enough to be said; try --say all)"))
        for other in (item for item in described.candidates if item.text != described.text):
            out.print(Text.assemble(("  or: ", "dim"), other.text, (f"  {other.likelihood:.3f}", "dim")))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
        for name, item in described.attributes.items():
            table.add_row(Text("  " + name, "dim"), Text(", ".join(item.values)), Text(f"{item.confidence:.0%}", "dim"))
        if table.row_count:
            out.print(table, soft_wrap=False)
        out.print()


def printable(text: str) -> str:
    """Control characters of a file name must not reach the terminal; bytes that are no text become ``\\udcXX``."""
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def print_table(title: str, rows: Mapping[str, tuple[str, ...]], header: Iterable[str]) -> None:
    """A small table on stdout; the first column holds the keys of ``rows``. Columns of figures are set to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    lines = [(name, *cells) for name, cells in rows.items()]
    titles = list(header)
    for name, column in zip(titles, zip(*lines, strict=True) if lines else [()] * len(titles), strict=True):
        words = any(char.isalpha() for cell in column for char in cell)
        table.add_column(name, justify="left" if words else "right", overflow="fold")  # what is cut off is not read
    for line in lines:
        table.add_row(*map(Text, line))
    Console(highlight=False).print(table)


_WRITERS: Mapping[Format, Callable[[Iterable[DescribeResult]], None]] = {
    "plain": _plain, "json": _json, "jsonl": _jsonl,
}  # fmt: skip
